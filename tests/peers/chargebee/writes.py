"""What can be posted to the site: the few writes that tests need, as Chargebee's own rules have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.peers.vendor import Object, Refused

if TYPE_CHECKING:
    from tests.peers.chargebee.account import Account

LISTED = {"invoices": "invoice", "subscriptions": "subscription", "customers": "customer"}
LIVE = ("active", "non_renewing", "in_trial", "paused")


def posted(site: Account, parts: list[str], form: Object) -> Object:
    """What a form does. Raises Refused as Chargebee would."""
    if parts in (["hosted_pages", "manage_payment_sources"], ["portal_sessions"]):
        return _link(site, parts[0], form)
    if parts == ["credit_notes"]:
        return {"credit_note": _credit(site, form)}
    if parts == ["unbilled_charges"]:
        return {"unbilled_charges": [_unbilled(site, form)]}
    if len(parts) == 3 and parts[0] == "unbilled_charges" and parts[2] == "delete":
        return {"unbilled_charge": _remove(site, "unbilled_charges", parts[1])}
    if len(parts) == 3 and parts[0] == "invoices":
        return {"invoice": _invoice(site, _held(site, "invoices", parts[1]), parts[2], form)}
    if len(parts) == 3 and parts[0] == "subscriptions":
        subscription = _held(site, "subscriptions", parts[1])
        if parts[2] == "usages":
            return {"usage": _usage(site, subscription, form)}
        return {"subscription": _subscription(site, subscription, parts[2], form)}
    raise Refused(404, {"message": f"{parts} was not found", "api_error_code": "resource_not_found"})


def refused(message: str) -> Refused:
    """A request that the state of things does not allow."""
    return Refused(400, {"message": message, "api_error_code": "invalid_state_for_request"})


def _held(site: Account, name: str, id: str) -> Object:
    found = next((each for each in site.lists[name] if each["id"] == id), None)
    if found is None:
        raise Refused(404, {"message": f"{id} not found", "api_error_code": "resource_not_found"})
    return found


def _now(site: Account) -> int:
    return int(site.clock().timestamp())


def _invoice(site: Account, invoice: Object, deed: str, form: Object) -> Object:
    if deed == "add_charge":
        amount = int(form["amount"])
        if invoice["status"] != "pending" or amount < 1:
            raise refused("charges are added to pending invoices, above nothing")
        invoice["line_items"] = [*invoice["line_items"], {
            "id": f"li_{len(invoice['line_items'])}_{_now(site)}", "entity_type": "adhoc", "amount": amount,
            "quantity": 1, "description": form["description"], "subscription_id": form.get("subscription_id"),
            "date_from": int(form["line_item[date_from]"]), "date_to": int(form["line_item[date_to]"]),
            "metered": False,
        }]  # fmt: skip
        _more(invoice, amount)
    elif deed == "delete_line_items":
        gone = form["line_items[id][0]"]
        line = next((each for each in invoice["line_items"] if each["id"] == gone), None)
        if invoice["status"] != "pending" or line is None:
            raise refused("lines are taken off pending invoices")
        invoice["line_items"] = [each for each in invoice["line_items"] if each is not line]
        _more(invoice, -line["amount"])
    elif deed == "void":
        if invoice["status"] not in ("payment_due", "not_paid", "posted"):
            raise refused(f"an invoice that is {invoice['status']} cannot be voided")
        invoice |= {"status": "voided", "voided_at": _now(site)}
    elif deed == "collect_payment":
        if invoice["status"] not in ("payment_due", "not_paid"):
            raise refused(f"an invoice that is {invoice['status']} is not collected")
        invoice |= {"status": "paid", "amount_paid": invoice["total"], "amount_due": 0, "paid_at": _now(site)}
        invoice.pop("next_retry_at", None)
    else:
        raise refused(f"{deed} is not known")
    invoice["updated_at"] = _now(site)
    return invoice


def _more(invoice: Object, amount: int) -> None:
    for name in ("sub_total", "total", "amount_due"):
        invoice[name] = (invoice.get(name) or 0) + amount


def _credit(site: Account, form: Object) -> Object:
    invoice = _held(site, "invoices", form["reference_invoice_id"])
    amount, line = int(form["line_items[amount][0]"]), form["line_items[reference_line_item_id][0]"]
    known = {each["id"]: each["amount"] for each in invoice["line_items"]}
    paid = form["type"] == "refundable"
    if line not in known or amount > known[line] or amount > (invoice["amount_paid" if paid else "amount_due"] or 0):
        raise refused("the credit is more than what is left")
    made = {
        "id": f"CN-{len(site.lists['credit_notes'])}", "reference_invoice_id": invoice["id"], "type": form["type"],
        "customer_id": invoice["customer_id"], "status": "refund_due" if paid else "adjusted", "total": amount,
        "currency_code": invoice["currency_code"], "reason_code": form["reason_code"], "deleted": False,
        "customer_notes": form["customer_notes"], "date": _now(site), "generated_at": _now(site),
        "updated_at": _now(site),
        "line_items": [{"id": "li", "reference_line_item_id": line, "amount": amount}],
    }  # fmt: skip
    site.lists["credit_notes"].append(made)
    if not paid:
        invoice["amount_due"] -= amount
        invoice["updated_at"] = _now(site)
    return made


def _unbilled(site: Account, form: Object) -> Object:
    subscription = _held(site, "subscriptions", form["subscription_id"])
    if subscription["status"] not in LIVE or int(form["charges[amount][0]"]) < 1:
        raise refused("a charge above nothing waits for the next invoice of a live subscription")
    made = {
        "id": f"uc_{len(site.lists['unbilled_charges'])}", "subscription_id": subscription["id"],
        "customer_id": subscription["customer_id"], "entity_type": "adhoc", "deleted": False,
        "amount": int(form["charges[amount][0]"]), "description": form["charges[description][0]"],
        "date_from": int(form["charges[date_from][0]"]), "date_to": int(form["charges[date_to][0]"]),
        "updated_at": _now(site),
    }  # fmt: skip
    site.lists["unbilled_charges"].append(made)
    return made


def _remove(site: Account, name: str, id: str) -> Object:
    gone = _held(site, name, id)
    site.lists[name] = [each for each in site.lists[name] if each is not gone]
    return {**gone, "deleted": True}


def _usage(site: Account, subscription: Object, form: Object) -> Object:
    if any(each["id"] == form["id"] for each in site.lists["usages"]):
        raise Refused(400, {"message": f"{form['id']} is already present", "api_error_code": "duplicate_entry"})
    made = {
        "id": form["id"], "subscription_id": subscription["id"], "item_price_id": form["item_price_id"],
        "usage_date": int(form["usage_date"]), "quantity": form["quantity"], "created_at": _now(site),
        "updated_at": _now(site), "deleted": False,
    }  # fmt: skip
    site.lists["usages"].append(made)
    return made


def _subscription(site: Account, subscription: Object, deed: str, form: Object) -> Object:
    status = subscription["status"]
    if deed == "pause" and status in ("active", "non_renewing"):
        subscription["status"] = "paused"
    elif deed == "resume" and status == "paused":
        subscription["status"] = "active"
    elif deed == "cancel_for_items" and status in LIVE:
        subscription |= {"status": "cancelled", "cancelled_at": _now(site)}
    elif deed == "update_for_items" and status in LIVE:
        wanted = form["subscription_items[item_price_id][0]"]
        item = next((each for each in subscription["subscription_items"] if each["item_price_id"] == wanted), None)
        if item is None:
            raise refused(f"{wanted} is no item of it")
        item["quantity"] = int(form["subscription_items[quantity][0]"])
    else:
        raise refused(f"a subscription that is {status} cannot {deed}")
    subscription["updated_at"] = _now(site)
    return subscription


def _link(site: Account, name: str, form: Object) -> Object:
    _held(site, "customers", form["customer[id]"])
    kind, field = {"hosted_pages": ("hosted_page", "url"), "portal_sessions": ("portal_session", "access_url")}[name]
    return {kind: {"id": f"{kind}_{_now(site)}", field: f"https://acme.chargebee.com/{name}/{_now(site)}"}}
