"""Customers on the first version of a plan that has a second one, and what its prices would cost them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from billing.rating import rate
from integrations.example.catalogue import offer_of, plan_id
from integrations.example.changes import first_subscription, months
from integrations.example.company import Company
from integrations.example.records import Customer, Line, PriceRecord, Subscription
from integrations.example.terms import amount_of, catalog_price

FIRST, SECOND = offer_of("growth"), offer_of("growth", version=2)


def renewals(company: Company, customer: Customer) -> list[datetime]:
    """The period ends at which a customer on the first version could have come to the second, oldest first."""
    subscription = first_subscription(company, customer)
    on_sale = company.plans[plan_id(SECOND, customer.currency)].effective_from
    plain = company.told.get(customer.customer_id) in {None, "second_product", "retry_succeeded"}
    if not plain or subscription.plan_id != plan_id(FIRST, customer.currency):
        return []
    ends = [period.end for period in months(company, subscription)]
    return [at for at in ends if on_sale + timedelta(days=3) < at < company.as_of - timedelta(days=2)]


def lines_since(company: Company, subscription: Subscription, since: datetime) -> list[Line]:
    """The subscription's lines of whole periods from `since` on; none where one is credited or not plain."""
    lines = [
        line
        for line in company.lines.values()
        if line.subscription_id == subscription.subscription_id and line.period_start >= since
    ]
    plain = all(
        line.kind in {"usage", "recurring"}
        and not line.proration
        and company.invoices[line.invoice_id].voided_at is None
        and not company.notes_on(line.invoice_id)
        for line in lines
    )
    sound = all(tiers[-1].up_to is None for line in lines if (tiers := second(company, line).tiers))
    negotiated = any(company.overrides_of(subscription.customer_id, line.price_id or "") for line in lines)
    return (
        sorted(lines, key=lambda line: (line.period_start, line.line_id)) if plain and sound and not negotiated else []
    )


def second(company: Company, line: Line) -> PriceRecord:
    """The price of the second version that charges what the line charges."""
    return company.prices[(line.price_id or "").replace(FIRST.slug, SECOND.slug)]


def amount_on_second(company: Company, line: Line) -> Decimal:
    """What the line's quantity costs on the second version."""
    quantity = line.quantity if line.raw_quantity is None else line.raw_quantity
    return amount_of(rate(catalog_price(second(company, line)), quantity))
