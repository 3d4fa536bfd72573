"""Levels: units that stay in use until they are changed, charged for the days on which they were.

Lago's prorated recurring metrics (lago-api, spec/services/billable_metrics/prorated_aggregations,
spec/services/charge_models/prorated_graduated_service_spec.rb): whole local days, both ends billed. A level is a row of
steps: how many units a change adds or takes, and how many of them the days that are left make up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from billing.prices import ZERO, Tier


@dataclass(frozen=True, slots=True)
class Days:
    """The billed days `first` to `last`, both included, out of the `full` days of the whole period."""

    first: date
    last: date
    full: int

    def share(self, since: date) -> Fraction:
        """The part of the period from `since` (or its first day) to its last day."""
        return Fraction(max((self.last - max(since, self.first)).days + 1, 0), self.full)


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the level by `units`, of which the days left make up `prorated`."""

    units: Fraction
    prorated: Fraction


@dataclass(frozen=True, slots=True)
class Presence:
    """A value that is added to or removed from a set on a day."""

    day: date
    adds: bool
    value: str


@dataclass(frozen=True, slots=True)
class LevelChange:
    """From `effective` on the level is `units`, as `recorded` on that day."""

    units: Decimal
    effective: date
    recorded: date


def sum_steps(changes: Iterable[tuple[date, Decimal]], days: Days) -> list[Step]:
    """The steps of a running sum: what came before the period as one, then each change by itself."""
    known = sorted((change for change in changes if change[0] <= days.last), key=lambda change: change[0])
    carried = sum((Fraction(units) for day, units in known if day < days.first), ZERO)
    steps = [Step(carried, carried * days.share(days.first))] if carried else []
    inside = [(day, Fraction(units)) for day, units in known if day >= days.first]
    return steps + [Step(units, units * days.share(day)) for day, units in inside]


def unique_steps(presences: Iterable[Presence], days: Days) -> list[Step]:
    """The steps of a distinct count, `presences` in the order of time: a value counts on every day that it touches.

    Its days are charged where it is added; taking it away gives nothing back. No day of a value counts twice.
    """
    placed: list[tuple[int, Step]] = []
    counted: dict[str, set[date]] = {}
    for span in _spans(presences, days):
        if span.until is not None and span.until < days.first:
            continue
        known = counted.setdefault(span.value, set())
        present = _dates(max(span.since, days.first), span.until or days.last) - known
        known |= present
        placed.append((span.opened, Step(Fraction(1), Fraction(len(present), days.full))))
        if span.until is not None:
            placed.append((span.closed, Step(Fraction(-1), ZERO)))
    return [step for _, step in sorted(placed, key=lambda each: each[0])]


def prorated_units(steps: Iterable[Step]) -> Fraction:
    """The units that all steps make up over the period."""
    return sum((step.prorated for step in steps), ZERO)


def level_units(changes: Iterable[LevelChange], days: Days) -> Fraction:
    """The mean level over the full period.

    A change cancels those that were recorded before it and take effect on the same day or later.
    """
    valid: list[LevelChange] = []
    for change in sorted(changes, key=lambda each: each.recorded):
        valid = [earlier for earlier in valid if earlier.effective < change.effective]
        valid.append(change)
    ends = [*(change.effective for change in valid[1:]), days.last + timedelta(days=1)]
    return sum(
        (
            Fraction(change.units) * (days.share(change.effective) - days.share(end))
            for change, end in zip(valid, ends, strict=True)
        ),
        ZERO,
    )


def graduated_amount(tiers: Sequence[Tier], steps: Sequence[Step]) -> Fraction:
    """The exact charge of a level under graduated tiers: never below the flat amounts of the tiers reached.

    The level says which tier a step's units lie in; there they are charged for the days that are left. A tier's flat
    amount is due once the level has passed the bound before it, the first one's always.
    """
    level = highest = amount = ZERO
    for step in steps:
        weight = step.prorated / step.units if step.units else ZERO
        amount += weight * (_price_up_to(tiers, level + step.units) - _price_up_to(tiers, level))
        level += step.units
        highest = max(highest, level)
    return max(amount, ZERO) + _flat_amounts(tiers, highest) if level >= 0 else ZERO


@dataclass(frozen=True, slots=True)
class _Span:
    """How long a value was there (`until` None: still), and the places of both ends in the order of time."""

    value: str
    since: date
    opened: int
    until: date | None = None
    closed: int = -1


def _spans(presences: Iterable[Presence], days: Days) -> list[_Span]:
    """Adding a value that is there, or removing one that is not, changes nothing."""
    still: dict[str, _Span] = {}
    spans: list[_Span] = []
    for place, each in enumerate(presences):
        if each.day > days.last:
            continue
        if each.adds:
            still.setdefault(each.value, _Span(each.value, each.day, place))
        elif each.value in still:
            spans.append(replace(still.pop(each.value), until=each.day, closed=place))
    return sorted([*spans, *still.values()], key=lambda span: span.opened)


def _dates(first: date, last: date) -> set[date]:
    return {first + timedelta(days=number) for number in range((last - first).days + 1)}


def _price_up_to(tiers: Sequence[Tier], units: Fraction) -> Fraction:
    """The unit amounts of that many units."""
    above = total = ZERO
    for tier in tiers:
        bound = units if tier.up_to is None else min(units, Fraction(tier.up_to))
        total += max(bound - above, ZERO) * Fraction(tier.unit_amount or 0)
        above = max(above, bound)
    return total


def _flat_amounts(tiers: Sequence[Tier], units: Fraction) -> Fraction:
    above = total = ZERO
    for place, tier in enumerate(tiers):
        if place and units <= above:
            break
        total += Fraction(tier.flat_amount or 0)
        above = units if tier.up_to is None else Fraction(tier.up_to)
    return total
