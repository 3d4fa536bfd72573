"""What can be changed through the API: the few writes that tests need, as Stripe's own rules have them."""

from __future__ import annotations

from collections.abc import Callable

from tests.peers.stripe.account import Account
from tests.peers.stripe.lists import Query, RequestError, missing
from tests.peers.stripe.shapes import Object, shaped

HOUR = 3600


def create_customer(account: Account, body: Query) -> Object:
    """POST /v1/customers."""
    made = shaped("customer", id=f"cus_new_{len(account.objects)}", created=account.now, currency=None)
    account.put(made | allowed(body, {"name", "email", "metadata"}))
    return account.objects[str(made["id"])]


def update_customer(account: Account, id: str, body: Query) -> Object:
    """POST /v1/customers/:id."""
    known = held(account, "customers", id, "customer")
    fields = allowed(body, {"name", "email", "metadata", "address"})
    if "metadata" in fields:
        fields["metadata"] = {**known["metadata"], **fields["metadata"]}  # type: ignore[dict-item]
    return account.change(id, **fields)


def update_invoice(account: Account, id: str, body: Query) -> Object:
    """POST /v1/invoices/:id: of a draft whether and when it finalizes, of any its description and metadata."""
    invoice = held(account, "invoices", id, "invoice")
    fields = allowed(body, {"auto_advance", "automatically_finalizes_at", "description", "metadata"})
    if invoice["status"] != "draft" and fields.keys() & {"auto_advance", "automatically_finalizes_at"}:
        raise RequestError(400, "Finalized invoices can't be updated in this way")
    if "auto_advance" in fields:
        fields["auto_advance"] = fields["auto_advance"] == "true"
        fields.setdefault("automatically_finalizes_at", account.now + HOUR if fields["auto_advance"] else None)
    return account.change(id, **fields)


def finalize_invoice(account: Account, id: str, body: Query) -> Object:
    """POST /v1/invoices/:id/finalize."""
    invoice = in_status(account, id, {"draft"}, "finalized")
    fields = {
        "status": "open",
        "status_transitions": _when(invoice, finalized_at=account.now),
        "ending_balance": 0,
        "effective_at": account.now,
        "automatically_finalizes_at": None,
        "number": invoice["number"] or f"T-{id}",
    }
    return account.change(id, "finalized", **fields)


def void_invoice(account: Account, id: str, body: Query) -> Object:
    """POST /v1/invoices/:id/void."""
    invoice = in_status(account, id, {"open", "uncollectible"}, "voided")
    times = _when(invoice, voided_at=account.now)
    return account.change(id, "voided", status="void", status_transitions=times, next_payment_attempt=None)


def mark_uncollectible(account: Account, id: str, body: Query) -> Object:
    """POST /v1/invoices/:id/mark_uncollectible."""
    invoice = in_status(account, id, {"open"}, "marked as uncollectible")
    times = _when(invoice, marked_uncollectible_at=account.now)
    return account.change(id, "marked_uncollectible", status="uncollectible", status_transitions=times)


def pay_invoice(account: Account, id: str, body: Query) -> Object:
    """POST /v1/invoices/:id/pay: always succeeds."""
    invoice = in_status(account, id, {"open", "uncollectible"}, "paid")
    account.put(
        intent := shaped(
            "payment_intent",
            id=f"pi_{id}",
            created=account.now,
            customer=invoice["customer"],
            currency=invoice["currency"],
            amount=invoice["amount_remaining"],
            amount_received=invoice["amount_remaining"],
            status="succeeded",
        )
    )
    link = shaped(
        "invoice_payment",
        id=f"inpay_{id}",
        created=account.now,
        currency=invoice["currency"],
        invoice=id,
        amount_requested=intent["amount"],
        amount_paid=intent["amount"],
        status="paid",
        payment={"type": "payment_intent", "payment_intent": intent["id"]},
    )
    account.put(link)
    account.emit("invoice_payment.paid", link)
    fields = {
        "status": "paid",
        "amount_paid": int(str(invoice["amount_paid"])) + int(str(intent["amount"])),
        "amount_remaining": 0,
        "attempt_count": int(str(invoice["attempt_count"])) + 1,
        "next_payment_attempt": None,
        "status_transitions": _when(invoice, paid_at=account.now),
    }
    return account.change(id, "paid", **fields)


def invoice_line(account: Account, item: str, fields: Object) -> Object:
    """The line of an invoice item on its draft: it counts as one of a lump sum."""
    amount = int(str(fields["amount"]))
    period: Query = fields["period"]  # type: ignore[assignment]
    details = {"invoice_item": item, "proration": False, "proration_details": None, "subscription": None}
    return shaped(
        "line_item",
        id=f"il_{item}",
        invoice=fields["invoice"],
        amount=amount,
        subtotal=amount,
        currency=fields["currency"],
        description=fields.get("description"),
        parent={"type": "invoice_item_details", "invoice_item_details": details, "subscription_item_details": None},
        period={name: int(str(period[name])) for name in ("start", "end")},
        pricing=None,
        quantity=1,
        quantity_decimal="1",
        discount_amounts=[],
        taxes=[],
        metadata=fields["metadata"],
    )


