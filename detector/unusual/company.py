"""A company's own usage, looked through: from the derived series to the table of scores that rules read.

Series of customers are examined by the model in force, or screened where there is none; totals are screened, since
what moves many series at once is ordinary to the model and just what a total is watched for.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from detector.learned import SILENCE, Announced, Learned, Verdict
from detector.unusual import cells, pool, reading
from detector.unusual import model as models
from detector.unusual.examine import Model
from detector.unusual.gridding import grids
from detector.unusual.reading import EventRows, Rows
from detector.unusual.scoring import Scoring

SHOWN_DAYS = 62
"""Scores are kept of so many of the last days: what a signal stands on for two months."""
LEAST = 1.0
"""Scores from which a day is kept: a hundred in 1000 series-months."""
CHANGE_DAYS = 28
CREATED = """
    CREATE OR REPLACE TEMP TABLE unusual_scores (
        series VARCHAR, day DATE, expected DECIMAL(38, 9), lower DECIMAL(38, 9), upper DECIMAL(38, 9), score DOUBLE,
        oddness VARCHAR, first_day DATE, times DOUBLE, reason VARCHAR, alike DOUBLE, changed_on DATE)"""
MOST = 1e27
"""No quantity of the books is greater."""


def look_through(con: duckdb.DuckDBPyConnection, learned: Learned) -> None:
    """Make the table unusual_scores on `con` from usage_series and usage_changes, which are there."""
    con.execute(CREATED)
    changes = known_changes(con, learned)
    model = models.load(Path(learned.model), learned.sha256, cells.seen_names()) if learned.model else None
    for which, used in (("kind = 'customer'", model), ("kind <> 'customer'", None)):
        rows = series(con, which)
        if len(rows.names):
            _store(con, _outstanding(rows, changes, used, learned))


def series(con: duckdb.DuckDBPyConnection, which: str) -> Rows:
    """The series that a condition on usage_series chooses, as the detector takes them."""
    columns = "series, CAST(day AS TIMESTAMP) AS time, CAST(quantity AS DOUBLE) AS value, 0 AS n"
    return reading.numbered(con, f"(SELECT {columns} FROM usage_series WHERE {which})")


def known_changes(con: duckdb.DuckDBPyConnection, learned: Learned) -> EventRows:
    """The changes that the books know, those that people called planned (the level begins anew), and their calendar."""
    books = con.execute("SELECT series, kind, day FROM usage_changes ORDER BY day, series, kind").fetchall()
    found = [(series, kind, _seconds(day), -1) for series, kind, day in books]
    found += [
        (label.series, "plan_change", _seconds(label.first_day), -1)
        for label in learned.labels
        if label.verdict is Verdict.PLANNED
    ]
    for days in learned.announced:
        kind = "outage" if days.is_outage else "planned"
        found += [(name, kind, _seconds(days.first_day), _seconds(days.last_day)) for name in _named(con, days)]
    names, kinds, begins, ends = zip(*found, strict=True) if found else ((), (), (), ())
    return EventRows(
        np.array(names, dtype=object), np.array(kinds, dtype=object),
        np.array(begins, dtype=np.int64), np.array(ends, dtype=np.int64),
    )  # fmt: skip


def _named(con: duckdb.DuckDBPyConnection, days: Announced) -> list[str]:
    """The series that announced days concern: a customer's own, or all, the totals with them."""
    found = con.execute(
        "SELECT DISTINCT series FROM usage_series WHERE ($meter IS NULL OR meter_id = $meter)"
        " AND ($customer IS NULL OR customer_id = $customer) ORDER BY series",
        {"meter": days.meter_id, "customer": days.customer_id},
    )
    return [name for (name,) in found.fetchall()]


@dataclass(frozen=True)
class ExpectedDay:
    """One day of a series: what was used (None: no events), what was expected, and the usual range."""

    day: date
    used: Decimal | None
    expected: Decimal
    lower: Decimal
    upper: Decimal


