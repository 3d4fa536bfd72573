"""Lago: customers, metrics, plans with charges, subscriptions, coupons, invoices with fees, credit notes, payments,
prepaid credits and events of one organization.

Owns the reading and what Lago's fields mean in the books; does not own storage. docs/integrations/lago.md says what
becomes what. Lago's lists know no "changed since", see `integrations.walk`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from integrations import walk
from integrations.capabilities import Capabilities, Hold
from integrations.http import Client
from integrations.http_limits import Pace, Rate
from integrations.http_retry import Retry
from integrations.json_api import JsonApi, connection
from integrations.lago.reader import PAGE_SIZE, RECORDS, Lists, about
from integrations.lago.webhooks import Signed
from integrations.lago.writes import LagoWrites
from integrations.objects import Object
from integrations.pages import Page
from integrations.webhooks import Delivery, Headers, content, delivery, digest

DEFAULT_URL = "https://api.getlago.com/api/v1"

WEBHOOK_KEYS = ("webhook_key", "webhook_public_key")

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
    "credit_notes",
    "payments",
    "credit_grants",
)
"""The tables of the books that this integration fills."""

CAPABILITIES = Capabilities(
    reads=TABLES,
    increments="walks every list and reads closely the invoices whose updated_at is newer; events of the last days",
    dialect="lago",
    hold=Hold.CUSTOMER_WIDE,
    writes=(
        "void_invoice",
        "credit_note",
        "retry_payment",
        "cancel_subscription",
        "end_discount",
        "report_usage",
    ),
    settings=("webhook_key_env", "webhook_public_key", "events_days"),
    receives=True,
    rereads=(*RECORDS, "subscription"),
)
"""What Lago can do; `trueup integrations` shows it."""


@dataclass(frozen=True)
class Lago(walk.Walking):
    """One configured Lago organization."""

    lists: Lists = field(repr=False)
    signed: Signed = field(repr=False)

    @property
    def writes(self) -> LagoWrites:
        """The writing side of the organization; whether it may be used is for others to say."""
        return LagoWrites(self.lists)

    def counts(self) -> Mapping[str, int]:
        """How many records Lago has, by table of the books where one object is one row."""
        return self.totals(("customers", "plans", "subscriptions", "invoices"))

    def proven(self, body: bytes, headers: Headers, now: datetime) -> Delivery:
        """The delivery that Lago signed. Its id is of its content: `X-Lago-Unique-Key` is not signed."""
        self.signed.verify(body, headers)
        told = content(body)
        return delivery(told, digest(body), told.get("webhook_type"))

    def receive(self, told: Sequence[Object]) -> Iterator[Page]:
        """The current rows of what the deliveries are about."""
        return self.told_pages(told, about)


def from_config(
    name: str,
    settings: Mapping[str, object],
    *,
    retry: Retry | None = None,
    pace: Pace | None = None,
    page_size: int = PAGE_SIZE,
) -> Lago:
    """The integration from its part of the configuration.

    Settings: `api_key`; `base_url` with its path (`https://api.eu.getlago.com/api/v1`, or your own server);
    `events_days`, how far back events are read again (3); `webhook_key`, the organization's HMAC key, or
    `webhook_public_key`, for endpoints that sign by JWT. At most 40 requests a second, a fifth below Lago's limit.
    Raises ValueError naming a setting that is missing or wrong.
    """
    key, base_url, per_second = connection(name, settings, DEFAULT_URL)
    days = settings.get("events_days", 3)
    if not isinstance(days, int | str) or not str(days).isdigit():
        raise ValueError(f"integrations.{name}.events_days is {days!r}; it must be a whole number of days.")
    rate = Rate(per_second or 40.0, burst=per_second or 40.0)
    api = JsonApi("Lago", Client({"each": rate}, retry, pace=pace), base_url, {"Authorization": f"Bearer {key}"}, key)
    parts = urlsplit(base_url)
    secret, public = (None if value is None else str(value) for value in map(settings.get, WEBHOOK_KEYS))
    return Lago(name, Lists(api, page_size, int(days)), Signed(f"{parts.scheme}://{parts.netloc}", secret, public))
