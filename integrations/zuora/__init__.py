"""Zuora: accounts, catalogue, subscriptions, usage, bill runs, invoices, credit memos, payments.

Owns the reading and what Zuora's fields mean in the books; does not own storage. docs/integrations/zuora.md says what
becomes what. Written from Zuora's published descriptions and never run against a live tenant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from integrations import walk
from integrations.capabilities import Capabilities, Hold
from integrations.http import Client
from integrations.http_limits import Pace, Rate
from integrations.http_retry import Retry
from integrations.json_api import connection
from integrations.objects import Object
from integrations.pages import Page
from integrations.webhooks import Delivery, Headers
from integrations.zuora import callouts
from integrations.zuora.oauth import Tenant
from integrations.zuora.reader import PAGE_SIZE, RECORDS, Lists
from integrations.zuora.writes import ZuoraWrites

DEFAULT_URL = "https://rest.zuora.com"

TABLES = (
    "customers",
    "meters",
    "plans",
    "prices",
    "price_tiers",
    "subscriptions",
    "subscription_items",
    "reported_usage",
    "bill_runs",
    "invoices",
    "invoice_lines",
    "credit_notes",
    "payments",
)
"""The tables of the books that this integration fills."""

CAPABILITIES = Capabilities(
    reads=TABLES,
    increments="asks every list for what was updated since, oldest first; the catalogue is read whole",
    dialect="zuora",
    hold=Hold.PRE_CONFIGURED,
    writes=("void_invoice", "credit_note", "cancel_subscription", "pause_collection", "retry_payment"),
    settings=("client_id", "timezone", "webhook_password_env"),
    receives=True,
    rereads=tuple(RECORDS),
)
"""What Zuora can do; `trueup integrations` shows it."""


@dataclass(frozen=True)
class Zuora(walk.Walking):
    """One configured Zuora tenant."""

    lists: Lists = field(repr=False)
    webhook_password: str | None = field(default=None, repr=False)

    @property
    def writes(self) -> ZuoraWrites:
        """The writing side of the tenant; whether it may be used is for others to say."""
        return ZuoraWrites(self.lists)

    def proven(self, body: bytes, headers: Headers, now: datetime) -> Delivery:
        """The callout, when it brings the password: Zuora signs nothing, so nothing in it counts."""
        return callouts.proven(body, headers, self.webhook_password, now)

    def receive(self, told: Sequence[Object]) -> Iterator[Page]:
        """The current rows of the records that the callouts name."""
        return self.told_pages(told, callouts.about)


def from_config(
    name: str,
    settings: Mapping[str, object],
    *,
    retry: Retry | None = None,
    pace: Pace | None = None,
    page_size: int = PAGE_SIZE,
) -> Zuora:
    """The integration from its part of the configuration.

    Settings: `client_id` and, as `api_key`, the secret of an OAuth client that may read; `base_url`, where the tenant
    is not in US Cloud 2; `timezone`, the tenant's, in which its days begin; `webhook_password`, which callouts bring.
    At most 20 requests a second: Zuora allows a tenant 50,000 a minute, for all that it does. Raises ValueError naming
    a setting that is missing or wrong.
    """
    secret, base_url, per_second = connection(name, settings, DEFAULT_URL)
    client_id, timezone = settings.get("client_id"), str(settings.get("timezone") or "UTC")
    if not client_id:
        raise ValueError(f"integrations.{name}.client_id: the id of the OAuth client of api_key_env is needed.")
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"integrations.{name}.timezone is {timezone!r}; it must be an IANA name.") from error
    client = Client({"each": Rate(per_second or 20.0, burst=per_second or 20.0)}, retry, pace=pace)
    password = settings.get("webhook_password")
    lists = Lists(Tenant(client, base_url, str(client_id), secret), zone, page_size)
    return Zuora(name, lists, None if password is None else str(password))
