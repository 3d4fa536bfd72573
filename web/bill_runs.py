"""The bill runs and one of them: what the gate says of its drafts, what blocks it, its money beside the last run's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
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
        standing = gate.standing(session, drafts, behind, now(), with_money=False)
        found = shares.of_invoices(session, ids)
        count, blocking = _blocking(session, standing, found)
        return show(
            "bill_run.html",
            row=row,
            others=others,
            gate=counted(standing),
            states={draft.invoice: draft.state for draft in standing},
            blocking=blocking,
            blocked_by=count,
            first_final=min((draft.finalizes_at for draft in standing if draft.finalizes_at), default=None),
            money=shares.by_currency(found),
            by_state=by_state,
            state=state,
            compared=compared,
            invoices=invoices,
            following=following,
            said=shares.by_invoice(found),
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


def drafts_of_all() -> list[gate.Draft]:
    """How every draft of the books stands, what is blocked first."""
    with console().books() as books:
        drafts = [with_zone(draft) for draft in run_invoices.every_draft(books)]
    with operational.reading(console().engine) as session:
        found = gate.standing(session, drafts, stale(session, console().limits, now()), now())
        session.expunge_all()
    return found


def counted(standing: Sequence[gate.Draft]) -> dict[str, int]:
    """How many drafts pass, are warned about and are kept back."""
    counted = Counter(draft.state for draft in standing)
    return {word: sum(counted[state] for state in states) for word, states in GATE.items()}


def _blocking(
    session: Session, standing: Sequence[gate.Draft], found: Sequence[shares.Share]
) -> tuple[int, list[tuple[Signal, int, list[Sums]]]]:
    """How many signals keep drafts of the run back; those with most money on its invoices: how many drafts each, and
    that money.
    """
    labels = Counter(
        reason.signal for draft in standing for reason in draft.reasons if reason.does == "hold" and reason.signal
    )
    drafts = {int(label.removeprefix("SIG-")): count for label, count in labels.items()}
    own: dict[int, list[shares.Share]] = {}
    for share in found:
        own.setdefault(share.signal, []).append(share)
    heaviest = sorted(drafts, key=lambda number: (-_weight(own.get(number, ())), number))[:BLOCKING]
    query = select(Signal).where(Signal.id.in_(heaviest)).options(selectinload(Signal.impacts))
    signals = {signal.id: signal for signal in session.scalars(query)}
    return len(drafts), [
        (signals[number], drafts[number], shares.by_currency(own.get(number, ())))
        for number in heaviest
        if number in signals
    ]


def _weight(found: Sequence[shares.Share]) -> Decimal:
    """The money of shares for ordering across currencies."""
    return sum((console().weight(each.currency, each.under + each.over + each.exposure) for each in found), Decimal(0))


def _compared(books: DuckDBPyConnection, row: Mapping[str, Any]) -> list[Compared]:
    """The run's money by currency beside that of the run before it."""
    previous = run_invoices.previous(books, row)
    before = {one["currency"]: one["total"] for one in run_invoices.totals(books, previous)} if previous else {}
    return [
        Compared(one["currency"], one["invoices"], one["total"], before.get(one["currency"]))
        for one in run_invoices.totals(books, row)
    ]
