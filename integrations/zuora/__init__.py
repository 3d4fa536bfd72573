"""Zuora: accounts, catalogue, subscriptions, usage, bill runs, invoices, credit memos, payments.

Owns the reading and what Zuora's fields mean in the books; does not own storage. docs/integrations/zuora.md says what
becomes what. Written from Zuora's published descriptions and never run against a live tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from integrations import walk
from integrations.capabilities import Capabilities, Hold
from integrations.http import Client
from integrations.http_limits import Pace, Rate
from integrations.http_retry import Retry
from integrations.json_api import connection
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
    settings=("client_id", "timezone"),
    rereads=tuple(RECORDS),
)
"""What Zuora can do; `trueup integrations` shows it."""


@dataclass(frozen=True)
class Zuora(walk.Walking):
    """One configured Zuora tenant."""

    lists: Lists = field(repr=False)

    @property
    def writes(self) -> ZuoraWrites:
        """The writing side of the tenant; whether it may be used is for others to say."""
        return ZuoraWrites(self.lists)


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
    is not in US Cloud 2; `timezone`, the tenant's, in which its days begin. At most 20 requests a second: Zuora allows
    a tenant 50,000 a minute, for all that it does. Raises ValueError naming a setting that is missing or wrong.
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
    return Zuora(name, Lists(Tenant(client, base_url, str(client_id), secret), zone, page_size))
