"""A series of its own rhythm, or without others to hold it against: four plain views of it, ranked in its own past.

Nothing here knows of billing: values may have any sign, any spacing. The views are a robust z-score, the same against
the same time of earlier days, the distance to the most alike earlier stretch, and how rare value and step are; each
becomes -log10 of how often the past was as odd, and their mean is the score. A point that is no odder than one of the
last day scores half: it is no news.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.unusual.cadence import DAY

LEAST = 20
STRETCH = 8
PAST = 1200
"""So many earlier stretches, spread over the past, are looked through."""
BLOCK = 200
"""Points between two readings of the past."""
KEPT = 6000
"""Points of the past that ranks are made of."""
CAP = 6.0
DEVIATIONS = 4.0

Points = NDArray[np.float64]


@dataclass(frozen=True)
class LoneScored:
    """Per point: what was expected, its band, and the score."""

    expected: Points
    lower: Points
    upper: Points
    score: Points


def score_alone(second: NDArray[np.int64], value: Points) -> LoneScored:
    """Score one series of points in the order of time; NaN values are missing and not scored."""
    there = ~np.isnan(value)
    empty = np.full(len(value), np.nan)
    expected, lower, upper, score = empty.copy(), empty.copy(), empty.copy(), empty.copy()
    if there.any():
        found = _scored(second[there], np.clip(value[there], -1e100, 1e100))
        for whole, part in zip((expected, lower, upper, score), found, strict=True):
            whole[there] = part
    return LoneScored(expected, lower, upper, score)


def _scored(second: NDArray[np.int64], value: Points) -> tuple[Points, Points, Points, Points]:
    day = _steps_of_a_day(second)
    middle, spread = _rolling(value, int(np.clip(day, 60, 400)))
    same, apart = _same_time(value, day)
    floor = _floor(value)
    seasonal = ~np.isnan(same)
    expected = np.where(seasonal, same, middle)
    width = np.maximum(np.where(seasonal, apart, spread), floor)
    views = [
        np.abs(value - middle) / np.maximum(spread, floor),
        np.abs(value - expected) / width,
        _nearest(value, floor),
        _rarity(value),
    ]
    rare = np.mean([_rank(each) for each in views], axis=0)
    rare[: min(LEAST, len(rare))] = 0
    return expected, expected - DEVIATIONS * width, expected + DEVIATIONS * width, _news(rare, day)


def _steps_of_a_day(second: NDArray[np.int64]) -> int:
    """Points per day by the median of the first gaps; 0 where a day has too few."""
    gaps = np.diff(second[:50])
    gap = float(np.median(gaps)) if len(gaps) else 0.0
    steps = round(DAY / gap) if gap > 0 else 0
    return steps if 4 <= steps <= 5000 else 0


def _rolling(value: Points, width: int) -> tuple[Points, Points]:
    """Median and MAD of the points before, of at most `width`; of the first points, of as many as there are."""
    series = pd.Series(value)
    middle = series.rolling(width, min_periods=5).median().shift(1)
    spread = (series - middle).abs().rolling(width, min_periods=5).median().shift(1) * 1.4826
    return middle.to_numpy(dtype=np.float64), spread.fillna(0).to_numpy(dtype=np.float64)


def _same_time(value: Points, day: int) -> tuple[Points, Points]:
    """Median of the same time (and its neighbours) on up to seven days before, moved to the present level."""
    nothing = np.full(len(value), np.nan)
    if not day or len(value) < 3 * day:
        return nothing, nothing
    near = [back * day + off for back in range(1, 8) for off in (-1, 0, 1)]
    earlier = np.stack([_past(value, each) for each in near if each > 0])
    known = np.sum(~np.isnan(earlier), axis=0) >= 6
    with np.errstate(all="ignore"):
        ordered = np.sort(earlier, axis=0)
    count = np.sum(~np.isnan(earlier), axis=0)
    same = ordered[np.maximum(count - 1, 0) // 2, np.arange(len(value))]
    lift = pd.Series(value - same).rolling(max(6, day // 4), min_periods=3).median().shift(1).to_numpy()
    same = np.where(known, same + np.nan_to_num(lift) * 0.5, np.nan)
    apart = pd.Series(np.abs(value - same)).rolling(max(100, 3 * day), min_periods=20).median().shift(1) * 1.4826
    return np.where(np.isnan(apart), np.nan, same), apart.to_numpy(dtype=np.float64)


def _past(value: Points, steps: int) -> Points:
    moved = np.full(len(value), np.nan)
    if steps < len(value):
        moved[steps:] = value[:-steps]
    return moved


def _floor(value: Points) -> Points:
    """No spread is less than a little of what the series has shown so far."""
    seen = pd.Series(value)
    span = (seen.expanding().max() - seen.expanding().min()).shift(1).fillna(0).to_numpy()
    found: Points = np.maximum(span * 0.005, 1e-9 + np.abs(value[0]) * 1e-6)
    return found


def _nearest(value: Points, floor: Points) -> Points:
    """The distance of the last points to the most alike stretch of the past; 0 while there is little past."""
    found = np.zeros(len(value))
    if len(value) < 4 * STRETCH:
        return found
    stretches = np.lib.stride_tricks.sliding_window_view(value, STRETCH)
    kept = PAST if len(value) <= 100_000 else PAST // 4
    for begin in range(3 * STRETCH, len(value), BLOCK):
        end = min(begin + BLOCK, len(value))
        last = begin - 2 * STRETCH
        chosen = np.unique(np.linspace(0, last, min(kept, last + 1)).astype(np.intp))
        now = stretches[begin - STRETCH + 1 : end - STRETCH + 1]
        found[begin:end] = _distance(now, stretches[chosen])
    return found


def _distance(now: Points, earlier: Points) -> Points:
    centre = float(np.median(earlier))
    scale = float(np.max(np.abs(earlier - centre))) or 1.0
    with np.errstate(over="ignore"):
        a, b = np.clip((now - centre) / scale, -1e6, 1e6), (earlier - centre) / scale
    squared = np.sum(a * a, axis=1)[:, None] + np.sum(b * b, axis=1)[None, :] - 2 * a @ b.T
    nearest = np.partition(np.maximum(squared, 0), min(2, len(b) - 1), axis=1)[:, : min(3, len(b))]
    found: Points = np.sqrt(nearest.mean(axis=1)) * scale
    return found


def _rarity(value: Points) -> Points:
    """-log of how far value and step lie in the tails of what there was."""
    step = np.diff(value, prepend=value[:1])
    found = np.zeros(len(value))
    for each in (value, step):
        seen = pd.Series(each)
        below = seen.expanding().rank(method="max").to_numpy()
        above = (-seen).expanding().rank(method="max").to_numpy()
        count = np.arange(1, len(value) + 1)
        found += -np.log(np.maximum(np.minimum(below, above), 1) / (count + 1))
    return found


def _rank(view: Points) -> Points:
    """-log10 of how often the past was as odd, drawn on exponentially beyond its upper twentieth."""
    found = np.zeros(len(view))
    known = np.nan_to_num(view, nan=0.0)
    for begin in range(LEAST, len(view), BLOCK):
        end = min(begin + BLOCK, len(view))
        past = np.sort(known[max(0, begin - KEPT) : begin])
        found[begin:end] = _tail(past, known[begin:end])
    return np.minimum(found, CAP)


def _tail(past: Points, now: Points) -> Points:
    count = len(past)
    above = count - np.searchsorted(past, now, side="left")
    seen = -np.log10((above + 1) / (count + 1))
    start = past[int(count * 0.95)]
    excess = past[past > start] - start
    slope = float(excess.mean()) if len(excess) else max(abs(float(start)) * 0.05, 1e-12)
    beyond = 1.3 + (now - start) / (slope * np.log(10))
    return np.where(now > start, np.maximum(np.minimum(beyond, CAP), 0), np.minimum(seen, 1.3))


def _news(rare: Points, day: int) -> Points:
    """Half the score where a point of the last day was as odd."""
    width = int(np.clip(day or 7, 7, 300))
    before = pd.Series(rare).rolling(width, min_periods=1).max().shift(1).fillna(-1).to_numpy()
    return np.where(rare > before, rare, rare * 0.5)
