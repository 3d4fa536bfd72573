"""An invoice's explanation as its page shows it: what each line should be, and whether its own sums come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from detector.explain import Explanation
from detector.explain_invoice import InvoiceExplanation, Sum
from detector.explain_text import parted, reason_text
from web.figures import gap, money


@dataclass(frozen=True)
class CheckedRow:
    """A line or a sum: its name, the two amounts, how far they are apart, and what there is to say about it."""

    id: str
    name: str
    expected: Markup
    billed: Markup
    difference: Markup
    text: str
    off: bool


@dataclass(frozen=True)
class InvoiceCheck:
    """The rows of both tables, and what they come to in a sentence each."""

    lines: tuple[CheckedRow, ...]
    sums: tuple[CheckedRow, ...]
    lines_told: Markup
    sums_told: str

    @property
    def by_line(self) -> Mapping[str, CheckedRow]:
        """The lines by their ids."""
        return {line.id: line for line in self.lines}

    @property
    def adds_up(self) -> bool:
        """Whether every sum that the invoice states comes out."""
        return not any(each.off for each in self.sums)


def invoice_check(found: InvoiceExplanation) -> InvoiceCheck:
    """The explanation made ready for its page."""
    currency, wrong = found.invoice.currency, found.parts_at
    return InvoiceCheck(
        tuple(map(_line, found.lines)),
        tuple(_sum(each, currency) for each in found.sums),
        _told(found),
        f"It does not add up at {wrong.name.replace('_', ' ')}." if wrong else "It adds up.",
    )


def _line(line: Explanation) -> CheckedRow:
    numbers, currency, step = line.numbers, line.line.currency, line.parts_at
    text = f"{step.name.replace('_', ' ')}: {parted(step)}" if step else ""
    if line.difference is None:
        text = f"not rated: {reason_text(line.expectation)}"
    return CheckedRow(
        id=line.line.line_id,
        name=line.line.description or line.line.line_id,
        expected=money(numbers.expected, currency),
        billed=money(numbers.billed, currency),
        difference=gap(line.difference, currency),
        text=text,
        off=bool(line.difference),
    )


def _sum(each: Sum, currency: str) -> CheckedRow:
    known = each.stated is not None and each.worked_out is not None
    apart = each.worked_out - each.stated if each.worked_out is not None and each.stated is not None else None
    return CheckedRow(
        id=each.name,
        name=each.name.replace("_", " ").capitalize(),
        expected=money(each.worked_out, currency),
        billed=money(each.stated, currency),
        difference=gap(apart, currency) if known and each.differs else Markup(""),
        text=each.text,
        off=each.differs,
    )


def _told(found: InvoiceExplanation) -> Markup:
    """What the lines come to; too little and too much stand apart."""
    currency = found.invoice.currency
    parts = [gap(amount, currency) for amount in (found.under, -found.over) if amount]
    return Markup(" and ").join(parts) if parts else escape("no line is billed otherwise than expected")
