"""Which chart fits which rule, and what the books say for the charts of prices, periods, invoices and ledgers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.dialects import Dialects
from detector.detail import SignalDetail
from detector.explain_invoice import explain_invoice
from detector.line_records import UnknownRecordError
from store.operational_tables import SignalEntity, StoredFinding
from web import lookups
from web.charts import Chart
from web.console import rows
from web.figures import quantity
from web.moments import aware, day
from web.money_charts import Movement, Part, Rate, invoice_chart, ledger_chart, rate_chart
from web.timeline import Lane, Span, Timeline, timeline

TIERS, PRICE, SPIKE, PERIODS, INVOICE, LEDGER = "tiers", "price", "spike", "periods", "invoice", "ledger"
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("TU-19", "TU-20", "TU-21", "TU-26"), TIERS),
    **dict.fromkeys(("TU-22", "TU-24", "TU-25", "TU-30", "TU-33"), PRICE),
    "TU-06": SPIKE,
    **dict.fromkeys(("TU-35", "TU-38", "TU-40", "TU-41", "TU-42", "TU-43", "TU-45"), PERIODS),
    **dict.fromkeys(("TU-34", "TU-63"), INVOICE),
    **dict.fromkeys(("TU-50", "TU-51", "TU-52", "TU-53", "TU-54", "TU-57"), LEDGER),
}
"""The chart of a rule's signals by its code; every other rule compares expected and billed period by period."""

PERIODS_SHOWN = 12
MOVEMENTS_SHOWN = 24
MOST_ITEMS = 4
LANES = 3
"""Billed periods that overlap lie on lanes of their own, at most so many."""

LEGEND = (("service", "in service"), ("invoice", "billed"), ("wrong", "what the finding is about"))


def has_chart(code: str, found: StoredFinding) -> bool:
    """Whether the books may have a chart for a finding that names neither a line nor an item."""
    said, kind = found.evidence, KINDS.get(code)
    named = {PERIODS: "subscription_id", INVOICE: "invoice_id", LEDGER: "customer_id"}
    return kind in named and bool(said.get(named[kind]))


def price_chart(books: duckdb.DuckDBPyConnection, detail: SignalDetail, item: lookups.Row) -> Chart | None:
    """What a unit of the item was agreed to cost and what it was charged at, over its last periods."""
    agreed = {
        (one.period_start, one.evidence.get("line_id")): one.evidence
        for one in detail.findings
        if one.evidence.get("item_id") == item["item_id"]
    }
    rates = []
    for line in lookups.billed(books, item["item_id"])[:PERIODS_SHOWN]:
        charged = _unit_price(line)
        start = aware(line["period_start"])
        if charged is not None and start is not None and line["kind"] in ("usage", "recurring"):
            said = agreed.get((start, line["line_id"]))
            rates.append(Rate(day(start), _agreed(charged, said) if said else charged, charged))
    flat = item["model"] == "flat"
    per = "period" if flat else "package" if item["model"] == "package" else item["unit"] or "unit"
    return rate_chart(rates[::-1], item["currency"], per) if len(rates) > 1 else None


def _unit_price(line: Mapping[str, Any]) -> Decimal | None:
    """What a unit of the line costs: as it states, else its amount over its quantity, else the whole of a fee."""
    if line["unit_amount"] is not None:
        return Decimal(line["unit_amount"])
    if line["quantity"]:
        return Decimal(line["amount"] / line["quantity"])
    return Decimal(line["amount"]) if line["kind"] == "recurring" else None


def _agreed(charged: Decimal, said: Mapping[str, Any]) -> Decimal:
    """What the finding says that a unit was to cost."""
    if said.get("expected_unit_amount") is not None:
        return Decimal(str(said["expected_unit_amount"]))
    billed, expected = Decimal(str(said.get("billed") or 0)), Decimal(str(said.get("expected") or 0))
    return charged * expected / billed if billed else charged


def periods_chart(
    books: duckdb.DuckDBPyConnection, session: Session, detail: SignalDetail, found: StoredFinding, item_id: str
) -> Timeline | None:
    """When the items were in service and for which periods each was billed, overlaps below each other."""
    items = [item_id] if item_id else _items(books, str(found.evidence.get("subscription_id") or ""))
    wrong = set(_named(session, found, "invoice_line"))
    lanes = [lane for id in items[:MOST_ITEMS] for lane in _lanes(books, id, wrong)]
    starts = [span.start for lane in lanes for span in lane.spans if span.look != "service"]
    if not starts:
        return None
    if found.period_start and not wrong:
        what = Span(found.period_start, found.period_end, found.title, "wrong")
        lanes.append(Lane("not as it should be", (what,)))
    ends = [span.end for lane in lanes for span in lane.spans if span.end and span.look != "service"]
    begin, end = min(starts) - timedelta(days=10), max(ends) + timedelta(days=10)
    note = "A period that overlaps the one before it lies on a line of its own."
    return timeline("Service and billed periods", note, lanes, begin, end, detail.run.as_of, LEGEND)


