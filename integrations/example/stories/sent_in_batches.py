"""A customer whose sender was changed to add up before it sends: fewer events, each of more, and the same usage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import has_months, on_plan
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.streams import Integers, Stream
from integrations.example.truth import Lookalike

STAGE = Stage.USAGE
_DAY = 86_400_000_000


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Add up the API events of each day into one, for a few customers, from a day in the last two months on."""

    def suitable(customer: Customer) -> bool:
        single = len(company.subjects_of(customer.customer_id)) == 1
        return single and on_plan(company, customer, "growth", "scale") and has_months(company, customer, 4)

    found = []
    for customer in untold(company, rng, some(company, 0.005), suitable):
        stream = company.streams[customer.customer_id, "meter_api"]
        since = company.as_of - timedelta(days=int(rng.integers(20, 50)))
        stream.drop_refused(since, company.as_of)
        kept = _add_up(stream, stream.accepted_within(since, company.as_of - timedelta(days=1)))
        company.told[customer.customer_id] = "sent_in_batches"
        found.append(
            Lookalike(
                "events that were added up before they were sent",
                customer.customer_id,
                ("TU-01", "TU-06", "TU-07", "TU-12"),
                tuple(("usage_event", each) for each in stream.event_ids(kept[:20])),
                "one event a day instead of many, and as much usage as before",
            )
        )
    return found


def _add_up(stream: Stream, positions: Integers) -> Integers:
    """Let the last event of every day hold what the day's events hold; the positions of those that are left."""
    days = stream.events.times[positions] // _DAY
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    totals = np.diff(np.cumsum(stream.events.values[positions])[last], prepend=0)
    stream.put(positions[last], values=totals)
    rest = np.delete(positions, last)
    keys = stream.events.keys[positions[last]]
    stream.drop(rest)
    left: Integers = np.flatnonzero(np.isin(stream.events.keys, keys))
    return left
