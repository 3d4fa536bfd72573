"""What a callout of Zuora is about. Its body is what the tenant's template makes of it, see docs/integrations/zuora.md.

Zuora signs nothing by itself: a callout brings user and password. It names records by merge fields, `<Invoice.ID>` and
the like, so any spelling of "invoice id" is understood.
"""

from __future__ import annotations

from datetime import datetime

from integrations.objects import Object
from integrations.webhooks import Delivery, Headers, UnreadableError, basic, content, delivery, digest, secret_of

USER = "trueup"

NAMED = {
    "accountid": "customer",
    "subscriptionid": "subscription",
    "billrunid": "bill_run",
    "billingrunid": "bill_run",
    "invoiceid": "invoice",
    "creditmemoid": "credit_note",
    "paymentid": "payment",
}
"""The record that a field names, by the field's letters."""

STAMPS = frozenset({"eventid", "eventdate", "eventtimestamp", "timestamp"})
"""Fields by which one event differs from the next about the same record."""


def proven(body: bytes, headers: Headers, password: str | None, now: datetime) -> Delivery:
    """The callout, when it brings user and password.

    One that is sent again has another `Zuora-Request-Id`, so it is told by its body where that names its moment.
    Raises ForgedError, UnreadableError.
    """
    basic(headers, USER, secret_of(password, "webhook_password_env"))
    told = content(body)
    if not about(told):
        raise UnreadableError(f"The callout names no record; its template needs one of {', '.join(sorted(NAMED))}.")
    stamped = any(_letters(name) in STAMPS and value for name, value in told.items())
    id = digest(body) if stamped else headers.get("zuora-request-id") or digest(body)
    return delivery(told, id, str(told.get("event") or told.get("eventType") or about(told)[0][0]))


def about(told: Object) -> list[tuple[str, str]]:
    """The records that a callout names, (type, id)."""
    found = [(NAMED.get(_letters(str(name))), value) for name, value in told.items()]
    return [(kind, value) for kind, value in found if kind and isinstance(value, str) and value]


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalpha())
