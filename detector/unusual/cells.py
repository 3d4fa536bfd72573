"""Every cell of some usage, measured: what was expected of it, its band, and the candidates worth a second look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from detector.unusual import features, pool
from detector.unusual.block import Block, Places, calendar
from detector.unusual.cadence import DAILY, Cadence
from detector.unusual.events import Changes
from detector.unusual.features import SCREENS, Measures
from detector.unusual.windows import Floats

CHUNK = 60_000
"""Cells that are measured together."""
SAMPLED = 41
"""Of so many cells that are no candidates one is looked at all the same."""
BAND = 3.0
"""The band reaches so many deviations to both sides."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Usage:
    """Series of one rhythm, in the order of their first rows: (n, T) values, NaN where there is no row."""

    values: NDArray[np.float64]
    first: NDArray[np.int32]
    held: NDArray[np.bool_]
    """Chosen by name, a third of the series: they teach nothing, so that their past can tell how high is high."""
    times: NDArray[np.datetime64]
    changes: Changes
    cadence: Cadence


@dataclass(frozen=True)
class Candidates:
    """The cells that were looked at twice: where, what was measured, the screen's statistics (names: `SCREENS`)."""

    row: Places
    step: Places
    features: Floats
    screens: Floats
    names: tuple[str, ...]

    @property
    def seen(self) -> Places:
        """The columns that the examination sees."""
        return np.array([i for i, name in enumerate(self.names) if _is_seen(name)], dtype=np.intp)

    @property
    def trend(self) -> tuple[int, ...]:
        """How those columns speak for a fault: 1, -1 or 0."""
        return tuple(
            (self.names[i] in features.GROWING) - (self.names[i] in features.FALLING) for i in self.seen.tolist()
        )

    def where(self, chosen: NDArray[np.bool_]) -> Candidates:
        """Those that are chosen; the others are let go."""
        return Candidates(
            self.row[chosen], self.step[chosen], self.features[chosen], self.screens[chosen], self.names
        )  # fmt: skip

    def column(self, name: str) -> Floats:
        """One feature of all candidates."""
        return self.features[:, self.names.index(name)]


def _is_seen(name: str) -> bool:
    return name not in features.LEFT_OUT


@cache
def seen_names() -> tuple[str, ...]:
    """The features that the examination sees, in order: what a stored model has to have been taught on."""
    times = np.datetime64(0, "s") + np.arange(2) * np.timedelta64(DAILY.seconds, "s")
    first = np.zeros(1, dtype=np.int32)
    block = Block(np.ones((1, 2)), first, Changes.none(), calendar(times), pool.unknown(2), DAILY)
    return tuple(name for name in (*features.measure(block).features, *pool.TOGETHER) if _is_seen(name))


@dataclass(frozen=True)
class Measured:
    """All of them: (n, steps) in units of usage, how many strayed alike at each step, and the candidates."""

    expected: Floats
    lower: Floats
    upper: Floats
    together: pool.Together
    candidates: Candidates


def measured(usage: Usage, tell: Progress) -> tuple[Block, Measured]:
    """Everything that is measured of the usage, with the pool that it is held against."""
    whole = _pooled(usage)
    return whole, _measured(whole, tell)


def expectation(usage: Usage, row: int) -> tuple[Floats, Floats, Floats]:
    """(steps,) each: what is expected of one row, and its band, held against the pool of all."""
    part = _pooled(usage).part(np.array([row]), 0, usage.values.shape[1])
    expected, lower, upper = band(features.measure(part))
    return expected[0], lower[0], upper[0]


def _pooled(usage: Usage) -> Block:
    steps = usage.values.shape[1]
    alone = Block(
        usage.values, usage.first, usage.changes, calendar(usage.times), pool.unknown(steps), usage.cadence
    )  # fmt: skip
    return replace(alone, pool=pool.pool_of(alone))


def _measured(whole: Block, tell: Progress) -> Measured:
    n, steps = whole.values.shape
    expected, lower, upper = (np.full((n, steps), np.nan, dtype=np.float32) for _ in range(3))
    together = pool.Together(steps)
    parts: list[tuple[Places, Places, Floats, Floats]] = []
    names: tuple[str, ...] = ()
    for begin in range(0, n, max(1, CHUNK // steps)):
        rows = np.arange(begin, min(n, begin + max(1, CHUNK // steps)))
        measures = features.measure(whole.part(rows, 0, steps))
        names = tuple(measures.features)
        expected[rows], lower[rows], upper[rows] = band(measures)
        together.add(measures.expected.z)
        parts.append(_cells(measures, rows))
        tell(int(rows[-1]) + 1, n, "series")
    found = _joined(parts, names, together, 4 * whole.cadence.season)
    return Measured(expected, lower, upper, together, found)


def _joined(
    parts: list[tuple[Places, Places, Floats, Floats]], names: tuple[str, ...], together: pool.Together, span: int
) -> Candidates:
    """The candidates of all parts, with what the pool did at their steps; each part is let go when it is copied."""
    row, step, screens = (np.concatenate([part[which] for part in parts]) for which in (0, 1, 3))
    told = np.empty((len(row), len(names) + len(pool.TOGETHER)), dtype=np.float32)
    end = len(row)
    while parts:
        part = parts.pop()[2]
        told[end - len(part) : end, : len(names)] = part
        end -= len(part)
    told[:, len(names) :] = together.of(told[:, names.index("z")], step, span)
    return Candidates(row, step, told, screens, (*names, *pool.TOGETHER))


def _cells(measures: Measures, rows: Places) -> tuple[Places, Places, Floats, Floats]:
    row, step = np.nonzero(features.candidates(measures) | _sampled(measures, rows))
    at = (row, step)
    screens = np.stack([measures.screens[name][at] for name in SCREENS], axis=1)
    return rows[at[0]], at[1], features.rows(measures, at), screens


def _sampled(measures: Measures, rows: Places) -> NDArray[np.bool_]:
    """Some cells that are no candidates, scattered evenly: what is ordinary is taught by them too."""
    steps = np.arange(measures.expected.age.shape[1])
    scattered = (rows[:, None] * 7919 + steps[None, :] * 104_729) % SAMPLED == 0
    found: NDArray[np.bool_] = scattered & (measures.expected.known > 0)
    return found


def band(measures: Measures) -> tuple[Floats, Floats, Floats]:
    """Expected usage and its band, in units of usage."""
    found = measures.expected
    reach = BAND * found.deviation

    def usage(log: Floats) -> Floats:
        """Usage of a logarithm, never below nothing."""
        return np.maximum(np.exp(np.clip(log, -60, 80)) - found.offset, 0).astype(np.float32)

    return usage(found.expected), usage(found.expected - reach), usage(found.expected + reach)
