"""What-if: a line explained as it is and under other terms, side by side, with the difference that the change makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb

from billing.dialects import NAMED, Dialects
from detector.explain import ComparedStep, Explanation, at_one_state, explained
from detector.explain_json import as_json
from detector.explain_text import heading, money, reason_text, shown, table
from detector.line_credits import credited
from detector.line_rating import expected_line
from detector.line_records import find_line
from detector.line_terms import Around
from detector.other_terms import PRICE, OtherTerms
from detector.price_settings import told

__all__ = ["ChangedStep", "WhatIf", "what_if"]


@dataclass(frozen=True)
class ChangedStep:
    """One step as it is and under the other terms; None on the side that does not have it."""

    name: str
    unchanged: ComparedStep | None
    changed: ComparedStep | None

    @property
    def differs(self) -> bool:
        """Whether the step comes to something else."""
        sides = [side.expected if side else None for side in (self.unchanged, self.changed)]
        return sides[0] != sides[1]


@dataclass(frozen=True)
class WhatIf:
    """The explanation of a line as it is, the one under other terms, and what was set for it."""

    other: OtherTerms
    unchanged: Explanation
    changed: Explanation

    @property
    def difference(self) -> Decimal | None:
        """What the change makes of the expected amount after discount: positive is dearer; None where unknown."""
        before, after = self.unchanged.numbers.expected, self.changed.numbers.expected
        return None if before is None or after is None else after - before

    @property
    def steps(self) -> tuple[ChangedStep, ...]:
        """The steps of both explanations in the order of rating, each once."""
        before, after = _expected_steps(self.unchanged), _expected_steps(self.changed)
        return tuple(ChangedStep(name, before.get(name), after.get(name)) for name in _merged([*before], [*after]))

    def as_text(self) -> str:
        """Both explanations as plain text, step by step, and the difference."""
        told = "; ".join(f"{name} = {value}" for name, value in settings(self.other).items())
        rows = [("", "as it is", "what if", "", ""), *map(self._row, self.steps)]
        parts = [[*heading(self.unchanged), f"{'What if':<10}{told}"], table(rows, right=(1, 2)), self._verdict()]
        return "\n\n".join("\n".join(part) for part in parts) + "\n"

    def _row(self, step: ChangedStep) -> tuple[str, ...]:
        sides = [shown(side, side.expected) if side else "-" for side in (step.unchanged, step.changed)]
        told = step.changed or step.unchanged
        return step.name.replace("_", " "), *sides, "≠" if step.differs else "", told.text if told else ""

    def _verdict(self) -> list[str]:
        sides = (("As it is", self.unchanged), ("What if", self.changed))
        billed = f"{money(self.unchanged.numbers.billed, self.unchanged.line.currency)} {self.unchanged.line.currency}"
        return [*(_expected(name, side) for name, side in sides), f"{'Billed':<10}{billed}.", self._change()]

    def _change(self) -> str:
        currency, difference = self.unchanged.line.currency, self.difference
        if difference is None:
            return "The difference is not known."
        if not difference:
            return "The change makes no difference to this line."
        direction = "dearer" if difference > 0 else "cheaper"
        return f"The change makes it {money(abs(difference), currency)} {currency} {direction}."

    def as_json(self) -> dict[str, Any]:
        """Both explanations as JSON values, what was set, and the difference as a decimal string."""
        currency = self.unchanged.line.currency
        return {
            "set": settings(self.other),
            "unchanged": as_json(self.unchanged),
            "changed": as_json(self.changed),
            "difference": None if self.difference is None else money(self.difference, currency).replace(",", ""),
        }


def what_if(
    con: duckdb.DuckDBPyConnection,
    line_id: str,
    as_of: datetime,
    other: OtherTerms,
    integration: str | None = None,
    dialects: Dialects = NAMED,
) -> WhatIf:
    """A line explained as it is and under other terms, from one state of the books. Changes nothing.

    Raises UnknownLineError as `explain` does, and BadSettingError where the books do not hold what the terms name.
    """
    with at_one_state(con, as_of, dialects) as books:
        around = Around(books, [find_line(books, line_id, integration)])
        found, changed = (expected_line(around, around.lines[0], terms) for terms in (None, other))
        taken_back = credited(around, found)
        return WhatIf(other, *explained(around, [(found, taken_back), (changed, taken_back)]))


def settings(other: OtherTerms) -> dict[str, Any]:
    """What was set, by the names that it was set by; numbers as text."""
    named = {"quantity": other.quantity, "plan_version": other.plan_version, "price": other.price_id}
    given = {name: told(value) for name, value in named.items() if value is not None}
    return given | {f"{PRICE}{name}": told(value) for name, value in other.columns.items()}


def _expected_steps(explanation: Explanation) -> dict[str, ComparedStep]:
    """The steps of the expected amount, by name; what only the bill has is left out."""
    return {step.name: step for step in explanation.steps if step.name != "credit_notes"}


def _merged(first: list[str], second: list[str]) -> Iterator[str]:
    """All names once, in an order that keeps that of both lists."""
    left = list(second)
    for name in first:
        if name in left:
            place = left.index(name)
            yield from left[:place]
            del left[: place + 1]
        yield name
    yield from (name for name in left if name not in first)


def _expected(name: str, side: Explanation) -> str:
    amount, currency = side.numbers.expected, side.line.currency
    if amount is None:
        return f"{name:<10}no expected amount: {reason_text(side.expectation)}."
    return f"{name:<10}expected {money(amount, currency)} {currency}."
