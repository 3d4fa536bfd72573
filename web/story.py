"""The sentence that says what went wrong: one of the rule's own, filled from a finding's evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from string import Formatter

from markupsafe import Markup, escape

from detector.rule_format import Said
from store.operational_tables import StoredFinding
from web.figures import money, quantity
from web.moments import day, period

KINDS = frozenset({"under", "over", "exposure"})


def why(story: Iterable[str], found: StoredFinding, unit: str) -> Markup:
    """The first sentence of the story of which the finding has every value; else the finding's title."""
    for sentence in story:
        said = [(escape(text), name, kind) for text, name, kind, _ in Formatter().parse(sentence)]
        values = [Markup() if name is None else _said(name, kind, found, unit) for _, name, kind in said]
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            return Markup().join(text + value for (text, _, _), value in zip(said, known, strict=True))
    return escape(found.title if found.title.endswith(".") else f"{found.title}.")


def _said(name: str, kind: str | None, found: StoredFinding, unit: str) -> Markup | None:
    """One value as a sentence says it; None where there is none."""
    if name == "period":
        return period(found.period_start, found.period_end) if found.period_start else None
    if name == "unit":
        return escape(unit)
    if name in KINDS:
        return _money(getattr(found, name), found)
    value = found.evidence.get(name)
    return None if value is None else _AS.get(kind or "", _text)(value, found)


def _text(value: object, _: StoredFinding) -> Markup:
    return escape(str(value))


def _money(value: object, found: StoredFinding) -> Markup | None:
    number = _number(value)
    return None if number is None else Markup("<strong>{}</strong>").format(money(number, found.currency))


def _units(value: object, _: StoredFinding) -> Markup | None:
    number = _number(value)
    return None if number is None else escape(quantity(number))


def _day(value: object, _: StoredFinding) -> Markup | None:
    try:
        return escape(day(datetime.fromisoformat(str(value))))
    except ValueError:
        return None


_AS: Mapping[str, Callable[[object, StoredFinding], Markup | None]] = {
    Said.MONEY: _money,
    Said.UNITS: _units,
    Said.DAY: _day,
}


def _number(value: object) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None
