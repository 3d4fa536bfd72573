"""Series that are no billing: few, each of its own rhythm, as the Numenta Anomaly Benchmark has them.

Thirty series of ten makes, of 3,000 points: load by the five minutes with and without a day in it, a temperature that
goes below zero, a flat line that breaks, a square wave, steps of level, bursts of tweets, traffic at odd instants,
gaps, a drift. Two of three carry one to three anomalies. Each is looked at alone, as `trueup series` does, beside a
robust z-score and an isolation forest over windows, all with the same rule that only news alarms. Thresholds are
chosen on one half of the series and judged on the other, both ways: anomalies found within their window (a tenth of
the series, shared among its anomalies, as the benchmark draws them), and alarms outside of any, per series.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from detector.unusual import lone

POINTS = 3000
PROBATION = 450
"""The first 15 of 100 points are not judged, as in the benchmark."""
FALSE_COSTS = 0.11
"""What a false alarm costs of a found anomaly, as in the benchmark's standard profile."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Given:
    """One series: seconds, values, and the windows (first, last) of its anomalies."""

    make: str
    second: NDArray[np.int64]
    value: Points
    windows: list[tuple[int, int]]


def main() -> None:
    """Score every series with every detector and print recall, false alarms and the score of the benchmark's kind."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[51, 52])
    chosen = arguments.parse_args()
    detectors: dict[str, Callable[[Given], Points]] = {"trueup": _ours, "robust_z": _robust, "forest": _forest}
    found = {}
    for name, detector in detectors.items():
        began = time.process_time()
        given = [each for seed in chosen.seeds for each in series(seed)]
        scored = [(each, detector(each)) for each in given]
        found[name] = _judged(scored) | {"cpu": round(time.process_time() - began, 1)}
    print(json.dumps(found, indent=2))


def series(seed: int) -> list[Given]:
    """Three of each make; the first of each without an anomaly."""
    rng = np.random.default_rng(seed)
    return [_with_anomalies(rng, make, number) for make in MAKES for number in range(3)]


def _with_anomalies(rng: np.random.Generator, make: str, number: int) -> Given:
    second, value, noise = MAKES[make](rng)
    count = 0 if number == 0 else int(rng.integers(1, 4))
    width = POINTS // 10 // max(count, 1)
    places = PROBATION + 200 + (np.arange(count) * (POINTS - PROBATION - 500)) // max(count, 1)
    windows = []
    for place in (places + rng.integers(0, 200, count)).tolist():
        _break(rng, value, int(place), noise)
        windows.append((int(place) - width // 2, int(place) + width // 2))
    return Given(make, second, value, windows)


def _break(rng: np.random.Generator, value: Points, place: int, noise: float) -> None:
    """An anomaly: a spike, a level, a flat stretch or a lost rhythm, by sizes that a person would see."""
    span = slice(place, place + int(rng.integers(20, 90)))
    size = noise * rng.uniform(6, 15) * rng.choice([-1, 1])
    match int(rng.integers(4)):
        case 0:
            value[place : place + int(rng.integers(1, 4))] += 1.5 * size
        case 1:
            value[span] += size
        case 2:
            value[span] = value[place - 1]
        case _:
            value[span] = np.median(value[place - 300 : place]) + rng.normal(0, 3 * noise, span.stop - span.start)


def _times(gap: int) -> NDArray[np.int64]:
    return 1_396_300_000 + gap * np.arange(POINTS, dtype=np.int64)


def _day(gap: int) -> Points:
    found: Points = np.sin(2 * np.pi * np.arange(POINTS) * gap / 86_400)
    return found


Made = tuple[NDArray[np.int64], Points, float]


def _load(rng: np.random.Generator) -> Made:
    return _times(300), 40 + 12 * _day(300) + rng.normal(0, 2, POINTS), 2.0


def _no_day(rng: np.random.Generator) -> Made:
    return _times(300), np.abs(rng.normal(3, 0.4, POINTS)), 0.4


def _temperature(rng: np.random.Generator) -> Made:
    slow = np.cumsum(rng.normal(0, 0.03, POINTS))
    return _times(3600), 4 * _day(3600) + slow - slow.mean() + rng.normal(0, 0.6, POINTS), 1.0


def _flat(rng: np.random.Generator) -> Made:
    return _times(300), np.full(POINTS, 45.0), 1.0


def _square(rng: np.random.Generator) -> Made:
    return _times(300), np.where(_day(300) > 0, 80.0, 20.0) + rng.normal(0, 0.5, POINTS), 4.0


def _steps(rng: np.random.Generator) -> Made:
    level = np.repeat(rng.normal(50, 3, 10), POINTS // 10)
    return _times(300), level + rng.normal(0, 0.8, POINTS), 2.0


def _tweets(rng: np.random.Generator) -> Made:
    mean = np.exp(3 + 0.6 * _day(300) + rng.normal(0, 0.4, POINTS))
    return _times(300), rng.poisson(mean).astype(float), 25.0


def _traffic(rng: np.random.Generator) -> Made:
    gaps = rng.choice([300, 600, 900, 3600], POINTS, p=[0.6, 0.2, 0.15, 0.05])
    second = 1_396_300_000 + np.cumsum(gaps).astype(np.int64)
    return second, 60 + 8 * np.sin(2 * np.pi * second / 86_400) + rng.normal(0, 3, POINTS), 3.0


def _gaps(rng: np.random.Generator) -> Made:
    second, value, noise = _load(rng)
    value[rng.random(POINTS) < 0.1] = np.nan
    return second, value, noise


def _drift(rng: np.random.Generator) -> Made:
    return _times(300), np.linspace(10, 60, POINTS) + rng.normal(0, 1, POINTS), 1.5


MAKES: dict[str, Callable[[np.random.Generator], Made]] = {
    "load": _load, "no_day": _no_day, "temperature": _temperature, "flat": _flat, "square": _square, "steps": _steps,
    "tweets": _tweets, "traffic": _traffic, "gaps": _gaps, "drift": _drift,
}  # fmt: skip


def _ours(given: Given) -> Points:
    return np.nan_to_num(lone.score_alone(given.second, given.value).score)


def _robust(given: Given) -> Points:
    value = pd.Series(given.value)
    middle = value.rolling(300, min_periods=20).median().shift(1)
    spread = (value - middle).abs().rolling(300, min_periods=20).median().shift(1) * 1.4826
    return _news(((value - middle).abs() / (spread + 1e-6 + 0.005 * middle.abs())).fillna(0).to_numpy())


def _forest(given: Given) -> Points:
    value = pd.Series(given.value).ffill().bfill().to_numpy()
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([np.full(9, value[0]), value]), 10)
    score = np.zeros(len(value))
    for begin in range(PROBATION, len(value), 250):
        trees = IsolationForest(n_estimators=60, random_state=0).fit(windows[:begin][-2000:])
        score[begin : begin + 250] = -trees.score_samples(windows[begin : begin + 250])
    return _news(score)


def _news(score: Points) -> Points:
    """Half the score where a point of the last hundred was as odd: what our own does, given to the others too."""
    before = pd.Series(score).rolling(100, min_periods=1).max().shift(1).fillna(-1).to_numpy()
    found: Points = np.where(score > before, score, score * 0.5)
    return found


def _judged(scored: list[tuple[Given, Points]]) -> dict[str, object]:
    """Recall, false alarms per series and score, thresholds carried from one half of the series to the other."""
    halves = scored[::2], scored[1::2]
    told = [_counted(other, _best(half)) for half, other in (halves, halves[::-1])]
    found, false, total, series_judged = (sum(each) for each in zip(*told, strict=True))
    by_make = {
        make: [
            sum(part)
            for part in zip(*(_counted([s for s in other if s[0].make == make], _best(half))[:3]
                              for half, other in (halves, halves[::-1])), strict=True)
        ]
        for make in MAKES
    }  # fmt: skip
    return {
        "recall": round(found / total, 3),
        "false_alarms_per_series": round(false / series_judged, 2),
        "score": round(100 * (found - FALSE_COSTS * false) / total, 1),
        "found_false_of_by_make": by_make,
    }


def _best(scored: list[tuple[Given, Points]]) -> float:
    tops = np.unique(np.concatenate([score[PROBATION:][score[PROBATION:] > 0] for _, score in scored]))
    choices = np.quantile(tops, np.linspace(0.5, 1, 400))

    def worth(threshold: float) -> float:
        found, false, *_ = _counted(scored, threshold)
        return found - FALSE_COSTS * false

    return float(max(choices, key=worth))


def _counted(scored: list[tuple[Given, Points]], threshold: float) -> tuple[int, int, int, int]:
    """Anomalies found, alarms outside of any, anomalies, and series."""
    found = false = total = 0
    for given, score in scored:
        alarms = np.flatnonzero(score >= threshold)
        alarms = alarms[alarms >= PROBATION]
        inside = np.zeros(len(alarms), dtype=bool)
        for first, last in given.windows:
            within = (alarms >= first) & (alarms <= last)
            found += bool(within.any())
            inside |= within
        false += int((~inside).sum())
        total += len(given.windows)
    return found, false, total, len(scored)


if __name__ == "__main__":
    main()
