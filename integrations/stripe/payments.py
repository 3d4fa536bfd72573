"""Payments of Stripe as rows of the books: one per payment intent, however often it was tried."""

from __future__ import annotations

from collections.abc import Iterable

from integrations.stripe.amounts import UnreadableError, currency, decimal, moment, money
from integrations.stripe.metadata import PREFIX, stated
from integrations.stripe.objects import Object, Row, Rows, ident, known, link, needed, nested

INVOICE_PAYMENT_EXPAND = ("payment.payment_intent.latest_charge", "payment.charge")
"""What an invoice payment must be asked with, so that its row is complete."""

INTENT_EXPAND = ("latest_charge",)
"""What a payment intent must be asked with."""

_STATUS = {
    "requires_payment_method": "pending",  # failed, once a try has failed
    "requires_confirmation": "pending",
    "requires_action": "requires_action",
    "requires_capture": "pending",
    "processing": "pending",
    "succeeded": "succeeded",
    "canceled": "failed",
    "failed": "failed",  # of a charge
    "pending": "pending",
}
_OUT_OF_BAND = {"paid": "succeeded", "canceled": "failed"}


def invoice_payment_rows(linked: Object) -> Rows:
    """The row of `payments` for an invoice payment, whatever it was made by. Raises UnreadableError."""
    invoice_id = needed(linked.get("invoice"), "invoice")
    made_by = linked.get("payment") or {}
    intent, charge = made_by.get("payment_intent"), made_by.get("charge")
    if isinstance(intent, dict):
        return {"payments": [_intent_row(intent, invoice_id)]}
    if isinstance(charge, dict):
        return {"payments": [_row(charge, charge, invoice_id, str(charge.get("status")))]}
    return {"payments": [_recorded_row(linked, invoice_id)]}


def intent_rows(intent: Object) -> Rows:
    """The row of `payments` for a payment intent without an invoice, or with that which older versions name.

    Without one it is a payment for billing only when its metadata `trueup_purpose` says so; shops make others.
    """
    if intent.get("invoice"):
        return {"payments": [_intent_row(intent, ident(intent["invoice"]))]}
    said = (intent.get("metadata") or {}).get(f"{PREFIX}purpose")
    return {"payments": [_intent_row(intent, None)]} if said and said != "invoice" else {}


def disputed(intent: Object) -> bool:
    """Whether the last charge of a payment intent was ever disputed."""
    return bool(nested(intent, "latest_charge", "disputed"))


def undisputed(intent: Object, disputes: Iterable[Object]) -> Object:
    """The payment intent without the mark of a dispute once all of its disputes ended for the company."""
    found = list(disputes)
    if not found or any(dispute.get("status") not in _OVER for dispute in found):
        return intent
    return {**intent, "latest_charge": {**intent["latest_charge"], "disputed": False}}


_OVER = frozenset({"won", "warning_closed", "prevented"})
"""States of a dispute after which the payment is the company's again."""


def _intent_row(intent: Object, invoice_id: str | None) -> Row:
    charge = intent.get("latest_charge")
    return _row(intent, charge if isinstance(charge, dict) else {}, invoice_id, str(intent.get("status")))


def _row(payment: Object, charge: Object, invoice_id: str | None, status: str) -> Row:
    code = currency(payment.get("currency"))
    refunded = int(decimal(charge.get("amount_refunded") or 0))
    paid = int(decimal(payment.get("amount")))
    row: Row = {
        "payment_id": needed(payment.get("id"), "payment"),
        "invoice_id": invoice_id,
        "customer_id": needed(payment.get("customer"), "customer"),
        "currency": code,
        "amount": money(paid, code),
        "amount_refunded": money(refunded, code),
        "status": _status(payment, charge, status, whole=refunded >= paid > 0),
        "purpose": "invoice",
        "failure_code": _failure(payment, charge, status),
        "created_at": moment(payment.get("created")),
        "external_url": link(payment, "payments"),
    }
    return row | stated("payments", payment.get("metadata"))


def _status(payment: Object, charge: Object, status: str, *, whole: bool) -> str:
    if status == "requires_payment_method" and payment.get("last_payment_error"):
        return "failed"
    if status == "succeeded":
        return "disputed" if charge.get("disputed") else "refunded" if whole else "succeeded"
    return known(status, _STATUS, "pending")


def _failure(payment: Object, charge: Object, status: str) -> str | None:
    """Why it failed: the bank's reason, else Stripe's. Null once it succeeded."""
    if status == "succeeded":
        return None
    error = payment.get("last_payment_error") or {}
    return error.get("decline_code") or error.get("code") or charge.get("failure_code")


def _recorded_row(linked: Object, invoice_id: str) -> Row:
    """A payment that was made elsewhere and only noted in Stripe (`payment_record`)."""
    invoice = linked.get("invoice")
    customer_id = ident(nested(invoice, "customer"))
    if customer_id is None:
        raise UnreadableError(f"payment made by {nested(linked, 'payment', 'type')!r} names no customer")
    code = currency(linked.get("currency"))
    paid = linked.get("amount_paid")
    return {
        "payment_id": needed(linked.get("id"), "payment"),
        "invoice_id": invoice_id,
        "customer_id": customer_id,
        "currency": code,
        "amount": money(linked.get("amount_requested") if paid is None else paid, code),
        "amount_refunded": money(0, code),
        "status": known(linked.get("status"), _OUT_OF_BAND, "pending"),
        "purpose": "invoice",
        "failure_code": None,
        "created_at": moment(linked.get("created")),
        "external_url": link(invoice, "invoices") if isinstance(invoice, dict) else None,
    }
