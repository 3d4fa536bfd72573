"""Which instants of a past range a rule is tried at, and which snapshot of the books each is looked at on.

A rule runs at the instants of its schedule. Where there are more than anybody wants to wait for, they are thinned
evenly, the last one always kept. An instant is looked at on the snapshot that the books had then; where there was
none yet (history that was imported later), on the current one as it was known at that instant.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing import periods
from billing.periods import Duration
from detector import schedule as clockwork
from detector.rule_format import Schedule
from store.warehouse import Warehouse

MOST = 31
"""Instants of a range that are tried unless somebody asks for more."""

DAILY = Duration(days=1)
"""The step for a rule that only events run."""


@dataclass(frozen=True)
class Span:
    """A stretch of the past: from `start` to `end` in steps of `step` (None: by the rule's schedule), at most `most`.

    Without a start it is the one instant `end`.
    """

    end: datetime
    start: datetime | None = None
    step: Duration | None = None
    most: int = MOST


@dataclass(frozen=True)
class Point:
    """An instant, and the snapshot to look at: `of_then` when the books had it at that instant."""

    as_of: datetime
    snapshot: int
    of_then: bool


def points(warehouse: Warehouse, schedule: Schedule, span: Span) -> tuple[list[Point], bool]:
    """The points of the span, oldest first, the end always among them; and whether they were thinned.

    Raises ValueError for a span that ends before it starts, LakeError.
    """
    moments, thinned = instants(schedule, span)
    return on_snapshots(warehouse, moments), thinned


def on_snapshots(warehouse: Warehouse, moments: Sequence[datetime]) -> list[Point]:
    """Each instant with the latest snapshot of its time, else the current one."""
    made = warehouse.snapshots()
    current, times = warehouse.snapshot(), [at for _, at in made]
    found = []
    for moment in moments:
        place = bisect_right(times, moment)
        found.append(Point(moment, made[place - 1][0], True) if place else Point(moment, current, False))
    return found


def instants(schedule: Schedule, span: Span) -> tuple[list[datetime], bool]:
    """The instants of the span, oldest first, and whether some were left out."""
    start, end, most = span.start, span.end, max(span.most, 1)
    if start is None or start == end:
        return [end], False
    if start > end:
        raise ValueError(f"the range ends at {end:%Y-%m-%d %H:%M} UTC, before it starts at {start:%Y-%m-%d %H:%M}")
    found: list[datetime] = []
    for moment in _backwards(schedule, span):
        if len(found) == most - 1:
            return _thinned(schedule, span, most), True
        found.append(moment)
    return [*reversed(found), end], False


def _backwards(schedule: Schedule, span: Span) -> Iterator[datetime]:
    """The instants before the end, latest first, down to the start."""
    moment = _before(schedule, span, span.end)
    while moment is not None and span.start is not None and moment >= span.start:
        yield moment
        moment = _before(schedule, span, moment)


def _thinned(schedule: Schedule, span: Span, most: int) -> list[datetime]:
    """The instants nearest to evenly spread ones."""
    start = span.start or span.end
    targets = (start + (span.end - start) * place / most for place in range(1, most))
    chosen = {moment for target in targets if (moment := _before(schedule, span, target)) and moment >= start}
    return [*sorted(chosen), span.end]


def _before(schedule: Schedule, span: Span, moment: datetime) -> datetime | None:
    """The latest instant before `moment`; steps are counted from the start, so that none drifts."""
    step = span.step or schedule.every or (None if _by_clock(schedule) else DAILY)
    if step is not None:
        return _stepped(span, step, moment, schedule.timezone)
    return clockwork.latest(schedule, moment - timedelta(microseconds=1))


def _by_clock(schedule: Schedule) -> bool:
    return schedule.hourly is not None or schedule.daily is not None or schedule.cron is not None


def _stepped(span: Span, step: Duration, moment: datetime, timezone: str) -> datetime | None:
    start = span.start or span.end
    if moment <= start:
        return None
    count = int((moment - start).total_seconds() // max(step.mean_seconds, 1)) + 1
    while (at := periods.add(start, step, timezone, count)) >= moment:
        count -= 1
    return at
