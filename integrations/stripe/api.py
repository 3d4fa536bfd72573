"""Asking Stripe: the official SDK's requests, versions and errors over our HTTP client with its limits and retries.

Answers are taken as plain JSON with exact decimals. The SDK's typed objects are not built: rows need none of them, and
making them takes longer than everything else together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import stripe

from integrations.http import Client, SourceError, UnreachableError
from integrations.http_limits import Rate
from integrations.stripe.objects import Object
from integrations.writing import UnclearError

VERSION = "2026-10-28.endive"
"""The API version that the mapping is written for. Objects come in this form whatever the company's own default is."""

PAGE_SIZE = 100

stripe.enable_telemetry = False


def rates(key: str, per_second: float | None) -> Mapping[str, Rate]:
    """Limits by class, a fifth below Stripe's (100 a second live, 25 in a sandbox, 25 per endpoint): others call too.

    `per_second` replaces both numbers where Stripe has agreed on others. Source: docs.stripe.com/rate-limits.
    """
    everything = per_second or (80.0 if "_live_" in key else 20.0)
    endpoint = per_second or 20.0
    return {"all": Rate(everything, burst=everything), "each": Rate(endpoint, burst=endpoint)}


@dataclass(frozen=True)
class Listing:
    """One page of a list: its objects, whether more follow, and the instant of Stripe's answer."""

    objects: list[Object]
    more: bool
    at: datetime


