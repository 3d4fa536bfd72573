"""What can be changed through the API: the few writes that tests need, as OpenMeter's own rules have them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.peers.vendor import Object, Refused, text

if TYPE_CHECKING:
    from tests.peers.openmeter.account import Account

PARTY = {"key", "name", "taxId", "addresses"}
ASKED = {"description", "metadata", "supplier", "customer", "lines", "workflow"}


def written(meter: Account, method: str, parts: list[str], body: Object) -> Object:
    """What a write does. Raises Refused as OpenMeter would."""
    if (method, parts) == ("POST", ["events"]):
        return _event(meter, body)
    if method == "POST" and parts[:1] == ["subscriptions"] and parts[2:] == ["cancel"]:
        return _cancel(meter, parts[1])
    if method == "POST" and parts[:2] == ["billing", "customers"] and parts[3:] == ["invoices", "pending-lines"]:
        return _pending(meter, parts[2], body)
    if parts[:2] != ["billing", "invoices"] or len(parts) not in (3, 4):
        raise _problem(404, "not found")
    invoice = next((each for each in meter.lists["invoices"] if each["id"] == parts[2]), None)
    if invoice is None:
        raise _problem(404, "invoice not found")
    if method == "PUT" and len(parts) == 3:
        return _replace(meter, invoice, body)
    if (method, parts[3:]) == ("POST", ["void"]):
        if invoice["status"] not in ("issued", "overdue"):
            raise _problem(400, f"an invoice that is {invoice['status']} cannot be voided")
        invoice |= {"status": "voided", "voidedAt": text(meter.clock()), "updatedAt": text(meter.clock())}
        return invoice
    raise _problem(404, "not found")


def _problem(status: int, detail: str) -> Refused:
    return Refused(status, {"type": "about:blank", "title": "Refused", "status": status, "detail": detail})


def _replace(meter: Account, invoice: Object, body: Object) -> Object:
    """The whole of a draft anew: lines that are left out are gone, those without an id are new."""
    if body.keys() - ASKED or not {"supplier", "customer", "lines", "workflow"} <= body.keys():
        raise _problem(400, f"the invoice is not whole: {sorted(body)}")
    if invoice["status"] not in ("draft", "gathering"):
        raise _problem(400, "only drafts can be updated")
    held = {line["id"]: line for line in invoice["lines"]}
    invoice["lines"] = [held[line["id"]] if "id" in line else _line(meter, invoice, line) for line in body["lines"]]
    if body["customer"].keys() - PARTY or body["supplier"].keys() - PARTY:
        raise _problem(400, "a party has fields that are not its own")
    invoice["workflow"] = {**invoice["workflow"], "workflow": body["workflow"]["workflow"]}
    _add_up(invoice)
    invoice["updatedAt"] = text(meter.clock())
    return invoice


def _line(meter: Account, invoice: Object, asked: Object) -> Object:
    from tests.peers.openmeter.account import ulid

    amount, now = asked["rateCard"]["price"]["amount"], text(meter.clock())
    zeros = dict.fromkeys(("chargesTotal", "discountsTotal", "creditsTotal", "taxesExclusiveTotal", "taxesTotal",
                           "taxesInclusiveTotal"), "0")  # fmt: skip
    return {
        **asked, "id": ulid(f"line {now} {len(invoice['lines'])} {amount}"), "managedBy": "manual", "status": "valid",
        "currency": invoice["currency"], "type": "usage_based", "price": asked["rateCard"]["price"], "quantity": "1",
        "totals": {"amount": amount, **zeros, "total": amount}, "createdAt": now, "updatedAt": now,
    }  # fmt: skip


def _add_up(invoice: Object) -> None:
    sums = invoice["totals"]
    for name in sums:
        values = (Decimal(line["totals"].get(name, "0")) for line in invoice["lines"])
        sums[name] = text(sum(values, Decimal(0)))


def _pending(meter: Account, customer: str, body: Object) -> Object:
    """A line that waits on the invoice that gathers the customer's next charges."""
    from tests.peers.openmeter.account import ulid

    now = text(meter.clock())
    gathering = next((each for each in meter.lists["invoices"] if each["status"] == "gathering"
                      and each["customer"]["id"] == customer), None)  # fmt: skip
    if gathering is None:
        gathering = {
            "id": ulid(f"gathering {customer}"), "type": "standard", "status": "gathering", "number": "",
            "supplier": {"name": "We"}, "customer": {"id": customer}, "currency": body["currency"], "lines": [],
            "totals": {"amount": "0", "total": "0"}, "statusDetails": {"immutable": False},
            "workflow": {"workflow": {"invoicing": {}}}, "createdAt": now, "updatedAt": now,
        }  # fmt: skip
        meter.lists["invoices"].append(gathering)
    made = [_line(meter, gathering, each) for each in body["lines"]]
    gathering["lines"] += made
    _add_up(gathering)
    return {"lines": made, "invoice": gathering, "isInvoiceNew": len(gathering["lines"]) == len(made)}


def _cancel(meter: Account, id: str) -> Object:
    found = next((each for each in meter.lists["subscriptions"] if each["id"] == id), None)
    if found is None:
        raise _problem(404, "subscription not found")
    found |= {"status": "inactive", "activeTo": text(meter.clock()), "updatedAt": text(meter.clock())}
    return found


def _event(meter: Account, event: Object) -> Object:
    same = [each for each in meter.lists["events"]
            if (each["event"]["id"], each["event"]["source"]) == (event["id"], event["source"])]  # fmt: skip
    if not same:
        now = text(meter.clock())
        meter.lists["events"].append({"event": event, "ingestedAt": now, "storedAt": now})
    return {}
