"""What each deed is as a request to Stripe. No I/O.

Sources: docs.stripe.com/api/invoices, /credit_notes, /invoiceitems, /invoice-line-item/update, /subscriptions,
/billing/meter-event, /billing/meter-event-adjustment, /customer_portal/sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from integrations.stripe.amounts import in_minor
from integrations.writing import Deed, Request


def _hold(deed: Deed) -> Request:
    return Request("post", f"invoices/{deed.id}", {"auto_advance": "false"})


def _release(deed: Deed) -> Request:
    return Request("post", f"invoices/{deed.id}", {"auto_advance": "true"})


def _void(deed: Deed) -> Request:
    return Request("post", f"invoices/{deed.id}/void", {})


def _pay(deed: Deed) -> Request:
    return Request("post", f"invoices/{deed.id}/pay", {})


def _cancel(deed: Deed) -> Request:
    return Request("delete", f"subscriptions/{deed.id}", {"prorate": "false", "invoice_now": "false"})


def _pause(deed: Deed) -> Request:
    """Drafts are made and kept: nothing is collected, nothing is lost."""
    return Request("post", f"subscriptions/{deed.id}", {"pause_collection": {"behavior": "keep_as_draft"}})


def _resume(deed: Deed) -> Request:
    return Request("post", f"subscriptions/{deed.id}", {"pause_collection": ""})


def _quantity(deed: Deed) -> Request:
    return _change_item(deed, quantity=int(deed.about["quantity"]))


def _price(deed: Deed) -> Request:
    return _change_item(deed, price=str(deed.about["price"]))


def _change_item(deed: Deed, **change: object) -> Request:
    """From now on: what is past is for a credit or an adjustment, whose amount is approved."""
    item = {"id": deed.about["item"], **change}
    return Request("post", f"subscriptions/{deed.id}", {"items": [item], "proration_behavior": "none"})


def _report(deed: Deed) -> Request:
    """Stripe counts one identifier once within a day, and takes what is at most 35 days old."""
    about = deed.about
    params = {
        "event_name": about["event_name"],
        "identifier": deed.id,
        "timestamp": _seconds(about["time"]),
        "payload": {"stripe_customer_id": about["customer"], "value": str(about["value"])},
    }
    return Request("post", "billing/meter_events", params)


def _unreport(deed: Deed) -> Request:
    """Stripe takes an event back by its identifier, for a day after it received it."""
    about = {"event_name": deed.about["event_name"], "type": "cancel", "cancel": {"identifier": deed.id}}
    return Request("post", "billing/meter_event_adjustments", about)


def _edit_line(deed: Deed) -> Request:
    """What a line and its invoice item share is changed on both."""
    amount = in_minor(deed.about["amount"], deed.about["currency"])
    return Request("post", f"invoices/{deed.id}/lines/{deed.about['line']}", {"amount": amount})


def _undiscount(deed: Deed) -> Request:
    """What else is discounted there stays: the list of discounts is replaced as a whole."""
    about = deed.about
    others = [{"discount": each} for each in about["others"]]
    if about["item"]:
        return Request("post", f"subscription_items/{about['item']}", {"discounts": others or ""})
    if deed.type == "customer":
        return Request("delete", f"customers/{deed.id}/discount", {})
    return Request("post", f"subscriptions/{deed.id}", {"discounts": others or "", "proration_behavior": "none"})


def _ask_tax_id(deed: Deed) -> Request:
    return Request("post", "billing_portal/sessions", {"customer": deed.id})


def _ask_method(deed: Deed) -> Request:
    params = {"customer": deed.id, "flow_data": {"type": "payment_method_update"}}
    return Request("post", "billing_portal/sessions", params)


def _credit(deed: Deed) -> Request:
    """What is still due is lowered; what was paid becomes credit for the next invoice."""
    amount = in_minor(deed.about["amount"], deed.about["currency"])
    line = {"type": "invoice_line_item", "invoice_line_item": deed.about["line"], "amount": amount}
    paid = {"credit_amount": amount} if deed.about["paid"] else {}
    return Request("post", "credit_notes", {"invoice": deed.id, "lines": [line], "memo": deed.about["memo"], **paid})


def _adjust(deed: Deed) -> Request:
    """An invoice item on the draft."""
    return Request("post", "invoiceitems", {"invoice": deed.id, **_invoice_item(deed.about)})


def _charge_next(deed: Deed) -> Request:
    """An invoice item that waits for the next invoice: of the subscription, where it is about one."""
    of = {"subscription": deed.about["subscription"]} if deed.about["subscription"] else {}
    return Request("post", "invoiceitems", {**of, **_invoice_item(deed.about)})


def _invoice_item(about: Mapping[str, Any]) -> dict[str, Any]:
    """Its metadata says in the books' words what it is, see `metadata.STATED`."""
    stated = {
        "trueup_kind": "adjustment",
        "trueup_item_id": about["item"],
        "trueup_quantity": about.get("quantity") or "null",
    }
    return {
        "customer": about["customer"],
        "amount": in_minor(about["amount"], about["currency"]),
        "currency": str(about["currency"]).lower(),
        "description": about["memo"],
        "discountable": "false",
        "period": {"start": _seconds(about["start"]), "end": _seconds(about["end"])},
        "metadata": {name: value for name, value in stated.items() if value},
    }


def _unadjust(deed: Deed) -> Request:
    return Request("delete", f"invoiceitems/{deed.about['made']}", {})


def _seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())


REQUESTS: Mapping[str, Callable[[Deed], Request]] = {
    "hold": _hold,
    "release": _release,
    "void": _void,
    "credit": _credit,
    "adjust": _adjust,
    "unadjust": _unadjust,
    "cancel": _cancel,
    "pay": _pay,
    "pause": _pause,
    "resume": _resume,
    "quantity": _quantity,
    "price": _price,
    "report": _report,
    "report_less": _report,
    "ask_method": _ask_method,
    "ask_tax_id": _ask_tax_id,
    "charge_next": _charge_next,
    "uncharge": _unadjust,
    "edit_line": _edit_line,
    "undiscount": _undiscount,
    "unreport": _unreport,
}
"""The request of each verb."""