def add_up(account: Account, id: str, amount: int) -> None:
    """The sums of an invoice with an amount more."""
    sums = ("subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax", "amount_due", "amount_remaining")
    account.change(id, **{name: int(str(account.objects[id][name])) + amount for name in sums})


def create_credit_note(account: Account, body: Query, preview: bool = False) -> Object:
    """POST /v1/credit_notes: of an open invoice what is due, of a paid one as credit of the customer.

    As a `preview` nothing is made.
    """
    fields = allowed(body, {"invoice", "lines", "memo", "metadata", "credit_amount", "reason"})
    id = str(fields["invoice"])
    invoice = in_status(account, id, {"open", "paid"}, "credited")
    lines = entries(fields["lines"])
    amount = sum(int(str(line["amount"])) for line in lines)
    before = int(str(invoice["amount_remaining"]))
    paid = int(str(fields.get("credit_amount", 0)))
    if amount - paid > before or paid > int(str(invoice["amount_paid"])):
        raise RequestError(400, "The credit is more than what is left of the invoice.")
    made = shaped(
        "credit_note",
        id=f"cn_new_{len(account.objects)}",
        invoice=id,
        customer=invoice["customer"],
        currency=invoice["currency"],
        created=account.now,
        effective_at=account.now,
        status="issued",
        reason=fields.get("reason"),
        memo=fields.get("memo"),
        amount=amount,
        subtotal=amount,
        total=amount,
        pre_payment_amount=amount - paid,
        post_payment_amount=paid,
        metadata=fields.get("metadata", {}),
    )
    if preview:
        return made
    account.parts[str(made["id"])] = [
        shaped("credit_note_line_item", id=f"cnli_{made['id']}_{place}", amount=int(str(line["amount"])),
               invoice_line_item=line["invoice_line_item"])
        for place, line in enumerate(lines)
    ]  # fmt: skip
    account.put(made)
    due = before - (amount - paid)
    account.change(id, amount_remaining=due, **({"status": "paid"} if invoice["status"] == "open" and not due else {}))
    return made


def delete_invoice(account: Account, id: str, body: Query) -> Object:
    """DELETE /v1/invoices/:id: of a draft only."""
    in_status(account, id, {"draft"}, "deleted")
    return account.remove(id)


def delete_customer(account: Account, id: str, body: Query) -> Object:
    """DELETE /v1/customers/:id."""
    held(account, "customers", id, "customer")
    return account.remove(id)


def update_subscription(account: Account, id: str, body: Query) -> Object:
    """POST /v1/subscriptions/:id: its cancellation, and items: another quantity or price, removed, or new."""
    subscription = held(account, "subscriptions", id, "subscription")
    names = {"cancel_at_period_end", "cancel_at", "metadata", "items", "pause_collection", "proration_behavior",
             "discounts"}  # fmt: skip
    fields = allowed(body, names)
    fields.pop("proration_behavior", None)
    if "pause_collection" in fields:
        fields["pause_collection"] = fields["pause_collection"] or None
    if "discounts" in fields:
        fields["discounts"] = [each["discount"] for each in entries(fields["discounts"])]
    before = account.shown(subscription)["items"]
    for change in entries(fields.pop("items", [])):
        _change_item(account, id, change)
    if "cancel_at_period_end" in fields:
        on = fields["cancel_at_period_end"] == "true"
        ends = [int(str(item["current_period_end"])) for item in account.parts[id]]
        fields |= {"cancel_at_period_end": on, "cancel_at": max(ends) if on else None}
        fields["canceled_at"] = account.now if on else None
    account.objects[id] = {**subscription, **fields}
    previous = {name: subscription.get(name) for name in fields}
    if account.shown(subscription)["items"] != before:
        previous["items"] = before
    account.emit("customer.subscription.updated", account.shown(account.objects[id]), previous)
    return account.objects[id]


def preview_invoice(account: Account, body: Query) -> Object:
    """POST /v1/invoices/create_preview: the next invoice's fixed charges, with other items where they are given."""
    fields = allowed(body, {"subscription", "subscription_details"})
    subscription = held(account, "subscriptions", str(fields["subscription"]), "subscription")
    details: Query = fields.get("subscription_details", {})  # type: ignore[assignment]
    changes = {str(each["id"]): each for each in entries(details.get("items", []))}
    total = 0
    for item in account.parts[str(subscription["id"])]:
        change = changes.get(str(item["id"]), {})
        price = account.objects[str(change.get("price", item["price"]))]
        quantity = int(str(change.get("quantity", item["quantity"] or 0)))
        total += int(str(price["unit_amount"] or 0)) * quantity
    return {"object": "invoice", "currency": subscription["currency"], "total": total, "status": "draft"}


