"""Stripe: customers, prices, meters, subscriptions, invoices, credit notes, payments and credits of one account.

Owns the reading, the few writes and what Stripe's fields mean in the books; does not own storage. Raw usage cannot be
read from Stripe, nor bill runs; what else it has no field for may stand in metadata, see
`integrations.stripe.metadata`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from integrations.capabilities import Capabilities, Hold
from integrations.http import Client, SourceError
from integrations.http_limits import Pace
from integrations.http_retry import Retry
from integrations.pages import Lookup, Page
from integrations.stripe import sync, webhooks
from integrations.stripe.api import PAGE_SIZE, Api, rates
from integrations.stripe.changes import AT_ONCE, changed_pages, changes, records_page
from integrations.stripe.objects import Object
from integrations.stripe.reader import Reader
from integrations.stripe.writes import StripeWrites
from integrations.webhooks import Delivery, Headers, UnreadableError, content, delivery, secret_of

TABLES = (
    "customers",
    "meters",
    "plans",
    "prices",
    "price_tiers",
    "subscriptions",
    "subscription_items",
    "discounts",
    "invoices",
    "invoice_lines",
    "credit_notes",
    "payments",
    "reported_usage",
    "credit_grants",
    "credit_movements",
)
"""The tables of the books that this integration fills."""


CAPABILITIES = Capabilities(
    reads=TABLES,
    increments="follows the event feed, kept 30 days, and reads again what is still open",
    dialect="stripe",
    hold=Hold.PER_INVOICE,
    writes=(
        "hold_draft",
        "edit_draft",
        "void_invoice",
        "credit_note",
        "change_subscription",
        "pause_collection",
        "retry_payment",
        "request_payment_method",
        "request_tax_id",
        "report_usage",
        "cancel_usage",
        "charge_next_invoice",
        "end_discount",
    ),
    settings=("webhook_secret_env", "recorded_usage"),
    receives=True,
    rereads=("customer", "subscription", "invoice", "credit_note"),
)
"""What Stripe can do; `trueup integrations` shows it."""


@dataclass(frozen=True)
class Stripe:
    """One configured Stripe account."""

    name: str
    reader: Reader = field(repr=False)
    webhook_secret: str | None = field(default=None, repr=False)

    def pull(self, cursor: Lookup, *, full: bool, now: datetime) -> Iterator[Page]:
        """Pages of what changed since the stored cursors, or of everything; see `integrations.stripe.sync.pull`."""
        return sync.pull(self.reader.fresh(), cursor, full=full, now=now)

    def backfill(self, start: datetime, end: datetime | None) -> Iterator[Page]:
        """Pages of what was created in the span, and of what its events name."""
        return sync.window(self.reader.fresh(), start, end)

    def pull_records(self, records: Iterable[tuple[str, str]]) -> Page:
        """One page with the current rows of single records, (type, id): invoices, subscriptions, customers,
        credit notes; of an invoice its credit notes and payments too. Moves no cursor. Raises SourceError.
        """
        return records_page(self.reader.fresh(), records)

    def proven(self, body: bytes, headers: Headers, now: datetime) -> Delivery:
        """The event of a delivery that Stripe signed with the endpoint's secret, a moment ago."""
        secret = secret_of(self.webhook_secret, "webhook_secret_env")
        webhooks.verify(body, headers.get("stripe-signature"), secret, now)
        told = content(body)
        if not isinstance(told.get("created"), int):
            raise UnreadableError("The delivery is no event of Stripe.")
        return delivery(told, told.get("id"), told.get("type"))

    def receive(self, told: Sequence[Object]) -> Iterator[Page]:
        """The current rows of every object that the events name, each asked for once."""
        reader, pending = self.reader.fresh(), changes(told)
        for first in range(0, len(pending), AT_ONCE):
            yield from changed_pages(reader, pending[first : first + AT_ONCE])

    @property
    def writes(self) -> StripeWrites:
        """The writing side of the account; whether it may be used is for others to say."""
        return StripeWrites(self.reader)

    def check(self) -> str | None:
        """Why the account cannot be read completely, with the remedy; None when all is well."""
        for path in (*sync.WALK, "disputes", "events"):
            try:
                self.reader.api.page(path, limit=1)
            except SourceError as error:
                return str(error)
        return None


def from_config(
    name: str,
    settings: Mapping[str, object],
    *,
    retry: Retry | None = None,
    pace: Pace | None = None,
    page_size: int = PAGE_SIZE,
) -> Stripe:
    """The integration from its part of the configuration.

    Settings: `api_key` (a restricted key with read access will do); `base_url`, another server that speaks like
    Stripe; `requests_per_second`, where Stripe has agreed on other limits; `webhook_secret`, of the endpoint that
    sends webhooks; `recorded_usage`, true where what Stripe's meters recorded is `reported_usage` of the books. It is
    left out by itself: a company that states its own records has them once. The other arguments are for tests.
    Raises ValueError naming a setting that is missing or wrong.
    """
    key, base_url, per_second = (settings.get(part) for part in ("api_key", "base_url", "requests_per_second"))
    if not isinstance(key, str) or not key:
        raise ValueError(f"integrations.{name}.api_key is missing; set it to a Stripe key that may read.")
    if base_url is not None and not str(base_url).startswith(("http://", "https://")):
        raise ValueError(f"integrations.{name}.base_url is {base_url!r}; it must begin with http:// or https://.")
    if per_second is not None and (not isinstance(per_second, int | float) or per_second <= 0):
        raise ValueError(f"integrations.{name}.requests_per_second is {per_second!r}; it must be a number above 0.")
    client = Client(rates(key, None if per_second is None else float(per_second)), retry, pace=pace)
    address = None if base_url is None else str(base_url).rstrip("/")
    secret = settings.get("webhook_secret")
    recorded = settings.get("recorded_usage", False)
    if not isinstance(recorded, bool):
        raise ValueError(f"integrations.{name}.recorded_usage is {recorded!r}; it must be true or false.")
    reader = Reader(Api(key, client, address, page_size), recorded)
    return Stripe(name, reader, None if secret is None else str(secret))
