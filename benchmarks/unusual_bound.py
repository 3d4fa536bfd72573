"""How much of the faults can be seen at all: the detector beside a judge that knows what made the world.

The judge knows of every series its level, profile, growth, known changes, holidays, noise and how it counts, and how
often each fault, unannounced step, promotion, ramp and late day occurs. Its score is the log odds of a fault against
all that is none, by the days so far: a likelihood ratio, the best that any method can rank by, but for what is rounded
here (noise on the log scale, sizes in steps, the parts of sparse series). A goal far above it cannot be reached.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import _unusual_events as events
from benchmarks import unusual_world
from benchmarks.unusual_world import Truth, World

Matrix = NDArray[np.float64]
LONGEST = 40
COUNT_OFFSET = 0.3
FAULT_RATE = 0.1 / 15 / 120
"""Faults of one kind per series and day."""
STEPS = (0.008 / 170, tuple(float(size) for size in np.linspace(-0.45, 0.45, 7)))
PROMOTIONS = (0.01 / 170, (0.27, 0.38, 0.5, 0.63))
RAMPS = (0.05 / 150, (0.004, 0.006, 0.008, 0.0095))
LATE = 0.0012

Shift = Callable[[int, int], Matrix | float]


@dataclass(frozen=True)
class Noise:
    """How usage strays around the mean: `residual` (n, T) on the log scale and the spread of each cell."""

    residual: Matrix
    spread: Matrix
    heavy: NDArray[np.bool_]

    def density(self, day: int, shift: Matrix | float) -> Matrix:
        """The log density of a day's residual if the mean were shifted; 0 where nothing was used."""
        z = (self.residual[:, day] - shift) / self.spread[:, day]
        gauss, student = -0.5 * z * z, -2.5 * np.log1p((z / 0.7) ** 2 / 4) - np.log(0.7) - 0.0645
        return np.nan_to_num(np.where(self.heavy, student, gauss))


