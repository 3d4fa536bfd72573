"""Cases of each action at each billing system, made from what that system's peer holds."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from billing.books import BY_NAME
from integrations.http_limits import Pace
from integrations.http_retry import Retry
from integrations.writing import Writes
from remediation.actions.sync_subscription import LIVE as SERVING
from remediation.case import Case
from store.action_tables import Action
from store.operational_tables import Signal, SignalEntity, StoredFinding
from tests.integrations.pulling import pulled
from tests.peers.rows import NOW
from tests.peers.stripe.process import Peer
from tests.peers.vendor import KEY
from tests.remediation.small import ZERO

LIVE = ("active", "trialing")

VENDORS = ("chargebee", "lago", "openmeter", "zuora")
BASES = {"chargebee": "/api/v2", "lago": "/api/v1", "openmeter": "", "zuora": ""}

Rows = Mapping[str, list[dict[str, Any]]]

KEYS = {
    "invoices": "invoice_id",
    "lines": "line_id",
    "subscriptions": "subscription_id",
    "items": "item_id",
    "meters": "meter_id",
    "discounts": "discount_id",
    "prices": "price_id",
}
TABLES = {"lines": "invoice_lines", "items": "subscription_items"}


@dataclass(frozen=True)
class Books:
    """The rows of one billing system, and what it can be asked for."""

    vendor: str
    rows: Rows
    writes: Writes

    def where(self, table: str, fits: Callable[[dict[str, Any]], bool]) -> Iterable[dict[str, Any]]:
        """The rows that fit."""
        return (row for row in self.rows.get(table, []) if fits(row))

    def line(self, status: str, fits: Callable[[dict[str, Any]], bool] = lambda line: True) -> dict[str, Any]:
        """A line of an invoice in a status that fits, with its `invoice`."""
        for row in self.where("invoices", lambda row: row["status"] == status):
            for line in self.where("invoice_lines", lambda line: line["invoice_id"] == row["invoice_id"]):  # noqa: B023
                if line["amount"] > 0 and fits(line):
                    return {**line, "invoice": row}
        raise LookupError(f"{self.vendor} has no such line of a {status} invoice")

    def case(self, code: str, *findings: StoredFinding, entities: Iterable[SignalEntity] = (), **more: Any) -> Case:
        """A case with these findings and affected records over all rows."""
        signal = Signal(id=7, code=code, title="it is wrong", integration=self.vendor, last_seen=NOW, gate="hold",
                        confidence="exact", status="unhandled")  # fmt: skip
        held = {name: {str(row[key]): row for row in self.rows.get(TABLES.get(name, name), [])}
                for name, key in KEYS.items()}  # fmt: skip
        given: dict[str, Any] = {"actions": (), **held, "can": {self.vendor: self.writes.can}, **more}
        return Case(signal, None, findings, tuple(entities), (), **given)


def opened(vendor: str, peer: Peer) -> Any:
    """The integration of a peer, with short waits."""
    settings: dict[str, Any] = {"api_key": KEY, "base_url": f"{peer.url}{BASES[vendor]}", "requests_per_second": 10_000}
    settings |= {"client_id": "client-1", "timezone": "Europe/Berlin"} if vendor == "zuora" else {}
    module = importlib.import_module(f"integrations.{vendor}")
    return module.from_config(vendor, settings, retry=Retry(attempts=2), pace=Pace(sleep=lambda seconds: None))


def books(vendor: str, peer: Peer) -> Books:
    """The peer with a new company, as its integration reads it."""
    peer.control("calm")
    peer.control("afresh")
    peer.load(importlib.import_module(f"tests.peers.{vendor}.sample").company())
    made = opened(vendor, peer)
    rows: dict[str, dict[tuple[object, ...], dict[str, Any]]] = {}
    for page in pulled(made):
        for table, held in page.rows.items():
            empty = dict.fromkeys(column.name for column in BY_NAME[table].columns)
            for row in held:
                rows.setdefault(table, {})[tuple(row.get(name) for name in BY_NAME[table].key)] = {**empty, **row}
    return Books(vendor, {table: list(held.values()) for table, held in rows.items()}, made.writes)


def wrong(line: Mapping[str, Any], over: str = "0", under: str = "0") -> StoredFinding:
    """A finding about a line."""
    return StoredFinding(
        key=f"{line['line_id']}", subject_type="invoice_line", subject_id=line["line_id"], under=Decimal(under),
        over=Decimal(over), exposure=ZERO, currency=line["invoice"]["currency"], evidence={}, period_start=None,
        records=[f"invoice_line:{line['line_id']}", f"invoice:{line['invoice_id']}"],
    )  # fmt: skip


def affected(type: str, id: str, customer: str, **more: Any) -> SignalEntity:
    """An affected record."""
    return SignalEntity(type=type, entity_id=id, role="affected", customer_id=customer, **more)


def _draft(books: Books) -> Case:
    row = next(iter(books.where("invoices", lambda row: row["status"] == "draft" and row.get("auto_advance", True))))
    return books.case("TU-40", entities=[affected("invoice", row["invoice_id"], row["customer_id"])])


def _held(books: Books) -> Case:
    """A draft that an action of the signal holds, which the peer shows."""
    row = next(iter(books.where("invoices", lambda row: row["status"] == "draft")))
    hold = Action(kind="hold_draft", object_id=row["invoice_id"], status="verified", plan={"deeds": []})
    return books.case("TU-40", actions=(hold,))


def _too_much(status: str) -> Callable[[Books], Case]:
    return lambda books: books.case("TU-22", wrong(books.line(status), over="1"))


def _too_little(books: Books) -> Case:
    live = [row["subscription_id"] for row in books.where("subscriptions", lambda row: row["status"] in LIVE)]
    for status in ("paid", "open"):
        try:
            line = books.line(status, lambda line: line["subscription_id"] in live and line["period_start"])
        except LookupError:
            continue
        return books.case("TU-22", wrong(line, under="2"))
    raise LookupError


def _on_draft(books: Books) -> Case:
    return books.case("TU-22", wrong(books.line("draft"), under="2"))


def _nothing_right(books: Books) -> Case:
    row = next(iter(books.where("invoices", lambda row: row["status"] == "open" and not row["amount_paid"])))
    line = {**books.line("open", lambda line: line["invoice_id"] == row["invoice_id"])}
    whole = StoredFinding(key="w", subject_type="invoice", subject_id=row["invoice_id"], under=ZERO, over=row["total"],
                          exposure=ZERO, currency=row["currency"], evidence={},
                          records=[f"invoice:{row['invoice_id']}"])  # fmt: skip
    assert line["invoice_id"] == row["invoice_id"]
    return books.case("TU-42", whole)


def _uncollected(books: Books) -> Case:
    row = next(iter(books.where("invoices", lambda row: row["status"] == "open" and row["amount_due"] > 0)))
    invoices = {row["invoice_id"]: {**row, "next_attempt_at": None}}
    entities = [affected("invoice", row["invoice_id"], row["customer_id"])]
    return books.case("TU-59", entities=entities, invoices=invoices, payable=frozenset({row["customer_id"]}))


def _live(books: Books) -> dict[str, Any]:
    return next(iter(books.where("subscriptions", lambda row: row["status"] in LIVE)))


def _subscription(code: str) -> Callable[[Books], Case]:
    def made(books: Books) -> Case:
        row = _live(books)
        return books.case(code, entities=[affected("subscription", row["subscription_id"], row["customer_id"])])

    return made


def _ended(books: Books) -> Case:
    """A subscription that serves on, of a customer that has no other."""
    rows = list(books.where("subscriptions", lambda row: row["status"] in (*SERVING, "canceled")))
    alone = [row for row in rows if [each["customer_id"] for each in rows].count(row["customer_id"]) == 1]
    row = alone[0]
    return books.case("TU-43", entities=[affected("subscription", row["subscription_id"], row["customer_id"])])


def _seats(books: Books) -> Case:
    live = [row["subscription_id"] for row in books.where("subscriptions", lambda row: row["status"] in LIVE)]
    rows = books.where("subscription_items", lambda row: row["subscription_id"] in live and (row["quantity"] or 0) > 1)
    row = next(each for each in rows if each["active_to"] is None)
    entity = affected("item", row["item_id"], "c", expected=row["quantity"] + 3, actual=row["quantity"])
    return books.case("TU-44", entities=[entity])


def _customer(code: str) -> Callable[[Books], Case]:
    def made(books: Books) -> Case:
        id = _live(books)["customer_id"]
        return books.case(code, entities=[affected("customer", id, id)], payable=frozenset())

    return made


def _refused_event(books: Books) -> Case:
    subscription, meter = _live(books), next(iter(books.where("meters", lambda row: row["aggregation"] == "sum")))
    id = subscription["customer_id"]
    price = next((row for row in books.where("prices", lambda row: row["meter_id"] == meter["meter_id"])), {})
    event = {"event_id": "ev-refused", "event_type": meter["event_type"], "status": "rejected", "value": Decimal("2.5"),
             "subject": _subject(books, id), "properties": {"tokens": 2.5}, "time": NOW - timedelta(days=2),
             "property": meter["value_property"], "price": price.get("price_id")}  # fmt: skip
    return books.case("TU-03", entities=[affected("usage_event", "ev-refused", id)], events={"ev-refused": event})


def _unrecorded(books: Books) -> Case:
    sums = {row["meter_id"]: row for row in books.where("meters", lambda row: row["aggregation"] == "sum")}
    metered = {row["price_id"]: row["meter_id"] for row in books.where("prices", lambda row: row["meter_id"] in sums)}
    live = [row["subscription_id"] for row in books.where("subscriptions", lambda row: row["status"] in LIVE)]
    item = next(iter(books.where(
        "subscription_items", lambda row: row["price_id"] in metered and row["subscription_id"] in live)))  # fmt: skip
    customer = next(row["customer_id"] for row in books.rows["subscriptions"]
                    if row["subscription_id"] == item["subscription_id"])  # fmt: skip
    finding = StoredFinding(
        key="u", subject_type="item", subject_id=item["item_id"], under=ZERO, over=ZERO, exposure=ZERO, records=[],
        period_start=NOW - timedelta(days=20), period_end=NOW + timedelta(days=10),
        evidence={"meter_id": metered[item["price_id"]], "metered": "120", "recorded": "100"},
    )  # fmt: skip
    return books.case("TU-13", finding, subjects={customer: [_subject(books, customer)]})


def _subject(books: Books, customer: str) -> str:
    rows = books.where("subjects", lambda row: row["customer_id"] == customer and row["valid_to"] is None)
    return next((str(row["subject"]) for row in rows), customer)


def _discount(books: Books) -> Case:
    row = next(iter(books.where("discounts", lambda row: row["ends_at"] is None)))
    return books.case("TU-31", entities=[affected("discount", row["discount_id"], row["customer_id"])])


CASES: Mapping[str, Callable[[Books], Case]] = {
    "hold_draft": _draft,
    "release_draft": _held,
    "correct_draft": _on_draft,
    "void_invoice": _nothing_right,
    "retry_payment": _uncollected,
    "charge_next_invoice": _too_little,
    "credit_note": _too_much("open"),
    "pause_collection": _subscription("TU-42"),
    "sync_subscription": _ended,
    "correct_quantity": _seats,
    "request_payment_method": _customer("TU-60"),
    "request_tax_id": _customer("TU-62"),
    "resend_usage": _refused_event,
    "correct_usage": _unrecorded,
    "end_discount": _discount,
}
"""A case of each action that some system beside Stripe can do."""
