"""What each deed is as a request to OpenMeter. No I/O.

A draft is changed by replacing it whole: what is said here is the change, which `integrations.openmeter.writes` puts
into the draft as it is then. Requests: OpenMeter's API description v1 (billing/invoices, subscriptions, events).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from integrations.writing import Deed, Request

MARK = "trueup_action"
"""The metadata key that names the action and step which made a line."""


def _hold(deed: Deed) -> Request:
    return _replace(deed.id, {"workflow": {"workflow": {"invoicing": {"autoAdvance": False}}}})


def _release(deed: Deed) -> Request:
    return _replace(deed.id, {"workflow": {"workflow": {"invoicing": {"autoAdvance": True}}}})


def _adjust(deed: Deed) -> Request:
    return _replace(deed.id, {"lines": [_line(deed.about)]})


def _unadjust(deed: Deed) -> Request:
    return _replace(deed.id, {"without": deed.about["made"]})


def _charge_next(deed: Deed) -> Request:
    """A pending line: it goes out with the customer's next invoice."""
    body = {"currency": deed.about["currency"], "lines": [_line(deed.about)]}
    return Request("post", f"v1/billing/customers/{_part(deed.id)}/invoices/pending-lines", body)


def _line(about: Mapping[str, Any]) -> dict[str, Any]:
    """A flat amount of its own period. Its metadata says in the books' words what it is."""
    stated = {"trueup_kind": "adjustment", "trueup_item_id": about["item"], "trueup_quantity": about.get("quantity")}
    return {
        "name": str(about["memo"])[:256],
        "period": {"from": about["start"], "to": about["end"]},
        "invoiceAt": about["end"],
        "rateCard": {"price": {"type": "flat", "amount": about["amount"], "paymentTerm": "in_arrears"}},
        "metadata": {name: value for name, value in stated.items() if value},
    }


def _void(deed: Deed) -> Request:
    body = {"action": {"percentage": 100, "action": {"type": "discard"}}, "reason": "nothing of it is right"}
    return Request("post", f"v1/billing/invoices/{_part(deed.id)}/void", body)


def _cancel(deed: Deed) -> Request:
    """At once, as long as no other time is said."""
    return Request("post", f"v1/subscriptions/{_part(deed.id)}/cancel", {})


def _ingest(deed: Deed) -> Request:
    """OpenMeter counts an event of one source and id once."""
    about = deed.about
    event = {
        "specversion": "1.0",
        "id": deed.id,
        "source": "trueup",
        "type": about["event_name"],
        "subject": about["subject"],
        "time": about["time"],
        "data": about["properties"],
    }
    return Request("post", "v1/events", event)


def _replace(invoice: str, change: Mapping[str, Any]) -> Request:
    return Request("put", f"v1/billing/invoices/{_part(invoice)}", change)


def _part(id: object) -> str:
    return quote(str(id), safe="")


REQUESTS: Mapping[str, Callable[[Deed], Request]] = {
    "hold": _hold,
    "release": _release,
    "adjust": _adjust,
    "unadjust": _unadjust,
    "charge_next": _charge_next,
    "uncharge": _unadjust,
    "void": _void,
    "cancel": _cancel,
    "ingest": _ingest,
}
"""The request of each verb."""
