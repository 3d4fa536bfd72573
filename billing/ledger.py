"""The credit ledger: an append-only chain of movements, replayed to see whether it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Movement:
    """One booking of a customer's ledger in one currency; `amount` is signed."""

    movement_id: str
    sequence: int
    amount: Decimal
    balance_before: Decimal
    balance_after: Decimal


@dataclass(frozen=True)
class Break:
    """Where the chain does not hold: `kind` is amount, chain, hole or double; `off` is the money missing or extra."""

    movement_id: str
    kind: str
    off: Decimal


def replay(movements: Sequence[Movement]) -> tuple[Decimal, tuple[Break, ...]]:
    """The sum of all amounts, and every break of the chain in sequence order. The order given does not matter."""
    chain = sorted(movements, key=lambda each: (each.sequence, each.movement_id))
    breaks: list[Break] = []
    for before, each in zip([None, *chain], chain, strict=False):
        breaks += _breaks(before, each)
    return sum((each.amount for each in chain), Decimal(0)), tuple(breaks)


def _breaks(before: Movement | None, each: Movement) -> list[Break]:
    found = []
    if each.balance_before + each.amount != each.balance_after:
        found.append(Break(each.movement_id, "amount", each.balance_after - each.balance_before - each.amount))
    if before is None:
        return found
    if each.sequence == before.sequence:
        found.append(Break(each.movement_id, "double", Decimal(0)))
    elif each.sequence > before.sequence + 1:
        found.append(Break(each.movement_id, "hole", Decimal(0)))
    if each.balance_before != before.balance_after:
        found.append(Break(each.movement_id, "chain", each.balance_before - before.balance_after))
    return found
