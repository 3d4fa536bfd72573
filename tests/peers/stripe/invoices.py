"""Invoices, lines and credit notes of the books as Stripe's objects."""

from __future__ import annotations

from tests.peers.stripe.books import Row
from tests.peers.stripe.notes import noted
from tests.peers.stripe.numbers import UnheldError, minor, minor_text, plain, seconds
from tests.peers.stripe.shapes import Object, shaped

_REASONS = {"duplicate", "fraudulent", "order_change", "product_unsatisfactory"}
_TAX_STATUS = {
    "complete": "complete",
    "failed": "failed",
    "requires_location": "requires_location_inputs",
    "none": None,
}


def invoice(row: Row, subscription: Object | None) -> Object:
    """An invoice, its lines apart. Amounts are taken over as stated, right or wrong."""
    code, draft = str(row["currency"]), row["status"] == "draft"
    credits = minor(row["credits_applied"], code)
    total = minor(row["total"], code)
    if draft and not 0 <= credits <= max(0, total):
        raise UnheldError(f"a draft with credits {row['credits_applied']}")
    method = subscription["collection_method"] if subscription else "charge_automatically"
    opened = row.get("period_start") is None
    natural = {
        "bill_run_id": None,
        "due_at": row.get("due_at") if method == "send_invoice" else None,
        "finalizes_at": row.get("finalizes_at") if draft else None,
    }
    return shaped(
        "invoice",
        id=row["invoice_id"],
        number=row.get("number"),
        customer=row["customer_id"],
        parent=_parent(row),
        status=row["status"],
        currency=code.lower(),
        billing_reason="subscription_create" if opened else "subscription_cycle",
        collection_method=method,
        created=seconds(row["created_at"]),
        period_start=seconds(row["created_at"] if opened else row["period_start"]),
        period_end=seconds(row["created_at"] if opened else row["period_end"]),
        automatically_finalizes_at=seconds(row.get("finalizes_at")) if draft else None,
        effective_at=seconds(row.get("issued_at")),
        due_date=seconds(row.get("due_at")) if method == "send_invoice" else None,
        status_transitions={
            "finalized_at": seconds(row.get("issued_at")),
            "marked_uncollectible_at": None,
            "paid_at": seconds(row.get("paid_at")),
            "voided_at": seconds(row.get("voided_at")),
        },
        subtotal=minor(row["subtotal"], code),
        subtotal_excluding_tax=minor(row["subtotal"], code),
        total=total,
        total_excluding_tax=total - minor(row["tax_total"], code),
        total_discount_amounts=_amounts(minor(row["discount_total"], code), discount="di_of_the_invoice"),
        total_taxes=_amounts(minor(row["tax_total"], code), tax_behavior="exclusive", type="tax_rate_details"),
        total_pretax_credit_amounts=[],
        starting_balance=-credits,
        ending_balance=None if draft else 0,
        amount_due=max(0, total - credits),
        amount_paid=minor(row["amount_paid"], code),
        amount_remaining=minor(row["amount_due"], code),
        attempt_count=row.get("attempt_count") or 0,
        attempted=bool(row.get("attempt_count")),
        next_payment_attempt=seconds(row.get("next_attempt_at")),
        auto_advance=bool(row.get("auto_advance")),
        automatic_tax=_automatic_tax(row.get("tax_status")),
        last_finalization_error={"type": "api_error", "message": row["error"]} if row.get("error") else None,
        metadata=noted(row, natural),
    )


def _parent(row: Row) -> Object | None:
    if not row.get("subscription_id"):
        return None
    details = {"metadata": {}, "subscription": row["subscription_id"]}
    return {"type": "subscription_details", "quote_details": None, "subscription_details": details}


def _amounts(amount: int, **about: object) -> list[Object]:
    return [{"amount": amount, **about}] if amount else []


def _automatic_tax(status: object) -> Object:
    enabled = status is not None
    stated = _TAX_STATUS[str(status)] if enabled else None
    return {
        "enabled": enabled,
        "liability": {"type": "self"},
        "status": stated,
        "disabled_reason": None,
        "provider": None,
    }


