"""Meters: what a set of events adds up to, as rating.md ("Quantity") says.

The whole-period aggregate is always taken over the events themselves: a maximum, an average or a distinct count
of sub-windows does not add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction

from billing.money import as_decimal
from billing.periods import Period, periods_between, timezone_named


class Aggregation(StrEnum):
    """How a meter turns events into a quantity. `time_weighted` is the mean level over the window, by the second."""

    SUM = "sum"
    COUNT = "count"
    UNIQUE_COUNT = "unique_count"
    MAX = "max"
    MIN = "min"
    AVG = "avg"
    LATEST = "latest"
    TIME_WEIGHTED = "time_weighted"


@dataclass(frozen=True)
class Event:
    """One accepted usage event: when it happened, its value as sent, its properties, when it was received.

    `removes`: the event takes its value out of a distinct count, until it is sent again.
    """

    time: datetime
    value: str | Decimal | None = None
    properties: Mapping[str, str | None] = field(default_factory=dict)
    received_at: datetime | None = None
    removes: bool = False


@dataclass(frozen=True)
class Filter:
    """Which events count: all of `include` must match, and none of the sets of `exclude` may match as a whole."""

    include: Mapping[str, frozenset[str]] = field(default_factory=dict)
    exclude: Sequence[Mapping[str, frozenset[str]]] = ()

    def matches(self, event: Event) -> bool:
        """True when the event counts."""
        return _all_match(event, self.include) and not any(_all_match(event, each) for each in self.exclude)


Group = tuple[str | None, ...]


def measure(
    events: Iterable[Event],
    aggregation: Aggregation,
    start: datetime,
    end: datetime,
    *,
    keep: Filter | None = None,
    group_by: Sequence[str] = (),
    opening: Mapping[Group, Decimal] | None = None,
    lowest_latest: Decimal | None = None,
) -> dict[Group, Decimal]:
    """The quantity per group of the events whose `time` lies in `[start, end)`; without `group_by` the group is `()`.

    Late events count by their own time, whenever they were received. An event without the property that groups belongs
    to the group `None`. `opening` is the level before the window (time-weighted sums only), `lowest_latest` what a
    lower latest value is raised to (a dialect's choice). A value that is not a number is left out, except where values
    are only told apart or counted. Raises ValueError for an empty window.
    """
    if end <= start:
        raise ValueError(f"a window of zero length: {start.isoformat()} to {end.isoformat()}")
    grouped: dict[Group, list[Event]] = {group: [] for group in opening or {}}
    if not group_by:
        grouped.setdefault((), [])
    for event in sorted(events, key=lambda event: event.time):
        if start <= event.time < end and (keep is None or keep.matches(event)):
            grouped.setdefault(tuple(event.properties.get(name) for name in group_by), []).append(event)
    if aggregation is Aggregation.TIME_WEIGHTED:
        return {g: time_weighted(found, start, end, (opening or {}).get(g, Decimal(0))) for g, found in grouped.items()}
    measured = {group: _AGGREGATES[aggregation](found) for group, found in grouped.items()}
    if aggregation is Aggregation.LATEST and lowest_latest is not None:
        return {group: max(value, lowest_latest) for group, value in measured.items()}
    return measured


def windows(start: datetime, end: datetime, size: str, timezone: str = "UTC") -> list[Period]:
    """The whole windows of ISO 8601 `size` inside `[start, end)`, aligned to the calendar of `timezone`.

    Parts of a window at either end are left out: a pre-aggregated window cannot be divided.
    """
    calendar = datetime(2001, 1, 1, tzinfo=timezone_named(timezone)).astimezone(UTC)  # a Monday: weeks start on it
    touching = periods_between(calendar, size, timezone, start, end)
    return [window for window in touching if start <= window.start and window.end <= end]


def time_weighted(events: Sequence[Event], start: datetime, end: datetime, opening: Decimal) -> Decimal:
    """The mean over the window of a level that each event raises or lowers; nine places, half up. `events` by time."""
    level, since, area = Fraction(opening), start, Fraction(0)
    for event, value in _numbered(events):
        area += level * _seconds(since, event.time)
        level, since = level + Fraction(value), event.time
    area += level * _seconds(since, end)
    return as_decimal(area / _seconds(start, end))


def _all_match(event: Event, wanted: Mapping[str, frozenset[str]]) -> bool:
    return all(event.properties.get(name) in values for name, values in wanted.items())


def _number(value: str | Decimal | None) -> Decimal | None:
    try:
        number = Decimal(value) if value is not None else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _numbered(events: Sequence[Event]) -> list[tuple[Event, Decimal]]:
    return [(event, number) for event in events if (number := _number(event.value)) is not None]


def _numbers(events: Sequence[Event]) -> list[Decimal]:
    return [number for _, number in _numbered(events)]


def _present(events: Sequence[Event]) -> set[str | Decimal]:
    """The distinct values that are there after the last event. `events` by time."""
    values: set[str | Decimal] = set()
    for event in events:
        if event.value is not None:
            (values.discard if event.removes else values.add)(event.value)
    return values


def _average(events: Sequence[Event]) -> Decimal:
    values = _numbers(events)
    return as_decimal(Fraction(sum(values, Decimal(0))) / len(values)) if values else Decimal(0)


def _seconds(start: datetime, end: datetime) -> Fraction:
    span = end - start
    return Fraction(span.days * 86_400 + span.seconds) + Fraction(span.microseconds, 1_000_000)


_AGGREGATES: dict[Aggregation, Callable[[Sequence[Event]], Decimal]] = {
    Aggregation.SUM: lambda events: sum(_numbers(events), Decimal(0)),
    Aggregation.COUNT: lambda events: Decimal(len(events)),
    Aggregation.UNIQUE_COUNT: lambda events: Decimal(len(_present(events))),
    Aggregation.MAX: lambda events: max(_numbers(events), default=Decimal(0)),
    Aggregation.MIN: lambda events: min(_numbers(events), default=Decimal(0)),
    Aggregation.AVG: _average,
    Aggregation.LATEST: lambda events: next(iter(reversed(_numbers(events))), Decimal(0)),
}
