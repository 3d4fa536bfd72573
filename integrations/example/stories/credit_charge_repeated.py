"""A package whose first charge was refused: the grant names the attempt that failed, the next one paid for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from integrations.example.company import Company
from integrations.example.ledgers import grants_of, payment_of
from integrations.example.records import Customer
from integrations.example.stages import Stage
from integrations.example.truth import Lookalike

STAGE = Stage.BOOKS

_CODES = ("TU-50", "TU-51", "TU-53", "TU-54", "TU-58")


def plant(company: Company, rng: np.random.Generator) -> Sequence[Lookalike]:
    """Let it happen to the first package of one in eight of the customers who prepay."""
    prepaid = [each for each in company.customers.values() if company.told.get(each.customer_id) == "prepaid_credits"]
    chosen = [each for each in prepaid[1::8] if grants_of(company, each)]
    return [_refused(company, each) for each in chosen]


def _refused(company: Company, customer: Customer) -> Lookalike:
    """The grant names the attempt that failed; the one that succeeded ten minutes later has none of its own."""
    grant = grants_of(company, customer)[0]
    succeeded = payment_of(company, grant)
    identity = company.new_id("py")
    failed = replace(
        succeeded,
        payment_id=identity,
        status="failed",
        failure_code="card_declined",
        created_at=succeeded.created_at - timedelta(minutes=10),
        idempotency_key=f"credits/{identity}",
    )
    company.payments.append(failed)
    grant.payment_id, grant.idempotency_key = failed.payment_id, failed.idempotency_key
    return Lookalike(
        "package paid at the second attempt",
        customer.customer_id,
        _CODES,
        (("payment", failed.payment_id), ("payment", succeeded.payment_id)),
        "the first charge was refused, the second one paid for the grant that names the first",
    )
