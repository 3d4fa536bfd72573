"""Credits behave as people expect of them, whatever the numbers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.credits import Grant, Recurrence, Usage, burn_down
from billing.ledger import Movement, replay
from billing.wallets import Charge, TopUpRule, Wallet, allocate, top_up

START = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = START + timedelta(days=30)
units = st.decimals(0, 10_000, places=3)
hours = st.integers(0, 30 * 24 - 1).map(lambda hour: START + timedelta(hours=hour))
grants = st.lists(st.tuples(units, hours, st.integers(1, 3)), max_size=5).map(
    lambda found: [Grant(f"g{i}", amount, at, priority) for i, (amount, at, priority) in enumerate(found)]
)
usages = st.lists(st.tuples(hours, units).map(lambda pair: Usage(*pair)), max_size=12)


@given(grants, usages)
def test_no_unit_is_lost_or_burned_twice(granted: list[Grant], used: list[Usage]) -> None:
    balance = burn_down(granted, used, START, UNTIL)
    assert sum(each.amount for each in granted) == balance.total + balance.burned_since_reset
    assert sum(each.amount for each in used) == balance.burned_since_reset + balance.overage
    assert all(left >= 0 for left in balance.balances.values())


@given(grants, usages, st.randoms(use_true_random=False))
def test_the_order_in_which_usage_is_listed_does_not_matter(
    granted: list[Grant], used: list[Usage], shuffled: random.Random
) -> None:
    mixed = list(used)
    shuffled.shuffle(mixed)
    assert burn_down(granted, used, START, UNTIL).balances == burn_down(granted, mixed, START, UNTIL).balances


@given(grants, usages, hours)
def test_stopping_in_between_and_going_on_ends_where_one_run_ends(
    granted: list[Grant], used: list[Usage], middle: datetime
) -> None:
    whole = burn_down(granted, used, START, UNTIL)
    first = burn_down(granted, used, START, middle) if middle > START else None
    if first is None:
        return
    then = burn_down(granted, used, middle, UNTIL, opening=first.balances, overage=first.overage)
    assert (then.balances, then.overage) == (whole.balances, whole.overage)


def test_a_lower_priority_number_burns_first_and_among_equals_the_one_that_ends_first() -> None:
    late = Grant("late", Decimal(10), START, expires_at=UNTIL + timedelta(days=9))
    soon = Grant("soon", Decimal(10), START, expires_at=UNTIL + timedelta(days=1))
    first = Grant("first", Decimal(10), START, priority=0)
    balance = burn_down([late, soon, first], [Usage(START, Decimal(15))], START, UNTIL)
    assert balance.balances == {"first": 0, "soon": 5, "late": 10}


def test_a_monthly_grant_fills_up_again_each_month_and_does_not_add_up() -> None:
    monthly = Grant("m", Decimal(100), START, recurrence=Recurrence("P1M", START))
    assert burn_down([monthly], [Usage(START, Decimal(30))], START, START + timedelta(days=90)).total == 100


@given(st.lists(st.decimals(-500, 500, places=2), max_size=10), st.randoms(use_true_random=False))
def test_a_ledger_that_holds_replays_without_a_break_in_any_order(
    amounts: list[Decimal], shuffled: random.Random
) -> None:
    chain, balance = [], Decimal(0)
    for number, amount in enumerate(amounts, 1):
        chain.append(Movement(f"m{number}", number, amount, balance, balance + amount))
        balance += amount
    shuffled.shuffle(chain)
    assert replay(chain) == (sum(amounts, Decimal(0)), ())


def test_a_ledger_names_each_break() -> None:
    chain = [
        Movement("m1", 1, Decimal(10), Decimal(0), Decimal(10)),
        Movement("m2", 2, Decimal(-4), Decimal(10), Decimal(7)),  # should leave 6
        Movement("m4", 4, Decimal(1), Decimal(9), Decimal(10)),  # 3 is missing, and 9 is not 7
    ]
    assert [(each.movement_id, each.kind, each.off) for each in replay(chain)[1]] == [
        ("m2", "amount", Decimal(1)),
        ("m4", "hole", Decimal(0)),
        ("m4", "chain", Decimal(2)),
    ]


def test_a_wallet_of_another_currency_never_pays() -> None:
    charges = [Charge("charge", Decimal(5))]
    assert allocate([Wallet("usd", Decimal(9), "USD")], charges, "EUR", Decimal(5)) == {}


def test_a_top_up_waits_for_the_one_that_is_pending_and_stops_at_the_daily_cap() -> None:
    rule = TopUpRule(Decimal(20), "target", Decimal(100), max_per_day=2)

    def asked(balance: int, pending: int, earlier: int) -> tuple[Decimal, str]:
        times = [START - timedelta(hours=hour) for hour in range(earlier)]
        due = top_up(rule, Decimal(balance), pending=Decimal(pending), topped_up_at=times, now=START)
        return due.amount, due.reason

    assert asked(15, 0, 0) == (85, "below_threshold")
    assert asked(15, 85, 0) == (0, "pending_covers")
    assert asked(15, 0, 2) == (0, "daily_cap")
    assert asked(25, 0, 0) == (0, "above_threshold")
