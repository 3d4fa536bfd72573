"""What a subscription's flat and seat items cost: for a period, and for a stretch of time as a part of one."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from billing.money import round_money
from billing.periods import Period, period_containing
from integrations.example.company import Company
from integrations.example.records import Subscription
from integrations.example.terms import catalog_amount


def period_at(subscription: Subscription, at: datetime) -> Period:
    """The subscription's billing period that holds the instant."""
    return period_containing(subscription.billing_anchor, subscription.cadence, subscription.timezone, at)


def fees(company: Company, subscription: Subscription, at: datetime) -> Decimal:
    """What the flat and seat items cost for the whole period that holds `at`, before discounts."""
    period = period_at(subscription, at)
    items = [each for each in company.items_of(subscription.subscription_id) if not company.price_of(each).meter_id]
    return sum((catalog_amount(company, item, period) for item in items), Decimal(0))


def fees_since(company: Company, subscription: Subscription, at: datetime, since: datetime) -> Decimal:
    """The fees of the period that holds `at`, for the time from `since` to `as_of` as a part of its length."""
    period, tick = period_at(subscription, at), timedelta(microseconds=1)
    part = Fraction((company.as_of - since) // tick, (period.end - period.start) // tick)
    return round_money(Fraction(fees(company, subscription, at)) * part, subscription.currency)
