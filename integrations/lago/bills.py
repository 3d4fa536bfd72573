"""Lago's invoices with fees, credit notes, payments and events as rows of the books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from billing.periods import period_containing
from integrations.lago.people import zone
from integrations.lago.terms import anchor, base_price, cadence, customer_of, day, end, item, rounded
from integrations.objects import Object, Row, Rows, entries, known, needed, nested
from integrations.values import UnreadableError, currency, decimal, instant, maybe, minor, moment, price, quantity

PlanOf = Callable[[Object], Object | None]
"""The plan of a subscription, with what was negotiated; None for one that is gone."""

_STATUS = {
    "draft": "draft",
    "pending": "draft",  # waits for its taxes
    "generating": "draft",
    "failed": "draft",  # could not be made final
    "voided": "void",
    "deleted": "void",
    "closed": "void",  # nothing to bill
}
_KIND = {
    "charge": "usage",
    "fixed_charge": "recurring",
    "subscription": "recurring",
    "add_on": "one_time",
    "credit": "one_time",
    "commitment": "commitment",
}
_PAYMENT = {"succeeded": "succeeded", "failed": "failed"}
_UNPRICED = frozenset({"graduated", "volume", "graduated_percentage", "percentage", "dynamic"})


def invoice_rows(invoice: Object, plan_of: PlanOf) -> Rows:
    """Rows of `invoices`, `invoice_lines` and `reported_usage` of an invoice with its fees."""
    code = currency(invoice.get("currency"))
    customer = invoice.get("customer") or {}
    status = _status(invoice)
    held = {str(sub.get("lago_id")): sub for sub in entries(invoice.get("subscriptions"))}
    started, ended = _period(invoice)
    issuing = day(invoice.get("issuing_date"), zone(customer))
    issued = status not in {"draft"} and invoice.get("status") != "deleted"
    row: Row = {
        "invoice_id": needed(invoice.get("lago_id"), "invoice"),
        "number": invoice.get("number") or None,
        "customer_id": needed(customer_of(invoice), "customer"),
        "subscription_id": next(iter(held)) if len(held) == 1 else None,
        "status": status,
        "currency": code,
        "period_start": started,
        "period_end": ended,
        "created_at": moment(invoice.get("created_at")),
        "finalizes_at": issuing if invoice.get("status") == "draft" else None,
        "issued_at": issuing if issued else None,
        "due_at": day(invoice.get("payment_due_date"), zone(customer)) if issued else None,
        "voided_at": moment(invoice.get("voided_at") or invoice.get("updated_at")) if status == "void" else None,
        "error": next((str(each.get("error_code")) for each in entries(invoice.get("error_details"))), None),
        "external_url": invoice.get("web_url"),
    }
    row |= _totals(invoice, status, code)
    fees = entries(invoice.get("fees"))
    lines = [_line(fee, invoice, held, code, customer, plan_of) for fee in fees]
    reported = [_reported(fee, line, row) for fee, line in zip(fees, lines, strict=True) if line["kind"] == "usage"]
    return {"invoices": [row], "invoice_lines": lines, "reported_usage": reported}


def _status(invoice: Object) -> str:
    if invoice.get("status") == "finalized":
        return "paid" if invoice.get("payment_status") == "succeeded" else "open"
    return known(invoice.get("status"), _STATUS, "draft")


def _period(invoice: Object) -> tuple[datetime | None, datetime | None]:
    """The period of the charges that ended; none on the invoice that opens a subscription."""
    periods = [
        each for each in entries(invoice.get("billing_periods")) if each["invoicing_reason"] != "subscription_starting"
    ]
    if not periods:
        return None, None
    return instant(periods[0].get("charges_from_datetime")), end(periods[0].get("charges_to_datetime"))


def _totals(invoice: Object, status: str, code: str) -> Row:
    def of(name: str) -> Decimal:
        """An amount in minor units as the decimal that it means."""
        return minor(invoice.get(name) or 0, code)

    due = invoice.get("total_due_amount_cents")
    total = of("total_amount_cents")
    paid = of("total_paid_amount_cents") if invoice.get("total_paid_amount_cents") is not None else None
    if paid is None:
        paid = total if status == "paid" else Decimal(0)
    left = minor(due, code) if due is not None else total - paid
    return {
        "subtotal": of("fees_amount_cents"),
        "discount_total": of("coupons_amount_cents") + of("progressive_billing_credit_amount_cents"),
        "tax_total": of("taxes_amount_cents"),
        "credits_applied": of("credit_notes_amount_cents") + of("prepaid_credit_amount_cents"),
        "total": of("sub_total_including_taxes_amount_cents"),
        "amount_paid": paid,
        "amount_due": Decimal(0) if status == "void" else max(Decimal(0), left),
    }


def _line(fee: Object, invoice: Object, held: dict[str, Object], code: str, customer: Object, plan_of: PlanOf) -> Row:
    subscription = held.get(str(fee.get("lago_subscription_id")))
    plan = plan_of(subscription) if subscription else None
    kind = "commitment" if fee.get("lago_true_up_parent_fee_id") else known(_item(fee, "type"), _KIND, "one_time")
    price_id = _price(fee, plan)
    started, ended = instant(fee.get("from_date")), end(fee.get("to_date"))
    if kind in {"one_time"}:
        started = ended = None
    each = fee.get("precise_unit_amount") if kind == "usage" or fee.get("lago_fixed_charge_id") else None
    model = next((c.get("charge_model") for c in _parts(plan) if c.get("lago_id") == price_id), None)
    off = rounded(fee.get("precise_coupons_amount_cents"), code)
    counted = fee.get("total_aggregated_units") if kind == "usage" else None
    belongs = fee.get("lago_subscription_id") and price_id and kind in {"usage", "recurring", "commitment"}
    return {
        "line_id": needed(fee.get("lago_id"), "fee"),
        "invoice_id": invoice["lago_id"],
        "subscription_id": fee.get("lago_subscription_id"),
        "item_id": item(str(fee["lago_subscription_id"]), price_id) if belongs and price_id else None,
        "price_id": price_id,
        "kind": kind,
        "description": _item(fee, "invoice_display_name") or _item(fee, "name"),
        "period_start": started,
        "period_end": ended,
        "raw_quantity": maybe(quantity, counted),
        "quantity": maybe(quantity, fee.get("units")),
        "unit_amount": None if model in _UNPRICED else maybe(price, each),
        "amount": minor(fee.get("amount_cents"), code),
        "discount_amount": off,
        "tax_amount": minor(fee.get("taxes_amount_cents") or 0, code),
        "proration": _partial(started, ended, subscription, plan, customer) if kind == "recurring" else False,
    }


def _item(fee: Object, name: str) -> object:
    return nested(fee, "item", name)


def _parts(plan: Object | None) -> list[Object]:
    return [*entries((plan or {}).get("charges")), *entries((plan or {}).get("fixed_charges"))]


def _price(fee: Object, plan: Object | None) -> str | None:
    charged = fee.get("lago_charge_id") or fee.get("lago_fixed_charge_id")
    if charged:
        return str(charged)
    if _item(fee, "type") != "subscription":
        return None
    return base_price(str((plan or {}).get("code") or _item(fee, "code")))


def _partial(
    started: datetime | None, ended: datetime | None, subscription: Object | None, plan: Object | None, customer: Object
) -> bool:
    """Lago does not say so: a fee is prorated when its dates are a part of the billing period that they lie in."""
    if not (started and ended and subscription and plan):
        return False
    zoned = zone(customer)
    full = period_containing(anchor(subscription, plan, zoned), cadence(plan.get("interval")), zoned, started)
    return (started, ended) != (full.start, full.end)


def _reported(fee: Object, line: Row, invoice: Row) -> Row:
    return {
        "record_id": line["line_id"],
        "item_id": line["item_id"],
        "period_start": line["period_start"],
        "period_end": line["period_end"],
        "quantity": line["raw_quantity"],
        "recorded_at": moment(fee.get("created_at") or invoice["created_at"]),
        "status": "pending" if invoice["status"] == "draft" else "processed",
    }


def credit_note_rows(note: Object) -> Rows:
    """Rows of `credit_notes`: one, or one per item when it credits several (`<note>/<item>`), that add up to it."""
    code = currency(note.get("currency"))
    items = entries(note.get("items"))
    whole, id = minor(note.get("total_amount_cents"), code), needed(note.get("lago_id"), "credit note")
    if len(items) < 2:
        line_id = nested(items[0], "fee", "lago_id") if items else None
        return {"credit_notes": [_note(note, code, id, line_id, whole)]}
    parts = [
        (f"{id}/{each['lago_id']}", nested(each, "fee", "lago_id"), minor(each["amount_cents"], code)) for each in items
    ]
    rest = whole - sum((amount for _, _, amount in parts), Decimal(0))
    if rest:  # taxes and coupons are stated of the whole note
        parts.append((id, None, rest))
    return {"credit_notes": [_note(note, code, *part) for part in parts]}


def _note(note: Object, code: str, id: str, line_id: str | None, amount: Decimal) -> Row:
    return {
        "credit_note_id": id,
        "invoice_id": needed(note.get("lago_invoice_id"), "invoice"),
        "line_id": line_id,
        "customer_id": needed(customer_of(note), "customer"),
        "currency": code,
        "amount": amount,
        "reason": note.get("description") or note.get("reason"),
        "status": "void" if note.get("credit_status") == "voided" else "issued",
        "created_at": moment(note.get("created_at")),
    }


def payment_rows(payment: Object) -> Rows:
    """The row of `payments`."""
    code = currency(payment.get("amount_currency"))
    invoices = [str(each) for each in payment.get("invoice_ids") or []]
    row: Row = {
        "payment_id": needed(payment.get("lago_id"), "payment"),
        "invoice_id": invoices[0] if len(invoices) == 1 else None,
        "customer_id": needed(payment.get("external_customer_id"), "customer"),
        "currency": code,
        "amount": minor(payment.get("amount_cents"), code),
        "amount_refunded": Decimal(0),
        "status": known(payment.get("payment_status"), _PAYMENT, "pending"),
        "purpose": "invoice",
        "created_at": moment(payment.get("created_at")),
    }
    return {"payments": [row]}


def event_rows(event: Object, metric: Object | None) -> Rows:
    """The row of `usage_events`. Lago tells events apart by transaction and subscription, so that is their source."""
    subject = needed(event.get("external_subscription_id"), "subscription")
    name = (metric or {}).get("field_name")
    properties = event.get("properties") or {}
    row: Row = {
        "event_id": needed(event.get("transaction_id"), "transaction"),
        "source": f"lago:{subject}",
        "event_type": needed(event.get("code"), "metric"),
        "subject": subject,
        "time": moment(event.get("timestamp")),
        "value": _value(properties.get(name)) if name else None,
        "properties": properties or None,
        "received_at": moment(event.get("created_at") or event.get("timestamp")),
        "status": "accepted",
    }
    return {"usage_events": [row]}


def _value(stated: object) -> Decimal | None:
    """The metered number; None for text, of which distinct ones may be counted."""
    try:
        return None if stated is None else quantity(decimal(stated))
    except UnreadableError:
        return None
