"""Credit notes on one invoice line, shared out as detector/derived/52_credit_shares.sql does for all lines.

A note for a line is that line's. A note for the whole invoice falls on the lines that charge too much (more than
expected, twice, or after the end of service), each up to what it charges too much, in the order of their ids; one that
covers the invoice falls on all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from detector.line_rating import Expected, expected_line
from detector.line_records import Books, Line, lines_of_invoice

_NOTES = """
SELECT line_id, sum(amount) AS amount FROM books.credit_notes
WHERE integration = $integration AND invoice_id = $invoice AND status = 'issued' AND created_at <= $as_of
GROUP BY line_id"""

_FIRST_FOR_PERIOD = """
SELECT l.line_id
FROM books.invoice_lines AS l
JOIN books.invoices AS i ON i.integration = l.integration AND i.invoice_id = l.invoice_id
WHERE l.integration = $integration AND l.kind = $kind AND NOT l.proration AND i.status <> 'void'
    AND i.created_at <= $as_of
    AND coalesce(l.period_start, i.period_start) = $start AND coalesce(l.period_end, i.period_end) = $end
    AND (l.item_id = $item OR (
        l.item_id IS NULL AND l.price_id = $price AND coalesce(l.subscription_id, i.subscription_id) = $subscription))
ORDER BY i.created_at, l.line_id
LIMIT 1"""

_NOTHING = Decimal(0)


def credited(books: Books, expected: Expected) -> Decimal:
    """What credit notes take back of the line, in major units; 0 where there are none."""
    line = expected.line
    notes = _notes(books, line)
    if None not in notes:
        return notes.get(line.line_id, _NOTHING)
    lines = lines_of_invoice(books, line)
    whole = notes[None] >= line.invoice_total
    return _credits(books, [Expected(each) if whole else expected_line(books, each) for each in lines], notes)[
        line.line_id
    ]


def credits_of(books: Books, rated: Sequence[Expected]) -> dict[str, Decimal]:
    """What credit notes take back of each line of an invoice, by line id; `rated` are all of its lines."""
    return _credits(books, rated, _notes(books, rated[0].line)) if rated else {}


def _notes(books: Books, line: Line) -> dict[str | None, Decimal]:
    """The credit notes of the line's invoice by the line that they name; under None those that name none."""
    found = books.rows(_NOTES, integration=line.integration, invoice=line.invoice_id)
    return {row["line_id"]: row["amount"] for row in found}


def _credits(books: Books, rated: Sequence[Expected], notes: Mapping[str | None, Decimal]) -> dict[str, Decimal]:
    """Each line's own notes, and its share of those for the whole invoice."""
    credits: dict[str, Decimal] = {}
    left = pool = notes.get(None, _NOTHING)
    for each in sorted(rated, key=lambda expected: expected.line.line_id):
        line, own = each.line, notes.get(each.line.line_id, _NOTHING)
        excess = _NOTHING
        if pool:
            rest = line.amount - line.discount_amount - own
            due = None if pool >= line.invoice_total else _due(books, each)
            excess = max(rest if due is None else min(rest - due, rest), _NOTHING)
        credits[line.line_id] = own + max(min(excess, left), _NOTHING)
        left -= excess
    return credits


def _due(books: Books, expected: Expected) -> Decimal | None:
    """What a line should charge: nothing after the end of service or a second time; None where nobody knows."""
    line, basis = expected.line, expected.basis
    if basis is None or line.period is None:
        return None
    if basis.terms.service_end and line.period.start >= basis.terms.service_end:
        return _NOTHING
    if line.kind in ("usage", "recurring") and not line.proration:
        first = books.rows(
            _FIRST_FOR_PERIOD,
            integration=line.integration,
            kind=line.kind,
            start=line.period.start,
            end=line.period.end,
            item=basis.terms.item_id,
            price=basis.terms.price_id,
            subscription=basis.terms.subscription_id,
        )
        if first and first[0]["line_id"] != line.line_id:
            return _NOTHING
    return expected.net if line.kind in ("usage", "recurring") else None
