"""Percentages of transactions: a rate and a fee for each event, with allowances and limits per event.

Lago's percentage charge (lago-api, spec/services/charge_models/percentage_service_spec.rb, and the documentation of
the percentage charge model). Rating.md's own `percentage` has none of the allowances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate

from billing.prices import ZERO


@dataclass(frozen=True, slots=True)
class EventTerms:
    """What an event costs: `percent_rate` of its units and `fee`, the sum within `[minimum, maximum]`.

    `free_events` and `free_units` are allowances per period; None: not given. Where both are, the smaller one counts.
    """

    percent_rate: Decimal
    fee: Decimal = Decimal(0)
    free_events: int | None = None
    free_units: Decimal | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None


def events_amount(terms: EventTerms, events: Sequence[Decimal], *, fee_at_zero: bool = False) -> Fraction:
    """The exact charge for a period's events, in their order; `fee_at_zero` is the dialect's `event_fee_at_zero`."""
    if terms.minimum is not None or terms.maximum is not None:
        return _limited(terms, events)
    running = [Fraction(total) for total in accumulate(events)]
    units = running[-1] if running else ZERO
    paid_units = max(units - _free_units(terms, running), ZERO)
    paid_events = len(running) - _free_events(terms, running) if units or fee_at_zero else 0
    return paid_units * Fraction(terms.percent_rate) / 100 + paid_events * Fraction(terms.fee)


def total_amount(terms: EventTerms, units: Decimal, events: int) -> Fraction:
    """The exact charge where only the total and the number of events are known: allowances need the single events."""
    fees = events * Fraction(terms.fee) if units else ZERO
    return Fraction(units) * Fraction(terms.percent_rate) / 100 + fees


def _free_units(terms: EventTerms, running: Sequence[Fraction]) -> Fraction:
    """The units that no rate is charged on."""
    allowances = []
    if terms.free_events and running:
        allowances.append(running[min(terms.free_events, len(running)) - 1])
    if terms.free_units:
        allowances.append(min(running[-1], Fraction(terms.free_units)) if running else ZERO)
    return min(allowances, default=ZERO)


def _free_events(terms: EventTerms, running: Sequence[Fraction]) -> int:
    """The events without a fee: one is free while the running total stays strictly below the free units."""
    allowances = []
    if terms.free_events:
        allowances.append(min(terms.free_events, len(running)))
    if terms.free_units:
        allowances.append(sum(total < terms.free_units for total in running))
    return min(allowances, default=0)


def _limited(terms: EventTerms, events: Sequence[Decimal]) -> Fraction:
    """Each event priced alone, its fee inside the limits; free units, where given, decide which events are free."""
    free_events, free_units = terms.free_events or 0, Fraction(terms.free_units or 0)
    total = ZERO
    for event in events:
        units = Fraction(event)
        if free_units > 0:
            if units < free_units:
                free_units -= units
                continue
            units, free_units, free_events = units - free_units, ZERO, 0
        elif free_events > 0:
            free_events -= 1
            continue
        total += _within(terms, units * Fraction(terms.percent_rate) / 100 + Fraction(terms.fee))
    return total


def _within(terms: EventTerms, amount: Fraction) -> Fraction:
    if terms.minimum is not None and amount < terms.minimum:
        return Fraction(terms.minimum)
    return amount if terms.maximum is None else min(amount, Fraction(terms.maximum))
