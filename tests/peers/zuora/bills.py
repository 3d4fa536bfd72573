"""Bill runs, invoices, credit notes and payments of the books as Zuora's objects."""

from __future__ import annotations

from tests.peers.vendor import Object
from tests.peers.zuora.forms import day, last_day, stamp

PAYMENT = {"succeeded": "Processed", "refunded": "Processed", "failed": "Error", "pending": "Processing"}


def run(row: Object) -> Object:
    """A bill run."""
    return {
        "id": f"id-{row['bill_run_id']}",
        "billingRunNumber": row["bill_run_id"],
        "status": row["status"].title(),
        "targetDate": day(row["target_date"]),
        "startDate": stamp(row["started_at"]),
        "endDate": stamp(row["completed_at"]),
        "numberOfInvoices": row["invoices_ok"],
        "createdDate": stamp(row["started_at"]),
    }


def items(row: Object, rows: dict[str, list[Object]]) -> list[Object]:
    """The items of an invoice. What a discount took off a line is an item of its own."""
    lines = [line for line in rows["invoice_lines"] if line["invoice_id"] == row["invoice_id"]]
    return [{**item, "invoiceId": row["invoice_id"]} for line in lines for item in _items(line)]


def invoice(row: Object, items: list[Object], accounts: dict[str, Object]) -> Object:
    """An invoice with some of its items."""
    status = {"draft": "Draft", "void": "Canceled"}.get(row["status"], "Posted")
    return {
        "id": row["invoice_id"],
        "invoiceNumber": row["number"],
        "accountId": row["customer_id"],
        "account": accounts[row["customer_id"]],
        "status": status,
        "source": "BillRun" if row["bill_run_id"] else "API",
        "sourceId": row["bill_run_id"],
        "amount": row["total"],
        "amountWithoutTax": row["total"] - row["tax_total"],
        "taxAmount": row["tax_total"],
        "balance": row["amount_due"],
        "paymentAmount": row["amount_paid"],
        "creditBalanceAdjustmentAmount": -row["credits_applied"],
        "invoiceDate": day(row["issued_at"] or row["created_at"]),
        "postedDate": stamp(row["issued_at"]),
        "dueDate": day(row["due_at"]),
        "createdDate": stamp(row["created_at"]),
        "updatedDate": stamp(row["voided_at"] or row["created_at"]),
        "invoiceItems": items,
    }


def _items(line: Object) -> list[Object]:
    version = "v1" if line["kind"] == "recurring" else "v2"  # that which the charge was billed from
    made: Object = {
        "id": line["line_id"],
        "ratePlanChargeId": f"{version}-{line['item_id']}" if line["item_id"] else None,
        "subscriptionNumber": line["subscription_id"],
        "chargeName": line["description"],
        "chargeAmount": line["amount"],
        "taxAmount": line["tax_amount"],
        "quantity": line["quantity"],
        "unitPrice": line["unit_amount"],
        "serviceStartDate": day(line["period_start"]),
        "serviceEndDate": last_day(line["period_end"]),
    }
    off: Object = {
        "id": f"{line['line_id']}-off",
        "appliedToInvoiceItemId": line["line_id"],
        "chargeAmount": -line["discount_amount"],
        "taxAmount": 0,
    }
    return [made, off] if line["discount_amount"] else [made]


def memos(rows: list[Object], accounts: dict[str, Object]) -> list[Object]:
    """Credit memos: rows whose ids share what stands before "/" are one, of no invoice, applied to several."""
    alone: dict[str, list[Object]] = {}
    for row in rows:
        alone.setdefault(row["credit_note_id"].partition("/")[0], []).append(row)
    return [_memo(id, held, accounts) for id, held in alone.items()]


def _memo(id: str, rows: list[Object], accounts: dict[str, Object]) -> Object:
    row, several = rows[0], len(rows) > 1
    amounts = [{"invoiceId": each["invoice_id"], "appliedAmount": each["amount"]} for each in rows]
    line = {"id": "item", "invoiceItemId": row["line_id"], "amount": row["amount"]}
    return {
        "id": id,
        "accountId": row["customer_id"],
        "account": accounts[row["customer_id"]],
        "currency": row["currency"],
        "status": "Canceled" if row["status"] == "void" else "Posted",
        "totalAmount": sum(each["amount"] for each in rows),
        "reasonCode": row["reason"],
        "invoiceId": None if several else row["invoice_id"],
        "creditMemoItems": [line] if row["line_id"] else [],
        "creditMemoApplications": amounts if several else [],
        "postedOn": stamp(row["created_at"]),
        "createdDate": stamp(row["created_at"]),
    }


def payment(row: Object, accounts: dict[str, Object]) -> Object:
    """A payment."""
    applied = [{"invoiceId": row["invoice_id"], "appliedAmount": row["amount"]}] if row["invoice_id"] else []
    return {
        "id": row["payment_id"],
        "accountId": row["customer_id"],
        "account": accounts[row["customer_id"]],
        "currency": row["currency"],
        "amount": row["amount"],
        "refundAmount": row["amount_refunded"],
        "status": PAYMENT[row["status"]],
        "gatewayResponseCode": row["failure_code"],
        "paymentApplications": applied,
        "createdDate": stamp(row["created_at"]),
    }
