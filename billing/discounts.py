"""Discounts on invoice lines: which count, in which order, and how much each takes off (rating.md, step 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

from billing.money import Rounding, round_money


class Scope(IntEnum):
    """What a discount is given on; the most specific comes first."""

    ITEM = 1
    SUBSCRIPTION = 2
    CUSTOMER = 3


@dataclass(frozen=True, slots=True)
class Discount:
    """One row of books `discounts`: `value` is a percentage, or an amount in major units of `currency`."""

    discount_id: str
    kind: str  # percent | amount
    value: Decimal
    scope: Scope
    starts_at: datetime
    ends_at: datetime | None = None
    currency: str | None = None

    def counts_at(self, period_start: datetime) -> bool:
        """Whether a line whose period starts then is discounted."""
        return self.starts_at <= period_start and (self.ends_at is None or period_start < self.ends_at)


@dataclass(frozen=True, slots=True)
class Deduction:
    """What one discount takes off one line: `amount` off `base`, the remainder that those before it left.

    `left` is what remains of a fixed amount for the invoice's next line.
    """

    discount: Discount
    base: Decimal
    amount: Decimal
    left: Decimal = Decimal(0)


def in_order(discounts: Iterable[Discount]) -> list[Discount]:
    """Percentages from the most specific scope to the widest, then fixed amounts likewise; equals by their ids."""
    return sorted(discounts, key=lambda discount: (discount.kind != "percent", discount.scope, discount.discount_id))


def deductions(
    amount: Decimal,
    currency: str,
    discounts: Iterable[Discount],
    *,
    left: Mapping[str, Decimal] | None = None,
    rounding: Rounding = Rounding.HALF_UP,
) -> tuple[Deduction, ...]:
    """What the discounts that count take off a line of `amount`: each on the remainder, never below zero.

    `left` says, by discount_id, what earlier lines of the invoice left of a fixed amount; one not named is whole.
    A fixed amount in another currency does not apply, and nothing is taken off a credit. Raises UnknownCurrencyError.
    """
    taken: list[Deduction] = []
    remainder = amount
    for discount in in_order(discounts):
        if discount.kind == "percent":
            due = round_money(Fraction(remainder) * Fraction(discount.value) / 100, currency, rounding)
        elif discount.currency == currency:
            due = (left or {}).get(discount.discount_id, discount.value)
        else:
            continue
        off = min(due, remainder)
        if off > 0:
            taken.append(Deduction(discount, remainder, off, due - off))
            remainder -= off
    return tuple(taken)


@dataclass(frozen=True, slots=True)
class DiscountedLine:
    """An invoice line as discounts see it: its amount before discount, and the discounts that count for it."""

    line_id: str
    amount: Decimal
    discounts: tuple[Discount, ...]


def over_invoice(
    lines: Sequence[DiscountedLine], currency: str, *, rounding: Rounding = Rounding.HALF_UP
) -> dict[str, tuple[Deduction, ...]]:
    """What is taken off each line, by line_id: a fixed amount is spent once, over its lines in their order."""
    left: dict[str, Decimal] = {}
    taken: dict[str, tuple[Deduction, ...]] = {}
    for line in lines:
        taken[line.line_id] = deductions(line.amount, currency, line.discounts, left=left, rounding=rounding)
        left |= {deduction.discount.discount_id: deduction.left for deduction in taken[line.line_id]}
    return taken


def amounts_left(
    lines: Sequence[DiscountedLine], currency: str, *, rounding: Rounding = Rounding.HALF_UP
) -> dict[str, Decimal]:
    """What these lines leave of each fixed amount that they spend, by discount_id: for the line that follows them."""
    taken = over_invoice(lines, currency, rounding=rounding)
    return {
        deduction.discount.discount_id: deduction.left
        for line in lines
        for deduction in taken[line.line_id]
        if deduction.discount.kind == "amount"
    }
