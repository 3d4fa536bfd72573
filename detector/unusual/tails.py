"""From any statistic to how often the past reached it: the one scale on which all series and methods are compared.

A score is -log10 of the signals per series and month that the pool's past would have given at that height: 3 is one
in a thousand series-months, 2 is ten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ANCHOR = 0.1
"""Signals per series-month up to which the past is believed. Beyond, its heights are more and more those of true
faults, and the tail is drawn on from there: a past with many faults must not make new ones look usual."""
BODY = 1.0
"""The tail of a statistic without a slope of its own goes on as steeply as between this rate and the anchor."""
STEEPEST = 3.0
"""A calm past says no more than that for each unit of height."""
LOWEST = -1.5
"""The score of what is not unusual at all: a signal every day."""
HIGHEST = 12.0

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Tail:
    """Weekly maxima of the past, ascending, over how many series-months they were seen, and how the tail goes on."""

    maxima: Scores
    months: float
    anchor: float
    """The height from which the tail is drawn on."""
    rate: float
    """The signals per series-month that reached it: `ANCHOR`, or fewer where there were not so many."""
    slope: float
    """By how much the score rises above the anchor with each unit of height."""

    def score(self, values: NDArray[np.floating]) -> Scores:
        """The score of each value; higher values never score lower."""
        count = len(self.maxima) - np.searchsorted(self.maxima, values, side="left")
        above = -np.log10(self.rate) + (values - self.anchor) * self.slope
        below = np.minimum(-np.log10((count + 0.5) / self.months), -np.log10(self.rate))
        scored: Scores = np.clip(np.where(values < self.anchor, below, above), LOWEST, HIGHEST)
        return scored


def tail(maxima: NDArray[np.floating], months: float, slope: float | None = None, least: float = float("-inf")) -> Tail:
    """The tail of these maxima, seen over so many series-months; it is drawn on from a height of `least` or more."""
    ordered = np.sort(np.asarray(maxima, dtype=np.float64))
    times = min(ANCHOR * months, float(len(ordered)))
    anchor = max(_reached(ordered, times), least)
    if slope is None:
        slope = np.log10(BODY / ANCHOR) / max(anchor - _reached(ordered, BODY * months), 1e-3)
    return Tail(ordered, months, anchor, max(times, 0.5) / months, min(float(slope), STEEPEST))


def _reached(ordered: Scores, times: float) -> float:
    """The height that was reached so many times; the lowest of all when it never was so often."""
    if not len(ordered):
        return 0.0
    return float(ordered[max(len(ordered) - max(int(times), 1), 0)])


def weekly_maxima(
    values: NDArray[np.floating], row: NDArray[np.integer], week: NDArray[np.integer]
) -> NDArray[np.float64]:
    """The greatest value of each series and week that has any."""
    if not len(values):
        return np.zeros(0)
    key = row.astype(np.int64) * 100_000 + week
    order = np.argsort(key, kind="stable")
    begins = np.flatnonzero(np.diff(key[order], prepend=-1))
    found: NDArray[np.float64] = np.maximum.reduceat(values[order].astype(np.float64), begins)
    return found
