"""Chargebee (Product Catalog 2.0): customers, items, prices, subscriptions, usages, invoices, credit notes, payments.

Owns the reading and what Chargebee's fields mean in the books; does not own storage. docs/integrations/chargebee.md
says what becomes what. Written from Chargebee's documentation and never run against a live site.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from integrations import walk
from integrations.capabilities import Capabilities, Hold
from integrations.chargebee.reader import PAGE_SIZE, RECORDS, Lists, about
from integrations.chargebee.writes import ChargebeeWrites
from integrations.http import Client
from integrations.http_limits import Pace, Rate
from integrations.http_retry import Retry
from integrations.json_api import JsonApi, connection
from integrations.objects import Object
from integrations.pages import Page
from integrations.webhooks import Delivery, Headers, basic, content, delivery, secret_of

TABLES = (
    "customers",
    "meters",
    "plans",
    "prices",
    "price_tiers",
    "subscriptions",
    "subscription_items",
    "price_overrides",
    "reported_usage",
    "invoices",
    "invoice_lines",
    "credit_notes",
    "payments",
)
"""The tables of the books that this integration fills."""

CAPABILITIES = Capabilities(
    reads=TABLES,
    increments="asks every list for what was updated since, oldest first, deleted objects included",
    dialect="chargebee",
    hold=Hold.PRE_CONFIGURED,
    writes=(
        "edit_draft",
        "void_invoice",
        "credit_note",
        "charge_next_invoice",
        "change_subscription",
        "pause_collection",
        "retry_payment",
        "request_payment_method",
        "request_tax_id",
        "report_usage",
    ),
    settings=("site", "proration", "webhook_password_env"),
    receives=True,
    rereads=tuple(RECORDS),
)
"""What Chargebee can do; `trueup integrations` shows it."""


@dataclass(frozen=True)
class Chargebee(walk.Walking):
    """One configured Chargebee site."""

    lists: Lists = field(repr=False)
    webhook_password: str | None = field(default=None, repr=False)

    @property
    def writes(self) -> ChargebeeWrites:
        """The writing side of the site; whether it may be used is for others to say."""
        return ChargebeeWrites(self.lists)

    def proven(self, body: bytes, headers: Headers, now: datetime) -> Delivery:
        """The event of a delivery that brings the password: Chargebee signs nothing, so nothing in it counts."""
        basic(headers, "trueup", secret_of(self.webhook_password, "webhook_password_env"))
        told = content(body)
        return delivery(told, told.get("id"), told.get("event_type"))

    def receive(self, told: Sequence[Object]) -> Iterator[Page]:
        """The current rows of the objects in the events."""
        return self.told_pages(told, about)


def from_config(
    name: str,
    settings: Mapping[str, object],
    *,
    retry: Retry | None = None,
    pace: Pace | None = None,
    page_size: int = PAGE_SIZE,
) -> Chargebee:
    """The integration from its part of the configuration.

    Settings: `api_key` (read-only will do); `site`, or `base_url` with its path; `proration`, how the site prorates
    (`second`, `day` or `none`); `webhook_password`. At most two requests a second: Chargebee's smallest plan allows
    150 a minute. Raises ValueError naming a setting that is missing or wrong.
    """
    site = settings.get("site")
    key, base_url, per_second = connection(name, settings, f"https://{site}.chargebee.com/api/v2" if site else None)
    proration = settings.get("proration") or "second"
    if proration not in {"second", "day", "none"}:
        raise ValueError(f"integrations.{name}.proration is {proration!r}; it must be second, day or none.")
    rate = Rate(per_second or 2.0, burst=per_second or 10.0)
    authorization = {"Authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"}
    api = JsonApi("Chargebee", Client({"each": rate}, retry, pace=pace), base_url, authorization, key)
    password = settings.get("webhook_password")
    return Chargebee(name, Lists(api, page_size, str(proration)), None if password is None else str(password))
