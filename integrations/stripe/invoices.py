"""Invoices of Stripe, their lines and credit notes as rows of the books."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from integrations.stripe.amounts import (
    UnreadableError,
    currency,
    decimal,
    instant,
    moment,
    money,
    price,
    quantity,
    total,
)
from integrations.stripe.catalog import PriceFacts, price_in
from integrations.stripe.metadata import stated
from integrations.stripe.objects import Object, Row, Rows, entries, ident, known, link, needed, nested

Facts = Callable[[str], PriceFacts | None]
"""What is known of a price by its id; asks Stripe when it must. None for a price that is gone."""

_STATUS = {name: name for name in ("draft", "open", "paid", "void", "uncollectible")}
_TAX_STATUS = {"complete": "complete", "failed": "failed", "requires_location_inputs": "requires_location"}


def invoice_rows(invoice: Object, lines: Iterable[Object], price_facts: Facts) -> Rows:
    """Rows of `invoices` and `invoice_lines`. `lines`: all of them, the list object may be cut.

    Raises UnreadableError, UnknownCurrencyError.
    """
    held = list(lines)
    code = currency(invoice.get("currency"))
    times = invoice.get("status_transitions") or {}
    started, ended = _span(invoice.get("period_start"), invoice.get("period_end"))
    row: Row = {
        "invoice_id": needed(invoice.get("id"), "invoice"),
        "number": invoice.get("number"),
        "customer_id": needed(invoice.get("customer"), "customer"),
        "subscription_id": _subscription(invoice),
        "status": _status(invoice),
        "currency": code,
        "period_start": started,
        "period_end": ended,
        "created_at": moment(invoice.get("created")),
        "finalizes_at": instant(invoice.get("automatically_finalizes_at")),
        "issued_at": instant(times.get("finalized_at")),
        "due_at": instant(invoice.get("due_date")),
        "paid_at": instant(times.get("paid_at")),
        "voided_at": instant(times.get("voided_at")),
        "attempt_count": None if invoice.get("attempt_count") is None else int(decimal(invoice["attempt_count"])),
        "next_attempt_at": instant(invoice.get("next_payment_attempt")),
        "auto_advance": invoice.get("auto_advance"),
        "tax_status": _tax_status(invoice.get("automatic_tax")),
        "error": nested(invoice, "last_finalization_error", "message")
        or nested(invoice, "last_finalization_error", "code"),
        "external_url": link(invoice, "invoices"),
    }
    row |= {name: money(minor, code) for name, minor in _totals(invoice, held).items()}
    row |= stated("invoices", invoice.get("metadata"))
    return {"invoices": [row], "invoice_lines": [_line(line, invoice, code, price_facts) for line in held]}


def _status(invoice: Object) -> str:
    """The books' status; of one that is not known, what its instants say."""
    found = _STATUS.get(str(invoice.get("status")))
    if found:
        return found
    times = invoice.get("status_transitions") or {}
    said = {"void": "voided_at", "paid": "paid_at", "uncollectible": "marked_uncollectible_at", "open": "finalized_at"}
    return next((status for status, name in said.items() if times.get(name)), "draft")


def _subscription(invoice: Object) -> str | None:
    return ident(nested(invoice, "parent", "subscription_details", "subscription") or invoice.get("subscription"))


def _span(start: object, end: object) -> tuple[datetime | None, datetime | None]:
    """A period of the books; Stripe's of no length says that there is none (one-time lines, opening invoices)."""
    return (None, None) if start == end else (instant(start), instant(end))


def _tax_status(automatic: object) -> str | None:
    if not nested(automatic, "enabled"):
        return None
    return known(nested(automatic, "status"), _TAX_STATUS, "none")


def _totals(invoice: Object, lines: list[Object]) -> Mapping[str, int]:
    """The amounts as the books define them, in minor units.

    Credits are what the customer's balance paid (negative: what an older debt added) and what billing credits paid
    before tax, which Stripe has already taken off `total`. `amount_due` is Stripe's `amount_remaining`.
    """
    grants = sum(
        int(decimal(entry["amount"]))
        for entry in entries(invoice.get("total_pretax_credit_amounts"))
        if entry.get("type") == "credit_balance_transaction"
    )
    return {
        "subtotal": _subtotal(invoice, lines),
        "discount_total": total(invoice.get("total_discount_amounts")),
        "tax_total": total(invoice.get("total_taxes")),
        "credits_applied": _from_balance(invoice) + grants,
        "total": int(decimal(invoice.get("total"))) + grants,
        "amount_paid": int(decimal(invoice.get("amount_paid") or 0)),
        "amount_due": max(0, int(decimal(invoice.get("amount_remaining") or 0))),
    }


