"""TU-29, wrong proration: a part of a period in months of 30 days, or by a basis that the price does not have."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

from billing.money import round_money
from billing.periods import Period
from billing.proration import share_of_period
from integrations.example.candidates import spread
from integrations.example.company import Company
from integrations.example.ending import involve_line
from integrations.example.picking import planned
from integrations.example.rebilling import set_amount, tolerance
from integrations.example.records import Customer, Item
from integrations.example.seat_changes import SeatChange, add_seats
from integrations.example.stages import Stage
from integrations.example.terms import amount_of, charge
from integrations.example.truth import Fault

CODE = "TU-29"
STAGE = Stage.LINES

_OTHER = {"second": "day", "day": "second"}


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Add seats in mid-period, and credit and charge shares of another basis."""
    return spread(company, rng, CODE, _plant_on, max(2, planned(company)))


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    change = add_seats(company, customer, rng)
    return None if change is None else _miscount(company, change, thirty=place % 2 == 0)


def _miscount(company: Company, change: SeatChange, *, thirty: bool) -> Fault:
    customer = company.customer_of(change.new)
    how = "in months of 30 days" if thirty else "by the other basis"
    fault = Fault(
        CODE,
        ("price", change.new.price_id),
        customer.customer_id,
        customer.currency,
        f"the rest of the period from {change.at:%d %b %Y} on counted {how}",
        change.at,
        change.period.end,
    )
    share = _wrong_share(company, change, thirty=thirty)
    for line, item in ((change.credit, change.old), (change.charge, change.new)):
        right = line.amount
        wrong = _part(company, item, change.period, share)
        if right > 0:
            set_amount(company, line, wrong)
        else:
            line.amount = -wrong
        if abs(line.amount - right) > tolerance(right, customer.currency):
            fault.under += max(right - line.amount, right * 0)
            fault.over += max(line.amount - right, right * 0)
            involve_line(company, fault, line)
    return fault


def _wrong_share(company: Company, change: SeatChange, *, thirty: bool) -> Fraction:
    part, timezone = Period(change.at, change.period.end), company.subscription_of(change.new).timezone
    basis = company.price_of(change.new).proration or "second"
    days = share_of_period(part, change.period, "day", timezone) or Fraction(1)
    length = round((change.period.end - change.period.start).total_seconds() / 86_400)
    if thirty and length != 30:
        return days * length / 30
    return share_of_period(part, change.period, _OTHER[basis], timezone) or Fraction(1)


def _part(company: Company, item: Item, period: Period, share: Fraction) -> Decimal:
    full = amount_of(charge(company, item, (period, period)))
    return round_money(Fraction(full) * share, company.customer_of(item).currency)
