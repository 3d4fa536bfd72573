"""The books, read: records and what hangs on them, how an amount comes about, usage, bill runs, drafts at the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from flask import Response, request
from pydantic import Field

from detector import inbox, shares, usage_budget, usage_labels
from detector.detail import amount
from detector.explain import UnknownLineError, explain
from detector.explain_invoice import explain_invoice
from detector.other_terms import other_terms
from detector.price_settings import BadSettingError
from detector.what_if import what_if
from remediation import gate
from remediation.scoreboard import scoreboard, scoreboard_json
from store import operational
from web import data, evidence, freshness, lookups, places, records, run_invoices, scores, terms, usage, usage_events
from web import unusual as unusual_page
from web.api import answers
from web.api.answers import Answer
from web.api.operations import Asked, Operation, operation, query
from web.api.queries import GateQuery, Limit, Many, one_of
from web.bill_runs import drafts_page
from web.console import console, now
from web.problems import Refused, answer

Row = Annotated[dict[str, Any], Field(description="As docs/books.md has its table; decimals are strings.")]
Next = Annotated[str | None, Field(description="The `after` of the next page; null at the end.")]
After = Annotated[str, Field(max_length=300, description="The `next` of the page before.")]
TYPES = (*lookups.TABLES,)


class Records(Answer):
    """A record, of every integration that has the id, and the signals that name it."""

    records: list[Row]
    open: Annotated[int, Field(description="How many open signals name it.")]
    signals: Annotated[list[answers.Label], Field(description="The first of them.")]


class Customer(Answer):
    """A customer with what hangs on them; `money`: what open signals say, by currency."""

    record: Row
    subscriptions: list[Row]
    invoices: list[Row]
    credits: list[Row]
    money: list[answers.Money]
    next: Next


class Subscription(Answer):
    """A subscription with its items and their terms, what was changed, and its invoices."""

    record: Row
    items: list[Row]
    changes: list[Row]
    invoices: list[Row]
    next: Next


class Invoice(Answer):
    """An invoice with its lines, payments and credit notes, and how its draft stands at the gate."""

    record: Row
    lines: list[Row]
    payments: list[Row]
    credit_notes: list[Row]
    gate: answers.Draft | None
    money: list[answers.Money]


class Usage(Answer):
    """The usage of an item by day, and its events page by page."""

    item: Row
    days: list[Row]
    counts: dict[str, int]
    events: list[Row]
    next: Next


class BillRuns(Answer):
    """A page of bill runs, the newest first, each with how many invoices it made and how many are drafts."""

    bill_runs: list[Row]
    next: Next


class Drafts(Answer):
    """Drafts at the gate, what is blocked first; how many there are of each state."""

    counts: dict[str, int]
    drafts: list[answers.Draft]
    next: Next


class Tables(Answer):
    """The tables of the books, and the snapshot that is the newest."""

    snapshot: int
    tables: list[Row]


class Differences(Answer):
    """What was expected and billed for each line that the signal names as wrong, step by step and tier by tier."""

    lines: Annotated[list[dict[str, Any]], Field(description="Each as `trueup explain LINE --json` prints it.")]
    of: Annotated[int, Field(description="How many lines the signal names; the first are worked out.")]


class AtBudget(Answer):
    """One budget of false alarms: from which score series are told, how many, how many of clean usage, and labels."""

    budget: float
    least: float
    told: int
    clean: float
    faults: int
    others: int


class Unusual(Answer):
    """What each budget of unusual usage comes to over the last months of the series."""

    series_months: float
    budgets: list[AtBudget]


class RecordQuery(Asked):
    """Whose record is meant, where several integrations have one of that id, and from where on its invoices are."""

    integration: str = ""
    after: After = ""


class ExplanationQuery(Asked):
    """`set`: other terms for a line, as NAME=VALUE; what `trueup explain --set` takes."""

    integration: str = ""
    set: Many


class DifferencesQuery(Asked):
    """How many lines are worked out."""

    most: Annotated[int, Field(ge=1, le=20)] = 3


class UsageQuery(Asked):
    """Of which item (or subscription and meter), of which days, and which events."""

    item: str = ""
    sub: str = ""
    meter: str = ""
    integration: str | None = None
    start: Annotated[str, Field(alias="from", pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
    end: Annotated[str, Field(alias="to", pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
    show: Annotated[str, one_of(usage_events.KINDS)] = "all"
    after: After = ""


class PageQuery(Asked):
    """From where on."""

    after: After = ""


class DraftsQuery(Asked):
    """Drafts of which state, and from where on."""

    state: Annotated[str, one_of(["", *gate.STATES])] = ""
    after: After = ""
    limit: Limit = 50


class ScoreQuery(Asked):
    """How many days back."""

    days: Annotated[str, one_of(scores.SPANS)] = scores.USUAL


@operation("/records/<type>/<path:id>", Operation("Show a record", "Any record, by its type and id.", Records))
def record(type: str, id: str) -> Response:
    """One record."""
    if type not in TYPES:
        raise Refused(404, "No such type", f"Records are of the types {', '.join(TYPES)}.")
    with console().books() as books:
        found = lookups.record(books, type, id)
    if not found:
        raise Refused(404, "No such record", f"There is no {type} {id[:80]} in the books.")
    named = records.named_by(entity=id)
    labels = [signal.label for signal in named.first]
    return answer(200, {"records": _rows(found), "open": named.opened, "signals": labels})


@operation("/customers/<path:id>", Operation("Show a customer", "And what hangs on them.", Customer, query=RecordQuery))
def customer(id: str) -> Response:
    """One customer."""
    query(RecordQuery, request.args)
    with console().books() as books:
        row, _ = records.one(books, "customer", id)
        invoices, following = lookups.invoices_of(books, "customer_id", id, places.wanted())
        told = {
            "record": _row(row),
            "subscriptions": _rows(lookups.subscriptions_of(books, id)),
            "invoices": _rows(invoices),
            "credits": _rows(lookups.credits_of(books, id)),
            "next": following,
        }
    with operational.reading(console().engine) as session:
        return answer(200, {**told, "money": _money(shares.by_currency(shares.of_customer(session, id)))})


@operation(
    "/subscriptions/<path:id>",
    Operation("Show a subscription", "And what hangs on it.", Subscription, query=RecordQuery),
)
def subscription(id: str) -> Response:
    """One subscription."""
    query(RecordQuery, request.args)
    with console().books() as books:
        row, _ = records.one(books, "subscription", id)
        invoices, following = lookups.invoices_of(books, "subscription_id", id, places.wanted())
        told = {
            "record": _row(row),
            "items": _rows(terms.items_of(books, row)),
            "changes": _rows(terms.moves_of(books, row)),
            "invoices": _rows(invoices),
            "next": following,
        }
    return answer(200, told)


@operation("/invoices/<path:id>", Operation("Show an invoice", "And what hangs on it.", Invoice, query=RecordQuery))
def invoice(id: str) -> Response:
    """One invoice."""
    query(RecordQuery, request.args)
    with console().books() as books:
        row, _ = records.one(books, "invoice", id)
        told = {
            "record": _row(row),
            "lines": _rows(lookups.lines_of(books, id, row["integration"])),
            "payments": _rows(lookups.payments_of(books, id)),
            "credit_notes": _rows(lookups.notes_of(books, id)),
        }
    late = freshness.behind()
    with operational.reading(console().engine) as session:
        drafts = gate.of_draft(session, row, late, now())
        money = _money(shares.on_all(session, [id])[0])
        return answer(200, {**told, "gate": drafts.as_json() if drafts else None, "money": money})


@operation(
    "/invoices/<path:id>/explanation",
    Operation(
        "Explain an invoice",
        "What its lines and sums should be, as `trueup explain --json` prints it.",
        dict[str, Any],
        query=GateQuery,
    ),
)
def invoice_explanation(id: str) -> Response:
    """How an invoice comes about."""
    query(GateQuery, request.args)
    with console().books() as books:
        row, _ = records.one(books, "invoice", id)
        found = explain_invoice(books, id, now(), row["integration"], console().warehouse.dialects)
        return answer(200, found.as_json())


@operation(
    "/lines/<path:id>/explanation",
    Operation(
        "Explain a line",
        "How the expected amount of an invoice line comes about, also under other terms; nothing is changed.",
        dict[str, Any],
        query=ExplanationQuery,
    ),
)
def line_explanation(id: str) -> Response:
    """How a line's amount comes about."""
    asked = query(ExplanationQuery, request.args)
    dialects = console().warehouse.dialects
    with console().books() as books:
        row, _ = records.one(books, "invoice_line", id)
        if not asked.set:
            return answer(200, explain(books, id, now(), row["integration"], dialects).as_json())
        try:
            pairs = dict(pair.split("=", 1) for pair in asked.set)
            return answer(200, what_if(books, id, now(), other_terms(pairs), row["integration"], dialects).as_json())
        except (BadSettingError, ValueError) as reason:
            raise Refused(400, "Terms that cannot be used", f"/set: {reason}") from None


