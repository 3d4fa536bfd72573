"""OpenMeter's invoices as rows of the books."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from integrations.objects import Object, Row, Rows, entries, needed, nested
from integrations.values import UnreadableError, currency, instant, maybe, moment, money, price, quantity

_STATUS = {
    "draft": "draft",
    "issued": "open",
    "payment_processing": "open",
    "overdue": "open",
    "paid": "paid",
    "uncollectible": "uncollectible",
    "voided": "void",
}


def invoice_rows(invoice: Object, price_ids: Mapping[str, str]) -> Rows:
    """Rows of `invoices`, `invoice_lines` and `reported_usage`; none for one that only gathers lines so far.

    `price_ids`: subscription item -> its price in the books. Raises UnreadableError for a credit note, which
    OpenMeter does not tie to the lines that it credits.
    """
    if invoice.get("status") == "gathering":
        return {}
    if invoice.get("type") == "credit_note":
        raise UnreadableError("it is a credit note, whose lines name no invoice")
    code, status = currency(invoice.get("currency")), _status(invoice)
    stated = entries(invoice.get("lines"))
    subscriptions = {nested(line, "subscription", "subscription", "id") for line in stated} - {None}
    row: Row = {
        "invoice_id": needed(invoice.get("id"), "invoice"),
        "number": invoice.get("number") or None,
        "customer_id": needed(nested(invoice, "customer", "id"), "customer"),
        "subscription_id": subscriptions.pop() if len(subscriptions) == 1 else None,
        "status": status,
        "currency": code,
        "period_start": instant(nested(invoice, "period", "from")),
        "period_end": instant(nested(invoice, "period", "to")),
        "created_at": moment(invoice.get("createdAt")),
        "finalizes_at": instant(invoice.get("draftUntil")) if status == "draft" else None,
        "issued_at": instant(invoice.get("issuedAt")),
        "due_at": instant(invoice.get("dueAt")),
        "voided_at": instant(invoice.get("voidedAt") or invoice.get("deletedAt")),
        "auto_advance": nested(invoice, "workflow", "workflow", "invoicing", "autoAdvance"),
        "error": next((issue.get("message") for issue in entries(invoice.get("validationIssues"))), None),
    } | _totals(invoice, status)
    lines = [row for line in stated for row in _lines(line, invoice, price_ids)]
    reported = [_reported(line, row) for line in lines if line["kind"] == "usage" and line["item_id"]]
    return {"invoices": [row], "invoice_lines": lines, "reported_usage": reported}


def _status(invoice: Object) -> str:
    """The books' status; of one that is being issued, or not known, whether it can still be changed."""
    if invoice.get("deletedAt"):
        return "void"
    changing = "open" if nested(invoice, "statusDetails", "immutable") else "draft"
    return _STATUS.get(str(invoice.get("status")), changing)


def _of(thing: Object, name: str) -> Decimal:
    return money(nested(thing, "totals", name) or 0)


def _totals(invoice: Object, status: str) -> Row:
    """The amounts as the books define them; OpenMeter has taken credits off its total already."""
    subtotal = _of(invoice, "amount") + _of(invoice, "chargesTotal")
    left = _of(invoice, "total")
    paid = left if status == "paid" else Decimal(0)
    return {
        "subtotal": subtotal,
        "discount_total": _of(invoice, "discountsTotal"),
        "tax_total": _of(invoice, "taxesTotal"),
        "credits_applied": _of(invoice, "creditsTotal"),
        "total": left + _of(invoice, "creditsTotal"),
        "amount_paid": paid,
        "amount_due": Decimal(0) if status == "void" else max(Decimal(0), left - paid),
    }


def _lines(line: Object, invoice: Object, price_ids: Mapping[str, str]) -> list[Row]:
    """The line, and another for what a minimum spend adds to it."""
    ours = nested(line, "metadata", "trueup_kind") == "adjustment"  # a charge that Trueup made says what it is for
    item_id = nested(line, "subscription", "item", "id") or (
        nested(line, "metadata", "trueup_item_id") if ours else None
    )
    stated = nested(line, "rateCard", "price") or line.get("price") or {}
    kind = str(stated.get("type"))
    started, ended = _period(line)
    usage = kind != "flat"
    metered = line.get("meteredQuantity") if usage else None
    counted = line.get("quantity") if metered is None else metered
    row: Row = {
        "line_id": needed(line.get("id"), "line"),
        "invoice_id": invoice["id"],
        "subscription_id": nested(line, "subscription", "subscription", "id"),
        "item_id": item_id,
        "price_id": price_ids.get(str(item_id)),
        "kind": "adjustment" if ours else "usage" if usage else "recurring" if item_id else "one_time",
        "description": line.get("name"),
        "period_start": started if item_id or usage else None,
        "period_end": ended if item_id or usage else None,
        "raw_quantity": maybe(quantity, counted) if usage else None,
        "quantity": maybe(quantity, nested(line, "metadata", "trueup_quantity") if ours else counted),
        "unit_amount": price(stated.get("amount")) if kind in {"unit", "package"} else None,
        "amount": _of(line, "amount"),
        "discount_amount": _of(line, "discountsTotal"),
        "tax_amount": _of(line, "taxesTotal"),
        "proration": not ours and not usage and bool(item_id) and _partial(line, started, ended),
    }
    charges = _of(line, "chargesTotal")
    if not charges:
        return [row]
    nothing = {"discount_amount": Decimal(0), "tax_amount": Decimal(0), "quantity": None, "raw_quantity": None}
    added = {"line_id": f"{row['line_id']}:commitment", "kind": "commitment", "amount": charges, "unit_amount": None}
    return [row, row | nothing | added]


def _period(line: Object) -> tuple[datetime | None, datetime | None]:
    return instant(nested(line, "period", "from")), instant(nested(line, "period", "to"))


def _partial(line: Object, started: datetime | None, ended: datetime | None) -> bool:
    """A charge is prorated when it is for a part of its billing period."""
    full = nested(line, "subscription", "billingPeriod")
    return full is not None and (instant(full.get("from")), instant(full.get("to"))) != (started, ended)


def _reported(line: Row, invoice: Row) -> Row:
    return {
        "record_id": line["line_id"],
        "item_id": line["item_id"],
        "period_start": line["period_start"],
        "period_end": line["period_end"],
        "quantity": line["raw_quantity"],
        "recorded_at": invoice["created_at"],
        "status": "pending" if invoice["status"] == "draft" else "processed",
    }
