"""Chargebee (Product Catalog 2.0): customers, items, prices, subscriptions, usages, invoices, credit notes, payments.

Owns the reading and what Chargebee's fields mean in the books; does not own storage. docs/integrations/chargebee.md
says what becomes what. Written from Chargebee's documentation and never run against a live site.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest

from integrations import walk
from integrations.capabilities import Capabilities, ForgedError, Hold
from integrations.chargebee.reader import PAGE_SIZE, Lists
from integrations.http import Client
from integrations.http_limits import Pace, Rate
from integrations.http_retry import Retry
from integrations.json_api import JsonApi, connection
from integrations.pages import Page

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
    writes=("edit_draft", "close_draft", "void_invoice", "credit_note", "change_subscription", "retry_payment"),
    settings=("site", "proration", "webhook_password_env"),
    receives=True,
)
"""What Chargebee can do; `trueup integrations` shows it."""


@dataclass(frozen=True)
class Chargebee(walk.Walking):
    """One configured Chargebee site."""

    lists: Lists = field(repr=False)
    webhook_password: str | None = field(default=None, repr=False)

    def receive(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Iterator[Page]:
        """The objects that a delivery is about, asked for again: Chargebee signs nothing, so nothing in it counts.

        A delivery must bring the configured password by basic authentication. Raises ForgedError.
        """
        if self.webhook_password is None:
            raise ForgedError("No webhook_password_env is configured, so no delivery can be proven.")
        expected = base64.b64encode(f"trueup:{self.webhook_password}".encode()).decode()
        if not compare_digest(f"Basic {expected}".encode(), headers.get("authorization", "").encode()):
            raise ForgedError("The delivery does not bring user trueup with the password of webhook_password_env.")
        try:
            content = json.loads(body)["content"]
        except (ValueError, KeyError, TypeError) as error:
            raise ForgedError("The delivery is no event of Chargebee.") from error
        yield from self.lists.named(content if isinstance(content, dict) else {})


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