@operation(
    "/signals/<label>/diff",
    Operation(
        "Explain a signal",
        "Each line that is wrong: expected beside billed, tier by tier.",
        Differences,
        query=DifferencesQuery,
    ),
)
def signal_diff(label: str) -> Response:
    """Expected beside billed."""
    asked = query(DifferencesQuery, request.args)
    with operational.reading(console().engine) as session:
        number = inbox.number(label)
        detail = inbox.signal(session, number) if number is not None else None
        if detail is None:
            raise Refused(404, "No such signal", f"There is no signal {label[:40]}; GET /api/v1/signals lists them.")
        lines = dict.fromkeys(filter(None, (evidence.line_of(session, found) for found in detail.findings)))
    told: list[dict[str, Any]] = []
    with console().books() as books:
        for line in list(lines)[: asked.most]:
            with suppress(UnknownLineError):
                found = explain(books, line, detail.run.as_of, detail.signal.integration, console().warehouse.dialects)
                told.append(found.as_json())
    return answer(200, {"lines": told, "of": len(lines)})


@operation("/usage", Operation("Show usage", "The usage of an item by day, and its events.", Usage, query=UsageQuery,
                               refuses={404: "There is no such item."}))  # fmt: skip
def usage_of_item() -> Response:
    """An item's usage."""
    asked = query(UsageQuery, request.args)
    start, end, item_of = usage.asked()
    with console().books() as books:
        item = item_of(books)
        events = usage_events.events_of(books, item, lookups.billed(books, item["item_id"]), start, end)
        listed, following = events.page(asked.show, places.wanted())
        told = {
            "item": _row(item),
            "days": _rows(events.by_day()),
            "counts": dict(events.counts()),
            "events": _rows(listed),
            "next": following,
        }
    return answer(200, told)


