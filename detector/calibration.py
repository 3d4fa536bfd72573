"""What a numeric parameter does: how many signals, how much money and how many right and wrong ones at each value.

Signals that people judged are looked at where they were last found: on the snapshot and at the instant of that run.
The present is looked at too. Each value is evaluated on all of that, and what it raises is compared with what people
said. Below 30 judged signals a rate says nothing, so there are counts only (console.md, rule editor).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from billing.periods import Duration
from detector import past
from detector.decisions import Policy
from detector.labels import Label, Verdict, labels
from detector.parameters import Parameter, ParameterType, Value
from detector.past import Point
from detector.replay import Contender, Limits, Money, Raised, Replay, Tell, replay
from detector.rules import Rule
from store import operational
from store.operational_tables import Run
from store.warehouse import Warehouse

LEAST_LABELS = 30
"""Judged signals below which no rate is given."""

MOST_RUNS = 20
"""Runs of the past that are looked at, the latest first."""

STEPS = 9
"""Values between the smallest and the largest that are tried."""

NUMERIC = (ParameterType.DECIMAL, ParameterType.INT, ParameterType.DURATION)
_ROUND = (1, 2, 5)


@dataclass(frozen=True)
class Tried:
    """One value: the signals it raises, their money, and how many of them people found right and wrong."""

    value: str
    signals: int
    right: int
    wrong: int
    impacts: tuple[Money, ...]
    lost: tuple[Label, ...]  # right ones that it does not raise
    spared: tuple[Label, ...]  # wrong ones that it does not raise

    @property
    def judged(self) -> int:
        """The signals that people have judged."""
        return self.right + self.wrong

    def precision(self) -> Decimal | None:
        """The part of the judged ones that was right, to a thousandth; None below 30 of them."""
        if self.judged < LEAST_LABELS:
            return None
        return (Decimal(self.right) / self.judged).quantize(Decimal("0.001"))


@dataclass(frozen=True)
class Calibration:
    """The curve of a parameter over its values, the value that holds now, and one that may be better.

    `suggested` is None where no value would spare a wrong signal at no more than one lost right one in twenty.
    """

    rule: Rule
    parameter: str
    current: str
    right: int
    wrong: int
    tried: tuple[Tried, ...]
    suggested: Tried | None
    replay: Replay

    @property
    def judged(self) -> int:
        """How many signals people have judged in all."""
        return self.right + self.wrong


def calibrate(
    warehouse: Warehouse,
    engine: Engine,
    rule: Rule,
    name: str,
    policy: Policy,
    now: datetime,
    *,
    values: Sequence[str] = (),
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    tell: Tell = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> Calibration:
    """Try `values` of a numeric parameter (by default some between its bounds) on the judged signals and on now.

    Raises ValueError for a parameter that is none of the rule's or no number, RuleFailed, LakeError.
    """
    parameter = _parameter(rule, name)
    chosen = list(values) or spread(parameter)
    chosen = ordered(parameter, [*chosen, str(parameter.default)])
    with operational.reading(engine) as session:
        known = {key: label for key, label in labels(session, rule.name).items() if label.verdict is not Verdict.OPEN}
        points = _points(session, warehouse, known.values(), now)
    contenders = [Contender(rule, {name: value}) for value in chosen]
    replayed = replay(warehouse, engine, contenders, points, policy, limits=limits, tell=tell, stop=stop)
    reached = _reached(known, replayed)
    tried = tuple(
        _tried(value, outcome.raised, reached) for value, outcome in zip(chosen, replayed.outcomes, strict=True)
    )
    verdicts = [label.verdict for label in reached.values()]
    current = next(each for each in tried if each.value == str(parameter.default))
    return Calibration(
        rule,
        name,
        str(parameter.default),
        verdicts.count(Verdict.RIGHT),
        verdicts.count(Verdict.WRONG),
        tried,
        _suggested(tried, current),
        replayed,
    )


def spread(parameter: Parameter) -> list[str]:
    """Round values from the parameter's minimum to its maximum; without bounds, from a quarter to four times its
    default.
    """
    if parameter.type is ParameterType.DURATION:
        return _durations(parameter)
    usual = Decimal(str(parameter.default))
    low = Decimal(str(parameter.min)) if parameter.min is not None else min(usual / 4, usual * 4)
    high = Decimal(str(parameter.max)) if parameter.max is not None else max(usual / 4, usual * 4)
    positive = max(low, high / 1000, usual / 1000) if high > 0 else low
    found = [low, high, *_round_values(positive, high)] if high > positive > 0 else [low, high]
    whole = parameter.type is ParameterType.INT
    return _thin(sorted({each for each in found if low <= each <= high and (not whole or each == int(each))}), usual)


def ordered(parameter: Parameter, values: Iterable[str]) -> list[str]:
    """The values from the smallest to the largest, each once. Raises ValueError for one that does not fit."""
    by_value: dict[object, str] = {}
    for value in values:
        by_value[_size(parameter.parse(value))] = str(value)
    return [by_value[size] for size in sorted(by_value)]  # type: ignore[type-var]


def _parameter(rule: Rule, name: str) -> Parameter:
    parameter = rule.params.get(name)
    numeric = [each for each, declared in rule.params.items() if declared.type in NUMERIC]
    if parameter is None or parameter.type not in NUMERIC:
        known = f"it has {', '.join(numeric)}" if numeric else "it has none"
        raise ValueError(f"{rule.name} has no numeric parameter {name}; {known}")
    return parameter


def _size(value: Value) -> Decimal:
    return Decimal(value.mean_seconds) if isinstance(value, Duration) else Decimal(str(value))


def _round_values(low: Decimal, high: Decimal) -> list[Decimal]:
    """1, 2, 5, 10, 20 ... between two positive bounds."""
    found, size = [], Decimal(1).scaleb(low.adjusted())
    while size <= high:
        found += [size * step for step in _ROUND if low <= size * step <= high]
        size *= 10
    return found


def _thin(values: list[Decimal], usual: Decimal) -> list[str]:
    """At most STEPS of the values: both ends, and evenly between, the nearest to the default kept."""
    if len(values) > STEPS:
        near = min(values, key=lambda each: abs(each - usual))
        last = len(values) - 1
        places = {round(last * place / (STEPS - 1)) for place in range(STEPS)} | {values.index(near)}
        values = [values[place] for place in sorted(places)]
    return [f"{each.normalize():f}" for each in values]


def _durations(parameter: Parameter) -> list[str]:
    """The default's unit, times round numbers within the bounds."""
    usual = parameter.parse(parameter.default)
    assert isinstance(usual, Duration)
    unit = "P{}M" if usual.months else "P{}D" if usual.days else "PT{}H" if usual.seconds >= 3600 else "PT{}M"
    count = usual.months or usual.days or (usual.seconds // 3600 if usual.seconds >= 3600 else usual.seconds // 60)
    near = sorted({1, *(count * part // 4 for part in (1, 2, 3, 4, 5, 6, 8, 12, 16))} - {0})
    return [text for each in near if _fits(parameter, text := unit.format(each))]


def _fits(parameter: Parameter, text: str) -> bool:
    try:
        parameter.parse(text)
    except ValueError:
        return False
    return True


def _points(session: Session, warehouse: Warehouse, judged: Iterable[Label], now: datetime) -> list[Point]:
    """Where the judged signals were last found, the latest runs first to be taken, and the present."""
    ids = {label.run_id for label in judged}
    runs = session.scalars(select(Run).where(Run.id.in_(ids)).order_by(Run.as_of.desc()).limit(MOST_RUNS)).all()
    held = {number for number, _ in warehouse.snapshots()}
    current = warehouse.snapshot()
    then = {
        run.as_of: Point(run.as_of, run.snapshot, True)
        if run.snapshot in held and run.snapshot is not None
        else Point(run.as_of, current, False)
        for run in runs
    }
    return sorted([*then.values(), *past.on_snapshots(warehouse, [now])], key=lambda point: point.as_of)


def _reached(known: Mapping[str, Label], replayed: Replay) -> dict[str, Label]:
    """The judged signals that a point looks at; the others can be neither raised nor lost."""
    looked = {point.as_of for point in replayed.points}
    return {key: label for key, label in known.items() if label.last_seen in looked}


def _tried(value: str, raised: Sequence[Raised], known: Mapping[str, Label]) -> Tried:
    ours = {each.fingerprint for each in raised}
    verdicts = [known[key].verdict for key in ours if key in known]
    absent = [label for key, label in known.items() if key not in ours]
    return Tried(
        value,
        len(ours),
        verdicts.count(Verdict.RIGHT),
        verdicts.count(Verdict.WRONG),
        total(raised),
        tuple(label for label in absent if label.verdict is Verdict.RIGHT),
        tuple(label for label in absent if label.verdict is Verdict.WRONG),
    )


def total(raised: Iterable[Raised]) -> tuple[Money, ...]:
    """The money of signals by currency, each kind for itself."""
    sums: dict[str, list[Decimal]] = {}
    for money in (impact for each in raised for impact in each.impacts):
        of = sums.setdefault(money.currency, [Decimal(0)] * 3)
        sums[money.currency] = [of[0] + money.under, of[1] + money.over, of[2] + money.exposure]
    return tuple(Money(currency, *amounts) for currency, amounts in sorted(sums.items()))


def _suggested(tried: Sequence[Tried], current: Tried) -> Tried | None:
    """The value that spares most wrong signals while it keeps at least 19 of 20 right ones of now; the nearest to the
    current one where several do.
    """
    kept = [each for each in tried if each.right * 20 >= current.right * 19 and each.wrong < current.wrong]
    place = tried.index(current)
    return min(kept, key=lambda each: (each.wrong, -each.right, abs(tried.index(each) - place)), default=None)
