"""Invoicing: which lines a subscription should have for a stretch of time (rating.md, "Proration" and "Periods").

Pure: the subscription, its items and the dialect in, expected lines out. Flat and seat charges come with their amount;
a metered line comes without one, because its quantity is usage (billing.rating rates it). A charge in advance is made
for the whole rest of the period; when its item ends earlier, by a change, a pause or a cancellation at once, the
dialect's settlement follows. What was known to end (a phase, a cancellation at period end) is never charged beyond it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.dialects import BOOKS, Dialect, Settlement
from billing.periods import Period, Schedule, parse_duration
from billing.prices import Price, Problem
from billing.proration import end_of_day, start_of_day
from billing.rating import rate


@dataclass(frozen=True, slots=True)
class Subscription:
    """How a subscription is billed (books `subscriptions`). `ended_at`: when it stopped serving, None while it does.

    `end_known`: the end was set before the period it lies in was charged, as for a term or a cancellation at period
    end. `paused`: stretches that nothing is charged for.
    """

    anchor: datetime
    cadence: str
    timezone: str
    started_at: datetime
    trial_end: datetime | None = None
    ended_at: datetime | None = None
    end_known: bool = False
    paused: tuple[Period, ...] = ()

    @property
    def schedule(self) -> Schedule:
        """Its billing periods. Raises BadDurationError."""
        return Schedule(self.anchor, parse_duration(self.cadence), self.timezone)


@dataclass(frozen=True, slots=True)
class Item:
    """What is charged within a subscription (books `subscription_items`), for `[active_from, active_to)`.

    `replaces`: the item_id that this one follows, as after a change of seats, plan or plan version.
    `end_known`: `active_to` was agreed from the start, as for a phase of a contract.
    """

    item_id: str
    price: Price
    payment_term: str  # in_advance | in_arrears
    active_from: datetime
    active_to: datetime | None = None
    quantity: Decimal | None = None
    replaces: str | None = None
    end_known: bool = False


@dataclass(frozen=True, slots=True)
class ExpectedLine:
    """A line that should be there on the invoice of `due_at`, for `period` of the full `billing_period`.

    `amount` is None on a metered line, and with a `problem`. A `credit` gives an unused part back: below zero.
    """

    item_id: str
    kind: str  # usage | recurring
    period: Period
    billing_period: Period
    due_at: datetime
    quantity: Decimal | None = None
    amount: Decimal | None = None
    proration: bool = False
    credit: bool = False
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Migration:
    """An agreed move to another plan version (books `plan_migrations`); customer_id None: everyone on the plan."""

    plan_key: str
    to_version: int
    effective_at: datetime
    from_version: int | None = None
    customer_id: str | None = None


def period_end(subscription: Subscription, canceled_at: datetime) -> datetime:
    """When a subscription ends that is cancelled then for the end of its period."""
    return subscription.schedule.at(canceled_at)[1].end


def plan_version(pinned: int, plan_key: str, customer_id: str, migrations: Iterable[Migration], at: datetime) -> int:
    """The version that a subscription pinned to `pinned` is charged by: a later one counts only once it is migrated."""
    version = pinned
    for move in sorted(migrations, key=lambda each: each.effective_at):
        applies = move.plan_key == plan_key and move.customer_id in (None, customer_id) and move.effective_at <= at
        if applies and move.from_version in (None, version):
            version = move.to_version
    return version


def expected_lines(
    subscription: Subscription,
    items: Sequence[Item],
    within: Period,
    dialect: Dialect = BOOKS,
    *,
    issued: bool = True,
) -> list[ExpectedLine]:
    """The lines of every billing period that touches `within`, by due_at.

    `issued`: charges in advance were issued before what ended them; otherwise they were still drafts. Raises
    BadDurationError, UnknownTimezoneError.
    """
    served = [item for item in items if item.active_to is None or item.active_from < item.active_to]
    known = {item.item_id: item for item in served}
    settlement = dialect.on_issued if issued else dialect.on_draft
    lines = [
        line
        for period in _periods(subscription.schedule, within)
        for item in served
        for stretch in _stretches(subscription, _in_whole_days(item, known, subscription, dialect), period, dialect)
        for line in _lines(_Charging(subscription, item, known, dialect, settlement), stretch, period)
    ]
    return sorted(lines, key=lambda line: (line.due_at, line.period.start, line.credit))


def lines_due(lines: Iterable[ExpectedLine], within: Period) -> list[ExpectedLine]:
    """The lines that belong on an invoice of that stretch: those that become due in it."""
    return [line for line in lines if line.due_at in within]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of a billing period in which an item is in service; `known`: that it ends there was known before."""

    active: Period
    known: bool


