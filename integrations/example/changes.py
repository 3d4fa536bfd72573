"""Changes of a subscription while it runs: another plan, another number of seats, an end, a trial before it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from billing.periods import Period, Schedule, parse_duration
from integrations.example import catalogue
from integrations.example.catalogue import MONTHLY, Offer
from integrations.example.company import Company
from integrations.example.founding import add_card
from integrations.example.records import Customer, Item, Subscription


def months(company: Company, subscription: Subscription) -> list[Period]:
    """The subscription's monthly periods that have ended by `as_of`, oldest first."""
    schedule = Schedule(subscription.billing_anchor, parse_duration(MONTHLY), subscription.timezone)
    last, _ = schedule.at(company.as_of)
    periods = [schedule.period(index) for index in range(last)]
    return [period for period in periods if period.end <= company.as_of]


def first_subscription(company: Company, customer: Customer) -> Subscription:
    """The one that the customer joined with."""
    return company.subscriptions_of(customer.customer_id)[0]


def on_plan(company: Company, customer: Customer, *keys: str, cadence: str = MONTHLY) -> bool:
    """Whether the customer's first subscription is to one of these plans at that cadence."""
    plan = company.plans[first_subscription(company, customer).plan_id]
    return plan.plan_key in keys and plan.cadence == cadence


def has_months(company: Company, customer: Customer, least: int) -> bool:
    """Whether the customer has been billed monthly for that many full periods."""
    return len(months(company, first_subscription(company, customer))) >= least


def switch_plan(
    company: Company, subscription: Subscription, offer: Offer, at: datetime, rng: np.random.Generator
) -> list[Item]:
    """End all items at `at` and start the offer's cards; seats stay as many as they were. The new items."""
    seats = [item.quantity for item in company.items_of(subscription.subscription_id) if item.quantity is not None]
    for item in company.items_of(subscription.subscription_id):
        item.active_to = at
    subscription.plan_id = catalogue.plan_id(offer, subscription.currency)
    kept = seats[0] if seats else None
    return [
        add_card(company, subscription, offer, card, at, rng, kept if card.seats is not None else None)
        for card in offer.cards
    ]


def change_seats(company: Company, item: Item, quantity: Decimal, at: datetime) -> Item:
    """End the item at `at` and start another one of the same price with another quantity."""
    item.active_to = at
    return company.add_item(Item(company.new_id("si"), item.subscription_id, item.price_id, quantity, at))


def end(company: Company, subscription: Subscription, at: datetime, asked_at: datetime) -> None:
    """Cancel the subscription, asked for at `asked_at` and ended at `at`."""
    subscription.status = "ended"
    subscription.cancel_at = subscription.ended_at = at
    subscription.canceled_at = asked_at
    for item in company.items_of(subscription.subscription_id):
        if item.active_to is None:
            item.active_to = at


def start_with_trial(company: Company, subscription: Subscription, started_at: datetime, trial_end: datetime) -> None:
    """Let the subscription begin with a trial; its periods are anchored where the trial ends."""
    subscription.started_at = started_at
    subscription.trial_end = subscription.billing_anchor = trial_end
    for item in company.items_of(subscription.subscription_id):
        item.active_from = started_at
    customer = company.customers[subscription.customer_id]
    customer.created_at = min(customer.created_at, started_at - timedelta(hours=1))
    for place in company.subjects_of(customer.customer_id):
        company.subjects[place].valid_from = customer.created_at


def middle_of(period: Period, rng: np.random.Generator) -> datetime:
    """An instant well inside the period, in whole seconds."""
    inside = (period.end - period.start) * float(rng.uniform(0.3, 0.7))
    return (period.start + inside).replace(microsecond=0)
