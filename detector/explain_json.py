"""An explanation as JSON: amounts with their currency's digits, other numbers as they are, all as decimal strings."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing.money import as_decimal
from detector.explain_text import money, reason_text

if TYPE_CHECKING:
    from detector.explain import ComparedStep, ComparedTier, Explanation
    from detector.explain_invoice import InvoiceExplanation, Sum
    from detector.invoice_records import Invoice
    from detector.line_rating import Basis

Json = dict[str, Any]


def as_json(explanation: Explanation) -> Json:
    """The explanation as JSON values; instants are RFC 3339 in UTC, and what is not known is null."""
    expected = explanation.expectation
    return {
        **_line(explanation),
        "price": _price(expected.basis) if expected.basis else None,
        "numbers": _numbers(explanation),
        "expected": _expected(explanation),
        "billed": _billed(explanation),
        "difference": _money(explanation.difference, explanation),
        "reason": expected.reason,
        "reason_text": reason_text(expected) or None,
        "steps": [_step(step) for step in explanation.steps],
        "parts_at": explanation.parts_at.name if explanation.parts_at else None,
        "tiers": [_tier(tier) for tier in explanation.tiers],
        "hypotheses": [{"name": each.name, "text": each.text} for each in explanation.hypotheses],
    }


def invoice_as_json(explanation: InvoiceExplanation) -> Json:
    """An invoice's explanation as JSON values: what it states, its lines, its own sums, and what they come to."""
    invoice, wrong = explanation.invoice, explanation.parts_at
    return {
        **_invoice(invoice),
        "lines": [as_json(line) for line in explanation.lines],
        "sums": [_sum(each, invoice.currency) for each in explanation.sums],
        "parts_at": wrong.name if wrong else None,
        "under": _in_currency(explanation.under, invoice.currency),
        "over": _in_currency(explanation.over, invoice.currency),
        "unrated": [line.line.line_id for line in explanation.unrated],
    }


def _invoice(invoice: Invoice) -> Json:
    names = ("invoice_id", "integration", "number", "status", "customer_id", "customer_name", "currency")
    return {
        **{name: getattr(invoice, name) for name in names},
        "period_start": _instant(invoice.period_start),
        "period_end": _instant(invoice.period_end),
    }


def _sum(each: Sum, currency: str) -> Json:
    return {
        "name": each.name,
        "text": each.text,
        "stated": _in_currency(each.stated, currency),
        "worked_out": _in_currency(each.worked_out, currency),
        "differs": each.differs,
    }


def _line(explanation: Explanation) -> Json:
    line = explanation.line
    names = ("line_id", "integration", "invoice_id", "invoice_number", "invoice_status", "customer_id", "customer_name")
    return {
        **{name: getattr(line, name) for name in names},
        **{name: getattr(line, name) for name in ("kind", "description", "currency", "proration")},
        "period_start": _instant(line.period_start),
        "period_end": _instant(line.period_end),
    }


def _price(basis: Basis) -> Json:
    terms, full, usage = basis.terms, basis.full_period, basis.usage
    return {
        "price_id": terms.price_id,
        "name": terms.price_name,
        "model": basis.price.price.model,
        "override_id": basis.price.override_id,
        "item_id": terms.item_id,
        "subscription_id": terms.subscription_id,
        "meter_id": terms.meter_id,
        "timezone": terms.timezone,
        "full_period_start": _instant(full.start) if full else None,
        "full_period_end": _instant(full.end) if full else None,
        "share": str(basis.share) if basis.share is not None else None,
        "events": usage.events if usage else None,
        "late_events": usage.late_events if usage else None,
        "quantity_at_cutoff": _number(usage.quantity_at_cutoff) if usage else None,
    }


def _numbers(explanation: Explanation) -> Json:
    numbers = explanation.numbers
    return {
        "metered": _number(numbers.metered),
        "recorded": _number(numbers.recorded),
        "billed_quantity": _number(numbers.billed_quantity),
        "billed": _money(numbers.billed, explanation),
        "expected": _money(numbers.expected, explanation),
    }


def _expected(explanation: Explanation) -> Json:
    expected = explanation.expectation
    known = expected.amount is not None
    return {
        "amount": _money(expected.amount, explanation),
        "discount": _money(expected.discount if known else None, explanation),
        "net": _money(expected.net, explanation),
        "commitment": _money(expected.rating.commitment if expected.rating and known else None, explanation),
    }


def _billed(explanation: Explanation) -> Json:
    line = explanation.line
    return {
        "unit_amount": _number(line.unit_amount),
        "amount": _money(line.amount, explanation),
        "discount": _money(line.discount_amount, explanation),
        "credited": _money(explanation.credited, explanation),
        "net": _money(explanation.numbers.billed, explanation),
    }


def _step(step: ComparedStep) -> Json:
    return {
        "name": step.name,
        "text": step.text,
        "expected": _number(step.expected),
        "billed": _number(step.billed),
        "unit": step.unit,
        "differs": step.differs,
    }


def _tier(tier: ComparedTier) -> Json:
    names = ("above", "up_to", "units", "unit_amount", "flat_amount", "expected", "billed", "difference")
    return {"tier": tier.tier, **{name: _number(getattr(tier, name)) for name in names}}


def _money(amount: Decimal | None, explanation: Explanation) -> str | None:
    return _in_currency(amount, explanation.line.currency)


def _in_currency(amount: Decimal | None, currency: str) -> str | None:
    return None if amount is None else money(amount, currency).replace(",", "")


def _number(value: Decimal | None) -> str | None:
    return None if value is None else f"{as_decimal(value):f}"


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")
