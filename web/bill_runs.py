"""The bill runs and one of them: what the gate says of its drafts, what blocks it, its money beside the last run's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from heapq import nsmallest
from typing import Any

from duckdb import DuckDBPyConnection
from flask import Blueprint, request
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from detector import shares
from detector.freshness import stale
from detector.shares import Sums
from remediation import gate
from store import operational
from store.operational_tables import Signal
from web import places, run_invoices
from web.console import console, now
from web.moments import with_zone
from web.pages import show
from web.records import named_by, one

pages = Blueprint("bill_runs", __name__)

BLOCKING = 50
"""Signals that a page names; the inbox lists all that are blocking in the run."""

GATE: Mapping[str, tuple[str, ...]] = {
    "pass": ("passed", "corrected", "released"),
    "warn": ("warned",),
    "hold": ("blocked", "held"),
}
"""What the gate says of a draft in one word, and the states behind each (states.md B1)."""


@dataclass(frozen=True)
class Compared:
    """The invoices of a run in one currency: how many and how much, and of the run before it."""

    currency: str
    invoices: int
    total: Decimal
    before: Decimal | None


@pages.get("/bill-runs")
def listed() -> tuple[str, int]:
    """Every bill run, the newest first."""
    with console().books() as books:
        runs, following = run_invoices.runs(books, places.wanted())
    return show("bill_runs.html", runs=runs, following=following)


@pages.get("/bill-runs/<path:id>")
def shown(id: str) -> tuple[str, int]:
    """The page of a bill run; `state` narrows its invoices, `after` says which page of them."""
    state = request.args.get("state", "")
    with console().books() as books:
        row, others = one(books, "bill_run", id)
        invoices, following = run_invoices.invoices(books, row, state, places.wanted())
        drafts = [with_zone(draft) for draft in run_invoices.drafts(books, row)]
        by_state = run_invoices.by_state(books, row)
        compared = _compared(books, row)
        ids = run_invoices.ids(books, row)
    with operational.reading(console().engine) as session:
        behind = stale(session, console().limits, now())
        stands, keeps = gate.stands(session, drafts, behind, now())
        money, at_risk = shares.on_all(session, ids)
        listed = shares.on_each(session, [invoice["invoice_id"] for invoice in invoices])
        return show(
            "bill_run.html",
            row=row,
            others=others,
            gate=counted(stands),
            states={draft.invoice: draft.state for draft in stands},
            blocking=_blocking(session, keeps, at_risk),
            blocked_by=len(keeps),
            first_final=min((draft.finalizes_at for draft in stands if draft.finalizes_at), default=None),
            money=money,
            by_state=by_state,
            state=state,
            compared=compared,
            invoices=invoices,
            following=following,
            said=_said(listed),
            named=named_by(entity=id),
        )


def at_the_gate(id: str) -> tuple[dict[str, Any], list[gate.Draft]]:
    """A bill run's row, and how its drafts stand by what is known now. Answers 404 when the books have none."""
    with console().books() as books:
        row, _ = one(books, "bill_run", id)
        drafts = [with_zone(draft) for draft in run_invoices.drafts(books, row)]
    with operational.reading(console().engine) as session:
        found = gate.standing(session, drafts, stale(session, console().limits, now()), now())
        session.expunge_all()
    return row, found


def drafts_page(state: str, after: str, limit: int) -> tuple[dict[str, int], list[gate.Draft], str | None]:
    """How many drafts of the books are in each state; some of those of one state (all where it is empty) after one of
    them, what is blocked first, with why they stand so; and after which one the next page starts.
    """
    with console().books() as books:
        rows = {(row["integration"], row["invoice_id"]): with_zone(row) for row in run_invoices.every_draft(books)}
    with operational.reading(console().engine) as session:
        behind = stale(session, console().limits, now())
        stands, _ = gate.stands(session, rows.values(), behind, now())
        wanted = [each for each in stands if state in ("", each.state)]
        ids = [each.invoice for each in wanted]
        begin = ids.index(after) + 1 if after in ids else 0
        page = [rows[each.integration, each.invoice] for each in wanted[begin : begin + limit]]
        shown = gate.standing(session, page, behind, now())
        session.expunge_all()
    counts = Counter(each.state for each in stands)
    following = shown[-1].invoice if begin + limit < len(wanted) else None
    return {state: counts[state] for state in gate.STATES}, shown, following


def counted(stands: Iterable[gate.Stand | gate.Draft]) -> dict[str, int]:
    """How many drafts pass, are warned about and are kept back."""
    counted = Counter(draft.state for draft in stands)
    return {word: sum(counted[state] for state in states) for word, states in GATE.items()}


def _blocking(
    session: Session, keeps: Mapping[int, int], at_risk: Mapping[int, Sequence[tuple[str, Decimal]]]
) -> list[tuple[Signal, int, Sequence[tuple[str, Decimal]]]]:
    """Of the signals that keep drafts of the run back those with most money on its invoices: each with how many drafts,
    and that money by currency.
    """
    weight = console().weight
    worth = {number: sum([weight(*each) for each in at_risk.get(number, ())], Decimal(0)) for number in keeps}
    heaviest = nsmallest(BLOCKING, keeps, key=lambda number: (-worth[number], number))
    query = select(Signal).where(Signal.id.in_(heaviest)).options(selectinload(Signal.impacts))
    signals = {signal.id: signal for signal in session.scalars(query)}
    return [(signals[number], keeps[number], at_risk.get(number, ())) for number in heaviest if number in signals]


def _said(listed: Mapping[tuple[int, str], Sequence[Sums]]) -> Mapping[tuple[str, str], tuple[Decimal, list[int]]]:
    """By currency and invoice what is at risk there, and the signals that say so."""
    found: dict[tuple[str, str], tuple[Decimal, list[int]]] = {}
    for (signal, invoice), each in ((key, each) for key, sums in listed.items() for each in sums):
        at_risk, signals = found.get((each.currency, invoice), (Decimal(0), []))
        found[each.currency, invoice] = (at_risk + each.at_risk, [*signals, signal])
    return found


def _compared(books: DuckDBPyConnection, row: Mapping[str, Any]) -> list[Compared]:
    """The run's money by currency beside that of the run before it."""
    previous = run_invoices.previous(books, row)
    before = {one["currency"]: one["total"] for one in run_invoices.totals(books, previous)} if previous else {}
    return [
        Compared(one["currency"], one["invoices"], one["total"], before.get(one["currency"]))
        for one in run_invoices.totals(books, row)
    ]
