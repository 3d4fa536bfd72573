"""Fire at the billing systems beside Stripe: what they know no keys for is counted by what is there afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from billing.money import minor_unit
from integrations.writing import Deed, Writes
from remediation.plans import Plan
from tests.remediation import small
from tests.remediation.by_vendor import Books, opened
from tests.remediation.fire import FAULTS, Fire

EVENT = {"event_name": "llm", "customer": "c", "subject": "acme-1", "value": "1",
         "time": "2026-11-19T00:00:00+00:00", "properties": {"tokens": 1}}  # fmt: skip


@dataclass
class VendorFire(Fire):
    """Small credits, charges, adjustments and events, many of them on the same records."""

    vendor: str = ""
    faults: tuple[str, ...] = tuple(
        each for each in FAULTS if each != "doubled"
    )  # only a key keeps out what is doubled
    books: Books = field(kw_only=True)

    def plan(self, number: int) -> Plan:
        kinds = KINDS[self.vendor]
        verb = kinds[number % len(kinds)]
        made = PLANS[verb](self.books, number)
        return small.plan(verb, made, "downstream", integration=self.vendor)

    @property
    def looked(self) -> bool:
        return self.vendor != "zuora"

    def writes(self) -> dict[str, Writes]:
        return {self.vendor: opened(self.vendor, self.peer).writes}

    def done(self) -> list[int]:
        """By the keys of requests, of notes and of lines; an event by its own id, which is the action's number."""
        found = [str(each["key"]) for each in self.peer.done() if each.get("key")]
        if self.vendor == "lago":
            found += _keys(self._listed("credit_notes"), "description")
            found += _keys(self._listed("events"), "transaction_id")
        if self.vendor == "openmeter":
            lines = [line for each in self._listed("invoices") for line in each["lines"]]
            found += [line["metadata"]["trueup_action"] for line in lines if line.get("metadata")]
            found += _keys([each["event"] for each in self._listed("events")], "id")
        return [int(key.split("-")[1]) for key in found]

    def _listed(self, name: str) -> list[dict[str, Any]]:
        return self.peer.control("listed", list=name)["objects"]  # type: ignore[return-value]


def _keys(things: list[dict[str, Any]], name: str) -> list[str]:
    """The keys that stand in a field."""
    found = (re.search(r"trueup-\d+-\d+", str(each[name])) for each in things)
    return [match[0] for match in found if match]


def _credit(books: Books, number: int) -> Deed:
    line = books.line("open")
    invoice = line["invoice"]
    least = str(minor_unit(invoice["currency"]))  # so many of them are less than the line
    about = {"amount": least, "currency": invoice["currency"], "line": line["line_id"], "paid": False, "memo": "m",
             "price": None}  # fmt: skip
    return Deed("credit", "invoice", invoice["invoice_id"], about)


def _more(verb: str) -> Callable[[Books, int], Deed]:
    """Something more on a draft, or with the next invoice."""

    def made(books: Books, number: int) -> Deed:
        line = books.line("draft")
        invoice = line["invoice"]
        about = {"amount": str(Decimal(number + 1)), "currency": invoice["currency"], "item": line["item_id"],
                 "customer": invoice["customer_id"], "subscription": line["subscription_id"],
                 "price": line["price_id"], "start": "2026-10-15T00:00:00+00:00", "memo": "m",
                 "end": "2026-11-15T00:00:00+00:00"}  # fmt: skip
        id = invoice["customer_id"] if verb == "charge_next" else invoice["invoice_id"]
        return Deed(verb, "customer" if verb == "charge_next" else "invoice", id, about)

    return made


def _event(books: Books, number: int) -> Deed:
    """The ids of actions begin at one, in the order in which they are laid."""
    return Deed("ingest", "usage_event", f"trueup-{number + 1}-0", EVENT)


KINDS: Mapping[str, tuple[str, ...]] = {
    "chargebee": ("credit", "add", "charge_next"),
    "lago": ("credit", "ingest"),
    "openmeter": ("adjust", "charge_next", "ingest"),
    "zuora": ("credit",),
}

PLANS: Mapping[str, Callable[[Books, int], Deed]] = {
    "credit": _credit,
    "add": _more("add"),
    "adjust": _more("adjust"),
    "charge_next": _more("charge_next"),
    "ingest": _event,
}