def cancel_subscription(account: Account, id: str, body: Query) -> Object:
    """DELETE /v1/subscriptions/:id: at once."""
    allowed(body, {"prorate", "invoice_now"})
    if held(account, "subscriptions", id, "subscription")["status"] == "canceled":
        raise missing("subscriptions", id)
    now = account.now
    return account.change(id, "deleted", status="canceled", canceled_at=now, ended_at=now)


def create_meter_event(account: Account, body: Query) -> Object:
    """POST /v1/billing/meter_events: taken once per identifier, for at most 35 days back."""
    fields = allowed(body, {"event_name", "identifier", "timestamp", "payload"})
    known = {thing["event_name"] for thing in account.listed("billing.meter")}
    if fields["event_name"] not in known:
        raise RequestError(400, f"No active meter found for event name {fields['event_name']}", param="event_name")
    at = int(str(fields["timestamp"]))
    if not account.now - 35 * 24 * HOUR <= at <= account.now + HOUR // 12:
        raise RequestError(400, "The timestamp is not within the last 35 days.", param="timestamp")
    id = f"mev_{fields['identifier']}"
    if id in account.objects:
        raise RequestError(400, f"An event already exists with identifier {fields['identifier']}.")
    made: Object = {"object": "billing.meter_event", "created": account.now, "livemode": False, **fields}
    account.put({**made, "id": id}, announce=False)
    return made


def create_portal_session(account: Account, body: Query) -> Object:
    """POST /v1/billing_portal/sessions: a link for a customer."""
    fields = allowed(body, {"customer", "flow_data"})
    held(account, "customers", str(fields["customer"]), "customer")
    id = f"bps_{len(account.objects)}"
    made: Object = {
        "id": id,
        "object": "billing_portal.session",
        "created": account.now,
        "flow": fields.get("flow_data"),
    }
    account.put({**made, "url": f"https://billing.stripe.com/p/session/{id}"}, announce=False)
    return account.objects[id]


def _change_item(account: Account, id: str, change: Query) -> None:
    items = account.parts[id]
    own = next((item for item in items if item["id"] == change.get("id")), None)
    fields: Object = {"quantity": int(str(change["quantity"]))} if "quantity" in change else {}
    if "price" in change:
        fields["price"] = held(account, "prices", str(change["price"]), "price")["id"]
    if own and change.get("deleted") == "true":
        account.parts[id] = [item for item in items if item is not own]
        return
    if own:
        changed = {**own, **fields}
        account.parts[id] = [changed if item is own else item for item in items]
    else:
        new_id = f"si_new_{len(account.objects)}"
        period = {name: items[0][name] for name in ("current_period_start", "current_period_end")}
        changed = shaped("subscription_item", id=new_id, subscription=id, created=account.now, quantity=None, plan=None)
        changed |= period | fields
        account.parts[id] = [*items, changed]
    account.put(changed, announce=False)


def held(account: Account, path: str, id: str, kind: str) -> Object:
    """The object of a kind. Raises RequestError."""
    found = account.objects.get(id)
    if found is None or found["object"] != kind:
        raise missing(path, id)
    return found


def in_status(account: Account, id: str, statuses: set[str], done: str) -> Object:
    """The invoice, in one of the statuses. Raises RequestError."""
    invoice = held(account, "invoices", id, "invoice")
    if invoice["status"] not in statuses:
        raise RequestError(
            400, f"This invoice is {invoice['status']} and can't be {done}.", code="invoice_not_editable"
        )
    return invoice


def _when(invoice: Object, **times: int) -> Object:
    return {**invoice["status_transitions"], **times}  # type: ignore[dict-item]


def allowed(body: Query, names: set[str]) -> Object:
    """The fields of a request. Raises RequestError for others."""
    unknown = body.keys() - names - {"expand"}
    if unknown:
        raise RequestError(400, f"Received unknown parameter: {min(unknown)}", param=min(unknown))
    return {name: value for name, value in body.items() if name in names}


def entries(value: object) -> list[Query]:
    """The objects of a field that lists them."""
    return value if isinstance(value, list) else []


Create = Callable[[Account, Query], Object]
CREATES: dict[str, Create] = {
    "customers": create_customer,
    "credit_notes": create_credit_note,
    "billing/meter_events": create_meter_event,
    "billing_portal/sessions": create_portal_session,
}
"""What is made, by collection."""

Write = Callable[[Account, str, Query], Object]
WRITES: dict[tuple[str, str, str], Write] = {
    ("POST", "customers", ""): update_customer,
    ("DELETE", "customers", ""): delete_customer,
    ("POST", "invoices", ""): update_invoice,
    ("DELETE", "invoices", ""): delete_invoice,
    ("POST", "invoices", "finalize"): finalize_invoice,
    ("POST", "invoices", "void"): void_invoice,
    ("POST", "invoices", "pay"): pay_invoice,
    ("POST", "invoices", "mark_uncollectible"): mark_uncollectible,
    ("POST", "subscriptions", ""): update_subscription,
    ("DELETE", "subscriptions", ""): cancel_subscription,
}
"""Writes by method, collection and action."""
