"""Credit ledgers that are closed already: what of them a fault can be planted on, and how they are booked anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from integrations.example.candidates import PlantOn, spread
from integrations.example.company import Company
from integrations.example.credit_records import Grant, Movement
from integrations.example.records import Customer, Invoice, Line, Payment
from integrations.example.truth import Fault


def ledger_of(company: Company, customer: Customer) -> list[Movement]:
    """The customer's movements, first one first."""
    return [each for each in company.movements if each.customer_id == customer.customer_id]


def grants_of(company: Company, customer: Customer) -> list[Grant]:
    """The customer's grants, first one first."""
    return [each for each in company.grants.values() if each.customer_id == customer.customer_id]


def left_of(company: Company, grant: Grant) -> Decimal:
    """What the ledger leaves of a grant."""
    return sum((each.amount for each in company.movements if each.grant_id == grant.grant_id), Decimal(0))


def payment_of(company: Company, grant: Grant) -> Payment:
    """The payment that bought the grant. Raises StopIteration for a grant that was given."""
    return next(each for each in company.payments if each.payment_id == grant.payment_id)


def give(
    company: Company, customer: Customer, amount: Decimal, start: datetime, end: datetime, features: Sequence[str]
) -> Grant:
    """Credit for free from `start` to `end`, for some prices or meters only; booked when it becomes effective."""
    grant = Grant(
        company.new_id("cg"),
        customer.customer_id,
        customer.currency,
        amount,
        start,
        start,
        end,
        funding="none",
        features=list(features),
    )
    company.grants[grant.grant_id] = grant
    move(company, grant, "funded", amount, start, "support")
    return grant


def move(
    company: Company,
    grant: Grant,
    kind: str,
    amount: Decimal,
    at: datetime,
    actor: str,
    line_id: str | None = None,
) -> Movement:
    """Book a movement of the grant; `rebook` puts it in its place."""
    movement = Movement(
        company.new_id("cm"),
        grant.customer_id,
        grant.currency,
        grant.grant_id,
        kind,
        amount,
        Decimal(0),
        Decimal(0),
        0,
        actor,
        at,
        line_id,
    )
    company.movements.append(movement)
    return movement


def rebook(company: Company, customer: Customer) -> None:
    """Let the customer's movements be one unbroken chain again, in the order of their times."""
    balance = Decimal(0)
    for number, each in enumerate(sorted(ledger_of(company, customer), key=lambda each: each.booked_at), start=1):
        each.sequence, each.balance_before = number, balance
        balance += each.amount
        each.balance_after = balance
    customer.credit_balance = balance


def spent_on(company: Company, invoice: Invoice) -> list[Movement]:
    """What was consumed for the invoice."""
    lines = {line.line_id for line in company.lines_of(invoice.invoice_id)}
    return [each for each in company.movements if each.kind == "consumed" and each.line_id in lines]


def covered_last(company: Company, customer: Customer) -> Invoice | None:
    """The customer's last invoice, where credit covers all of it."""
    invoices = [each for each in company.invoices_of(customer.customer_id) if each.total > 0]
    if not invoices or invoices[-1].credits_applied != invoices[-1].total or company.notes_on(invoices[-1].invoice_id):
        return None
    return invoices[-1] if spent_on(company, invoices[-1]) else None


def quiet_before(company: Company, customer: Customer, at: datetime, days: int) -> bool:
    """Whether nothing was booked in the days before an instant."""
    start = at - timedelta(days=days)
    return not any(start <= each.booked_at < at for each in ledger_of(company, customer))


def fault_of(code: str, customer: Customer, note: str, at: datetime) -> Fault:
    """A fault of the customer's credit, on the day of an instant."""
    return Fault(
        code,
        ("customer", customer.customer_id),
        customer.customer_id,
        customer.currency,
        note,
        at,
        at + timedelta(days=1),
    )


def spread_over_wallets(company: Company, rng: np.random.Generator, code: str, plant_on: PlantOn) -> list[Fault]:
    """As `candidates.spread`, on customers who prepay and have a ledger of some length."""

    def prepays(customer: Customer) -> bool:
        return company.habits[customer.customer_id].prepays and len(ledger_of(company, customer)) >= 4

    return spread(company, rng, code, plant_on, suitable=prepays)


def largest_line(company: Company, invoice: Invoice) -> Line:
    """The line that the wallet names when it pays the invoice."""
    return max(company.lines_of(invoice.invoice_id), key=lambda line: line.amount)