def expectation(con: duckdb.DuckDBPyConnection, name: str, learned: Learned) -> list[ExpectedDay]:
    """What was expected of one series of usage_series on each of its days; none where it is too young or unknown.

    It is held against a pool of at most `pool.SAMPLE` series, those that were there first, as in scoring.
    """
    kind = "kind = 'customer'" if name.startswith("customer/") else "kind <> 'customer'"
    first = (
        f"SELECT series FROM usage_series WHERE {kind} GROUP BY series ORDER BY min(day), series LIMIT {pool.SAMPLE}"
    )
    con.execute("SET VARIABLE shown_series = $name", {"name": name})
    rows = series(con, f"{kind} AND (series = getvariable('shown_series') OR series IN ({first}))")
    place = np.flatnonzero(rows.names == name)
    made = grids(rows, known_changes(con, learned))[0] if len(place) else []
    if not made:
        return []
    usage = made[0].usage
    row = int(np.flatnonzero(made[0].code == place[0])[0])
    days = usage.times.astype("datetime64[D]").astype(object)
    told = zip(days, usage.values[row], *cells.expectation(usage, row), strict=True)
    return [
        ExpectedDay(day, None if np.isnan(used) else _exact(used), _exact(expected), _exact(lower), _exact(upper))
        for day, used, expected, lower, upper in told
        if not np.isnan(expected)
    ]


def _exact(value: float) -> Decimal:
    return Decimal(f"{min(float(value), MOST):.6f}")


def _seconds(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86400


def _outstanding(rows: Rows, changes: EventRows, model: Model | None, learned: Learned) -> pd.DataFrame:
    """The days worth keeping, with what labels make of their scores."""
    newest = np.datetime64(int(rows.second.max()), "s").astype("datetime64[D]")
    scoring = Scoring(rows, changes, model=model, method="boosting" if model else "screen")
    found = scoring.outstanding(newest - np.timedelta64(SHOWN_DAYS, "D"), LEAST)
    found["day"] = found["time"].dt.date
    found["score"] -= found["oddness"].map(learned.taken_off)
    began = _silent_since(rows, found, {label.series for label in learned.labels})
    told = zip(found["series"], found["oddness"], found["day"], found["score"], began, strict=True)
    repeats = np.array([learned.repeats(*each) for each in told], dtype=bool)
    kept = found[(found["score"] >= LEAST) & ~repeats].copy()
    kept["changed_on"] = _latest(kept, changes)
    return kept


def _silent_since(rows: Rows, found: pd.DataFrame, labelled: set[str]) -> list[date | None]:
    """For each silence of a labelled series its first day; None of anything else."""
    used: dict[str, list[int]] = {}
    for code in np.flatnonzero(np.isin(rows.names, list(labelled))).tolist():
        low, high = np.searchsorted(rows.code, [code, code + 1])
        with_usage = rows.second[low:high][rows.value[low:high] > 0]
        used[str(rows.names[code])] = sorted(with_usage.tolist())

    def since(series: str, day: date) -> date | None:
        """The day after the last one with usage before it."""
        before = bisect_left(used.get(series, []), _seconds(day))
        return date(1970, 1, 1) + timedelta(days=used[series][before - 1] // 86400 + 1) if before else None

    told = zip(found["series"], found["oddness"], found["day"], strict=True)
    return [since(series, day) if oddness == SILENCE else None for series, oddness, day in told]


def _latest(kept: pd.DataFrame, changes: EventRows) -> list[date | None]:
    """For each kept day the latest known change of its series within the four weeks before."""
    by_series: dict[str, list[date]] = {}
    for name, second in zip(changes.name.tolist(), changes.start.tolist(), strict=True):
        by_series.setdefault(name, []).append(date(1970, 1, 1) + timedelta(seconds=second))
    span = timedelta(days=CHANGE_DAYS)
    return [
        max((each for each in by_series.get(name, ()) if day - span < each <= day), default=None)
        for name, day in zip(kept["series"], kept["day"], strict=True)
    ]


def _store(con: duckdb.DuckDBPyConnection, kept: pd.DataFrame) -> None:
    if kept.empty:
        return
    quantities = {name: kept[name].fillna(0).clip(0, MOST).round(6) for name in ("expected", "lower", "upper")}
    con.register("given", kept.assign(**quantities))
    try:
        con.execute("""
            INSERT INTO unusual_scores
            SELECT series, CAST(day AS DATE), expected, lower, upper, score, oddness,
                CAST(day AS DATE) - CAST(steps AS INTEGER) + 1, times, reason, alike, CAST(changed_on AS DATE)
            FROM given""")
    finally:
        con.unregister("given")
