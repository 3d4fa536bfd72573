"""What the three-way match of a signal's findings says about its class, without asking which rule found it.

Where the four numbers part tells who is wrong (design.md): what the billing system recorded is not what the product's
events add up to - integration; events contradict themselves - data quality; the quantity is right and the amount is
not - pricing or configuration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from store.operational_tables import StoredFinding

TOLERANCE = Decimal("0.001")
"""Quantities that differ by less than this share are the same: late events move them a little."""

NUMBERS = ("metered", "recorded", "billed_quantity", "billed", "expected")

READS = {
    "recorded": ("integration", "the billing system recorded another quantity than the product's events add up to"),
    "billed_quantity": ("integration", "the line charges another quantity than the billing system recorded"),
    "amount": ("pricing", "the quantity is right and the amount is not what the agreed price makes of it"),
}
"""At which of the four numbers they part first, the class that speaks for, and why."""


@dataclass(frozen=True)
class Reading:
    """Where the numbers of most findings part first: the place, the class it speaks for, how many of how many."""

    place: str
    category: str
    why: str
    findings: int
    of: int


def reading(findings: Iterable[StoredFinding]) -> Reading | None:
    """The reading of the findings that have the numbers for one; None when none has, or all agree."""
    places = [place for finding in findings if (place := parts_at(finding.evidence)) is not None]
    if not places:
        return None
    place, number = Counter(places).most_common(1)[0]
    category, why = READS[place]
    return Reading(place, category, why, number, len(places))


def parts_at(evidence: Mapping[str, Any]) -> str | None:
    """The first place at which the numbers of one finding part; None when they agree, or too few are known."""
    metered, recorded, charged, billed, expected = (number(evidence.get(name)) for name in NUMBERS)
    if metered is not None and recorded is not None and not _same(metered, recorded):
        return "recorded"
    known = recorded if recorded is not None else metered
    if known is not None and charged is not None and not _same(known, charged):
        return "billed_quantity"
    if billed is not None and expected is not None and billed != expected and charged is not None:
        return "amount"
    return None


def number(value: object) -> Decimal | None:
    """The number that evidence holds as text; None when it holds none."""
    try:
        found = None if value is None or isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def _same(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))
