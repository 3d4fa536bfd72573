"""The company at its start: what it sells, its customers, and one plain subscription for each of them.

What then happens to them (upgrades, trials, cancellations ...) is told by `integrations.example.stories`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from billing.periods import add, parse_duration, timezone_named
from integrations.example import catalogue
from integrations.example.catalogue import MONTHLY, YEARLY, Card, Offer, offer_of
from integrations.example.company import HISTORY, Company, Habits
from integrations.example.places import Place, company_name, place_of, tax_number
from integrations.example.records import Customer, Item, Subject, Subscription

_MONTH = parse_duration(MONTHLY)
_FIRST_PLANS = ("starter", "growth", "scale", "growth", "starter", "growth", "enterprise", "scale", "growth", "growth")
_PLAN_WEIGHTS = {"starter": 0.3, "growth": 0.38, "scale": 0.22, "enterprise": 0.1}
_BRANDS = ("visa", "mastercard", "amex", "visa")


def found(customers: int, seed: int, as_of: datetime, events: int) -> Company:
    """The company with `customers` customers, each with one subscription that has run undisturbed until `as_of`."""
    company = Company(seed, as_of, events)
    day_at = [company.opened + timedelta(days=day) for day in range(HISTORY.days + 1)]
    company.plans = {plan.plan_id: plan for plan in catalogue.plans(company.opened, day_at)}
    company.prices = {price.price_id: price for price in catalogue.prices(day_at)}
    rng = company.rng("customers")
    for index in range(customers):
        _join(company, index, rng)
    return company


def subscribe(
    company: Company,
    customer: Customer,
    offer: Offer,
    *,
    start: datetime,
    timezone: str,
    collection: str,
    anchor: datetime | None = None,
    rng: np.random.Generator,
) -> Subscription:
    """A subscription of the customer to every card of the offer, anchored at its start or at `anchor`."""
    subscription = company.add_subscription(
        Subscription(
            company.new_id("sub"),
            customer.customer_id,
            catalogue.plan_id(offer, customer.currency),
            "active",
            customer.currency,
            start,
            anchor or start,
            offer.cadence,
            timezone,
            collection,
        )
    )
    for card in offer.cards:
        add_card(company, subscription, offer, card, start, rng)
    return subscription


def add_card(
    company: Company,
    subscription: Subscription,
    offer: Offer,
    card: Card,
    start: datetime,
    rng: np.random.Generator,
    quantity: Decimal | None = None,
) -> Item:
    """An item of the subscription for one card, from `start`; the usual number of seats unless `quantity` is given."""
    if quantity is None and card.seats is not None:
        quantity = Decimal(max(1, round(card.seats * float(rng.lognormal(0, 0.4)))))
    price = catalogue.price_id(offer, card, subscription.currency)
    return company.add_item(Item(company.new_id("si"), subscription.subscription_id, price, quantity, start))


def _join(company: Company, index: int, rng: np.random.Generator) -> None:
    place = place_of(index, rng)
    offer, start, timezone = _what_and_when(company, index, place, rng)
    customer = _customer(company, index, place, start, rng)
    company.customers[customer.customer_id] = customer
    company.habits[customer.customer_id] = _habits(customer, place, rng)
    for name in _subjects(customer, index, rng):
        company.add_subject(Subject(name, customer.customer_id, "subject", customer.created_at))
    collection = "charge_automatically" if customer.payment_method else "send_invoice"
    subscribe(company, customer, offer, start=start, timezone=timezone, collection=collection, rng=rng)


def _what_and_when(company: Company, index: int, place: Place, rng: np.random.Generator) -> tuple[Offer, datetime, str]:
    """The plan of customer number `index`, when its subscription starts, and the timezone of its periods."""
    if index < 2 * len(_FIRST_PLANS):
        key = _FIRST_PLANS[index % len(_FIRST_PLANS)]
    else:
        key = str(rng.choice(list(_PLAN_WEIGHTS), p=list(_PLAN_WEIGHTS.values())))
    early = key == "enterprise" or rng.random() < 0.6
    day = int(rng.integers(5, 60)) if early else int(rng.integers(60, HISTORY.days - 75))
    timezone = place.timezones[int(rng.integers(len(place.timezones)))]
    start = _snapped(company, company.opened + timedelta(days=day), timezone, rng)
    if key == "growth" and rng.random() < 0.2:
        return offer_of("growth", YEARLY), start, timezone
    version = 2 if key == "growth" and start >= company.opened + timedelta(days=210) else 1
    return offer_of(key, YEARLY if key == "enterprise" else MONTHLY, version), start, timezone


def _snapped(company: Company, about: datetime, timezone: str, rng: np.random.Generator) -> datetime:
    """An instant near `about` at which subscriptions like to start.

    A third of them renew within the day before `as_of`, so that there are drafts; others on the 1st, in the middle or
    on the last day of a month, the rest at any time of any day.
    """
    kind = rng.random()
    if kind < 0.34:
        recent = (company.as_of - timedelta(seconds=int(rng.integers(9 * 3600, 23 * 3600)))).replace(microsecond=0)
        months = max(1, round((recent - about) / timedelta(days=30.44)))
        return add(recent, _MONTH, timezone, -months)
    local = about.astimezone(timezone_named(timezone))
    if kind < 0.54:
        local = local.replace(day=1, hour=0)
    elif kind < 0.64:
        local = local.replace(day=15, hour=12)
    elif kind < 0.74:
        local = (local.replace(day=28, hour=18, minute=30) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    else:
        local += timedelta(seconds=int(rng.integers(86_400)))
    return max(local.astimezone(UTC), company.opened + timedelta(days=1))


def _customer(company: Company, index: int, place: Place, start: datetime, rng: np.random.Generator) -> Customer:
    name = company_name(index, place, rng)
    is_business = bool(rng.random() < 0.92)
    tax_ids = []
    if is_business and place.tax_id_type:
        tax_ids = [{"type": place.tax_id_type, "value": tax_number(place, rng), "status": "verified"}]
    slug = re.sub(r"[^a-z]+", "-", name.lower().rsplit(" ", 1)[0]).strip("-")
    return Customer(
        company.new_id("cus"),
        name,
        f"billing@{slug}.example",
        place.currency,
        place.country,
        is_business,
        tax_ids,
        _card(company.as_of, rng) if rng.random() < 0.78 else None,
        start - timedelta(days=int(rng.integers(1, 4)), seconds=int(rng.integers(80_000))),
    )


def _card(as_of: datetime, rng: np.random.Generator) -> dict[str, object]:
    return {
        "kind": "card",
        "brand": _BRANDS[int(rng.integers(len(_BRANDS)))],
        "last4": f"{int(rng.integers(10_000)):04d}",
        "exp_month": int(rng.integers(1, 13)),
        "exp_year": as_of.year + int(rng.integers(2, 6)),
    }


def _habits(customer: Customer, place: Place, rng: np.random.Generator) -> Habits:
    return Habits(
        size=float(np.clip(rng.lognormal(0, 0.6), 0.35, 4.0)),
        growth=float(np.clip(rng.normal(1.015, 0.015), 0.97, 1.06)),
        weekend=float(rng.uniform(0.25, 0.6)) if rng.random() < 0.8 else 1.1,
        week_ends_on=(4, 5) if place.country == "KW" else (5, 6),
        month_end=float(rng.uniform(1.05, 1.3)),
        noise=float(rng.uniform(0.05, 0.11)),
        daily_reports=bool(rng.random() < 0.25),
        tax_rate=place.business_rate if customer.is_business else place.consumer_rate,
    )


def _subjects(customer: Customer, index: int, rng: np.random.Generator) -> list[str]:
    """The names that its events carry: an environment each."""
    stem = f"{customer.email.split('@')[1].split('.')[0]}-{index}"
    return [f"{stem}/prod", f"{stem}/batch"] if rng.random() < 0.3 else [f"{stem}/prod"]
