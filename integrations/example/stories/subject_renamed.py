"""A customer whose events come under another subject since a migration; the mapping is dated, so nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.changes import has_months
from integrations.example.company import Company
from integrations.example.picking import some, untold
from integrations.example.records import Customer, Subject
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.CONTRACTS


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Rename the subject of a few customers at an instant within their last two months."""

    def suitable(customer: Customer) -> bool:
        return has_months(company, customer, 3) and len(company.subjects_of(customer.customer_id)) == 1

    found = []
    for customer in untold(company, rng, some(company, 0.01), suitable):
        old = company.subjects[company.subjects_of(customer.customer_id)[0]]
        old.valid_to = (company.as_of - timedelta(days=int(rng.integers(20, 60)))).replace(microsecond=0)
        new = Subject(f"{old.subject}-v2", customer.customer_id, "subject", old.valid_to)
        company.add_subject(new)
        company.told[customer.customer_id] = "subject_renamed"
        found.append(
            Lookalike(
                "subject renamed",
                customer.customer_id,
                ("TU-01", "TU-05", "TU-02"),
                (("subject", old.subject), ("subject", new.subject)),
                "the old subject counts before the change and the new one after it",
            )
        )
    return found
