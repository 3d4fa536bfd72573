"""Lago: customers, metrics, plans with charges, subscriptions, coupons, invoices with fees, credit notes, payments,
prepaid credits and events of one organization.

Owns the reading and what Lago's fields mean in the books; does not own storage. docs/integrations/lago.md says what
becomes what. Lago's lists know no "changed since", see `integrations.walk`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from integrations import walk
from integrations.capabilities import Capabilities, ForgedError, Hold
from integrations.http import Client
from integrations.http_limits import Pace, Rate
from integrations.http_retry import Retry
from integrations.json_api import JsonApi, connection
from integrations.lago.reader import PAGE_SIZE, Lists
from integrations.lago.writes import LagoWrites
from integrations.pages import Page

DEFAULT_URL = "https://api.getlago.com/api/v1"

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
    writes=("void_invoice", "credit_note", "retry_payment"),
    settings=("webhook_key_env", "events_days"),
    receives=True,
)
"""What Lago can do; `trueup integrations` shows it."""


@dataclass(frozen=True)
class Lago(walk.Walking):
    """One configured Lago organization."""

    lists: Lists = field(repr=False)
    webhook_key: str | None = field(default=None, repr=False)

    @property
    def writes(self) -> LagoWrites:
        """The writing side of the organization; whether it may be used is for others to say."""
        return LagoWrites(self.lists)

    def counts(self) -> Mapping[str, int]:
        """How many records Lago has, by table of the books where one object is one row."""
        return self.totals(("customers", "plans", "subscriptions", "invoices"))

    def receive(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Iterator[Page]:
        """What a delivery is about, asked for again. Raises ForgedError unless its HMAC is of this body.

        `X-Lago-Signature` is base64 of HMAC-SHA256 (an endpoint that signs by JWT is not taken).
        """
        if self.webhook_key is None:
            raise ForgedError("No webhook_key_env is configured, so no delivery can be proven.")
        expected = base64.b64encode(hmac.new(self.webhook_key.encode(), body, hashlib.sha256).digest())
        given = headers.get("x-lago-signature", "").encode()
        if headers.get("x-lago-signature-algorithm", "hmac") != "hmac" or not hmac.compare_digest(expected, given):
            raise ForgedError("The X-Lago-Signature header is not of this payload by this key.")
        try:
            told = json.loads(body)
        except ValueError as error:
            raise ForgedError("The delivery is no JSON.") from error
        yield from self.lists.named(told if isinstance(told, dict) else {}, now)


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
    `events_days`, how far back events are read again (3); `webhook_key`, the organization's HMAC key. At most 40
    requests a second, a fifth below Lago's limit. Raises ValueError naming a setting that is missing or wrong.
    """
    key, base_url, per_second = connection(name, settings, DEFAULT_URL)
    days = settings.get("events_days", 3)
    if not isinstance(days, int | str) or not str(days).isdigit():
        raise ValueError(f"integrations.{name}.events_days is {days!r}; it must be a whole number of days.")
    rate = Rate(per_second or 40.0, burst=per_second or 40.0)
    api = JsonApi("Lago", Client({"each": rate}, retry, pace=pace), base_url, {"Authorization": f"Bearer {key}"}, key)
    secret = settings.get("webhook_key")
    return Lago(name, Lists(api, page_size, int(days)), None if secret is None else str(secret))