def _subtotal(invoice: Object, lines: list[Object]) -> int:
    """The stated subtotal, before every discount: Stripe's has line discounts taken off already, ours has not."""
    stated_subtotal = int(decimal(invoice.get("subtotal")))
    gross = sum(_gross(line) for line in lines)
    off = sum(total(line.get("discount_amounts")) for line in lines if line.get("discounts"))
    return gross if off and stated_subtotal == gross - off else stated_subtotal


def _from_balance(invoice: Object) -> int:
    """What the customer's balance (negative: credit) pays: known once final, until then as much of it as is needed."""
    before, after = int(decimal(invoice.get("starting_balance") or 0)), invoice.get("ending_balance")
    if after is not None:
        return int(decimal(after)) - before
    return min(-before, max(0, int(decimal(invoice.get("total") or 0))))


def _gross(line: Object) -> int:
    """The line's amount before discounts."""
    return int(decimal(line["subtotal"] if line.get("subtotal") is not None else line.get("amount")))


def _line(line: Object, invoice: Object, code: str, price_facts: Facts) -> Row:
    parent = line.get("parent") or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    price_id = ident(nested(line, "pricing", "price_details", "price"))
    how = price_facts(price_id) if price_id else None
    kind = _kind(line, parent, how)
    started, ended = _span(nested(line, "period", "start"), nested(line, "period", "end"))
    units = _units(line)
    each = nested(line, "pricing", "unit_amount_decimal")
    row: Row = {
        "line_id": needed(line.get("id"), "line"),
        "invoice_id": invoice["id"],
        "subscription_id": ident(details.get("subscription")) or ident(line.get("subscription")),
        "item_id": ident(details.get("subscription_item")),
        "price_id": price_in(price_id, how, code) if price_id else None,
        "kind": kind,
        "description": line.get("description"),
        "period_start": started,
        "period_end": ended,
        "raw_quantity": units if kind == "usage" and not (how and how.converted) else None,
        "quantity": units,
        "unit_amount": price(each, code) if each is not None and (how is None or how.model in _PER_UNIT) else None,
        "amount": money(_gross(line), code),
        "discount_amount": money(total(line.get("discount_amounts")), code),
        "tax_amount": money(total(line.get("taxes")), code),
        "proration": bool(details.get("proration")),
        "external_url": link(invoice, "invoices"),
    }
    return row | stated("invoice_lines", line.get("metadata"))


_PER_UNIT = frozenset({"per_unit", "package"})


def _units(line: Object) -> Decimal | None:
    units = line.get("quantity_decimal")
    units = line.get("quantity") if units is None else units
    return None if units is None else quantity(units)


def _kind(line: Object, parent: Object, how: PriceFacts | None) -> str:
    """What is charged: usage or a subscribed number, else a single charge or, below zero, a credit."""
    details = parent.get("invoice_item_details") or {}
    if parent.get("subscription_item_details") or details.get("proration"):
        return "usage" if how and how.metered else "recurring"
    return "credit" if _gross(line) < 0 else "one_time"


def credit_note_rows(note: Object, lines: Iterable[Object]) -> Rows:
    """Rows of `credit_notes`: one, or one per line when it credits several, `<note>/<line>`, that add up to the note.

    Raises UnreadableError, UnknownCurrencyError.
    """
    code = currency(note.get("currency"))
    credited = [line for line in lines if ident(line.get("invoice_line_item"))]
    whole = int(decimal(note.get("amount")))
    if len(credited) < 2:
        line_id = ident(credited[0]["invoice_line_item"]) if credited else None
        return {"credit_notes": [_note(note, code, str(note.get("id")), line_id, whole)]}
    parts = [(f"{note['id']}/{line['id']}", ident(line["invoice_line_item"]), _credited(line)) for line in credited]
    rest = whole - sum(amount for _, _, amount in parts)
    if rest:
        parts.append((str(note["id"]), None, rest))
    return {"credit_notes": [_note(note, code, *part) for part in parts]}


def _credited(line: Object) -> int:
    """What the line gives back: net of discount, with tax that was added."""
    added = [tax for tax in entries(line.get("taxes")) if tax.get("tax_behavior") != "inclusive"]
    return int(decimal(line.get("amount"))) - int(decimal(line.get("discount_amount") or 0)) + total(added)


def _note(note: Object, code: str, row_id: str, line_id: str | None, minor: int) -> Row:
    if not note.get("id"):
        raise UnreadableError("it has no id")
    return {
        "credit_note_id": row_id,
        "invoice_id": needed(note.get("invoice"), "invoice"),
        "line_id": line_id,
        "customer_id": needed(note.get("customer"), "customer"),
        "currency": code,
        "amount": money(minor, code),
        "reason": note.get("memo") or note.get("reason"),
        "status": "void" if note.get("status") == "void" else "issued",
        "created_at": moment(note.get("created")),
        "external_url": link(note, "credit_notes"),
    }
