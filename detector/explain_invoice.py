"""One invoice explained: every line with the first step at which expected and billed part, then the invoice's own sums.

Reads the records of one invoice only, builds nothing, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb

from billing.dialects import NAMED, Dialects
from billing.money import MINOR_DIGITS
from detector import explain_invoice_text, explain_json
from detector.explain import Explanation, at_one_state, explain_line, explained
from detector.invoice_records import Invoice, LineSums, Notes, find_invoice, invoices_named, notes_of, sums_of
from detector.line_credits import credits_of
from detector.line_rating import expected_lines
from detector.line_records import Books, Line, UnknownRecordError, find_line, lines_named, lines_of_invoice
from detector.line_terms import Around

__all__ = ["InvoiceExplanation", "Sum", "explain_id", "explain_invoice"]

_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Sum:
    """One step of an invoice's own arithmetic: what it states, and what that comes to from what stands above it.

    `stated` None: the invoice has no such number itself; `worked_out` None: nothing in the books to compare with.
    `slack` is what parts of a minor unit on the lines may make of it.
    """

    name: str
    text: str
    stated: Decimal | None
    worked_out: Decimal | None = None
    slack: Decimal = _NOTHING

    @property
    def differs(self) -> bool:
        """Whether the invoice states something else than comes out."""
        if self.stated is None or self.worked_out is None:
            return False
        return abs(self.stated - self.worked_out) > self.slack


@dataclass(frozen=True)
class InvoiceExplanation:
    """An invoice's lines, each explained, and its own arithmetic (rating.md, "Invoice")."""

    invoice: Invoice
    lines: tuple[Explanation, ...]
    sums: tuple[Sum, ...]

    @property
    def under(self) -> Decimal:
        """What the lines bill too little, added up."""
        return sum((max(line.difference or _NOTHING, _NOTHING) for line in self.lines), _NOTHING)

    @property
    def over(self) -> Decimal:
        """What the lines bill too much, added up: never netted against `under`."""
        return sum((max(-(line.difference or _NOTHING), _NOTHING) for line in self.lines), _NOTHING)

    @property
    def unrated(self) -> tuple[Explanation, ...]:
        """The lines without an expected amount."""
        return tuple(line for line in self.lines if line.difference is None)

    @property
    def parts_at(self) -> Sum | None:
        """The first of the invoice's own sums that does not come out; None while it adds up."""
        return next((each for each in self.sums if each.differs), None)

    def as_text(self) -> str:
        """The explanation as plain text."""
        return explain_invoice_text.as_text(self)

    def as_json(self) -> dict[str, Any]:
        """The explanation as JSON values, its lines as `trueup explain LINE --json` has them."""
        return explain_json.invoice_as_json(self)


def explain_id(
    con: duckdb.DuckDBPyConnection,
    id: str,
    as_of: datetime,
    *,
    integration: str | None = None,
    of: str | None = None,
    dialects: Dialects = NAMED,
) -> Explanation | InvoiceExplanation:
    """The explanation of the invoice line or the invoice that has the id; `of` says which of the two is meant.

    Raises UnknownRecordError when neither or both have it, or records of several integrations.
    """
    with at_one_state(con, as_of, dialects) as books:
        if _is_line(books, id, integration, of):
            return explain_line(books, find_line(books, id, integration))
        return _explained(books, find_invoice(books, id, integration))


def explain_invoice(
    con: duckdb.DuckDBPyConnection,
    invoice_id: str,
    as_of: datetime,
    integration: str | None = None,
    dialects: Dialects = NAMED,
) -> InvoiceExplanation:
    """The invoice's lines and sums, from the books as known at `as_of` (aware). Raises UnknownRecordError."""
    with at_one_state(con, as_of, dialects) as books:
        return _explained(books, find_invoice(books, invoice_id, integration))


def _is_line(books: Books, id: str, integration: str | None, of: str | None) -> bool:
    if of is not None:
        return of == "line"
    lines, invoices = lines_named(books, id, integration), invoices_named(books, id, integration)
    if lines and invoices:
        raise UnknownRecordError(f"{id!r} is an invoice line and an invoice; say which with --of line or --of invoice.")
    if not lines and not invoices:
        where = f" of {integration}" if integration else ""
        raise UnknownRecordError(
            f"The books{where} hold neither an invoice line nor an invoice {id!r} as of {books.as_of:%Y-%m-%d %H:%M} "
            "UTC; check the id, or import or sync it first."
        )
    return bool(lines)


def _explained(books: Books, invoice: Invoice) -> InvoiceExplanation:
    around = Around(books, lines_of_invoice(books, invoice), is_whole=True)
    rated = expected_lines(around, sorted(around.lines, key=_place))
    taken_back = credits_of(around, rated)
    lines = explained(around, [(each, taken_back[each.line.line_id]) for each in rated])
    sums = _sums(invoice, sums_of(around, invoice.currency), notes_of(books, invoice))
    return InvoiceExplanation(invoice, tuple(lines), tuple(sums))


def _place(line: Line) -> tuple[datetime, str]:
    return line.period_start or datetime.max.replace(tzinfo=UTC), line.line_id


def _sums(invoice: Invoice, lines: LineSums, notes: Notes) -> Iterator[Sum]:
    """rating.md, "Invoice": each sum from what the invoice states above it, so that the one that is wrong shows."""
    slack = lines.lines * Decimal(1).scaleb(-MINOR_DIGITS.get(invoice.currency, 4)) if lines.fractions else _NOTHING
    of_lines = f"of {lines.lines} line{'' if lines.lines == 1 else 's'}"
    there = lines.lines > 0
    yield Sum("subtotal", f"the amounts {of_lines}", invoice.subtotal, lines.amount if there else None, slack)
    yield Sum(
        "discounts", f"the discounts {of_lines}", invoice.discount_total, lines.discount if there else None, slack
    )
    text = f"the taxes {of_lines}" if lines.tax else "no line states its tax"
    yield Sum("tax", text, invoice.tax_total, lines.tax if lines.tax else None, slack)
    yield _total(invoice, lines, slack)
    yield Sum("credits", "credits spent on it", invoice.credits_applied)
    yield Sum("paid", "what was paid", invoice.amount_paid)
    if notes.issued:
        yield Sum("credit_notes", "credit notes, those of its lines included", None, notes.issued)
    yield _due(invoice, notes)


def _total(invoice: Invoice, lines: LineSums, slack: Decimal) -> Sum:
    """Exclusive tax comes on top; tax that the prices include is in the subtotal already."""
    on_top = invoice.tax_total
    if lines.tax:
        on_top -= lines.tax_inside
    elif lines.any_inclusive:
        on_top = _NOTHING
    text = "subtotal less discounts, plus tax"
    if on_top != invoice.tax_total:
        text = f"{text}, but for the tax that prices include"
    return Sum("total", text, invoice.total, invoice.subtotal - invoice.discount_total + on_top, slack)


def _due(invoice: Invoice, notes: Notes) -> Sum:
    if invoice.status == "void":
        return Sum("amount_due", "void: nothing is due", invoice.amount_due, _NOTHING)
    unpaid = invoice.total - invoice.credits_applied - invoice.amount_paid
    ways = [max(unpaid - noted, _NOTHING) for noted in (notes.before_payment, notes.issued)]
    text = "total less credits and what was paid"
    if notes.issued:
        text = f"{text}, less credit notes{' from before it was paid' if invoice.paid_at else ''}; never below zero"
    return Sum("amount_due", text, invoice.amount_due, invoice.amount_due if invoice.amount_due in ways else ways[0])
