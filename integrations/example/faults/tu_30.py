"""TU-30, one-sided change: seats added in mid-period without the credit, without the charge, or charged twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from integrations.example.candidates import spread
from integrations.example.company import Company
from integrations.example.ending import involve, involve_line
from integrations.example.picking import planned
from integrations.example.records import Customer
from integrations.example.seat_changes import SeatChange, add_seats
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-30"
STAGE = Stage.LINES


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Add seats in mid-period, and lose one side of it or bill one twice."""
    return spread(company, rng, CODE, _plant_on, max(3, planned(company)))


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    change = add_seats(company, customer, rng)
    if change is None:
        return None
    return (_not_credited, _not_charged, _charged_twice)[place % 3](company, change)


def _not_credited(company: Company, change: SeatChange) -> Fault:
    fault = _fault(company, change, "the unused rest of the old number was not credited")
    fault.over = -change.credit.amount
    company.remove_line(change.credit)
    for line in company.lines.values():
        if line.item_id == change.old.item_id and line.period_start == change.period.start:
            fault.shows("invoice_line", [line.line_id])
    involve(company, fault, change.old)
    return fault


def _not_charged(company: Company, change: SeatChange) -> Fault:
    fault = _fault(company, change, "the rest of the new number was not charged")
    fault.under = change.charge.net
    company.remove_line(change.charge)
    fault.shows("invoice_line", [change.credit.line_id])
    involve(company, fault, change.new)
    return fault


def _charged_twice(company: Company, change: SeatChange) -> Fault:
    fault = _fault(company, change, "the rest of the new number was charged twice")
    fault.over = change.charge.amount
    involve_line(company, fault, company.add_line(replace(change.charge, line_id=company.new_id("il"))))
    return fault


def _fault(company: Company, change: SeatChange, note: str) -> Fault:
    customer = company.customer_of(change.new)
    cause = ("subscription", change.new.subscription_id)
    return Fault(CODE, cause, customer.customer_id, customer.currency, note, change.at, change.period.end)
