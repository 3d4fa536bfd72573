"""What became of the signals of a period: its money by outcome, how fast, how precise.

Money is counted as `detector.outcomes` says, which the scoreboard counts by too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from detector import due, durations, outcomes
from detector.outcomes import KINDS, Closed, Sum, kinds_of
from store.operational_tables import Signal

__all__ = ["KINDS", "Precision", "Report", "Sum", "report"]


@dataclass(frozen=True)
class Precision:
    """What people made of a rule's signals: how many were right, how many were false."""

    rule: str
    code: str
    right: int
    wrong: int


@dataclass(frozen=True)
class InTime:
    """Of the closed signals of one severity, how many were closed within its hours, and how many later."""

    severity: str
    hours: int
    kept: int
    late: int


@dataclass(frozen=True)
class Report:
    """The signals closed and found in a period; times are medians, None where nothing was measured."""

    start: datetime
    end: datetime
    sums: tuple[Sum, ...]
    signals: Mapping[str, tuple[Closed, ...]]
    found: int
    closed: int
    to_first_action: timedelta | None
    to_verified: timedelta | None
    precision: tuple[Precision, ...]
    in_time: tuple[InTime, ...]


COLUMNS = ("what", "currency", "exact or right", "estimate or wrong", "signals", "meaning")
"""Of the report as a sheet."""

PRECISION = "of the signals closed as resolved or as a false positive, how many were right, and how many were not"
IN_TIME = "how many were closed within {} hours of when they were first seen, and how many later"


def span(name: str, zone: tzinfo = UTC, year_begins: int = 1) -> tuple[datetime, datetime]:
    """The month (2026-10), or the year (2026) that begins in its month `year_begins`, in a zone. Raises ValueError."""
    try:
        if len(name) == 4:
            first = datetime.strptime(name, "%Y").replace(month=year_begins, tzinfo=zone)
            return first, first.replace(year=first.year + 1)
        month = datetime.strptime(name, "%Y-%m").replace(tzinfo=zone)
        return month, (month + timedelta(days=32)).replace(day=1)
    except (ValueError, OverflowError):
        raise ValueError(f"period cannot be {name[:20]!r}; use a month like 2026-10, or a year") from None


def rows(found: Report) -> Iterator[tuple[Any, ...]]:
    """The numbers of a report, a row each, under COLUMNS, with what each means."""
    for each in found.sums:
        yield each.kind, each.currency, each.exact, each.estimate, each.signals, KINDS[each.kind]
    for judged in found.precision:
        both = judged.right + judged.wrong
        yield f"precision of {judged.rule}", "", judged.right, judged.wrong, both, PRECISION
    for own in found.in_time:
        meaning = IN_TIME.format(own.hours)
        yield f"in time or late, {own.severity}", "", own.kept, own.late, own.kept + own.late, meaning


def report(session: Session, start: datetime, end: datetime) -> Report:
    """The report of [start, end), both aware."""
    closed = outcomes.closed(session, start, end)
    ended = [signal.ended for signal in closed]
    by_kind: dict[str, list[Closed]] = {kind: [] for kind in KINDS}
    for signal, how in zip(closed, ended, strict=True):
        for kind in kinds_of(how):
            by_kind[kind].append(signal)
    verified = [
        int((signal.resolved_at - signal.first_seen).total_seconds())
        for signal in closed
        if signal.resolved_at and signal.status_reason in outcomes.CONFIRMED
    ]
    seen = (Signal.first_seen >= start, Signal.first_seen < end)
    return Report(
        start=start,
        end=end,
        sums=outcomes.sums(ended),
        signals={kind: tuple(own) for kind, own in by_kind.items()},
        found=session.scalar(select(func.count()).select_from(Signal).where(*seen)) or 0,
        closed=len(closed),
        to_first_action=durations.read(session, Signal.acted_after, seen).median,
        to_verified=durations.of(verified).median,
        precision=_precision(closed),
        in_time=_in_time(closed, due.hours(session)),
    )


def _in_time(closed: Sequence[Closed], hours: Mapping[str, int]) -> tuple[InTime, ...]:
    """By severity, the worst first; those of which nothing was closed are left out."""
    found = []
    for severity, limit in hours.items():
        own = [signal for signal in closed if signal.severity == severity]
        kept = sum(signal.status_at <= due.due_at(severity, signal.first_seen, hours) for signal in own)
        if own:
            found.append(InTime(severity, limit, kept, len(own) - kept))
    return tuple(found)


def _precision(closed: Sequence[Closed]) -> tuple[Precision, ...]:
    """By rule, the least precise first; what nobody judged does not count."""
    judged: dict[tuple[str, str], list[bool]] = {}
    for signal in closed:
        if signal.status in ("resolved", "false_positive") and signal.status_reason != "covered":
            judged.setdefault((signal.rule, signal.code), []).append(signal.status == "resolved")
    found = [Precision(rule, code, sum(right), len(right) - sum(right)) for (rule, code), right in judged.items()]
    return tuple(sorted(found, key=lambda each: (each.right / (each.right + each.wrong), each.rule)))
