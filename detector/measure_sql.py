"""Compiles a measure to the one SELECT of a rule.

Four parts: the values of each series by window; the windows in which any series has something, for each series since
its first; what is usual for each window; and whether it is hit. Windows that are not over, or were over too long ago,
are left out at the end. `sqlglot` writes it out, so that what people see is what runs.
"""

from __future__ import annotations

from decimal import Decimal

import sqlglot

from billing.periods import Duration
from detector.measure_format import Measure, Trigger, Value, Window

_FUNCTIONS = {
    "sum": "sum({0})",
    "count": "count(*)",
    "unique_count": "count(DISTINCT {0})",
    "avg": "avg({0})",
    "min": "min({0})",
    "max": "max({0})",
    "latest": "arg_max({0}, {at})",
    "p95": "quantile_cont({0}, 0.95)",
}
_NOTHING_IS_ZERO = ("sum", "count", "unique_count")
LEAST_FOR_Z = 7
"""Windows without which a median and its spread say nothing."""

MONDAY = "TIMESTAMP '2024-01-01'"
"""From where windows are counted on the local clock."""


def compiled(measure: Measure) -> str:
    """The SELECT. Raises ValueError for a condition that cannot be parsed."""
    by = ", ".join(measure.by)
    parts = [
        f"measured AS ({_series(measure, measure.of, measure.at, measure.where, measure.value)})",
        "seen AS (SELECT DISTINCT window_start, window_end FROM measured)",
        f"begun AS (SELECT {by}, min(window_start) AS begins FROM measured GROUP BY {by})",
        f"filled AS (SELECT {_of('b', measure)}, s.window_start, s.window_end, {_filled(measure.value)} AS value, "
        f"m.value IS NOT NULL AS is_there FROM begun AS b JOIN seen AS s ON s.window_start >= b.begins "
        f"LEFT JOIN measured AS m ON {_same('m', 'b', measure)} AND m.window_start = s.window_start)",
    ]
    if measure.trigger.to:
        other = measure.trigger.to
        parts.append(f"other AS ({_series(measure, other.of, other.at, other.where, other.value)})")
    parts += [f"compared AS ({_compared(measure)})", f"judged AS ({_judged(measure)})"]
    sql = f"WITH {', '.join(parts)} {_found(measure)}"
    try:
        return sqlglot.parse_one(sql, read="duckdb").sql(dialect="duckdb", pretty=True)
    except sqlglot.errors.SqlglotError as error:
        raise ValueError(f"where cannot be parsed: {str(error).splitlines()[0]}") from None


def _series(measure: Measure, of: str, at: str, where: str | None, value: Value) -> str:
    """One value per series and window."""
    ((name, column),) = value.given.items()
    function = _FUNCTIONS[name].format(f"r.{column}", at=f"r.{at}")
    start, end, source = _windows(measure.window, of, at)
    condition = f"({where})" if where else "TRUE"
    by = ", ".join(f"r.{name}" for name in measure.by)
    return (
        f"SELECT {by}, {start} AS window_start, {end} AS window_end, {function} AS value FROM {source} "
        f"WHERE {condition} AND r.{at} IS NOT NULL GROUP BY ALL"
    )


def _windows(window: Window, of: str, at: str) -> tuple[str, str, str]:
    """Start and end of the window that a row is in, in UTC, and what to read rows from."""
    if window.billing_period:
        joined = "p.integration = r.integration AND p.item_id = r.item_id"
        held = f"p.period_start <= r.{at} AND r.{at} < p.period_end"
        return "p.period_start", "p.period_end", f"{of} AS r JOIN periods AS p ON {joined} AND {held}"
    local = _local(f"CAST(r.{at} AS TIMESTAMP)", window.timezone)
    if window.calendar:
        begins = f"date_trunc('{window.calendar}', {local})"
        length = {"quarter": "INTERVAL 3 MONTH"}.get(window.calendar, f"INTERVAL 1 {window.calendar.upper()}")
        return _utc(begins, window.timezone), _utc(f"({begins} + {length})", window.timezone), f"{of} AS r"
    if window.tumbling:
        size = _interval(window.tumbling)
        begins = f"time_bucket({size}, {local}, {MONDAY})"
        return _utc(begins, window.timezone), _utc(f"({begins} + {size})", window.timezone), f"{of} AS r"
    assert window.sliding
    assert window.every
    steps = ", ".join(map(str, range(window.steps)))
    begins = f"(time_bucket({_interval(window.every)}, {local}, {MONDAY}) - k.step * {_interval(window.every)})"
    ends = f"({begins} + {_interval(window.sliding)})"
    source = f"{of} AS r CROSS JOIN (SELECT unnest([{steps}]) AS step) AS k"
    return _utc(begins, window.timezone), _utc(ends, window.timezone), source


