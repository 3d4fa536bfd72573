"""Which lines a subscription should have: terms, changes, trials, pauses, cancellations, plan versions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.dialects import BOOKS, LAGO, OPENMETER, STRIPE, Dialect
from billing.invoicing import (
    ExpectedLine,
    Item,
    Migration,
    Subscription,
    expected_lines,
    lines_due,
    period_end,
    plan_version,
)
from billing.periods import Period
from billing.prices import Price, Problem

START = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
MARCH = Period(START, END)
MIDDLE = datetime(2026, 3, 16, tzinfo=UTC)
MONTHLY = Subscription(START, "P1M", "UTC", START)


def fee(amount: str, proration: str = "day") -> Price:
    return Price("flat", "USD", flat_amount=Decimal(amount), proration=proration, metered=False)


def seats(unit_amount: str) -> Price:
    return Price("per_unit", "USD", unit_amount=Decimal(unit_amount), proration="day", metered=False)


def amounts(lines: list[ExpectedLine]) -> list[tuple[str, str, datetime]]:
    return [(line.item_id, str(line.amount), line.due_at) for line in lines]


def subscribed(**changes: object) -> Subscription:
    return Subscription(**{"anchor": START, "cadence": "P1M", "timezone": "UTC", "started_at": START, **changes})  # type: ignore[arg-type]


def test_a_fee_in_advance_is_due_as_its_period_starts_and_one_in_arrears_as_it_ends() -> None:
    items = [Item("ahead", fee("31"), "in_advance", START), Item("after", fee("31"), "in_arrears", START)]
    assert amounts(expected_lines(MONTHLY, items, MARCH)) == [("ahead", "31.00", START), ("after", "31.00", END)]


def test_usage_has_a_line_without_an_amount_at_the_end_of_the_period() -> None:
    [line] = expected_lines(MONTHLY, [Item("api", Price("per_unit", "USD", Decimal(1)), "in_arrears", START)], MARCH)
    assert (line.kind, line.amount, line.due_at) == ("usage", None, END)


def test_a_start_within_the_period_is_charged_for_the_rest_of_it() -> None:
    [line] = expected_lines(subscribed(started_at=MIDDLE), [Item("fee", fee("31"), "in_advance", START)], MARCH)
    assert (line.amount, line.proration, line.due_at) == (Decimal("16.00"), True, MIDDLE)


def test_more_seats_credit_the_unused_old_ones_and_charge_the_new() -> None:
    old = Item("old", seats("31"), "in_advance", START, MIDDLE, Decimal(2))
    new = Item("new", seats("31"), "in_advance", MIDDLE, quantity=Decimal(3), replaces="old")
    lines = expected_lines(MONTHLY, [old, new], MARCH)
    assert amounts(lines) == [("old", "62.00", START), ("new", "48.00", MIDDLE), ("old", "-32.00", MIDDLE)]


def test_a_change_in_arrears_charges_each_part_by_itself() -> None:
    old = Item("old", fee("31"), "in_arrears", START, MIDDLE)
    new = Item("new", fee("62"), "in_arrears", MIDDLE, replaces="old")
    assert [line.amount for line in expected_lines(MONTHLY, [old, new], MARCH)] == [Decimal("15.00"), Decimal("32.00")]


def test_without_proration_a_change_gives_nothing_back() -> None:
    old = Item("old", fee("31", "none"), "in_advance", START, MIDDLE)
    new = Item("new", fee("62", "none"), "in_advance", MIDDLE, replaces="old")
    lines = expected_lines(MONTHLY, [old, new], MARCH)
    assert [line.amount for line in lines] == [Decimal("31.00"), Decimal("62.00")]


def test_a_trial_is_not_charged() -> None:
    item = Item("fee", fee("31"), "in_advance", START)
    assert not expected_lines(subscribed(trial_end=END), [item], MARCH)
    [line] = expected_lines(subscribed(trial_end=MIDDLE), [item], MARCH)
    assert (line.period.start, line.amount) == (MIDDLE, Decimal("16.00"))


def test_a_pause_is_given_back_and_charged_again_from_its_end() -> None:
    pause = Period(datetime(2026, 3, 11, tzinfo=UTC), datetime(2026, 3, 21, tzinfo=UTC))
    lines = expected_lines(subscribed(paused=(pause,)), [Item("fee", fee("31"), "in_advance", START)], MARCH)
    assert [line.amount for line in lines] == [Decimal("31.00"), Decimal("-21.00"), Decimal("11.00")]


def test_a_cancellation_at_once_credits_the_unused_part() -> None:
    lines = expected_lines(subscribed(ended_at=MIDDLE), [Item("fee", fee("31"), "in_advance", START)], MARCH)
    assert [(line.amount, line.credit) for line in lines] == [(Decimal("31.00"), False), (Decimal("-16.00"), True)]


def test_a_cancellation_at_period_end_credits_nothing_and_nothing_follows() -> None:
    ended_at = period_end(MONTHLY, MIDDLE)
    items = [Item("fee", fee("31"), "in_advance", START)]
    lines = expected_lines(subscribed(ended_at=ended_at), items, Period(START, END + timedelta(days=60)))
    assert ended_at == END
    assert [line.amount for line in lines] == [Decimal("31.00")]


def test_a_phase_that_was_agreed_is_charged_for_its_length_only() -> None:
    items = [Item("phase", fee("31"), "in_advance", START, MIDDLE, end_known=True)]
    assert [line.amount for line in expected_lines(MONTHLY, items, MARCH)] == [Decimal("15.00")]


def test_where_days_are_billed_whole_the_day_of_a_change_is_the_new_plans_and_that_of_an_end_is_billed() -> None:
    noon = MIDDLE + timedelta(hours=12)
    old = Item("old", fee("31"), "in_arrears", START, noon)
    new = Item("new", fee("31"), "in_arrears", noon, replaces="old")
    lines = expected_lines(subscribed(ended_at=datetime(2026, 3, 20, 9, tzinfo=UTC)), [old, new], MARCH, LAGO)
    assert [line.amount for line in lines] == [Decimal("15.00"), Decimal("5.00")]


def test_issued_charges_stand_in_openmeter_and_drafts_are_cut() -> None:
    old = Item("old", fee("31"), "in_advance", START, MIDDLE)
    issued = expected_lines(MONTHLY, [old], MARCH, OPENMETER, issued=True)
    draft = expected_lines(MONTHLY, [old], MARCH, OPENMETER, issued=False)
    assert [line.amount for line in issued + draft] == [Decimal("31.00"), Decimal("15.00")]


def test_a_price_that_cannot_be_rated_leaves_a_line_with_its_reason() -> None:
    [line] = expected_lines(MONTHLY, [Item("odd", Price("flat", "XXX", metered=False), "in_advance", START)], MARCH)
    assert (line.amount, line.problem) == (None, Problem.UNKNOWN_CURRENCY)


def test_an_invoice_holds_the_lines_that_become_due_in_its_time() -> None:
    items = [Item("ahead", fee("31"), "in_advance", START), Item("after", fee("31"), "in_arrears", START)]
    lines = expected_lines(MONTHLY, items, Period(START, END + timedelta(days=30)))
    assert [line.item_id for line in lines_due(lines, Period(END, END + timedelta(days=1)))] == ["after", "ahead"]


def test_a_later_version_counts_only_once_the_customer_is_migrated() -> None:
    moves = [Migration("pro", 3, END, from_version=2), Migration("pro", 2, MIDDLE, customer_id="c1")]
    assert plan_version(1, "pro", "c1", moves, START) == 1
    assert plan_version(1, "pro", "c1", moves, MIDDLE) == 2
    assert plan_version(1, "pro", "c1", moves, END) == 3
    assert plan_version(1, "pro", "c2", moves, END) == 1
    assert plan_version(1, "basic", "c1", moves, END) == 1


CENTS = st.integers(1, 10_000_000).map(lambda cents: Decimal(cents) / 100)
DIALECTS = st.sampled_from([BOOKS, STRIPE, LAGO])
INSTANTS = st.integers(1, 31 * 86_400 - 1).map(lambda seconds: START + timedelta(seconds=seconds))


@settings(deadline=None)
@given(amount=CENTS, dialect=DIALECTS, changed_at=INSTANTS)
def test_a_credit_and_a_charge_for_the_same_time_net_to_zero(
    amount: Decimal, dialect: Dialect, changed_at: datetime
) -> None:
    old = Item("old", fee(str(amount)), "in_advance", START, changed_at)
    new = Item("new", fee(str(amount)), "in_advance", changed_at, replaces="old")
    lines = expected_lines(MONTHLY, [old, new], MARCH, dialect)
    assert sum(line.amount or 0 for line in lines if line.due_at > START) in (0, amount)
    assert sum(line.amount or 0 for line in lines) == amount


@settings(deadline=None)
@given(amount=CENTS, dialect=st.sampled_from([BOOKS, LAGO]), minutes=st.integers(1, 1439))
def test_a_full_period_charged_and_credited_nets_to_zero(amount: Decimal, dialect: Dialect, minutes: int) -> None:
    old = Item("old", fee(str(amount)), "in_advance", START, START + timedelta(minutes=minutes))
    new = Item("new", fee("5"), "in_advance", START + timedelta(minutes=minutes), replaces="old")
    lines = [line for line in expected_lines(MONTHLY, [old, new], MARCH, dialect) if line.item_id == "old"]
    assert [line.amount for line in lines] == [amount, -amount]


@settings(deadline=None)
@given(amount=CENTS, dialect=DIALECTS, cuts=st.lists(INSTANTS, max_size=4, unique=True))
@pytest.mark.parametrize("term", ["in_advance", "in_arrears"])
def test_splitting_an_item_changes_its_total_by_roundings_only(
    term: str, amount: Decimal, dialect: Dialect, cuts: list[datetime]
) -> None:
    bounds = [START, *sorted(cuts), None]
    items = [
        Item(f"i{place}", fee(str(amount)), term, start or START, end, replaces=f"i{place - 1}" if place else None)
        for place, (start, end) in enumerate(pairwise(bounds))
    ]
    lines = expected_lines(MONTHLY, items, MARCH, dialect)
    total = sum((line.amount or Decimal(0) for line in lines), Decimal(0))
    assert abs(total - amount) <= Decimal("0.005") * len(lines)


@settings(deadline=None)
@given(ended_at=INSTANTS, paused=INSTANTS, amount=CENTS)
def test_in_advance_and_in_arrears_come_to_the_same(ended_at: datetime, paused: datetime, amount: Decimal) -> None:
    pause = Period(paused, paused + timedelta(days=3))
    subscription = subscribed(ended_at=ended_at, paused=(pause,))
    totals = [
        sum((line.amount or Decimal(0) for line in expected_lines(subscription, [item], MARCH, STRIPE)), Decimal(0))
        for item in (Item("i", fee(str(amount)), "in_advance", START), Item("i", fee(str(amount)), "in_arrears", START))
    ]
    assert abs(totals[0] - totals[1]) <= Decimal("0.05")
