"""A home with integrations in every state, for the pages that show them."""

from __future__ import annotations

from datetime import timedelta

from detector.connections import Configured
from integrations.catalogue import find
from store import operational
from store.delivery_tables import Delivery, DeliveryRefusal, Rejection
from store.operational_tables import Job, Load
from tests.web.company import NOW, Home

FAILED = "Stripe refused the key; set a valid api_key for this integration."

CONNECTED = (
    Configured(
        "stripe", "stripe", find("stripe").capabilities, "STRIPE_API_KEY", True, True, timedelta(minutes=15),
        timedelta(hours=2),
    ),
    Configured("metering", "openmeter", find("openmeter").capabilities, "OPENMETER_KEY", every=timedelta(hours=1),
               stale_after=timedelta(hours=2)),
    Configured("lago", "lago", find("lago").capabilities, "LAGO_API_KEY", takes_webhooks=True),
)  # fmt: skip
"""Stripe failed an hour ago, metering is stale, Lago is well."""


def fill(home: Home) -> None:
    """What the integrations left behind in the operational store."""
    with operational.writing(home.engine()) as session:
        for name, minutes, status, error in (
            ("stripe", 300, "ok", None),
            ("stripe", 60, "failed", FAILED),
            ("metering", 60 * 9, "ok", None),
            ("lago", 4, "ok", None),
        ):
            at = NOW - timedelta(minutes=minutes)
            rows = None if error else {"invoices": {"inserted": 12, "updated": 3}}
            session.add(
                Load(
                    kind="sync", integration=name, started_at=at, finished_at=at, status=status, error=error, rows=rows
                )
            )
        for number, status, why in ((1, "applied", None), (2, "failed", "The key may not read invoices."),
                                    (3, "queued", "api.stripe.com did not answer")):  # fmt: skip
            at = NOW - timedelta(minutes=number)
            session.add(
                Delivery(
                    integration="stripe", delivery_id=f"evt_1QxT{number}", kind="invoice.updated", received_at=at,
                    status=status, attempts=number, due_at=at, error=why,
                )
            )  # fmt: skip
        session.add(DeliveryRefusal(integration="stripe", reason="forged", count=3, last_at=NOW, detail="wrong secret"))
        session.add(
            Rejection(
                integration="lago", kind="billable_metrics", record_id="calls", first_at=NOW - timedelta(days=2),
                last_at=NOW, reason="it adds up by custom_agg, which the books do not know",
            )
        )  # fmt: skip
        session.add(
            Job(kind="test", args={"integration": "lago"}, requested_by="ann", requested_at=NOW - timedelta(hours=3),
                status="ok", result="Everything that it fills can be read.")
        )  # fmt: skip
