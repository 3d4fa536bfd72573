"""Which request of Lago each deed is; no I/O.

Requests: getlago.com/docs/api-reference/invoices/void, .../invoices/retry_payment, .../credit-notes/create,
.../events/usage, .../subscriptions/terminate, .../coupons/delete_applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

from billing.money import to_minor
from integrations.writing import Deed, Request


def _void(deed: Deed) -> Request:
    return Request("post", f"invoices/{quote(deed.id, safe='')}/void", {})


def _pay(deed: Deed) -> Request:
    return Request("post", f"invoices/{quote(deed.id, safe='')}/retry_payment", {})


def _credit(deed: Deed) -> Request:
    """What is still due is lowered; what was paid becomes credit for the next invoice."""
    cents = to_minor(Decimal(str(deed.about["amount"])), deed.about["currency"])
    kind = "credit_amount_cents" if deed.about["paid"] else "offset_amount_cents"
    note = {
        "invoice_id": deed.id,
        "reason": "other",
        "refund_amount_cents": 0,
        kind: cents,
        "items": [{"fee_id": deed.about["line"], "amount_cents": cents}],
    }
    return Request("post", "credit_notes", {"credit_note": note})


def _cancel(deed: Deed) -> Request:
    """Without a last invoice, and without a credit note."""
    told = {"on_termination_credit_note": "skip", "on_termination_invoice": "skip"}
    return Request("delete", f"subscriptions/{quote(deed.id, safe='')}", told)


def _undiscount(deed: Deed) -> Request:
    """Lago's coupons are the customer's."""
    path = f"customers/{quote(deed.id, safe='')}/applied_coupons/{quote(str(deed.about['discount']), safe='')}"
    return Request("delete", path, {})


def _ingest(deed: Deed) -> Request:
    """Lago counts one transaction of a subscription once."""
    about = deed.about
    event = {
        "transaction_id": deed.id,
        "external_subscription_id": about["subject"],
        "code": about["event_name"],
        "timestamp": int(datetime.fromisoformat(about["time"]).timestamp()),
        "properties": about["properties"],
    }
    return Request("post", "events", {"event": event})


REQUESTS: Mapping[str, Callable[[Deed], Request]] = {
    "void": _void,
    "pay": _pay,
    "credit": _credit,
    "cancel": _cancel,
    "undiscount": _undiscount,
    "ingest": _ingest,
}
"""The request of each verb."""
