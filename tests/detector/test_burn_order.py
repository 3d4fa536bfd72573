"""The order in which credit is spent is the same in the derived relation as in `billing.credits`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.credits import Grant, burn_order
from tests.detector.small_books import derived_from

START = datetime(2025, 1, 1, tzinfo=UTC)
ZERO = Decimal(0)
Allocation = dict[str, Decimal]


@dataclass
class Ledger:
    """One customer's credit: what was granted and booked, and what each charge should have taken from which grant."""

    customer_id: str
    grants: list[Grant]
    features: dict[str, list[str] | None]
    left: Allocation
    movements: list[dict[str, Any]] = field(default_factory=list)
    right: dict[tuple[str, str], Allocation] = field(default_factory=dict)
    taken: dict[tuple[str, str], Allocation] = field(default_factory=dict)
    balance: Decimal = ZERO

    def book(self, grant_id: str, kind: str, amount: Decimal, at: datetime, line_id: str | None = None) -> None:
        number = len(self.movements) + 1
        self.movements.append(
            {
                "movement_id": f"{self.customer_id}-{number}",
                "customer_id": self.customer_id,
                "currency": "USD",
                "grant_id": grant_id,
                "kind": kind,
                "amount": amount,
                "balance_before": self.balance,
                "balance_after": self.balance + amount,
                "sequence": number,
                "actor": "test",
                "booked_at": at,
                "line_id": line_id,
            }
        )
        self.balance += amount
        self.left[grant_id] = self.left.get(grant_id, ZERO) + amount


def allocate(grants: list[Grant], left: Allocation, owed: Decimal) -> Allocation:
    """What each grant pays, in the order given."""
    paid: Allocation = {}
    for grant in grants:
        part = min(left[grant.grant_id], owed)
        if part > 0:
            paid[grant.grant_id] = part
            owed -= part
    return paid


def random_ledger(number: int, rng: random.Random) -> Ledger:
    """A ledger of a few grants and charges, some of which are paid from the wrong grants."""
    customer_id, grants = f"cus{number}", []
    for place in range(rng.randint(2, 5)):
        start = START + timedelta(days=rng.randint(0, 20), minutes=place)
        ends = rng.choice([None, START + timedelta(days=rng.randint(25, 60))])
        amount = Decimal(rng.randint(10, 80))
        grants.append(Grant(f"{customer_id}-g{place}", amount, start, rng.randint(1, 2), ends))
    grants.sort(key=lambda grant: grant.effective_at)
    limits = {grant.grant_id: rng.choice([None, None, ["calls"], ["other"], ["per_call"]]) for grant in grants}
    ledger = Ledger(customer_id, grants, limits, {})
    events: list[tuple[datetime, str, Grant | None]] = [(grant.effective_at, "funded", grant) for grant in grants]
    events += [(START + timedelta(days=day, hours=5), "charge", None) for day in rng.sample(range(1, 60), 6)]
    for at, kind, grant in sorted(events, key=lambda event: event[0]):
        if grant is not None:
            ledger.book(grant.grant_id, kind, grant.amount, at)
        else:
            charge(ledger, at, Decimal(rng.randint(5, 60)), rng)
    return ledger


def charge(ledger: Ledger, at: datetime, owed: Decimal, rng: random.Random) -> None:
    may_pay = [grant for grant in ledger.grants if "other" not in (ledger.features[grant.grant_id] or [])]
    order = burn_order(grant for grant in may_pay if grant.active(at))
    left = {grant.grant_id: ledger.left.get(grant.grant_id, ZERO) for grant in ledger.grants}
    right = allocate(order, left, owed)
    shuffled = order if rng.random() < 0.6 else rng.sample(order, len(order))
    key = (ledger.customer_id, f"line {at:%Y-%m-%d %H:%M:%S}")
    ledger.right[key], ledger.taken[key] = right, allocate(shuffled, left, owed)
    for grant_id, part in ledger.taken[key].items():
        ledger.book(grant_id, "consumed", -part, at, "line")


@pytest.mark.parametrize("seed", range(4))
def test_every_charge_of_random_ledgers_is_allocated_as_by_the_burn_order(seed: int) -> None:
    rng = random.Random(seed)
    ledgers = [random_ledger(number, rng) for number in range(60)]
    rows = [
        {
            "grant_id": grant.grant_id,
            "customer_id": ledger.customer_id,
            "currency": "USD",
            "amount": grant.amount,
            "funding": "none",
            "priority": grant.priority,
            "effective_at": grant.effective_at,
            "expires_at": grant.expires_at,
            "features": limits and f'["{limits[0]}"]',
            "status": "active",
            "created_at": grant.effective_at,
        }
        for ledger in ledgers
        for grant in ledger.grants
        for limits in [ledger.features[grant.grant_id]]
    ]
    line = {
        "line_id": "line",
        "price_id": "per_call",
        "period_start": START,
        "period_end": START + timedelta(days=31),
        "quantity": Decimal(1),
        "raw_quantity": Decimal(1),
    }
    movements = [movement for ledger in ledgers for movement in ledger.movements]
    bill = {"invoice_id": "inv", "created_at": START}
    books: dict[str, Any] = {"credit_grants": rows, "credit_movements": movements, "invoice_lines": [line]}
    with derived_from("credit_charges", as_of="2025-04-01", **books, invoices=[bill]) as con:
        found = con.execute("SELECT customer_id, charge, grant_id, taken, due FROM credit_charges").fetchall()
    due: dict[tuple[str, str], Allocation] = {}
    for customer_id, name, grant_id, _, amount in found:
        if amount:
            due.setdefault((customer_id, name), {})[grant_id] = amount
    right = {key: paid for ledger in ledgers for key, paid in ledger.right.items() if paid}
    wrong = {key for ledger in ledgers for key, paid in ledger.taken.items() if paid != ledger.right[key]}
    assert due == right
    assert 10 < len(wrong) < len(right)
    off = {(customer_id, name) for customer_id, name, _, taken, amount in found if taken != amount}
    assert off == wrong