class Api:
    """Reads from one Stripe account, and writes what `integrations.stripe.writes` asks.

    Raises SourceError with one sentence that says what to do.
    """

    def __init__(self, key: str, client: Client, base_url: str | None = None, page_size: int = PAGE_SIZE) -> None:
        """`base_url` is another server that speaks like Stripe, without a path."""
        bases = dict.fromkeys(("api", "files", "connect", "meter_events"), base_url) if base_url else {}
        self._key = key
        self._page_size = page_size
        self.answered = datetime.now(UTC)
        """The instant of Stripe's last answer, by its own clock."""
        self._stripe = stripe.StripeClient(
            key,
            http_client=_Wire(client),
            base_addresses=bases,  # type: ignore[arg-type]
            stripe_version=VERSION,
            max_network_retries=0,
        )

    def page(self, path: str, **params: object) -> Listing:
        """One page of the list at a path below /v1, such as "invoices" or "invoices/in_1/lines"."""
        found, at = self._get(path, {"limit": self._page_size, **params})
        return Listing(found["data"], bool(found.get("has_more")), at)

    def pages(self, path: str, after: str | None = None, **params: Any) -> Iterator[Listing]:
        """All pages of a list, newest first, beginning behind the object `after`.

        When that object is gone, or the last of a page before the next is asked for, the list begins again.
        """
        while True:
            try:
                listing = self.page(path, **params, **({"starting_after": after} if after else {}))
            except GoneError:
                if after is None:
                    raise
                after = None
                continue
            yield listing
            if not listing.more or not listing.objects:
                return
            after = str(listing.objects[-1]["id"])

    def get(self, path: str, id: str, **params: Any) -> tuple[Object, datetime] | None:
        """One object as it is now with the instant of the answer; None when there is none (any more)."""
        try:
            return self._get(f"{path}/{quote(id, safe='')}", params)
        except GoneError:
            return None

    def write(self, method: str, path: str, key: str, params: Mapping[str, object]) -> Object:
        """One write below /v1 under an Idempotency-Key; the object that Stripe answers with.

        Raises UnclearError when no answer says whether it was done, SourceError when it was not.
        """
        try:
            answer = self._stripe.raw_request(method, f"/v1/{path}", idempotency_key=key, **params)
        except stripe.StripeError as error:
            raise self._refused(path, error) from None
        done: Object = json.loads(answer.body, parse_float=Decimal)
        return done

    def preview(self, params: Mapping[str, object]) -> Object:
        """The invoice that a subscription would make next, which is not made. Raises SourceError."""
        try:
            answer = self._stripe.raw_request("post", "/v1/invoices/create_preview", **params)
        except stripe.StripeError as error:
            raise self._explained("invoices", error) from None
        found: Object = json.loads(answer.body, parse_float=Decimal)
        return found

    def credit_preview(self, params: Mapping[str, object]) -> Object:
        """The credit note that would be made, which is not. Raises SourceError."""
        found: Object = self._get("credit_notes/preview", params)[0]
        return found

    def _refused(self, path: str, error: stripe.StripeError) -> SourceError:
        """Only an answer below 500 that is no conflict says that nothing was done."""
        if isinstance(error, stripe.APIConnectionError) or (error.http_status or 500) >= 500:
            said = str(error.user_message or error).replace(self._key, "the key")
            return UnclearError(f"Stripe's answer about {path} does not say whether it was done: {said}")
        if error.http_status == 409:
            return UnclearError(f"Stripe is still busy with the same request about {path}.")
        if isinstance(error, stripe.PermissionError):
            return SourceError(
                f"The key may not write {path}; allow it in Stripe, Developers, API keys.", permanent=True
            )
        explained = self._explained(path, error)
        return SourceError(str(explained), permanent=explained.permanent)

    def _get(self, path: str, params: Mapping[str, object]) -> tuple[Any, datetime]:
        try:
            answer = self._stripe.raw_request("get", f"/v1/{path}", **params)
        except stripe.StripeError as error:
            raise self._explained(path, error) from None
        self.answered = _answered(answer.headers)
        return json.loads(answer.body, parse_float=Decimal), self.answered

    def _explained(self, path: str, error: stripe.StripeError) -> SourceError:
        what = path.split("/")[1 if path.startswith("billing/") else 0].replace("_", " ")
        said = str(error.user_message or error).replace(self._key, "the key")
        if error.http_status == 404 or error.code == "resource_missing":
            return GoneError(f"Stripe has no such object among {what}: {said}", permanent=True)
        if isinstance(error, stripe.AuthenticationError):
            return SourceError("Stripe refused the key; set a valid api_key for this integration.", permanent=True)
        if isinstance(error, stripe.PermissionError):
            return SourceError(
                f"The key may not read {what}; allow it in Stripe, Developers, API keys.", permanent=True
            )
        if isinstance(error, stripe.APIConnectionError):
            return UnreachableError(f"Stripe could not be reached while reading {what}: {said}")
        passing = error.http_status in {None, 409, 429} or (error.http_status or 0) >= 500
        return SourceError(f"Stripe did not give {what} ({error.http_status}): {said}", permanent=not passing)


class GoneError(SourceError):
    """The object asked for is not there (any more)."""


class _Wire(stripe.HTTPClient):
    """The SDK's way out, through our client."""

    name = "trueup"

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, *, _usage: object = None
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send one request of the SDK by our client; its body, status and headers."""
        try:
            reply = self._client.send(method, url, headers=headers or {}, body=post_data, classes=_classes(url))
        except UnreachableError as error:
            raise stripe.APIConnectionError(str(error)) from error  # type: ignore[no-untyped-call]
        return reply.body.decode(errors="replace"), reply.status, httpx.Headers(dict(reply.headers))

    def close(self) -> None:
        """Nothing: the client is shared, and outlives the SDK's."""
        self._client.close()


def _classes(url: str) -> tuple[str, str]:
    """The limits a request counts against: the account's, and its endpoint's ("invoices", "billing/meters")."""
    parts = urlsplit(url).path.strip("/").split("/")[1:]
    return "all", "/".join(parts[:2] if parts[:1] == ["billing"] else parts[:1])


def _answered(headers: Mapping[str, str]) -> datetime:
    """The instant of the answer by Stripe's own clock."""
    try:
        return parsedate_to_datetime(headers.get("date") or "").astimezone(UTC)
    except (TypeError, ValueError) as error:
        raise SourceError("Stripe's answer has no date, so its version cannot be told.", permanent=False) from error
