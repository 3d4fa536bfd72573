"""What the company's contracts say: the periods of an item, the price that holds in them, and the expected charge.

Thin over `billing`: the example company is right because it is billed by the one definition of right.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing import discounts as rebates
from billing.periods import Period, periods_between
from billing.prices import Override, Price, overridden, tiers_from
from billing.proration import share_of_period
from billing.rating import Before, Rating, rate
from integrations.example.company import Company
from integrations.example.records import Discount, Item, PriceRecord

Stretch = tuple[Period, Period]
"""A full billing period and the part of it in which the item is in service."""


def service(company: Company, item: Item) -> tuple[datetime, datetime | None]:
    """From when to when the item is charged for: a trial is not, and nothing is after the end."""
    subscription = company.subscription_of(item)
    start = max(item.active_from, subscription.started_at, subscription.trial_end or subscription.started_at)
    ends = [end for end in (item.active_to, subscription.ended_at, subscription.cancel_at) if end is not None]
    return start, min(ends, default=None)


def stretches(company: Company, item: Item) -> list[Stretch]:
    """The item's periods up to the one that holds `as_of`, each with its active part."""
    start, end = service(company, item)
    until = company.as_of if end is None else min(end, company.as_of)
    if until <= start:
        return []
    subscription = company.subscription_of(item)
    cadence = company.price_of(item).cadence
    periods = periods_between(subscription.billing_anchor, cadence, subscription.timezone, start, until)
    return [(period, period.clip(start, end)) for period in periods]


def price_at(company: Company, item: Item, at: datetime) -> Price:
    """The price of the item for a line whose period starts then: the customer's negotiated terms over the catalog's."""
    customer = company.customer_of(item).customer_id
    valid = [
        each
        for each in company.overrides_of(customer, item.price_id)
        if each.valid_from <= at and (each.valid_to is None or at < each.valid_to)
    ]
    price = catalog_price(company.price_of(item))
    if not valid:
        return price
    record = valid[-1]
    return overridden(
        price,
        Override(
            unit_amount=record.unit_amount,
            flat_amount=record.flat_amount,
            minimum_amount=record.minimum_amount,
            maximum_amount=record.maximum_amount,
            tiers=None if record.tiers is None else tiers_from(record.tiers),
        ),
    )


def catalog_price(record: PriceRecord) -> Price:
    """The price as `billing` knows it."""
    return Price(
        model=record.model,
        currency=record.currency,
        unit_amount=record.unit_amount,
        flat_amount=record.flat_amount,
        percent_rate=record.percent_rate,
        package_size=record.package_size,
        free_units=record.free_units,
        convert=record.convert,
        convert_factor=record.convert_factor,
        convert_rounding=record.convert_rounding,
        minimum_amount=record.minimum_amount,
        maximum_amount=record.maximum_amount,
        proration=record.proration,
        tiers=tiers_from(vars(tier) for tier in record.tiers),
        metered=record.meter_id is not None,
    )


def discounts_at(company: Company, item: Item, at: datetime) -> tuple[rebates.Discount, ...]:
    """The discounts that count for a line of the item whose period starts then."""
    subscription = company.subscription_of(item)
    scopes = (
        (item.item_id, rebates.Scope.ITEM),
        (subscription.subscription_id, rebates.Scope.SUBSCRIPTION),
        (subscription.customer_id, rebates.Scope.CUSTOMER),
    )
    given = (_rebate(record, scope) for name, scope in scopes for record in company.discounts_on(name))
    return tuple(discount for discount in given if discount.counts_at(at))


def _rebate(record: Discount, scope: rebates.Scope) -> rebates.Discount:
    return rebates.Discount(
        record.discount_id, record.kind, record.value, scope, record.starts_at, record.ends_at, record.currency
    )


def share(company: Company, item: Item, part: Period, full: Period) -> Fraction:
    """The part of the full period that is due, by the price's basis of proration."""
    timezone = company.subscription_of(item).timezone
    due = share_of_period(part, full, company.price_of(item).proration, timezone)
    assert due is not None, f"{item.item_id} has a period of no length"
    return due


def charge(company: Company, item: Item, stretch: Stretch) -> Rating:
    """What a flat or seat item costs for a period: prorated to its active part, with the discounts of that time."""
    full, active = stretch
    return rate(
        price_at(company, item, active.start),
        item.quantity,
        share=share(company, item, active, full),
        discounts=discounts_at(company, item, active.start),
    )


def catalog_amount(company: Company, item: Item, period: Period) -> Decimal:
    """What a flat or seat item costs for a whole period, before discounts."""
    return amount_of(charge(company, item, (period, period)))


def usage_charge(
    company: Company, item: Item, at: datetime, quantity: Decimal, before: Decimal | None = None
) -> Rating:
    """What `quantity` of usage costs on a line whose period starts at `at`; `before` is what earlier lines billed."""
    return rate(
        price_at(company, item, at),
        quantity,
        before=None if before is None else Before(before),
        closes_period=before is None,
        discounts=discounts_at(company, item, at),
    )


def usage_amount(company: Company, item: Item, at: datetime, quantity: Decimal) -> Decimal:
    """What `quantity` of usage costs before discounts, without what is added to reach a minimum."""
    return amount_of(usage_charge(company, item, at, quantity))


def amount_of(rating: Rating) -> Decimal:
    """The amount of a rating that must have one."""
    assert rating.amount is not None, f"the example company has a price that cannot be rated: {rating.problem}"
    return rating.amount
