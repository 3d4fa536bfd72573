"""TU-16, a metered feature without a price: an item that the plan has was never put on the subscription."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from integrations.example.candidates import spread, summed_items, whole_periods
from integrations.example.company import Company
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.terms import stretches, usage_amount
from integrations.example.truth import Fault

CODE = "TU-16"
STAGE = Stage.USAGE
ANYWHERE = True


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Forget one metered item of a subscription; the customer uses what nobody charges."""
    return spread(company, rng, CODE, _plant_on)


def _plant_on(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    if company.told.get(customer.customer_id) is not None:
        return None
    for item in summed_items(company, customer)[::-1]:
        stream, subscription = company.stream_of(item), company.subscription_of(item)
        siblings = [each for each in company.items_of(subscription.subscription_id) if each is not item]
        periods = [active for _, active in stretches(company, item)]
        same = any([active for _, active in stretches(company, each)] == periods for each in siblings)
        amounts = [usage_amount(company, item, each.start, stream.quantity(each.start, each.end)) for each in periods]
        if len(whole_periods(company, item)) < 2 or not same or not any(amounts):
            continue
        company.remove_item(item)
        fault = Fault(
            CODE,
            ("meter", stream.meter_id),
            customer.customer_id,
            customer.currency,
            f"{subscription.subscription_id} has no item for {stream.meter_id}, which its plan charges",
            periods[0].start,
            periods[-1].end,
            under=sum(amounts, Decimal(0)),
        )
        fault.affects("subscription", [subscription.subscription_id])
        fault.shows("price", [item.price_id])
        fault.shows("source", [stream.source])
        return fault
    return None
