"""Zuora's bill runs, invoices, credit memos and payments as rows of the books. Amounts are in major units."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.periods import period_containing
from integrations.objects import Object, Row, Rows, entries, known, needed
from integrations.values import UnreadableError, maybe, money, price, quantity
from integrations.zuora.catalog import Charged
from integrations.zuora.fields import after, at, coded, first, word
from integrations.zuora.people import Find

_RUN = {
    "pending": "pending",
    "processing": "pending",
    "completed": "completed",
    "postinprogress": "completed",
    "cancelinprogress": "canceled",
    "removeinprogress": "canceled",
    "canceled": "canceled",
    "posted": "posted",
    "error": "error",
}
_DRAFT = frozenset({"draft", "error", "generating", "pendingfortax"})
_VOID = frozenset({"canceled", "reversed", "cancelinprogress"})
_PAYMENT = {
    "processed": "succeeded",
    "posted": "succeeded",
    "error": "failed",
    "canceled": "failed",
    "voided": "failed",
}
_TAX = {"complete": "complete", "error": "failed"}


def _sum(thing: Object, name: str) -> Decimal:
    return money(thing.get(name) or 0)


def run_rows(run: Object, zone: ZoneInfo) -> Rows:
    """The row of `bill_runs`, by its number: invoices name that of the run that made them."""
    row: Row = {
        "bill_run_id": needed(run.get("billingRunNumber"), "number"),
        "status": known(word(run.get("status")), _RUN, "pending"),
        "target_date": first(run, zone, "targetDate", "invoiceDate", "createdDate"),
        "started_at": first(run, zone, "startDate", "executedDate", "createdDate"),
        "completed_at": at(run.get("endDate"), zone),
        "invoices_ok": run.get("numberOfInvoices"),
    }
    return {"bill_runs": [row]}


def adds_up(invoice: Object) -> bool:
    """Whether the items of an invoice come to its amount. Raises UnreadableError."""
    items = entries(invoice.get("invoiceItems"))
    parts = (_sum(each, "chargeAmount") + _sum(each, "taxAmount") for each in items)
    return sum(parts, Decimal(0)) == _sum(invoice, "amount")


def invoice_rows(invoice: Object, zone: ZoneInfo, find: Find) -> Rows:
    """Rows of `invoices` and `invoice_lines`. What a discount took off a line stands on the line."""
    id, code, status = needed(invoice.get("id"), "invoice"), coded(invoice), _status(invoice)
    items = entries(invoice.get("invoiceItems"))
    ids = {item.get("id") for item in items}
    off = [each for each in items if each.get("appliedToInvoiceItemId") in ids]  # one of another invoice is a line
    charged = {item["id"]: _found(item, find) for item in items if item not in off}
    lines = [_line(item, id, charged[item["id"]], off, zone) for item in items if item not in off]
    numbers = {line["subscription_id"] for line in lines if line["subscription_id"]}
    over = next((line for line in lines if line["kind"] == "usage"), None)
    if over is None:
        begun = {made.item_id: made.started for made in charged.values() if made}
        recurring = [line for line in lines if line["kind"] == "recurring"]
        over = next((line for line in recurring if line["period_start"] != begun.get(str(line["item_id"]))), None)
    row: Row = {
        "invoice_id": id,
        "number": invoice.get("invoiceNumber"),
        "customer_id": needed(invoice.get("accountId"), "account"),
        "subscription_id": numbers.pop() if len(numbers) == 1 else None,
        "bill_run_id": invoice.get("sourceId") if word(invoice.get("source")) == "billrun" else None,
        "status": status,
        "currency": code,
        "period_start": over["period_start"] if over else None,
        "period_end": over["period_end"] if over else None,
        "created_at": first(invoice, zone, "createdDate", "invoiceDate"),
        "issued_at": None if status == "draft" else first(invoice, zone, "postedDate", "invoiceDate"),
        "due_at": at(invoice.get("dueDate"), zone),
        "voided_at": first(invoice, zone, "updatedDate") if status == "void" else None,
        "subtotal": sum((money(line["amount"]) for line in lines), Decimal(0)),
        "discount_total": sum((money(line["discount_amount"]) for line in lines), Decimal(0)),
        "tax_total": _sum(invoice, "taxAmount"),
        "credits_applied": abs(_sum(invoice, "creditBalanceAdjustmentAmount")),
        "total": _sum(invoice, "amount"),
        "amount_paid": _sum(invoice, "paymentAmount"),
        "amount_due": Decimal(0) if status == "void" else max(Decimal(0), _sum(invoice, "balance")),
        "tax_status": _TAX.get(word(invoice.get("taxStatus"))),
        "error": invoice.get("taxMessage") if word(invoice.get("status")) == "error" else None,
    }
    return {"invoices": [row], "invoice_lines": lines}


def _status(invoice: Object) -> str:
    stated = word(invoice.get("status"))
    if stated in _VOID or invoice.get("reversed") is True:
        return "void"
    if stated in _DRAFT:
        return "draft"
    return "paid" if maybe(money, invoice.get("balance")) == 0 else "open"


def _found(item: Object, find: Find) -> Charged | None:
    """The charge of an item; None where it has none, or none that can be read."""
    try:
        return find(item["ratePlanChargeId"]) if item.get("ratePlanChargeId") else None
    except UnreadableError:
        return None


def _line(item: Object, invoice_id: str, made: Charged | None, discounts: list[Object], zone: ZoneInfo) -> Row:
    id, kind = needed(item.get("id"), "item"), made.kind if made else "one_time"
    taken = [each for each in discounts if each.get("appliedToInvoiceItemId") == id]
    counted = maybe(quantity, item.get("quantity"))
    lasts = kind != "one_time"
    return {
        "line_id": id,
        "invoice_id": invoice_id,
        "subscription_id": item.get("subscriptionNumber"),
        "item_id": made.item_id if made and lasts else None,
        "price_id": made.price_id if made else None,
        "kind": kind,
        "description": item.get("description") or item.get("chargeName"),
        "period_start": at(item.get("serviceStartDate"), zone) if lasts else None,
        "period_end": after(item.get("serviceEndDate"), zone) if lasts else None,
        "raw_quantity": counted if kind == "usage" else None,
        "quantity": counted,
        "unit_amount": maybe(price, item.get("unitPrice")) if made and made.model == "per_unit" else None,
        "amount": _sum(item, "chargeAmount"),
        "discount_amount": -sum((_sum(each, "chargeAmount") for each in taken), Decimal(0)),
        "tax_amount": sum((_sum(each, "taxAmount") for each in (item, *taken)), Decimal(0)),
        "proration": kind == "recurring" and _partial(item, made, zone),
    }


def _partial(item: Object, made: Charged | None, zone: ZoneInfo) -> bool:
    """Zuora does not say so here: a charge is prorated when its service is for less than a whole period."""
    start, end = at(item.get("serviceStartDate"), zone), after(item.get("serviceEndDate"), zone)
    if not (start and end and made and made.cadence):
        return False
    return period_containing(end, made.cadence, zone.key, start).start != start


def memo_rows(memo: Object, zone: ZoneInfo) -> Rows:
    """Rows of `credit_notes`: one for each line or invoice that a memo credits, that add up to it; none for a draft."""
    if word(memo.get("status")) in _DRAFT:
        return {}
    id, whole = needed(memo.get("id"), "credit memo"), _sum(memo, "totalAmount")
    parts = _credited(memo, id)
    rest = whole - sum((part for *_, part in parts), Decimal(0))
    invoice_id = memo.get("invoiceId")
    if len(parts) == 1 and not rest:
        parts = [(id, *parts[0][1:])]
    elif rest and invoice_id:
        parts.append((id, invoice_id, None, rest))
    if not parts:
        raise UnreadableError("it is applied to no invoice")
    code, void = coded(memo), word(memo.get("status")) in _VOID or memo.get("reversed") is True
    shared: Row = {
        "customer_id": needed(memo.get("accountId"), "account"),
        "currency": code,
        "reason": memo.get("reasonCode"),
        "status": "void" if void else "issued",
        "created_at": first(memo, zone, "postedOn", "createdDate"),
    }
    columns = ("credit_note_id", "invoice_id", "line_id", "amount")
    return {"credit_notes": [dict(zip(columns, part, strict=True)) | shared for part in parts]}


def _credited(memo: Object, id: str) -> list[tuple[str, object, object, Decimal]]:
    """The lines of its invoice that a memo names; for one without an invoice, those it was applied to."""
    if memo.get("invoiceId"):
        items = [each for each in entries(memo.get("creditMemoItems")) if each.get("invoiceItemId")]
        return [
            (f"{id}/{each['id']}", memo["invoiceId"], each["invoiceItemId"], _sum(each, "amount")) for each in items
        ]
    applied = [each for each in entries(memo.get("creditMemoApplications")) if each.get("invoiceId")]
    return [(f"{id}/{each['invoiceId']}", each["invoiceId"], None, _sum(each, "appliedAmount")) for each in applied]


def payment_rows(payment: Object, zone: ZoneInfo) -> Rows:
    """The row of `payments`."""
    paid, refunded = _sum(payment, "amount"), _sum(payment, "refundAmount")
    applied = {each.get("invoiceId") for each in entries(payment.get("paymentApplications"))} - {None}
    status = known(word(payment.get("status")), _PAYMENT, "pending")
    row: Row = {
        "payment_id": needed(payment.get("id"), "payment"),
        "invoice_id": applied.pop() if len(applied) == 1 else None,
        "customer_id": needed(payment.get("accountId"), "account"),
        "currency": coded(payment),
        "amount": paid,
        "amount_refunded": refunded,
        "status": "refunded" if status == "succeeded" and refunded >= paid > 0 else status,
        "purpose": "invoice",
        "failure_code": payment.get("gatewayResponseCode") if status == "failed" else None,
        "created_at": first(payment, zone, "createdDate", "effectiveDate"),
    }
    return {"payments": [row]}
