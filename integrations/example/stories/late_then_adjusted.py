"""Events that came too late for their invoice and were billed by an adjustment line on the next one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import first_subscription, has_months, months, on_plan
from integrations.example.company import Company
from integrations.example.invoicing import recorded_at
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.streams import to_micros
from integrations.example.truth import Lookalike

STAGE = Stage.USAGE
_HOUR = 3_600_000_000


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Delay three days' events of a few closed periods by days, and have them billed afterwards."""

    def suitable(customer: Customer) -> bool:
        habits = company.habits[customer.customer_id]
        monthly = on_plan(company, customer, "starter", "growth", "scale")
        return monthly and has_months(company, customer, 4) and not habits.daily_reports

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        subscription = first_subscription(company, customer)
        items = company.items_of(subscription.subscription_id)
        item = next(each for each in items if company.price_of(each).meter_id == "meter_api")
        period = months(company, subscription)[-3]
        stream = company.stream_of(item)
        late = stream.accepted_within(period.end - timedelta(days=4), period.end - timedelta(days=1))
        cut_off = to_micros(recorded_at(company, period.end))
        stream.put(late, received=cut_off + rng.integers(30 * _HOUR, 90 * _HOUR, len(late)))
        company.billed_later[item.item_id] = period.start
        company.told[customer.customer_id] = "late_then_adjusted"
        found.append(
            Lookalike(
                "late events billed by an adjustment",
                customer.customer_id,
                ("TU-01", "TU-02", "TU-06", "TU-13", "TU-19", "TU-20", "TU-22", "TU-39", "TU-40"),
                (("item", item.item_id), *(("usage_event", each) for each in stream.event_ids(late))),
                "the next invoice has an adjustment line for them, at the rest of the period's tiers",
            )
        )
    return found
