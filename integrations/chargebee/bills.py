"""Chargebee's invoices, credit notes and transactions as rows of the books."""

from __future__ import annotations

from decimal import Decimal

from billing.periods import period_containing
from integrations.chargebee.catalog import amount, cadence, units
from integrations.chargebee.deeds import MARK
from integrations.chargebee.people import PriceOf, at, item_id
from integrations.objects import Object, Row, Rows, entries, known, needed
from integrations.values import currency, epoch, minor

_STATUS = {
    "pending": "draft",
    "posted": "open",
    "payment_due": "open",
    "not_paid": "open",
    "paid": "paid",
    "voided": "void",
}
_RECURRING = frozenset({"plan_item_price", "addon_item_price"})
_PAYMENT = {"success": "succeeded", "failure": "failed", "voided": "failed", "timeout": "pending"}


def _whole(thing: Object, name: str, code: str) -> Decimal:
    return minor(thing.get(name) or 0, code)


def invoice_rows(invoice: Object, price_of: PriceOf) -> Rows:
    """Rows of `invoices` and `invoice_lines` of an invoice with all its lines."""
    code = currency(invoice.get("currency_code"))
    status = "void" if invoice.get("deleted") else known(invoice.get("status"), _STATUS, "open")
    lines = [_line(line, invoice, code, price_of) for line in entries(invoice.get("line_items"))]
    recurring = [line for line in lines if line["kind"] in {"usage", "recurring"}]
    over = next((line for line in recurring if line["kind"] == "usage"), recurring[0] if recurring else None)
    opening = bool(invoice.get("first_invoice")) and not any(line["kind"] == "usage" for line in lines)
    made = at(invoice, "generated_at", "date")
    voided = at(invoice, "voided_at", "updated_at", "date") if status == "void" else None
    row: Row = {
        "invoice_id": needed(invoice.get("id"), "invoice"),
        "number": invoice.get("id"),
        "customer_id": needed(invoice.get("customer_id"), "customer"),
        "subscription_id": invoice.get("subscription_id"),
        "status": status,
        "currency": code,
        "period_start": over["period_start"] if over and not opening else None,
        "period_end": over["period_end"] if over and not opening else None,
        "created_at": made,
        "issued_at": None if status == "draft" else epoch(invoice.get("date")),
        "due_at": epoch(invoice.get("due_date")),
        "paid_at": epoch(invoice.get("paid_at")),
        "voided_at": voided,
        "subtotal": _whole(invoice, "sub_total", code),
        "discount_total": sum((_whole(each, "amount", code) for each in entries(invoice.get("discounts"))), Decimal(0)),
        "tax_total": _whole(invoice, "tax", code),
        "credits_applied": _whole(invoice, "credits_applied", code),
        "total": _whole(invoice, "total", code),
        "amount_paid": _whole(invoice, "amount_paid", code),
        "amount_due": Decimal(0) if status == "void" else _whole(invoice, "amount_due", code),
        "next_attempt_at": epoch(invoice.get("next_retry_at")),
    }
    return {"invoices": [row], "invoice_lines": lines}


def _line(line: Object, invoice: Object, code: str, price_of: PriceOf) -> Row:
    entity, price_id = str(line.get("entity_type")), line.get("entity_id")
    metered, ours = bool(line.get("metered")), MARK.search(str(line.get("description") or ""))
    kind = "usage" if metered else "recurring" if entity in _RECURRING else "one_time"
    if ours and entity == "adhoc":  # a charge that Trueup made says what it is for
        kind, price_id = "adjustment", ours[2]
    subscription = line.get("subscription_id") or invoice.get("subscription_id")
    started, ended = epoch(line.get("date_from")), epoch(line.get("date_to"))
    belongs = kind != "one_time" and subscription and price_id
    counted = units(line, "quantity")
    return {
        "line_id": needed(line.get("id"), "line"),
        "invoice_id": invoice["id"],
        "subscription_id": subscription,
        "item_id": item_id(subscription, price_id) if belongs else None,
        "price_id": price_id if entity.endswith("_item_price") or ours else None,
        "kind": kind,
        "description": line.get("description"),
        "period_start": started if belongs else None,
        "period_end": ended if belongs else None,
        "raw_quantity": counted if metered else None,
        "quantity": None if kind == "adjustment" else counted,
        "unit_amount": amount(line, "unit_amount", code) if line.get("pricing_model") == "per_unit" else None,
        "amount": _whole(line, "amount", code),
        "discount_amount": _whole(line, "discount_amount", code),
        "tax_amount": _whole(line, "tax_amount", code),
        "proration": kind == "recurring" and _partial(line, price_of),
    }


