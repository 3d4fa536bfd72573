"""What the product itself knows: access and seats as provisioned, and the entitlements that the plan gives."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.periods import period_containing
from integrations.example.catalogue import MONTHLY
from integrations.example.company import Company
from integrations.example.records import Entitlement, Item, Provisioned, Subscription
from integrations.example.terms import service

_SYNCED = timedelta(minutes=9)
"""How long before `as_of` the product last told what its customers have."""


def provision(company: Company) -> None:
    """The product's state of every subscription: when it started, and now or when it ended."""
    for subscription in company.subscriptions.values():
        _state(company, subscription, subscription.started_at + timedelta(seconds=30), access=True)
        ended = subscription.ended_at
        _state(company, subscription, ended + timedelta(minutes=1) if ended else company.as_of - _SYNCED, not ended)
        for item in company.items_of(subscription.subscription_id):
            if ended is None and item.active_to is None:
                _seats(company, subscription, item)
                _entitle(company, subscription, item)


def _state(company: Company, subscription: Subscription, at: datetime, access: bool) -> None:
    plan_key = company.plans[subscription.plan_id].plan_key
    identity = company.new_id("pv")
    company.provisioned.append(
        Provisioned(
            identity, subscription.customer_id, subscription.subscription_id, at, access=access, plan_key=plan_key
        )
    )


def _seats(company: Company, subscription: Subscription, item: Item) -> None:
    if item.quantity is not None:
        company.provisioned.append(
            Provisioned(
                company.new_id("pv"),
                subscription.customer_id,
                subscription.subscription_id,
                company.as_of - _SYNCED,
                item_id=item.item_id,
                feature=_feature(company, item),
                quantity=item.quantity,
            )
        )


def _entitle(company: Company, subscription: Subscription, item: Item) -> None:
    price = company.price_of(item)
    metered = price.meter_id is not None
    company.entitlements.append(
        Entitlement(
            company.new_id("ent"),
            subscription.customer_id,
            subscription.subscription_id,
            _feature(company, item),
            "metered" if metered else "static" if item.quantity is not None else "boolean",
            item.active_from,
            meter_id=price.meter_id,
            allowance=price.free_units if metered else item.quantity,
            soft_limit=True if metered else None,
            usage_period="P1M" if metered else None,
            last_reset_at=_last_reset(company, subscription, item) if metered else None,
        )
    )


def _last_reset(company: Company, subscription: Subscription, item: Item) -> datetime | None:
    """When the period that is open began, or the item in it; none before a trial's end."""
    start, _ = service(company, item)
    if start >= company.as_of:
        return None
    open_period = period_containing(subscription.billing_anchor, MONTHLY, subscription.timezone, company.as_of)
    return max(open_period.start, start)


def _feature(company: Company, item: Item) -> str:
    """The part of the price's name that says what it is for: `API requests`, `Seats` ..."""
    return company.price_of(item).name.split(" · ")[0]