@operation("/bill-runs", Operation("List bill runs", "The newest first.", BillRuns, query=PageQuery))
def bill_runs() -> Response:
    """The bill runs."""
    query(PageQuery, request.args)
    with console().books() as books:
        found, following = run_invoices.runs(books, places.wanted())
    return answer(200, {"bill_runs": _rows(found), "next": following})


@operation(
    "/drafts",
    Operation("List drafts at the gate", "As `trueup gate --json` prints them: what is held, blocked or warned about, "
              "and why.", Drafts, query=DraftsQuery),
)  # fmt: skip
def drafts() -> Response:
    """The drafts, what is blocked first; why is worked out for those of the page alone."""
    asked = query(DraftsQuery, request.args)
    counts, shown, following = drafts_page(asked.state, asked.after, asked.limit)
    return answer(200, {"counts": counts, "drafts": [each.as_json() for each in shown], "next": following})


@operation("/data", Operation("Show the books", "How many rows each table has, and how fresh they are.", Tables))
def tables() -> Response:
    """The tables of the books."""
    with console().books() as books:
        found = [{"name": each.name, "rows": each.rows, "fresh": _plain(each.fresh)} for each in data.tables(books)]
    return answer(200, {"snapshot": console().warehouse.snapshot(), "tables": found})


@operation(
    "/scoreboard",
    Operation("Read the scoreboard", "What was caught in time and what was not, as `trueup scoreboard --json`.",
              dict[str, Any], query=ScoreQuery),
)  # fmt: skip
def score() -> Response:
    """The scoreboard."""
    asked = query(ScoreQuery, request.args)
    since, until = scores.span(asked.days)
    with operational.reading(console().engine) as session:
        return answer(200, scoreboard_json(session, scoreboard(session, since, until)))


@operation("/unusual", Operation("Show the budget of unusual usage", "What each budget comes to.", Unusual))
def unusual() -> Response:
    """What each budget comes to."""
    with operational.reading(console().engine) as session:
        learned = usage_labels.learned(session, now())
    found = unusual_page.standing_now(learned)
    budgets = [vars(each) for each in usage_budget.at_budgets(found, learned)]
    return answer(200, {"series_months": found.months, "budgets": budgets})


def _money(found: Sequence[shares.Sums]) -> list[dict[str, Any]]:
    return [
        {"currency": each.currency}
        | {kind: amount(getattr(each, kind), each.currency) for kind in ("under", "over", "exposure")}
        for each in found
    ]


def _rows(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_row(each) for each in found]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the books as JSON: decimals exact, instants RFC 3339 in UTC."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else str(value)
