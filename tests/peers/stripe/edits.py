"""Writes of repairs: charges that wait, lines of drafts, discounts, and usage that is taken back."""

from __future__ import annotations

from tests.peers.stripe.account import Account
from tests.peers.stripe.lists import Query, RequestError
from tests.peers.stripe.shapes import Object
from tests.peers.stripe.writes import HOUR, Create, Write, add_up, allowed, entries, held, in_status, invoice_line

ITEM = {"customer", "invoice", "subscription", "amount", "currency", "description", "discountable", "period",
        "metadata"}  # fmt: skip


def create_invoice_item(account: Account, body: Query) -> Object:
    """POST /v1/invoiceitems: on a draft, whose totals follow, or waiting for the customer's next invoice."""
    fields = allowed(body, ITEM)
    made, amount = f"ii_new_{len(account.objects)}", int(str(fields["amount"]))
    item: Object = {"id": made, "object": "invoiceitem", "created": account.now, "date": account.now, "amount": amount,
                    "customer": fields["customer"], "currency": fields["currency"], "invoice": fields.get("invoice"),
                    "metadata": fields["metadata"], "description": fields.get("description"),
                    "parent": None, "period": fields["period"]}  # fmt: skip
    if item["invoice"] is None:
        held(account, "customers", str(fields["customer"]), "customer")
        account.put(item, announce=False)
        return account.objects[made]
    id = str(fields["invoice"])
    invoice = in_status(account, id, {"draft"}, "edited")
    if fields["customer"] != invoice["customer"] or fields["currency"] != invoice["currency"]:
        raise RequestError(400, "The invoice item must be of the invoice's customer and currency.")
    account.put(item, announce=False)
    account.parts[id] = [*account.parts.get(id, []), invoice_line(account, made, fields)]
    add_up(account, id, amount)
    return account.objects[made]


def delete_invoice_item(account: Account, id: str, body: Query) -> Object:
    """DELETE /v1/invoiceitems/:id: off its draft again, or no more waiting."""
    item = held(account, "invoiceitems", id, "invoiceitem")
    if item["invoice"] is not None:
        invoice = str(in_status(account, str(item["invoice"]), {"draft"}, "edited")["id"])
        account.parts[invoice] = [line for line in account.parts[invoice] if line["id"] != f"il_{id}"]
        add_up(account, invoice, -int(str(item["amount"])))
    return account.remove(id)


def update_line(account: Account, invoice: str, body: Query, line: str) -> Object:
    """POST /v1/invoices/:id/lines/:line: the amount of a line that no subscription makes, while it is a draft."""
    fields = allowed(body, {"amount", "description"})
    in_status(account, invoice, {"draft"}, "edited")
    found = next((each for each in account.parts.get(invoice, []) if each["id"] == line), None)
    if found is None:
        raise RequestError(404, f"No such line item: '{line}'", code="resource_missing")
    parent: Query = found["parent"] or {}  # type: ignore[assignment]
    if parent.get("subscription_item_details"):
        raise RequestError(400, "You may only edit line items of invoice items.")
    amount = int(str(fields["amount"]))
    changed = {**found, "amount": amount, "subtotal": amount}
    account.parts[invoice] = [changed if each is found else each for each in account.parts[invoice]]
    add_up(account, invoice, amount - int(str(found["amount"])))
    return changed


def cancel_meter_event(account: Account, body: Query) -> Object:
    """POST /v1/billing/meter_event_adjustments: within a day of when Stripe received the event."""
    fields = allowed(body, {"event_name", "type", "cancel"})
    identifier = str(fields["cancel"]["identifier"])  # type: ignore[index]
    event = account.objects.get(f"mev_{identifier}")
    if event is None or event["event_name"] != fields["event_name"] or event.get("canceled"):
        raise RequestError(404, f"No such meter event: '{identifier}'", code="resource_missing")
    if int(str(event["created"])) < account.now - 24 * HOUR:
        raise RequestError(400, "The event was received more than 24 hours ago.")
    account.change(str(event["id"]), canceled=True)
    return {"object": "billing.meter_event_adjustment", "livemode": False, "status": "complete", **fields}


def update_item(account: Account, id: str, body: Query) -> Object:
    """POST /v1/subscription_items/:id: its discounts."""
    fields = allowed(body, {"discounts"})
    for subscription, parts in account.parts.items():
        for each in parts:
            if each["id"] == id and each["object"] == "subscription_item":
                changed = {**each, "discounts": discounts(fields["discounts"])}
                account.parts[subscription] = [changed if one is each else one for one in parts]
                account.put(changed, announce=False)
                return changed
    raise RequestError(404, f"No such subscription_item: '{id}'", code="resource_missing")


def delete_customer_discount(account: Account, id: str, body: Query) -> Object:
    """DELETE /v1/customers/:id/discount."""
    customer = held(account, "customers", id, "customer")
    account.change(id, discount=None)
    account.hidden.get(id, {}).pop("discount", None)
    return {"id": str(customer["discount"]), "object": "discount", "deleted": True}


def discounts(given: object) -> list[object]:
    """The discounts that stay; an empty text is none."""
    return [each["discount"] for each in entries(given)]


CREATES: dict[str, Create] = {
    "invoiceitems": create_invoice_item,
    "billing/meter_event_adjustments": cancel_meter_event,
}
WRITES: dict[tuple[str, str, str], Write] = {
    ("DELETE", "invoiceitems", ""): delete_invoice_item,
    ("POST", "subscription_items", ""): update_item,
    ("DELETE", "customers", "discount"): delete_customer_discount,
}
