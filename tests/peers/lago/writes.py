"""What can be changed through the API: the few writes that tests need, as Lago's own rules have them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.peers.lago.names import missing, uid
from tests.peers.vendor import Object, Refused, text

if TYPE_CHECKING:
    from tests.peers.lago.account import Account

PREFIX = "/api/v1/"


def written(account: Account, method: str, path: str, body: Object) -> Object:
    """The few writes that tests need, as Lago's own rules have them; it has no idempotency keys."""
    parts = path.removeprefix(PREFIX).split("/")
    if parts == ["credit_notes"]:
        return {"credit_note": _create_note(account, body["credit_note"])}
    if parts == ["events"]:
        return {"event": _event(account, body["event"])}
    if method == "DELETE" and parts[0] == "subscriptions" and len(parts) == 2:
        held = account.one("subscriptions", parts[1], {})["subscription"]
        held.update(status="terminated", terminated_at=text(account.clock()))
        return {"subscription": held}
    if method == "DELETE" and parts[0] == "customers" and parts[2:3] == ["applied_coupons"]:
        coupon = account.one("applied_coupons", parts[3], {})["applied_coupon"]
        coupon.update(status="terminated", terminated_at=text(account.clock()))
        return {"applied_coupon": coupon}
    if parts[0] != "invoices" or len(parts) != 3 or parts[2] not in ("void", "retry_payment"):
        raise missing(path)
    invoice = account.one("invoices", parts[1], {})["invoice"]
    if invoice["status"] != "finalized" or invoice["payment_status"] == "succeeded":
        raise Refused(405, {"status": 405, "error": "Method Not Allowed", "code": "not_voidable"})
    now = text(account.clock())
    done = {"status": "voided", "voided_at": now} if parts[2] == "void" else {"payment_status": "succeeded"}
    invoice.update(done, updated_at=now)
    return {"invoice": invoice}


def _event(account: Account, asked: Object) -> Object:
    """An event; its transaction counts once for a subscription."""
    same = ("transaction_id", "external_subscription_id")
    if any(all(each[name] == asked[name] for name in same) for each in account.lists["events"]):
        raise Refused(422, {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors"})
    at = text(datetime.fromtimestamp(asked["timestamp"], UTC))
    known = dict.fromkeys(("lago_customer_id", "lago_subscription_id", "precise_total_amount_cents"))
    made = {**known, **asked, "lago_id": uid(at), "timestamp": at, "created_at": text(account.clock())}
    account.lists["events"].insert(0, made)
    return made


def _create_note(account: Account, asked: Object) -> Object:
    """A credit note, off what is due of the invoice, or as credit of the customer."""
    invoice = account.one("invoices", asked["invoice_id"], {})["invoice"]
    fees = {fee["lago_id"]: fee for fee in invoice["fees"]}
    amount, offset = sum(each["amount_cents"] for each in asked["items"]), asked.get("offset_amount_cents", 0)
    due = invoice.get("total_due_amount_cents", invoice["total_amount_cents"])
    wrong = [each for each in asked["items"] if each["amount_cents"] > fees[each["fee_id"]]["amount_cents"]]
    if wrong or offset > due or amount != offset + asked.get("credit_amount_cents", 0):
        raise Refused(422, {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors"})
    id, now = uid(f"note {len(account.lists['credit_notes'])}"), text(account.clock())
    account.lists["credit_notes"].insert(0, {
        "lago_id": id, "lago_invoice_id": invoice["lago_id"], "number": f"CN-{id}", "reason": asked["reason"],
        "description": asked["description"], "currency": invoice["currency"], "credit_status": "available",
        "total_amount_cents": amount, "credit_amount_cents": amount - offset, "offset_amount_cents": offset,
        "created_at": now, "updated_at": now,
        "items": [{**each, "lago_id": uid(f"item {id}"), "fee": fees[each["fee_id"]]} for each in asked["items"]],
    })  # fmt: skip
    invoice.update(total_due_amount_cents=due - offset, updated_at=now)
    return dict(account.lists["credit_notes"][0])