def _items(books: duckdb.DuckDBPyConnection, subscription: str) -> list[str]:
    query = (
        "SELECT item_id FROM books.subscription_items WHERE subscription_id = ? ORDER BY active_from, item_id LIMIT 20"
    )
    return [row["item_id"] for row in rows(books, query, [subscription])]


def _lanes(books: duckdb.DuckDBPyConnection, item_id: str, wrong: set[str]) -> list[Lane]:
    """One lane for the service of an item, and as many for its billed periods as overlap at one time."""
    item = lookups.item(books, item_id)
    if item is None:
        return []
    lines = [
        line
        for line in lookups.billed(books, item_id)[: PERIODS_SHOWN * 2]
        if line["period_start"] and line["period_end"] and line["status"] != "void"
    ]
    billed: list[list[Span]] = []
    for line in sorted(lines, key=lambda line: (line["period_start"], line["line_id"])):
        span = _billed_span(line, wrong)
        place = next((lane for lane in billed if lane[-1].end is None or lane[-1].end <= span.start), None)
        if place is not None:
            place.append(span)
        elif len(billed) < LANES:
            billed.append([span])
    name = item["price_name"] or item_id
    service = Span(aware(item["active_from"]), aware(item["active_to"]), f"{name} in service", "service")
    return [Lane(name, (service,)), *(Lane("billed" if not place else "billed again", tuple(lane))
                                      for place, lane in enumerate(billed))]  # fmt: skip


def _billed_span(line: Mapping[str, Any], wrong: set[str]) -> Span:
    look = "wrong" if line["line_id"] in wrong else "invoice"
    label = f"{line['number'] or line['invoice_id']}: {quantity(line['amount'])} {line['currency']}"
    return Span(aware(line["period_start"]), aware(line["period_end"]), label, look)


def stacked_chart(
    books: duckdb.DuckDBPyConnection, found: StoredFinding, integration: str, as_of: datetime, dialects: Dialects
) -> Chart | None:
    """The finding's invoice, each line as it should be and as it is, and what its total states beyond them."""
    try:
        explained = explain_invoice(books, str(found.evidence["invoice_id"]), as_of, integration, dialects)
    except UnknownRecordError:
        return None
    total = next((each for each in explained.sums if each.name == "total"), None)
    parts = [
        Part(one.line.description or one.line.line_id, one.numbers.expected, one.numbers.billed + one.credited)
        for one in explained.lines
    ]  # fmt: skip
    if total is None or total.stated is None or not parts:
        return None
    unexplained = total.stated - total.worked_out if total.worked_out is not None else Decimal(0)
    extra = total.stated - unexplained - sum((part.billed for part in parts), Decimal(0))
    return invoice_chart(parts, extra, unexplained, total.stated, explained.invoice.currency)


def credit_chart(books: duckdb.DuckDBPyConnection, session: Session, found: StoredFinding) -> Chart | None:
    """The movements of the customer's ledger around those that the finding names."""
    named = set(_named(session, found, "credit_movement"))
    query = """
        SELECT * FROM books.credit_movements WHERE customer_id = ? AND currency = ? ORDER BY sequence, movement_id"""
    listed = rows(books, query, [found.evidence["customer_id"], found.currency])
    if not listed:
        return None
    shown = _around(listed, named)
    movements = [
        Movement(row["sequence"], row["kind"], row["amount"], row["balance_before"], row["balance_after"],
                 row["booked_at"].replace(tzinfo=UTC), row["movement_id"] in named)
        for row in shown
    ]  # fmt: skip
    return ledger_chart(movements, found.currency or "")


def _around(listed: Sequence[lookups.Row], named: set[str]) -> Sequence[lookups.Row]:
    """So many movements that the last one named is among them, with some of what follows."""
    last = max((place for place, row in enumerate(listed) if row["movement_id"] in named), default=len(listed) - 1)
    end = min(last + MOVEMENTS_SHOWN // 4 + 1, len(listed))
    return listed[max(end - MOVEMENTS_SHOWN, 0) : end]


def _named(session: Session, found: StoredFinding, type: str) -> list[str]:
    """The records of a type that the finding says are wrong."""
    query = select(SignalEntity.entity_id).where(
        SignalEntity.signal_id == found.signal_id,
        SignalEntity.finding_id == found.id,
        SignalEntity.type == type,
        SignalEntity.role != "evidence",
    )
    return list(session.scalars(query))