@dataclass(frozen=True, slots=True)
class _Charging:
    """What stays the same over an item's stretches."""

    subscription: Subscription
    item: Item
    items: Mapping[str, Item]
    dialect: Dialect
    settlement: Settlement

    def share(self, active: Period, full: Period) -> Fraction | None:
        """The share of the full period that is charged; None where the price charges it whole."""
        return self.dialect.share(active, full, self.item.price.proration, self.subscription.timezone)

    def due_in_advance(self, active: Period, full: Period) -> datetime:
        """At once, or from where the row of items that replace one another started in the period."""
        first = self.item
        while self.dialect.change_due_at_period_start and (earlier := self.items.get(first.replaces or "")):
            first = earlier
        return active.start if first is self.item else max(first.active_from, full.start)


def _periods(schedule: Schedule, within: Period) -> Iterator[Period]:
    index, period = schedule.at(within.start)
    while period.start < within.end:
        if not period.is_empty:
            yield period
        index += 1
        period = schedule.period(index)


def _in_whole_days(item: Item, items: Mapping[str, Item], subscription: Subscription, dialect: Dialect) -> Item:
    """The item on the dialect's grid: where both ends are billed, the day of a change belongs to what is new."""
    if dialect.basis(item.price.proration) != "day_inclusive":
        return item
    zone = subscription.timezone
    replaced = any(other.replaces == item.item_id for other in items.values())
    ends = start_of_day if replaced else end_of_day
    return replace(
        item,
        active_from=start_of_day(item.active_from, zone),
        active_to=None if item.active_to is None else ends(item.active_to, zone),
    )


def _stretches(subscription: Subscription, item: Item, period: Period, dialect: Dialect) -> Iterator[_Stretch]:
    """The parts of the period that the item is charged for: after the trial, before every end, without the pauses.

    One that was replaced on its first day, where days are billed whole, has a stretch of no length: its charge in
    advance was made, and is given back.
    """
    ended_at = subscription.ended_at
    if ended_at is not None and dialect.basis(item.price.proration) == "day_inclusive":
        ended_at = end_of_day(ended_at, subscription.timezone)
    starts = [item.active_from, _start_of_service(subscription, item, dialect)]
    left = period.clip(max(starts), item.active_to).clip(None, ended_at)
    for pause in sorted(subscription.paused, key=lambda each: each.start):
        before = left.clip(None, pause.start)
        if not before.is_empty:
            yield _Stretch(before, known=False)
        left = left.clip(pause.end, None) if pause.end > left.start else left
    if not left.is_empty or (left.start == item.active_from == item.active_to and left.start in period):
        by_item = item.active_to is not None and left.end == item.active_to and item.end_known
        by_end = ended_at is not None and left.end == ended_at and subscription.end_known
        yield _Stretch(left, known=by_item or by_end or left.end == period.end)


def _start_of_service(subscription: Subscription, item: Item, dialect: Dialect) -> datetime:
    """From when the subscription is charged: its start, or the end of its trial (rating.md, "Proration")."""
    start = max(subscription.started_at, subscription.trial_end or subscription.started_at)
    whole_days = dialect.basis(item.price.proration) == "day_inclusive"
    return start_of_day(start, subscription.timezone) if whole_days else start


def _lines(charging: _Charging, stretch: _Stretch, full: Period) -> Iterator[ExpectedLine]:
    item, active = charging.item, stretch.active
    if item.payment_term == "in_advance" and not item.price.metered:
        yield from _in_advance(charging, stretch, full)
    elif active.is_empty:
        return
    elif item.price.metered:
        yield ExpectedLine(item.item_id, "usage", active, full, active.end)
    else:
        yield from _recurring(charging, active, full, active.end)


def _in_advance(charging: _Charging, stretch: _Stretch, full: Period) -> Iterator[ExpectedLine]:
    """The charge for the rest of the period and, where service ends earlier, its settlement."""
    active = stretch.active
    due = charging.due_in_advance(active, full)
    if stretch.known or charging.settlement is Settlement.SHORTEN:
        if not active.is_empty:
            yield from _recurring(charging, active, full, due)
        return
    yield from _recurring(charging, Period(active.start, full.end), full, due)
    gives_back = charging.item.price.proration not in (None, "none")
    if charging.settlement is Settlement.CREDIT and gives_back:
        yield from _recurring(charging, Period(active.end, full.end), full, active.end, credit=True)


def _recurring(
    charging: _Charging, active: Period, full: Period, due_at: datetime, *, credit: bool = False
) -> Iterator[ExpectedLine]:
    """One flat or seat line for `active`; none where it comes to nothing and the dialect leaves such lines out."""
    item = charging.item
    rating = rate(item.price, item.quantity, share=charging.share(active, full), rounding=charging.dialect.rounding)
    amount = rating.amount
    if amount == 0 and (credit or not charging.dialect.bills_zero):
        return
    yield ExpectedLine(
        item.item_id,
        "recurring",
        active,
        full,
        due_at,
        quantity=item.quantity,
        amount=-amount if credit and amount is not None else amount,
        proration=active != full,
        credit=credit,
        problem=rating.problem,
    )
