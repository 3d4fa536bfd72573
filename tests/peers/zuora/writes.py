"""What can be changed through the API: the few writes that tests need, as Zuora's own rules have them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.peers.vendor import Object, Refused
from tests.peers.zuora.forms import stamp

if TYPE_CHECKING:
    from tests.peers.zuora.account import Account


def written(tenant: Account, method: str, parts: list[str], body: Object) -> Object:
    """What a write does; what Zuora refuses it says with status 200."""
    if (method, parts) == ("POST", ["v1", "payments"]):
        return _pay(tenant, body)
    if len(parts) != 4 or parts[0] != "v1":
        raise Refused(404, {"message": f"{parts} was not found"})
    kind, id, deed = parts[1:]
    held = [each for each in tenant.lists.get(kind, []) if id in (each["id"], each.get("name"))]
    found = next((each for each in held if each.get("isLatestVersion") is not False), None)
    if found is None:
        return _no(f"{id} is not there")
    if (method, kind, deed) == ("POST", "invoices", "credit-memos"):
        return _credit(tenant, found, body)
    if (method, kind, deed) == ("PUT", "invoices", "reverse"):
        if found["status"] != "Posted" or found["paymentAmount"]:
            return _no("only posted invoices without payments are reversed")
        return _changed(tenant, found, status="Reversed", balance=Decimal(0))
    if (method, kind) == ("PUT", "subscriptions"):
        return _subscription(tenant, found, deed, body)
    raise Refused(404, {"message": f"{parts} was not found"})


def _no(message: str) -> Object:
    return {"success": False, "processId": "p", "reasons": [{"code": 53100020, "message": message}]}


def _changed(tenant: Account, thing: Object, **fields: object) -> Object:
    thing |= {**fields, "updatedDate": stamp(tenant.clock())}
    return {"success": True, "id": thing["id"]}


def _subscription(tenant: Account, found: Object, deed: str, body: Object) -> Object:
    status = found["status"]
    if deed == "suspend" and status == "Active" and body["suspendPolicy"] == "Today":
        return _changed(tenant, found, status="Suspended")
    if deed == "resume" and status == "Suspended" and body["resumePolicy"] == "Today":
        return _changed(tenant, found, status="Active")
    if deed == "cancel" and status in ("Active", "Suspended", "Cancelled"):
        day = body["cancellationEffectiveDate"]
        return _changed(tenant, found, status="Cancelled", cancelledDate=day, subscriptionEndDate=day)
    return _no(f"a subscription that is {status} cannot {deed}")


def _credit(tenant: Account, invoice: Object, body: Object) -> Object:
    known = {each["id"]: Decimal(str(each["chargeAmount"])) for each in tenant.lists["invoice-items"]}
    (item,) = body["items"]
    amount = item["amount"]
    if isinstance(amount, str):
        return _no("amount is no number")
    amount = Decimal(str(amount))
    applied = body["autoApplyToInvoiceUponPosting"]
    if amount > known.get(item["invoiceItemId"], 0) or (applied and amount > Decimal(str(invoice["balance"]))):
        return _no("the credit is more than what is left")
    id, now = f"memo-{len(tenant.lists['credit-memos'])}", stamp(tenant.clock())
    tenant.lists["credit-memos"].append({
        "id": id, "accountId": invoice["accountId"], "account": invoice["account"], "status": "Posted",
        "currency": invoice["account"]["currency"], "totalAmount": amount, "invoiceId": invoice["id"],
        "creditMemoItems": [{"id": f"{id}-1", "invoiceItemId": item["invoiceItemId"], "amount": amount}],
        "creditMemoApplications": [], "postedOn": now, "createdDate": now, "updatedDate": now,
        "comments": body["comment"],
    })  # fmt: skip
    if applied:
        _changed(tenant, invoice, balance=Decimal(str(invoice["balance"])) - amount)
    return {"success": True, "id": id, "memoNumber": f"CM-{id}", "amount": amount, "status": "Posted"}


def _pay(tenant: Account, body: Object) -> Object:
    (paid,) = body["invoices"]
    invoice = next((each for each in tenant.lists["invoices"] if each["id"] == paid["invoiceId"]), None)
    if invoice is None or invoice["accountId"] != body["accountId"] or isinstance(body["amount"], str):
        return _no("the payment is not one of the account's")
    amount = Decimal(str(body["amount"]))
    if amount != Decimal(str(invoice["balance"])) or not amount:
        return _no("there is another balance")
    _changed(tenant, invoice, balance=Decimal(0), paymentAmount=Decimal(str(invoice["paymentAmount"])) + amount)
    id, now = f"pay-{len(tenant.lists['payments'])}", stamp(tenant.clock())
    tenant.lists["payments"].append({
        "id": id, "accountId": invoice["accountId"], "account": invoice["account"], "currency": body["currency"],
        "amount": amount, "refundAmount": 0, "status": "Processed", "gatewayResponseCode": None,
        "paymentApplications": [{"invoiceId": invoice["id"], "appliedAmount": amount}], "createdDate": now,
        "updatedDate": now,
    })  # fmt: skip
    return {"success": True, "id": id, "paymentNumber": f"P-{id}", "amount": amount}
