"""Changes: what was invoiced for a subscription against what it should be now, and the lines that make up for it.

Kill Bill's repairs (killbill, invoice/tree): dates, the end exclusive. What was invoiced and is not wanted any more is
given back by the day; what is wanted and was not invoiced is charged by the day of the item that wants it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from billing.money import Rounding, round_money


@dataclass(frozen=True, slots=True)
class Item:
    """A recurring item of `[start, end)`. Items of the same `kind` (plan, phase, rate ...) stand for each other.

    `repairs`: the item_id that this one gives back, with a negative amount; None for a charge.
    """

    item_id: str
    start: date
    end: date
    amount: Decimal
    kind: str
    repairs: str | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of an item that still stands."""

    item: Item
    start: date
    end: date

    def amount(self, currency: str, rounding: Rounding) -> Decimal:
        """The item's amount for the piece's share of its days, rounded as the dialect rounds."""
        days, full = (self.end - self.start).days, (self.item.end - self.item.start).days
        return round_money(Fraction(self.item.amount) * Fraction(days, full), currency, rounding)

    def without(self, start: date, end: date) -> list[_Piece]:
        """What is left of the piece outside `[start, end)`."""
        parts = (replace(self, end=min(self.end, start)), replace(self, start=max(self.start, end)))
        return [part for part in parts if part.start < part.end]


def standing(items: Sequence[Item], currency: str, rounding: Rounding = Rounding.HALF_UP) -> list[Item]:
    """The invoiced items with their repaired parts taken out, in the order of time."""
    return [_as_item(piece, currency, rounding) for piece in _pieces(items)]


def to_bill(
    existing: Sequence[Item], proposed: Sequence[Item], currency: str, rounding: Rounding = Rounding.HALF_UP
) -> list[Item]:
    """The lines that bring what was invoiced to what is proposed: repairs of `existing`, and what is missing."""
    had, wanted = _pieces(existing), _pieces(proposed)
    unwanted = _left_over(had, wanted)
    missing = _left_over(wanted, had)
    repairs = [
        replace(charged, item_id=f"{piece.item.item_id}:repair", amount=-charged.amount, repairs=piece.item.item_id)
        for piece in unwanted
        if (charged := _as_item(piece, currency, rounding))
    ]
    return sorted([*repairs, *(_as_item(piece, currency, rounding) for piece in missing)], key=lambda each: each.start)


def _pieces(items: Sequence[Item]) -> list[_Piece]:
    """The parts of the charges that no repair takes back."""
    pieces = [_Piece(item, item.start, item.end) for item in items if item.repairs is None]
    for repair in (item for item in items if item.repairs is not None):
        pieces = [
            part
            for piece in pieces
            for part in (piece.without(repair.start, repair.end) if piece.item.item_id == repair.repairs else [piece])
        ]
    return sorted(pieces, key=lambda piece: (piece.start, piece.end))


def _left_over(pieces: Iterable[_Piece], others: Iterable[_Piece]) -> list[_Piece]:
    """The parts of `pieces` that no other piece of the same kind covers."""
    left = list(pieces)
    for other in others:
        left = [
            part
            for piece in left
            for part in (piece.without(other.start, other.end) if piece.item.kind == other.item.kind else [piece])
        ]
    return left


def _as_item(piece: _Piece, currency: str, rounding: Rounding) -> Item:
    return replace(piece.item, start=piece.start, end=piece.end, amount=piece.amount(currency, rounding))