def _partial(line: Object, price_of: PriceOf) -> bool:
    """Chargebee does not say so: a charge is prorated when it is for less than a whole period of its price."""
    started, ended = epoch(line.get("date_from")), epoch(line.get("date_to"))
    price = price_of(str(line.get("entity_id"))) or {}
    every = cadence(price.get("period"), price.get("period_unit"))
    if not (started and ended and every):
        return False
    return period_containing(ended, every, "UTC", started).start != started


def credit_note_rows(note: Object) -> Rows:
    """Rows of `credit_notes`: one, or one per line when it credits several (`<note>/<line>`), that add up to it."""
    code, id = currency(note.get("currency_code")), needed(note.get("id"), "credit note")
    whole = _whole(note, "total", code)
    lines = [line for line in entries(note.get("line_items")) if line.get("reference_line_item_id")]
    if len(lines) < 2:
        line_id = lines[0]["reference_line_item_id"] if lines else None
        return {"credit_notes": [_note(note, code, id, line_id, whole)]}
    parts = [(f"{id}/{line['id']}", line["reference_line_item_id"], _whole(line, "amount", code)) for line in lines]
    rest = whole - sum((part for _, _, part in parts), Decimal(0))
    if rest:
        parts.append((id, None, rest))
    return {"credit_notes": [_note(note, code, *part) for part in parts]}


def _note(note: Object, code: str, id: str, line_id: str | None, credited: Decimal) -> Row:
    return {
        "credit_note_id": id,
        "invoice_id": needed(note.get("reference_invoice_id"), "invoice"),
        "line_id": line_id,
        "customer_id": needed(note.get("customer_id"), "customer"),
        "currency": code,
        "amount": credited,
        "reason": note.get("create_reason_code") or note.get("reason_code"),
        "status": "void" if note.get("status") == "voided" or note.get("deleted") else "issued",
        "created_at": at(note, "generated_at", "date"),
    }


def payment_rows(transaction: Object) -> Rows:
    """The row of `payments` for a payment; none for refunds, which its payment names, and for authorizations."""
    if transaction.get("type") != "payment":
        return {}
    code = currency(transaction.get("currency_code"))
    paid = _whole(transaction, "amount", code)
    refunds = [each for each in entries(transaction.get("linked_refunds")) if each.get("txn_status") == "success"]
    refunded = sum((_whole(each, "txn_amount", code) for each in refunds), Decimal(0))
    invoices = [each["invoice_id"] for each in entries(transaction.get("linked_invoices"))]
    status = known(transaction.get("status"), _PAYMENT, "pending")
    row: Row = {
        "payment_id": needed(transaction.get("id"), "transaction"),
        "invoice_id": invoices[0] if len(invoices) == 1 else None,
        "customer_id": needed(transaction.get("customer_id"), "customer"),
        "currency": code,
        "amount": paid,
        "amount_refunded": refunded,
        "status": "refunded" if status == "succeeded" and refunded >= paid > 0 else status,
        "purpose": "invoice",
        "failure_code": transaction.get("error_code") if status == "failed" else None,
        "created_at": at(transaction, "date"),
    }
    return {"payments": [row]}