def line(row: Row, invoice: Row, price: Object | None) -> Object:
    """A line of the invoice; subscribed things and one-time things have different parents."""
    code = str(invoice["currency"])
    metered = bool(price and price["recurring"] and price["recurring"]["usage_type"] == "metered")  # type: ignore[index]
    subscribed = row["kind"] in {"usage", "recurring"}
    quantity = row.get("quantity")
    amount = minor(row["amount"], code)
    one_time = "credit" if amount < 0 else "one_time"
    kind = ("usage" if metered else "recurring") if subscribed or row["proration"] else one_time
    counted = kind == "usage" and not _converts(price)
    natural = {
        "kind": kind,
        "item_id": row.get("item_id") if subscribed else None,
        "raw_quantity": quantity if counted else None,
    }
    undated = row.get("period_start") is None
    return shaped(
        "line_item",
        id=row["line_id"],
        invoice=row["invoice_id"],
        currency=code.lower(),
        description=row.get("description"),
        amount=amount,
        subtotal=amount,
        parent=_line_parent(row, subscribed),
        subscription=None,
        period={
            "start": seconds(invoice["created_at"] if undated else row["period_start"]),
            "end": seconds(invoice["created_at"] if undated else row["period_end"]),
        },
        pricing=_pricing(row, price, code),
        quantity=None if quantity is None else int(quantity),  # type: ignore[call-overload]
        quantity_decimal=None if quantity is None else plain(quantity),  # type: ignore[arg-type]
        discount_amounts=_amounts(minor(row["discount_amount"], code), discount="di_of_the_invoice"),
        taxes=_amounts(minor(row["tax_amount"], code), tax_behavior="exclusive", type="tax_rate_details"),
        metadata=noted(row, natural),
    )


def _converts(price: Object | None) -> bool:
    stated = price and price["metadata"].get("trueup_convert")  # type: ignore[attr-defined]
    return bool(stated and stated != "null")


def _line_parent(row: Row, subscribed: bool) -> Object:
    shared = {
        "proration": row["proration"],
        "proration_details": {"credited_items": None},
        "subscription": row.get("subscription_id"),
    }
    if subscribed:
        details = {**shared, "invoice_item": None, "subscription_item": row.get("item_id")}
        return {"type": "subscription_item_details", "invoice_item_details": None, "subscription_item_details": details}
    details = {**shared, "invoice_item": f"ii_{row['line_id']}"}
    return {"type": "invoice_item_details", "invoice_item_details": details, "subscription_item_details": None}


def _pricing(row: Row, price: Object | None, code: str) -> Object | None:
    price_id, each = row.get("price_id"), row.get("unit_amount")
    if price_id is None and each is None:
        return None
    details = {"price": price_id, "product": price["product"] if price else None} if price_id else None
    text = None if each is None else minor_text(each, code)
    return {"type": "price_details", "price_details": details, "unit_amount_decimal": text}


def credit_note(row: Row) -> tuple[Object, list[Object]]:
    """A credit note with its line, if it is for one."""
    amount = minor(row["amount"], str(row["currency"]))
    reason = row.get("reason")
    made = shaped(
        "credit_note",
        id=row["credit_note_id"],
        invoice=row["invoice_id"],
        customer=row["customer_id"],
        currency=str(row["currency"]).lower(),
        created=seconds(row["created_at"]),
        effective_at=seconds(row["created_at"]),
        status=row["status"],
        reason=reason if reason in _REASONS else None,
        memo=None if reason in _REASONS else reason,
        amount=amount,
        subtotal=amount,
        subtotal_excluding_tax=amount,
        total=amount,
        total_excluding_tax=amount,
        pre_payment_amount=amount,
        post_payment_amount=0,
    )
    line_id = row.get("line_id")
    line = shaped("credit_note_line_item", id=f"cnli_{row['credit_note_id']}", amount=amount, invoice_line_item=line_id)
    return made, [line] if line_id else []
