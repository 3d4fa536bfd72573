"""An invoice's explanation as plain text: its lines, where each parts, and whether its own sums come out."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from detector.explain_text import money, named, parted, reason_text, stretch, table

if TYPE_CHECKING:
    from detector.explain import Explanation
    from detector.explain_invoice import InvoiceExplanation, Sum


def as_text(explanation: InvoiceExplanation) -> str:
    """The whole explanation: the head, a row for every line, what they come to, the invoice's own sums."""
    parts = [_heading(explanation), _lines(explanation), _verdict(explanation), _sums(explanation)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _heading(explanation: InvoiceExplanation) -> list[str]:
    invoice = explanation.invoice
    number = f"{invoice.number} " if invoice.number else ""
    lines = [
        f"Invoice {number}({invoice.invoice_id}), {invoice.status}, {invoice.currency}",
        f"{'Customer':<10}{named(invoice.customer_name, invoice.customer_id)}",
    ]
    if invoice.period_start and invoice.period_end:
        lines.append(f"{'Period':<10}{stretch(invoice.period_start, invoice.period_end, 'UTC')}")
    return lines


def _lines(explanation: InvoiceExplanation) -> list[str]:
    rows: list[tuple[str, ...]] = [("Line", "kind", "expected", "billed", "", "first part at")]
    for line in explanation.lines:
        numbers, currency = line.numbers, line.line.currency
        expected = "-" if numbers.expected is None else money(numbers.expected, currency)
        mark = "≠" if line.difference else ""
        about = f"{line.line.line_id}{f' {line.line.description}' if line.line.description else ''}"
        rows.append((about, line.line.kind, expected, money(numbers.billed, currency), mark, _where(line)))
    return table(rows, right=(2, 3)) if explanation.lines else ["It has no lines."]


def _where(line: Explanation) -> str:
    if line.difference is None:
        return f"no expected amount: {reason_text(line.expectation)}"
    step = line.parts_at
    return f"{step.name.replace('_', ' ')}: {parted(step)}" if step else ""


def _verdict(explanation: InvoiceExplanation) -> list[str]:
    currency = explanation.invoice.currency
    told = [
        f"billed {money(amount, currency)} {currency} too {which}"
        for amount, which in ((explanation.under, "little"), (explanation.over, "much"))
        if amount
    ]
    lines = [
        f"Lines after discounts and credit notes: {', and '.join(told) or 'none is billed otherwise than expected'}."
    ]
    if explanation.unrated:
        count = len(explanation.unrated)
        lines.append(f"{count} line{'' if count == 1 else 's'} without an expected amount.")
    return lines


def _sums(explanation: InvoiceExplanation) -> list[str]:
    currency, wrong = explanation.invoice.currency, explanation.parts_at
    rows = [("", "stated", "comes to", "", "")]
    rows += [
        (each.name.replace("_", " "), _amount(each.stated, currency), _amount(each.worked_out, currency),
         "≠" if each.differs else "", each.text)
        for each in explanation.sums
    ]  # fmt: skip
    verdict = "The invoice adds up." if wrong is None else f"The invoice does not add up: {_told(wrong, currency)}."
    return [*table(rows, right=(1, 2)), "", verdict]


def _told(wrong: Sum, currency: str) -> str:
    stated, comes_to = _amount(wrong.stated, currency), _amount(wrong.worked_out, currency)
    return f"its {wrong.name.replace('_', ' ')} is stated as {stated}, but {wrong.text} come to {comes_to}"


def _amount(value: Decimal | None, currency: str) -> str:
    return "-" if value is None else money(value, currency)
