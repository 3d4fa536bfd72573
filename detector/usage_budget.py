"""What a budget of false alarms comes to in the books as they are: how many signals each would have given lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log10

import duckdb

from detector.learned import OF_HOURS, Learned, Verdict

BUDGETS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Signals per 1000 series-months of clean usage."""
PEAKS = """
    SELECT series, oddness, max(score) AS score
    FROM unusual_usage
    WHERE kind = 'customer'
    GROUP BY series, oddness"""
MONTHS = """
    SELECT count(DISTINCT series), coalesce(max(day) - min(day), 0)
    FROM usage_series
    WHERE kind = 'customer' AND day > (SELECT max(day) FROM usage_series) - 62"""


@dataclass(frozen=True)
class Standing:
    """The last two months: how many series-months, and of each series that was unusual its oddness and top score."""

    months: float
    peaks: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class AtBudget:
    """One budget: from which score series are told, how many that was, how many were to be expected of clean usage,
    and what people said of those that they labelled.
    """

    budget: float
    least: float
    told: int
    clean: float
    faults: int
    others: int


@dataclass(frozen=True)
class Segment:
    """What was said of one oddness, and what that takes off its scores."""

    oddness: str
    faults: int
    others: int
    planned: int
    taken_off: float


def standing(con: duckdb.DuckDBPyConnection) -> Standing:
    """Read off unusual_usage and usage_series, which are there."""
    series, days = con.execute(MONTHS).fetchall()[0]
    peaks = tuple((str(oddness), float(score)) for _, oddness, score in con.execute(PEAKS).fetchall())
    return Standing(series * days / 30, peaks)


def at_budgets(found: Standing, learned: Learned, budgets: Iterable[float] = BUDGETS) -> list[AtBudget]:
    """What each budget comes to."""
    return [_at(budget, found, learned) for budget in budgets]


def _at(budget: float, found: Standing, learned: Learned) -> AtBudget:
    least = 3 - log10(budget)
    told = sum(score >= least for _, score in found.peaks)
    said = [label.verdict for label in learned.labels if label.score >= least and label.oddness not in OF_HOURS]
    faults = said.count(Verdict.FAULT)
    return AtBudget(budget, least, told, budget * found.months / 1000, faults, len(said) - faults)


def segments(learned: Learned) -> Sequence[Segment]:
    """What people said, by oddness."""
    return [_segment(learned, oddness) for oddness in sorted({label.oddness for label in learned.labels})]


def _segment(learned: Learned, oddness: str) -> Segment:
    said = [label.verdict for label in learned.labels if label.oddness == oddness]
    counts = {verdict: said.count(verdict) for verdict in Verdict}
    return Segment(
        oddness, counts[Verdict.FAULT], counts[Verdict.NO_FAULT], counts[Verdict.PLANNED], learned.taken_off(oddness)
    )
