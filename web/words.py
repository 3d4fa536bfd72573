"""The words of the page for the values of the stores: statuses, categories, reasons, record types."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

WORDS = {
    "awaiting_external": "Waiting on others",
    "data_quality": "Data quality",
    "false_positive": "False positive",
    "handled_elsewhere": "Handled elsewhere",
    "in_progress": "In progress",
    "self_healed": "Cleared by itself",
    "P1": "P1",
    "P2": "P2",
    "P3": "P3",
    "P4": "P4",
}
SEVERITIES = ("info", "low", "medium", "high", "critical")
"""From the least to the worst, as signals rank them."""

KINDS = (("under", "underbilled"), ("over", "overbilled"), ("exposure", "exposed"))


class HasMoney(Protocol):
    """An impact: money in one currency."""

    currency: str
    under: Decimal
    over: Decimal
    exposure: Decimal


def sentence(told: object) -> str:
    """What an error or a remark says, as a sentence of a page: a capital first, a full stop last."""
    text = str(told)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def words(value: str | None) -> str:
    """`in_progress` as people say it: `In progress`."""
    if not value:
        return ""
    return WORDS.get(value) or value.replace("_", " ").capitalize()


def units(unit: str | None) -> str:
    """What a meter counts, as people say it of many: `request` as `requests`, `GB` as it is; `units` without a word."""
    if not unit:
        return "units"
    if not unit[-1].islower() or unit.endswith("s"):
        return unit
    if unit.endswith(("ch", "sh", "x")):
        return f"{unit}es"
    return f"{unit[:-1]}ies" if unit.endswith("y") and unit[-2:-1] not in "aeiou" else f"{unit}s"


def parts(impact: HasMoney) -> Sequence[tuple[str, Decimal]]:
    """The kinds of money in an impact that are not zero, the largest first."""
    found = [(name, getattr(impact, field)) for field, name in KINDS if getattr(impact, field)]
    return sorted(found, key=lambda part: part[1], reverse=True)


def at_risk(impact: HasMoney) -> Decimal:
    """What an impact puts at risk: each kind counts in full, none is set off against another."""
    return impact.under + impact.over + impact.exposure
