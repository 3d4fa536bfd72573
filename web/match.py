"""The three-way match of a finding as the page shows it: four numbers, what joins them, what their parting means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from markupsafe import Markup, escape

from billing.money import MINOR_DIGITS, minor_unit
from detector.explain import Explanation
from detector.rule_format import Page
from web.figures import gap, money, quantity

PLAIN = Page()
"""The page of a rule that says nothing of its own."""


class Joint(StrEnum):
    """What stands between two of the numbers."""

    EQUAL = "equal"
    PARTED = "parted"
    UNKNOWN = "unknown"  # one of the two was not stated


LONG = 14
"""Characters that a number may have, its currency included, before it is written smaller."""


@dataclass(frozen=True)
class Cell:
    """One of the four numbers; `off` marks the side of a parting that is wrong."""

    name: str
    value: Markup | None
    under: Markup | None = None
    off: bool = False


@dataclass(frozen=True)
class Link:
    """How a number compares with the one before it, in a few words."""

    joint: Joint
    text: str = ""


@dataclass(frozen=True)
class Match:
    """The four numbers in their order, the three links between them, and what it means in a sentence."""

    cells: tuple[Cell, ...]
    links: tuple[Link, ...]
    meaning: str

    @property
    def is_long(self) -> bool:
        """Whether a number is too long to stand beside three others in the usual size."""
        return any(len(cell.value.striptags()) > LONG for cell in self.cells if cell.value)


@dataclass(frozen=True)
class Numbers:
    """What the evidence of a finding states: three quantities, then two amounts in `currency`."""

    metered: Decimal | None
    recorded: Decimal | None
    billed_quantity: Decimal | None
    billed: Decimal | None
    expected: Decimal | None
    currency: str | None
    unit: str

    @property
    def any(self) -> bool:
        """Whether there is anything to match."""
        stated = (self.metered, self.recorded, self.billed_quantity, self.billed, self.expected)
        return sum(value is not None for value in stated) > 1


MEANINGS = {
    "integration": "Usage was lost or doubled between the product and the billing system: that integration failed.",
    "late": "The invoice was made from another quantity than was used: collected too early, or changed on the way.",
    "amount": "The usage agrees all the way; only the amount differs. A price, a tier or a discount is set wrongly.",
    "usage": "The quantities agree with each other; what is doubtful is the usage itself.",
    "unbilled": "There was something to bill, and no line bills it.",
    "stated": "The amount is not what it should be; usage plays no part in it.",
    "equal": "All four agree here; what is wrong lies elsewhere in this signal.",
}


def numbers(evidence: Mapping[str, Any], currency: str | None, unit: str = "") -> Numbers:
    """The numbers of a finding's evidence, in which decimals stand as text."""

    def value(name: str) -> Decimal | None:
        """One number of the evidence; None where there is none, or no number."""
        try:
            return None if evidence.get(name) is None else Decimal(str(evidence[name]))
        except InvalidOperation:
            return None

    return Numbers(
        value("metered"),
        value("recorded"),
        value("billed_quantity"),
        value("billed"),
        value("expected"),
        currency,
        unit,
    )


def line_numbers(explanation: Explanation) -> Numbers:
    """The numbers of one invoice line as its explanation has them."""
    of = explanation.numbers
    return Numbers(
        of.metered, of.recorded, of.billed_quantity, of.billed, of.expected, explanation.line.currency, "units"
    )


def match(found: Numbers, category: str, page: Page = PLAIN) -> Match:
    """The four numbers side by side, where they part, and what that says about the cause.

    `page` is what the rule says of them, where it knows better than the numbers.
    """
    to_recorded = _units(found.metered, found.recorded, found.unit)
    to_billed = _units(
        found.recorded if found.recorded is not None else found.metered, found.billed_quantity, found.unit
    )
    to_expected = _amounts(found.billed, found.expected, found.currency)
    cells = (
        _usage("Metered", found.metered, found.unit, False),
        _usage("Recorded", found.recorded, found.unit, to_recorded.joint == Joint.PARTED),
        _billed(page.billed or "Billed", found, Joint.PARTED in (to_billed.joint, to_expected.joint)),
        Cell(page.expected or "Expected", _money(found.expected, found.currency)),
    )
    links = (to_recorded, to_billed, to_expected)
    first = 2 if found.metered is None and found.recorded is None else 0
    meaning = page.meaning or MEANINGS[_meaning(found, links, category)]
    return Match(cells[first:], links[first:], meaning)


def _meaning(found: Numbers, links: tuple[Link, Link, Link], category: str) -> str:
    recorded, billed, expected = (link.joint for link in links)
    if not found.billed and not found.billed_quantity and found.expected:
        return "unbilled"
    if found.metered is None and found.recorded is None:
        return "stated" if expected == Joint.PARTED else "equal"
    if category == "data_quality" and recorded != Joint.PARTED and billed != Joint.PARTED:
        return "usage"
    if recorded == Joint.PARTED:
        return "integration"
    if billed == Joint.PARTED:
        return "late"
    return "amount" if expected == Joint.PARTED else "equal"


def _usage(name: str, value: Decimal | None, unit: str, off: bool) -> Cell:
    return Cell(name, None if value is None else escape(quantity(value)), escape(unit) if unit else None, off)


def _billed(name: str, found: Numbers, off: bool) -> Cell:
    units = None
    if found.billed_quantity is not None:
        units = Markup("for {} {}").format(quantity(found.billed_quantity), found.unit)
    billed = escape("nothing") if found.billed == 0 else _money(found.billed, found.currency)
    return Cell(name, billed, units, off)


def _money(amount: Decimal | None, currency: str | None) -> Markup | None:
    return None if amount is None else money(amount, currency)


def _units(left: Decimal | None, right: Decimal | None, unit: str) -> Link:
    if left is None or right is None:
        return Link(Joint.UNKNOWN)
    tolerance = max(Decimal(1), abs(left) / 1000)
    if abs(right - left) <= tolerance:
        return Link(Joint.EQUAL, "same" if left == right else "about the same")
    return Link(Joint.PARTED, gap(left - right, unit))


def _amounts(billed: Decimal | None, expected: Decimal | None, currency: str | None) -> Link:
    if expected is None or (billed is None and not expected):
        return Link(Joint.UNKNOWN)
    apart = expected - (billed or Decimal(0))
    least = minor_unit(currency) if currency in MINOR_DIGITS and currency else Decimal(0)
    if abs(apart) <= max(least, abs(expected) / 10_000):
        return Link(Joint.EQUAL, "about the same" if apart else "same")
    return Link(Joint.PARTED, gap(apart, currency))
