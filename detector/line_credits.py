"""Credit notes on one invoice line, shared out as detector/derived/52_credit_shares.sql does for all lines.

A note for a line is that line's. A note for the whole invoice falls on the lines that charge too much (more than
expected, twice, or after the end of service), each up to what it charges too much, in the order of their ids; one that
covers the invoice falls on all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from detector.invoice_records import credit_notes
from detector.line_rating import Expected, expected_lines
from detector.line_records import Line
from detector.line_terms import Around, Terms

_NOTHING = Decimal(0)


def credited(around: Around, expected: Expected) -> Decimal:
    """What credit notes take back of the line, in major units; 0 where there are none."""
    line = expected.line
    notes = _notes(around)
    if None not in notes:
        return notes.get(line.line_id, _NOTHING)
    invoice = around.invoice
    whole = notes[None] >= line.invoice_total
    rated = [Expected(each) for each in invoice.lines] if whole else expected_lines(invoice, invoice.lines)
    return _credits(invoice, rated, notes)[line.line_id]


def credits_of(around: Around, rated: Sequence[Expected]) -> dict[str, Decimal]:
    """What credit notes take back of each line of an invoice, by line id; `rated` are all of its lines."""
    return _credits(around, rated, _notes(around)) if rated else {}


def _notes(around: Around) -> dict[str | None, Decimal]:
    """The credit notes of the invoice by the line that they name; under None those that name none."""
    notes: dict[str | None, Decimal] = {}
    for row in credit_notes(around.books, around.lines[0]):
        notes[row["line_id"]] = notes.get(row["line_id"], _NOTHING) + row["amount"]
    return notes


def _credits(around: Around, rated: Sequence[Expected], notes: Mapping[str | None, Decimal]) -> dict[str, Decimal]:
    """Each line's own notes, and its share of those for the whole invoice."""
    credits: dict[str, Decimal] = {}
    left = pool = notes.get(None, _NOTHING)
    for each in sorted(rated, key=lambda expected: expected.line.line_id):
        line, own = each.line, notes.get(each.line.line_id, _NOTHING)
        excess = _NOTHING
        if pool:
            rest = line.amount - line.discount_amount - own
            due = None if pool >= line.invoice_total else _due(around, each)
            excess = max(rest if due is None else min(rest - due, rest), _NOTHING)
        credits[line.line_id] = own + max(min(excess, left), _NOTHING)
        left -= excess
    return credits


def _due(around: Around, expected: Expected) -> Decimal | None:
    """What a line should charge: nothing after the end of service or a second time; None where nobody knows."""
    line, basis = expected.line, expected.basis
    if basis is None or line.period is None:
        return None
    if basis.terms.service_end and line.period.start >= basis.terms.service_end:
        return _NOTHING
    if line.kind in ("usage", "recurring") and not line.proration:
        first = _first_for_period(around, line, basis.terms)
        if first and first.line_id != line.line_id:
            return _NOTHING
    return expected.net if line.kind in ("usage", "recurring") else None


def _first_for_period(around: Around, line: Line, terms: Terms) -> Line | None:
    """The item's first line of the kind for the period that charges all of it."""
    alike = (
        each
        for each in around.billed(terms)
        if (each.kind, each.period, each.proration) == (line.kind, line.period, False)
    )
    return next(alike, None)
