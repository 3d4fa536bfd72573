"""What a finding's evidence says, made ready for its page: the sentence and the match at once, the rest when asked.

The sentence and the four numbers stand in the operational store. The working of the amount and the chart are read
from the books, which costs some tenths of a second the first time and nothing while the books stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import duckdb
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.periods import Period
from detector import usage_labels
from detector.detail import SignalDetail
from detector.explain import Explanation, UnknownLineError, explain
from detector.rule_format import Page
from store.operational_tables import SignalEntity, StoredFinding
from web import expected, lookups, rule_charts
from web.charts import Chart
from web.console import console
from web.figures import quantity
from web.match import Match, match, numbers
from web.story import why
from web.timeline import Timeline
from web.usage_chart import Billed, Step, compare_chart, cumulative_chart, daily_chart
from web.words import units
from web.working import WorkingTable, working

SPIKE_HISTORY = timedelta(weeks=8)


@dataclass(frozen=True)
class Evidence:
    """What the operational store says about a finding."""

    why: Markup
    match: Match | None


@dataclass(frozen=True)
class Worked:
    """What the books say about it: how the amount comes about, and the chart that fits the rule."""

    working: WorkingTable | None
    chart: Chart | Timeline | None

    @property
    def has_lanes(self) -> bool:
        """Whether the chart is one of spans of time."""
        return isinstance(self.chart, Timeline)


def evidence(detail: SignalDetail, found: StoredFinding, page: Page) -> Evidence:
    """The sentence and the four numbers of one finding; `page` is what its rule says of them."""
    unit = units(found.evidence.get("unit"))
    stated = numbers(found.evidence, found.currency, unit)
    matched = match(stated, detail.signal.category, page) if stated.any else None
    return Evidence(why(page.story, found, unit), matched)


def can_be_worked(code: str, found: StoredFinding) -> bool:
    """Whether the books may have a working or a chart for a finding of the rule with the code."""
    return bool(found.evidence.get("line_id") or found.evidence.get("item_id")) or rule_charts.has_chart(code, found)


def line_of(session: Session, found: StoredFinding) -> str | None:
    """The invoice line that the finding is about: the one it names, else the first of its records."""
    named = found.evidence.get("line_id")
    if named:
        return str(named)
    mine = select(SignalEntity.entity_id).where(SignalEntity.finding_id == found.id)
    return session.scalar(mine.where(SignalEntity.type == "invoice_line").order_by(SignalEntity.position).limit(1))


def held(found: StoredFinding) -> Worked | None:
    """What was worked out before on the books as they are."""
    return cast(Worked | None, console().shelf.get(_key(found)))


def worked(session: Session, detail: SignalDetail, found: StoredFinding) -> Worked:
    """The working and the chart of one finding, read from the books as known when its run looked."""
    known = held(found)
    if known is not None:
        return known
    with console().books() as books:
        explanation = _explanation(books, detail, line_of(session, found))
        result = Worked(_working(explanation), _chart(books, session, detail, found, explanation))
    console().shelf.put(_key(found), result)
    return result


def _key(found: StoredFinding) -> tuple[Any, ...]:
    return found.id, found.digest, console().warehouse.snapshot()


def _explanation(books: duckdb.DuckDBPyConnection, detail: SignalDetail, line: str | None) -> Explanation | None:
    if line is None:
        return None
    try:
        return explain(books, line, detail.run.as_of, detail.signal.integration, console().warehouse.dialects)
    except UnknownLineError:
        return None


def _working(explanation: Explanation | None) -> WorkingTable | None:
    """How the amount comes about; nothing where the line is as it should be and something else is wrong."""
    return working(explanation) if explanation and explanation.difference else None


def _chart(
    books: duckdb.DuckDBPyConnection,
    session: Session,
    detail: SignalDetail,
    found: StoredFinding,
    explanation: Explanation | None,
) -> Chart | Timeline | None:
    """The chart that fits the rule; where that has nothing to draw, expected and billed period by period."""
    kind = rule_charts.KINDS.get(detail.signal.code)
    named = found.evidence.get("item_id") or (explanation.line.item_id if explanation else None)
    item = lookups.item(books, str(named)) if named else None
    chart: Chart | Timeline | None = None
    if item is not None and usage_labels.is_of_hours(found):
        chart = expected.hours_chart(books, found, item)
    elif item is not None and usage_labels.can_be_labelled(found):
        chart = expected.signal_chart(session, found, units(item["unit"]), detail.run.as_of)
    elif kind == rule_charts.INVOICE and found.evidence.get("invoice_id"):
        dialects = console().warehouse.dialects
        chart = rule_charts.stacked_chart(books, found, detail.signal.integration, detail.run.as_of, dialects)
    elif kind == rule_charts.LEDGER and found.evidence.get("customer_id"):
        chart = rule_charts.credit_chart(books, session, found)
    elif kind == rule_charts.PERIODS:
        chart = rule_charts.periods_chart(books, session, detail, found, str(named or ""))
    elif item is not None:
        chart = _item_chart(kind, books, detail, found, explanation, item)
    return chart or (_period_chart(books, detail, found, item) if item else None)


def _item_chart(
    kind: str | None,
    books: duckdb.DuckDBPyConnection,
    detail: SignalDetail,
    found: StoredFinding,
    explanation: Explanation | None,
    item: lookups.Row,
) -> Chart | None:
    """The chart of a rule that is about one item: units against tier bounds, its usage, what a unit of it costs."""
    if kind == rule_charts.TIERS and explanation and item["aggregation"] in ("sum", "count", "max"):
        return _tier_chart(books, item, explanation)
    if kind == rule_charts.SPIKE and found.period_start and found.period_end:
        return _spike_chart(books, item, found.period_start, found.period_end, found)
    return rule_charts.price_chart(books, detail, item) if kind == rule_charts.PRICE else None


def _tier_chart(books: duckdb.DuckDBPyConnection, item: lookups.Row, explanation: Explanation) -> Chart | None:
    basis, line = explanation.expectation.basis, explanation.line
    span: Period | None = line.period
    if basis is None or span is None:
        return None
    used = {row["day"]: row["quantity"] for row in lookups.daily(books, item, span.start, span.end)}
    tiers = [
        Step(tier.up_to, f"{quantity(tier.unit_amount or 0)} {line.currency} each") for tier in basis.price.price.tiers
    ]
    last = (span.end - timedelta(microseconds=1)).date() + timedelta(days=1)
    if not used:
        return None
    highest = item["aggregation"] == "max"
    return cumulative_chart(used, span.start.date(), last, units(item["unit"]), tiers, highest=highest)


def _spike_chart(
    books: duckdb.DuckDBPyConnection, item: lookups.Row, start: datetime, end: datetime, found: StoredFinding
) -> Chart | None:
    """Usage of the eight weeks before and of the spike; days above twice the usual stand out."""
    first = start - SPIKE_HISTORY
    used = {row["day"]: row["quantity"] for row in lookups.daily(books, item, first, end)}
    said = found.evidence
    days, usual = int(said.get("days") or 1), said.get("usual")
    middle = (Decimal(str(usual)) / days).quantize(Decimal(1)) if usual is not None else None
    since = datetime.fromisoformat(said["first_day"]).date() if said.get("first_day") else start.date()
    marked = [day for day, value in used.items() if middle is not None and value > 2 * middle and day >= since]
    return daily_chart(used, first.date(), end.date(), units(item["unit"]), marked, middle) if used else None


def _period_chart(
    books: duckdb.DuckDBPyConnection, detail: SignalDetail, found: StoredFinding, item: lookups.Row
) -> Chart | None:
    """The item's last periods: as billed, and as expected where a finding says so; a period never billed is a gap."""
    sums: dict[datetime, Decimal] = {}
    for line in lookups.billed(books, item["item_id"]):
        if line["period_start"] and line["status"] != "void" and line["kind"] in ("usage", "recurring", "adjustment"):
            start = line["period_start"].replace(tzinfo=UTC)
            sums[start] = sums.get(start, Decimal(0)) + line["amount"]
    due = _expected(detail, item["item_id"])
    starts = sorted({*sums, *due})[-12:]
    periods = [Billed(f"{at.day} {at:%b %Y}", due.get(at, sums.get(at, Decimal(0))), sums.get(at)) for at in starts]
    return compare_chart(periods, found.currency) if len(periods) > 1 and found.currency else None


def _expected(detail: SignalDetail, item_id: str) -> dict[datetime, Decimal]:
    """What the signal's findings expect of an item, by the start of the period."""
    return {
        one.period_start: Decimal(str(one.evidence["expected"]))
        for one in detail.findings
        if one.period_start and one.evidence.get("item_id") == item_id and one.evidence.get("expected") is not None
    }
