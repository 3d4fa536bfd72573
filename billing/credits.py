"""Credits: which grants pay for usage, and in which order. Pure: grants, usage and instants in, balances out.

Two kinds of credit, never mixed (features.md E15): grants of units that one meter's usage burns down (`burn_down`), and
money on a wallet that pays the charges of an invoice (`allocate`). The money ledger is checked by `billing/ledger.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from billing.periods import Schedule, parse_duration

ZERO = Decimal(0)


@dataclass(frozen=True)
class Recurrence:
    """A grant fills up to its amount again at its `anchor` and every `every` (ISO 8601) from it, in `timezone`."""

    every: str
    anchor: datetime
    timezone: str = "UTC"

    def between(self, start: datetime, end: datetime) -> list[datetime]:
        """Its instants in `[start, end]`."""
        schedule = Schedule(self.anchor, parse_duration(self.every), self.timezone)
        index, found = schedule.at(start)[0], []
        while (at := schedule.boundary(index)) <= end:
            if at >= start:
                found.append(at)
            index += 1
        return found


@dataclass(frozen=True)
class Grant:
    """Units granted. `priority`: lower burns first. `expires_at`, `voided_at` and `deleted_at` are exclusive ends.

    At a reset the balance is clamped to `[min_rollover, max_rollover]`: by default nothing rolls over.
    """

    grant_id: str
    amount: Decimal
    effective_at: datetime
    priority: int = 1
    expires_at: datetime | None = None
    voided_at: datetime | None = None
    deleted_at: datetime | None = None
    min_rollover: Decimal = ZERO
    max_rollover: Decimal = ZERO
    recurrence: Recurrence | None = None

    @property
    def ended_at(self) -> datetime | None:
        """The first of its ends, never before it became effective; None while open."""
        ends = [end for end in (self.expires_at, self.voided_at, self.deleted_at) if end is not None]
        return max(min(ends), self.effective_at) if ends else None

    def active(self, at: datetime) -> bool:
        """True from `effective_at` on and before its end."""
        return self.effective_at <= at and (self.ended_at is None or at < self.ended_at)


@dataclass(frozen=True)
class Usage:
    """Units used at an instant."""

    at: datetime
    amount: Decimal


@dataclass(frozen=True)
class Segment:
    """A stretch `[start, end)` in which no grant begins, ends or recurs, and what was burned in it.

    `rollover` marks the stretch of no length in which a reset clamped the balances.
    """

    start: datetime
    end: datetime
    balances_at_start: Mapping[str, Decimal]
    overage_at_start: Decimal
    usage: Decimal
    rollover: bool = False


@dataclass(frozen=True)
class Balance:
    """Where a burn-down stands: per grant, in all, used beyond every grant, and since the last reset."""

    balances: Mapping[str, Decimal]
    overage: Decimal
    usage_since_reset: Decimal
    burned_since_reset: Decimal  # usage since the reset and overage carried over it
    segments: tuple[Segment, ...] = ()

    @property
    def total(self) -> Decimal:
        """The units left over all grants."""
        return sum(self.balances.values(), ZERO)


@dataclass
class _Run:
    """The state that moves along the segments."""

    balances: dict[str, Decimal]
    overage: Decimal
    used: Decimal = ZERO
    burned: Decimal = ZERO
    segments: list[Segment] = field(default_factory=list)


def burn_order(grants: Iterable[Grant]) -> list[Grant]:
    """By priority, then the one that ends first, then as given (features.md A5.06)."""
    return sorted(
        grants, key=lambda grant: (grant.priority, grant.ended_at is None, grant.ended_at or grant.effective_at)
    )


def burn_down(
    grants: Sequence[Grant],
    usage: Iterable[Usage],
    start: datetime,
    until: datetime,
    *,
    opening: Mapping[str, Decimal] | None = None,
    overage: Decimal = ZERO,
    resets: Iterable[datetime] = (),
    keep_overage: bool = False,
) -> Balance:
    """What is left at `until` after burning the usage in `[start, until)` from the grants.

    `opening` holds the balances at `start` of grants that were already effective (default: their amount). Usage beyond
    all grants is overage: it is burned from grants that become effective or recur later in the same period. A reset
    drops it, unless `keep_overage`, and clamps each balance to its rollover bounds.
    """
    used = sorted((each for each in usage if start <= each.at < until), key=lambda each: each.at)
    reset_at = {at for at in resets if start < at <= until}
    run = _Run({g.grant_id: _opening(g, start, opening) for g in grants}, overage)
    instants = sorted({start, until} | reset_at | _changes(grants, start, until))
    for at, following in zip(instants, [*instants[1:], None], strict=True):
        if at in reset_at:
            _reset(run, grants, at, keep_overage)
        if at > start:
            _turn(run, grants, at)
        if following is not None:
            _burn(run, grants, at, following, sum((u.amount for u in used if at <= u.at < following), ZERO))
    return Balance(run.balances, run.overage, run.used, run.burned, tuple(run.segments))


def _opening(grant: Grant, start: datetime, opening: Mapping[str, Decimal] | None) -> Decimal:
    if not grant.active(start):
        return ZERO
    return grant.amount if opening is None else opening.get(grant.grant_id, grant.amount)


def _changes(grants: Sequence[Grant], start: datetime, until: datetime) -> set[datetime]:
    """The instants in `(start, until]` at which some grant begins, ends or recurs."""
    found = {at for grant in grants for at in (grant.effective_at, grant.ended_at) if at is not None}
    found |= {at for grant in grants for at in _recurs(grant, start, until)}
    return {at for at in found if start < at <= until}


def _recurs(grant: Grant, start: datetime, until: datetime) -> list[datetime]:
    return [at for at in grant.recurrence.between(start, until) if grant.active(at)] if grant.recurrence else []


def _turn(run: _Run, grants: Sequence[Grant], at: datetime) -> None:
    """Fill the grants that begin or recur at `at`, empty those that have ended."""
    for grant in grants:
        if not grant.active(at):
            run.balances[grant.grant_id] = ZERO
        elif grant.effective_at == at or at in _recurs(grant, at, at):
            run.balances[grant.grant_id] = grant.amount


def _reset(run: _Run, grants: Sequence[Grant], at: datetime, keep_overage: bool) -> None:
    for grant in grants:
        left = run.balances[grant.grant_id]
        rolled = min(grant.max_rollover, max(left, grant.min_rollover))
        run.balances[grant.grant_id] = rolled if grant.active(at) and grant.effective_at < at else ZERO
    if not keep_overage:
        run.overage = ZERO
    run.used = run.burned = ZERO
    run.segments.append(Segment(at, at, dict(run.balances), run.overage, ZERO, rollover=True))


def _burn(run: _Run, grants: Sequence[Grant], start: datetime, end: datetime, used: Decimal) -> None:
    run.segments.append(Segment(start, end, dict(run.balances), run.overage, used))
    owed = run.overage + used
    run.used += used
    run.burned += owed
    for grant in burn_order(each for each in grants if each.active(start)):
        paid = min(run.balances[grant.grant_id], owed)
        run.balances[grant.grant_id] -= paid
        owed -= paid
    run.overage = owed
    run.burned -= owed