def main() -> None:
    """Print the figures of the judge for each seed."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--series", type=int, default=6000)
    arguments.add_argument("--days", type=int, default=180)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[33, 34])
    chosen = arguments.parse_args()
    found = {}
    for seed in chosen.seeds:
        world, truth = unusual_world.make_known(seed, chosen.series, chosen.days)
        score = odds(world, truth)
        found[seed] = events.figures(score, events.judge(score, world.faults, world.values))
    print(json.dumps(found, indent=2))


def odds(world: World, truth: Truth) -> Matrix:
    """(n, T): the log odds of a fault going on, by the days so far."""
    noise = _noise(world, truth)
    n, days = world.values.shape
    wrong, right = np.full((n, days), -np.inf), np.zeros((n, days))
    slack = ((1 - truth.held) / (1 + truth.held))[:, None] ** np.ones((1, days))
    for rate, length, shift in _faults(truth):
        wrong = np.logaddexp(wrong, np.log(rate) + _ratio(noise, slack, length, shift))
    for rate, length, shift in _ordinary():
        right = np.logaddexp(right, np.log(rate) + _ratio(noise, slack, length, shift))
    right = np.logaddexp(right, np.log(LATE) + _late(world, truth, noise))
    score = wrong - right
    score = np.maximum(np.where(np.isnan(world.values), -99.0, score), _silence(world, truth))
    return np.where(np.nan_to_num(world.values) < 0, 1e9, score)


def _noise(world: World, truth: Truth) -> Noise:
    mean = np.exp(np.clip(truth.log, -20, 80))
    offset = np.where(truth.is_counted, COUNT_OFFSET, 1e-3)[:, None]
    usage = np.where(world.values > 0, world.values, np.nan)
    steady = _steady(world, truth)
    usage = np.where(steady[:, None] & (world.values == 0), 0, usage)
    with np.errstate(invalid="ignore"):
        residual = np.log(usage + offset) - np.log(mean + offset)
    counting = np.where(truth.is_counted[:, None], (mean + 0.1) / (mean + COUNT_OFFSET) ** 2, 0)
    return Noise(residual, np.sqrt(truth.spread[:, None] ** 2 + np.minimum(counting, 4)), truth.is_heavy)


def _steady(world: World, truth: Truth) -> NDArray[np.bool_]:
    """The series that have usage on most of the days on which their mean is not nothing."""
    due = (np.cumsum(~np.isnan(world.values), axis=1) > 0) & (np.nan_to_num(truth.log, nan=-99.0) > -1)
    used = np.nan_to_num(world.values) != 0
    return np.asarray((due & used).sum(axis=1) > 0.5 * due.sum(axis=1))


def _faults(truth: Truth) -> list[tuple[float, int, Shift]]:
    def fixed(size: float) -> Shift:
        return lambda day, since: size

    def drift(pace: float) -> Shift:
        return lambda day, since: pace * (since + 1)

    profile = _profile(truth)
    points = [(FAULT_RATE, 1, fixed(float(np.log(factor)))) for factor in (2, 3, 10, 100, 1000)]
    units = [(FAULT_RATE, 8, fixed(sign * float(np.log(1000)))) for sign in (-1, 1)]
    levels = [(FAULT_RATE, 14, fixed(float(np.log(factor)))) for factor in (0.7, 1.3)]
    drifts = [(FAULT_RATE, 40, drift(pace)) for pace in (-0.012, 0.012)]
    lost: Shift = lambda day, since: -profile[:, day % 7]  # noqa: E731 - one of a list
    return [*points, *units, *levels, *drifts, (FAULT_RATE, 14, lost)]


def _ordinary() -> list[tuple[float, int, Shift]]:
    steps = [(STEPS[0] * _normal(size, 0.25, 0.15), LONGEST, _fixed(size)) for size in STEPS[1]]
    promotions = [(PROMOTIONS[0] / 4, 7, _fixed(size)) for size in PROMOTIONS[1]]
    ramps = [(RAMPS[0] / 4, LONGEST, _rising(pace)) for pace in RAMPS[1]]
    return [*steps, *promotions, *ramps]


def _fixed(size: float) -> Shift:
    return lambda day, since: size


def _rising(pace: float) -> Shift:
    return lambda day, since: pace * since


def _normal(size: float, spread: float, width: float) -> float:
    return float(np.exp(-0.5 * (size / spread) ** 2) / (spread * np.sqrt(2 * np.pi)) * width)


def _profile(truth: Truth) -> Matrix:
    """(n, 7) how far the mean of each weekday lies over that of the week, on the log scale."""
    weeks = truth.log.shape[1] // 7
    with np.errstate(invalid="ignore"):
        usage = np.exp(np.clip(truth.log[:, : weeks * 7], -20, 80)).reshape(len(truth.log), weeks, 7)
    week = np.nan_to_num(np.nanmedian(usage, axis=1), nan=1.0)
    return np.asarray(np.log(np.maximum(week, 1e-9)) - np.log(np.maximum(week.mean(axis=1, keepdims=True), 1e-9)))


def _ratio(noise: Noise, slack: Matrix, length: int, shift: Shift) -> Matrix:
    """(n, T): the log of the likelihood of the days so far, over all starts of this shift, to that without a shift."""
    n, days = noise.residual.shape
    plain = np.stack([noise.density(day, 0.0) for day in range(days)], axis=1)
    found = np.full((n, days), -np.inf)
    for start in range(days):
        total = np.zeros(n)
        for day in range(start, min(start + length, days)):
            gain = noise.density(day, shift(day, day - start)) - plain[:, day]
            total = total + (gain if length == 1 else gain * slack[:, day])
            found[:, day] = np.logaddexp(found[:, day], total)
    return found


def _late(world: World, truth: Truth, noise: Noise) -> Matrix:
    """The log likelihood that a part of the day before landed on this day, and of a day that lost a part."""
    n, days = world.values.shape
    mean = np.exp(np.clip(truth.log, -20, 80))
    found = np.full((n, days), -np.inf)
    for share in (0.25, 0.35, 0.45, 0.55, 0.65):
        lost = float(np.log(1 - share))
        for day in range(1, days):
            gained = np.log1p(share * mean[:, day - 1] / np.maximum(mean[:, day], 1e-9))
            first = noise.density(day - 1, lost) - noise.density(day - 1, 0.0)
            found[:, day - 1] = np.logaddexp(found[:, day - 1], first - np.log(5))
            second = noise.density(day, gained) - noise.density(day, 0.0)
            found[:, day] = np.logaddexp(found[:, day], first + second - np.log(5))
    return found


def _silence(world: World, truth: Truth) -> Matrix:
    """The log odds of a day without usage, in series that are steady: by the chance that counting alone gives none."""
    began, steady = np.cumsum(~np.isnan(world.values), axis=1) > 0, _steady(world, truth)
    mean = np.exp(np.clip(np.nan_to_num(truth.log, nan=-20), -20, 80))
    sure = np.where(truth.is_counted[:, None] | (mean < 1e-3), mean, 1e6)
    silent = began & steady[:, None] & ~(np.nan_to_num(world.values) > 0)
    return np.where(silent, np.log(3 * FAULT_RATE) + sure, -np.inf)


if __name__ == "__main__":
    main()
