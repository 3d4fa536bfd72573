"""Payments of the books as Stripe's payment intents, charges and the link to their invoice."""

from __future__ import annotations

from tests.peers.stripe.books import Row
from tests.peers.stripe.notes import noted
from tests.peers.stripe.numbers import UnheldError, minor, seconds
from tests.peers.stripe.shapes import Object, shaped

_STATUS = {
    "pending": "processing",
    "requires_action": "requires_action",
    "succeeded": "succeeded",
    "disputed": "succeeded",
    "refunded": "succeeded",
    "failed": "requires_payment_method",
}


def payment(row: Row) -> list[Object]:
    """A payment intent, its charge if there was one, and the invoice payment that ties it to its invoice."""
    code, paid = str(row["currency"]), str(row["status"]) in {"succeeded", "disputed", "refunded"}
    amount, refunded = minor(row["amount"], code), minor(row["amount_refunded"], code)
    if (row["status"] == "refunded") != (paid and refunded >= amount > 0) and row["status"] != "disputed":
        raise UnheldError(f"status {row['status']} with {row['amount_refunded']} of {row['amount']} refunded")
    if (row.get("invoice_id") is None) == (row["purpose"] == "invoice"):
        raise UnheldError(f"purpose {row['purpose']} with invoice {row.get('invoice_id')}")
    if row.get("failure_code") and row["status"] != "failed":
        raise UnheldError(f"a failure code with status {row['status']}")
    created = seconds(row["created_at"])
    shared = {"customer": row["customer_id"], "currency": code.lower(), "created": created, "amount": amount}
    intent = shaped(
        "payment_intent",
        **shared,
        id=row["payment_id"],
        status=_STATUS[str(row["status"])],
        amount_received=amount if paid else 0,
        last_payment_error=_error(row) if row["status"] == "failed" else None,
        metadata=noted(row, {"purpose": "invoice", "idempotency_key": None}),
    )
    tried = paid or row["status"] == "failed"
    charges = [_charge(row, shared, paid, refunded)] if tried else []
    intent["latest_charge"] = charges[0]["id"] if charges else None
    return [intent, *charges, *([_link(row, code, amount, paid)] if row.get("invoice_id") else [])]


def _error(row: Row) -> Object:
    declined = row.get("failure_code")
    return {"type": "card_error", "code": "card_declined" if declined else None, "decline_code": declined}


def _charge(row: Row, shared: Object, paid: bool, refunded: int) -> Object:
    return shaped(
        "charge",
        **shared,
        id=f"ch_{row['payment_id']}",
        payment_intent=row["payment_id"],
        status="succeeded" if paid else "failed",
        paid=paid,
        captured=paid,
        amount_captured=shared["amount"] if paid else 0,
        amount_refunded=refunded,
        refunded=row["status"] == "refunded",
        disputed=row["status"] == "disputed",
        failure_code=row.get("failure_code"),
    )


def _link(row: Row, code: str, amount: int, paid: bool) -> Object:
    return shaped(
        "invoice_payment",
        id=f"inpay_{row['payment_id']}",
        created=seconds(row["created_at"]),
        currency=code.lower(),
        invoice=row["invoice_id"],
        amount_requested=amount,
        amount_paid=amount if paid else None,
        status="paid" if paid else "open",
        payment={"type": "payment_intent", "payment_intent": row["payment_id"]},
    )
