"""OpenMeter and Konnect metering: customers, meters, plans, subscriptions, invoices, entitlements and raw events.

Owns the reading and what OpenMeter's fields mean in the books; does not own storage. docs/integrations/openmeter.md
says what becomes what. Payments and credit notes are not to be had from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from integrations import walk
from integrations.capabilities import Capabilities, Hold
from integrations.http import Client
from integrations.http_limits import Pace, Rate
from integrations.http_retry import Retry
from integrations.json_api import JsonApi, connection
from integrations.objects import Object
from integrations.openmeter.reader import PAGE_SIZE, RECORDS, Lists, about
from integrations.openmeter.writes import OpenMeterWrites
from integrations.pages import Page
from integrations.webhooks import Delivery, Headers, content, delivery, secret_of, standard

DEFAULT_URL = "https://openmeter.cloud"

TABLES = (
    "customers",
    "subjects",
    "meters",
    "plans",
    "prices",
    "price_tiers",
    "subscriptions",
    "subscription_items",
    "discounts",
    "usage_events",
    "reported_usage",
    "invoices",
    "invoice_lines",
    "entitlements",
)
"""The tables of the books that this integration fills."""

CAPABILITIES = Capabilities(
    reads=TABLES,
    increments="invoices by updatedAt, events by when they were ingested, subscriptions that are not over",
    dialect="openmeter",
    hold=Hold.PER_INVOICE,
    writes=(
        "hold_draft",
        "edit_draft",
        "void_invoice",
        "charge_next_invoice",
        "cancel_subscription",
        "report_usage",
    ),
    settings=("webhook_secret_env",),
    receives=True,
    rereads=tuple(RECORDS),
)
"""What OpenMeter can do; `trueup integrations` shows it."""


@dataclass(frozen=True)
class OpenMeter(walk.Walking):
    """One configured OpenMeter."""

    lists: Lists = field(repr=False)
    webhook_secret: str | None = field(default=None, repr=False)

    @property
    def writes(self) -> OpenMeterWrites:
        """The writing side; whether it may be used is for others to say."""
        return OpenMeterWrites(self.lists)

    def counts(self) -> Mapping[str, int]:
        """How many records OpenMeter has, by table of the books where one object is one row."""
        return self.totals(("customers", "plans"))

    def proven(self, body: bytes, headers: Headers, now: datetime) -> Delivery:
        """The notification that the channel signed, as Standard Webhooks do."""
        id = standard(body, headers, secret_of(self.webhook_secret, "webhook_secret_env"), now)
        told = content(body)
        return delivery(told, id, told.get("type"))

    def receive(self, told: Sequence[Object]) -> Iterator[Page]:
        """The current rows of the invoices that the notifications are about."""
        return self.told_pages(told, about)


def from_config(
    name: str,
    settings: Mapping[str, object],
    *,
    retry: Retry | None = None,
    pace: Pace | None = None,
    page_size: int = PAGE_SIZE,
) -> OpenMeter:
    """The integration from its part of the configuration.

    Settings: `api_key`, sent as a bearer token; `base_url`, your own server without a path;
    `webhook_secret`, the signing secret of a notification channel. At most 20 requests a second, as OpenMeter states no
    limits. Raises ValueError naming a setting that is missing or wrong.
    """
    key, base_url, per_second = connection(name, settings, DEFAULT_URL)
    rate = Rate(per_second or 20.0, burst=per_second or 20.0)
    client = Client({"each": rate}, retry, pace=pace)
    api = JsonApi("OpenMeter", client, f"{base_url}/api", {"Authorization": f"Bearer {key}"}, key)
    secret = settings.get("webhook_secret")
    return OpenMeter(name, Lists(api, page_size), None if secret is None else str(secret))
