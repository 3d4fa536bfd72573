"""What each deed is as a request to Chargebee: a form, posted. No I/O.

Fields are those of API v2 for Product Catalog 2.0 (apidocs.chargebee.com/docs/api: invoices, credit notes, unbilled
charges, subscriptions, usages, hosted pages, portal sessions).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

from billing.money import to_minor
from integrations.writing import Deed, Request

MARK = re.compile(r"\[(trueup-[\w-]+)(?: ([^\[\]]+))?\]$")
"""What a text ends with that was written by Trueup: the key of its action, and the item price that a charge is for."""


def marked(memo: object, key: str, price: object = None) -> str:
    """A text that carries a key, so that what it stands on is found again."""
    return f"{str(memo)[:150]} [{key} {price}]" if price else f"{str(memo)[:150]} [{key}]"


def _void(deed: Deed) -> Request:
    return _post(f"invoices/{_part(deed.id)}/void", {})


def _pay(deed: Deed) -> Request:
    return _post(f"invoices/{_part(deed.id)}/collect_payment", {})


def _credit(deed: Deed) -> Request:
    """What is still due is lowered; what was paid becomes credit for the next invoice."""
    about = deed.about
    params = {
        "reference_invoice_id": deed.id,
        "type": "refundable" if about["paid"] else "adjustment",
        "reason_code": "other",
        "customer_notes": about["memo"],
        "line_items[reference_line_item_id][0]": about["line"],
        "line_items[amount][0]": _cents(about),
    }
    return _post("credit_notes", params)


def _add(deed: Deed) -> Request:
    """A charge on a pending invoice: Chargebee takes amounts above nothing only."""
    about = deed.about
    of = {"subscription_id": about["subscription"]} if about["subscription"] else {}
    params = {
        "amount": _cents(about),
        "description": about["memo"],
        "line_item[date_from]": _seconds(about["start"]),
        "line_item[date_to]": _seconds(about["end"]),
    }
    return _post(f"invoices/{_part(deed.id)}/add_charge", {**params, **of})


def _drop(deed: Deed) -> Request:
    return _delete_line(deed, deed.about["line"])


def _unadjust(deed: Deed) -> Request:
    return _delete_line(deed, deed.about["made"])


def _delete_line(deed: Deed, line: object) -> Request:
    return _post(f"invoices/{_part(deed.id)}/delete_line_items", {"line_items[id][0]": line})


def _charge_next(deed: Deed) -> Request:
    """An unbilled charge: it goes out with the subscription's next invoice."""
    about = deed.about
    if not about["subscription"]:
        raise ValueError("Chargebee charges with the next invoice of a live subscription only")
    params = {
        "subscription_id": about["subscription"],
        "charges[amount][0]": _cents(about),
        "charges[description][0]": about["memo"],
        "charges[date_from][0]": _seconds(about["start"]),
        "charges[date_to][0]": _seconds(about["end"]),
    }
    return _post("unbilled_charges", params)


def _uncharge(deed: Deed) -> Request:
    return _post(f"unbilled_charges/{_part(deed.about['made'])}/delete", {})


def _cancel(deed: Deed) -> Request:
    params = {"cancel_option": "immediately", "credit_option_for_current_term_charges": "none"}
    return _post(f"subscriptions/{_part(deed.id)}/cancel_for_items", params)


def _pause(deed: Deed) -> Request:
    return _post(f"subscriptions/{_part(deed.id)}/pause", {"pause_option": "immediately"})


def _resume(deed: Deed) -> Request:
    return _post(f"subscriptions/{_part(deed.id)}/resume", {"resume_option": "immediately"})


def _quantity(deed: Deed) -> Request:
    """From now on: what is past is for a credit or a charge, whose amount is approved."""
    params = {
        "subscription_items[item_price_id][0]": price_of(deed.about["item"]),
        "subscription_items[quantity][0]": int(deed.about["quantity"]),
        "prorate": "false",
        "invoice_immediately": "false",
    }
    return _post(f"subscriptions/{_part(deed.id)}/update_for_items", params)


def _record(deed: Deed) -> Request:
    """Chargebee takes a usage of one id once."""
    about = deed.about
    params = {
        "id": deed.id[:50],
        "item_price_id": about["price"],
        "quantity": about["value"],
        "usage_date": _seconds(about["time"]),
    }
    return _post(f"subscriptions/{_part(about['subscription'])}/usages", params)


def _ask_method(deed: Deed) -> Request:
    return _post("hosted_pages/manage_payment_sources", {"customer[id]": deed.id})


def _ask_tax_id(deed: Deed) -> Request:
    return _post("portal_sessions", {"customer[id]": deed.id})


def price_of(item: object) -> str:
    """The item price of an item of the books, `<subscription>:<item price>`."""
    return str(item).partition(":")[2]


def _post(path: str, params: Mapping[str, object]) -> Request:
    return Request("post", path, params)


def _part(id: object) -> str:
    return quote(str(id), safe="")


def _cents(about: Mapping[str, object]) -> int:
    return to_minor(Decimal(str(about["amount"])), str(about["currency"]))


def _seconds(instant: object) -> int:
    return int(datetime.fromisoformat(str(instant)).timestamp())


REQUESTS: Mapping[str, Callable[[Deed], Request]] = {
    "void": _void,
    "pay": _pay,
    "credit": _credit,
    "add": _add,
    "drop": _drop,
    "unadjust": _unadjust,
    "charge_next": _charge_next,
    "uncharge": _uncharge,
    "cancel": _cancel,
    "pause": _pause,
    "resume": _resume,
    "quantity": _quantity,
    "record": _record,
    "ask_method": _ask_method,
    "ask_tax_id": _ask_tax_id,
}
"""The request of each verb."""