def _compared(measure: Measure) -> str:
    """Every window with what is usual for it: `usual`, `spread`, and how many windows of its series came before."""
    by = ", ".join(measure.by)
    before = f"(PARTITION BY {by} ORDER BY window_start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    day = f"dayofweek({_local('window_start', measure.window.timezone)})"
    weekday = f"(PARTITION BY {by}, {day} ORDER BY window_start ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING)"
    usual = {
        "rises": f"lag(value) OVER (PARTITION BY {by} ORDER BY window_start)",
        "falls": f"lag(value) OVER (PARTITION BY {by} ORDER BY window_start)",
        "weekday": f"median(value) OVER {weekday}",
        "robust_z": f"median(value) OVER {before}",
        "absent": f"median(value) OVER {before}",
        "ratio_above": "o.value",
        "ratio_below": "o.value",
        "missing_in": "o.value",
    }.get(_comparison(measure.trigger), "NULL")
    spread = f"mad(value) OVER {before}" if measure.trigger.robust_z is not None else "NULL"
    source = "filled"
    columns = f"*, {usual} AS usual, {spread} AS spread, count(*) OVER {before} AS history"
    if measure.trigger.to:
        columns = columns.replace("*, ", "f.*, ", 1).replace("count(*)", "count(f.value)")
        joined = f"{_same('o', 'f', measure)} AND o.window_start = f.window_start"
        source = f"filled AS f LEFT JOIN other AS o ON {joined}"
        columns = columns.replace(f"PARTITION BY {by}", f"PARTITION BY {_of('f', measure)}")
        columns = columns.replace("ORDER BY window_start", "ORDER BY f.window_start")
    return f"SELECT {columns} FROM {source}"


def _judged(measure: Measure) -> str:
    """Every window with whether it is hit, and whether the windows before it were too."""
    trigger, by = measure.trigger, ", ".join(measure.by)
    far = f"abs(value - coalesce(usual, 0)) >= {_number(trigger.least)}"
    hit = f"coalesce(({_condition(trigger)}) AND {far} AND history >= {trigger.least_history}, FALSE)"
    row = f"(PARTITION BY {by} ORDER BY window_start ROWS BETWEEN {trigger.in_a_row - 1} PRECEDING AND CURRENT ROW)"
    return f"SELECT *, count_if({hit}) OVER {row} = {trigger.in_a_row} AS is_hit FROM compared"


def _condition(trigger: Trigger) -> str:
    ((name, given),) = trigger.given.items()
    number = "0" if given is True else _number(given)
    return {
        "above": f"value > {number}",
        "below": f"value < {number}",
        "rises": f"value > usual * (100 + {number}) / 100",
        "falls": f"value < usual * (100 - {number}) / 100",
        "weekday": f"abs(value - usual) * 100 > {number} * abs(usual)",
        "robust_z": f"history >= {LEAST_FOR_Z} AND abs(value - usual) > {number} * 1.4826 * spread",
        "ratio_above": f"value > {number} * usual",
        "ratio_below": f"value < {number} * usual",
        "exists": "is_there",
        "absent": "NOT is_there AND usual > 0",
        "missing_in": "is_there AND usual IS NULL",
    }[name]


def _found(measure: Measure) -> str:
    """The windows that are hit, over, and recent; with the distance from what is usual as money where it is money."""
    distance = "abs(value - coalesce(usual, 0))" if measure.money else "0"
    currency = "" if "currency" in measure.by else "NULL AS currency, "
    lag = f" + {_interval(measure.window.lag)}" if measure.window.lag else ""
    over = f"window_end{lag} <= $as_of AND window_end{lag} + {_interval(measure.within)} > $as_of"
    columns = f"{', '.join(measure.by)}, {currency}window_start AS period_start, window_end AS period_end"
    return (
        f"SELECT {columns}, value, usual, "
        f"CAST({distance} AS DECIMAL(18, 4)) AS exposure FROM judged WHERE is_hit AND {over}"
    )


def _comparison(trigger: Trigger) -> str:
    return next(iter(trigger.given))


def _filled(value: Value) -> str:
    return "coalesce(m.value, 0)" if next(iter(value.given)) in _NOTHING_IS_ZERO else "m.value"


def _of(alias: str, measure: Measure) -> str:
    return ", ".join(f"{alias}.{name}" for name in measure.by)


def _same(one: str, other: str, measure: Measure) -> str:
    return " AND ".join(f"{one}.{name} IS NOT DISTINCT FROM {other}.{name}" for name in measure.by)


def _local(instant: str, zone: str) -> str:
    """The local clock at an instant of UTC."""
    return instant if zone == "UTC" else f"timezone('{zone}', timezone('UTC', {instant}))"


def _utc(local: str, zone: str) -> str:
    return local if zone == "UTC" else f"timezone('UTC', timezone('{zone}', {local}))"


def _interval(length: Duration) -> str:
    parts = ((length.months, "MONTH"), (length.days, "DAY"), (length.seconds, "SECOND"))
    return "(" + " + ".join(f"INTERVAL {number} {unit}" for number, unit in parts if number) + ")"


def _number(value: object) -> str:
    """A number of the file, or a parameter by its name. Raises ValueError for anything else."""
    if isinstance(value, str) and value.startswith("$") and value[1:].isidentifier():
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{value!r} is neither a number nor a parameter; write 50 or $percent")
    return f"{Decimal(value):f}"
