"""The expected usage of each step: the present level times the profile of the week, and how far usage may stray.

All on the log of usage plus a little (`offset`), so that a factor weighs the same at any size. At step t everything is
made of what lay before t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.unusual.block import Block, Places
from detector.unusual.events import Standing, standing
from detector.unusual.windows import (
    Bools,
    Floats,
    Ints,
    Sums,
    centred,
    counted,
    middle,
    past,
    quantile,
    refreshed,
    spread_out,
    trailing,
    trimmed_mean,
)

OFFSET_SHARE = 0.02
"""The little, as a share of the series' own level: less usage than that is as good as none."""
COUNT_OFFSET = 0.3
"""The least of it for usage that is counted in whole numbers."""
FLOOR = 0.03
"""No series varies less than this (log scale)."""
UNKNOWN_LEVEL = 0.8
"""How far a level may move with a known change (log scale), before any usage has told."""
POOL_WEEKS = 1.5
POOL_STEPS = 8.0
"""With how many weeks and steps of own history the pool's profile and scale weigh alike."""
SPARSE = 0.5
"""A series with usage on fewer of its steps than this is sparse."""
MAD = np.float32(1.4826)


@dataclass(frozen=True)
class Expected:
    """Per cell (series, steps), on the log scale where not said otherwise."""

    standing: Standing
    age: Ints
    """Steps since the first row; negative before it."""
    active: Floats
    """Share of recent steps with usage, before this one."""
    present: Bools
    """There is a row."""
    whole: Bools
    """Counted in whole numbers so far."""
    offset: Floats
    """In units of usage."""
    log: Floats
    season: Floats
    level: Floats
    known: Floats
    """Of how many steps the level is made."""
    expected: Floats
    residual: Floats
    scale: Floats
    """How far a residual usually strays."""
    deviation: Floats
    """The same, with the doubt about the level."""
    z: Floats
    highest: Floats
    lowest: Floats
    """The greatest and least residual of the span that made the scale."""

    @property
    def place(self) -> Floats:
        """Usage without the profile of the week."""
        return self.log - self.season


def expect(block: Block) -> Expected:
    """What was to be expected of each cell, and how far it is from it."""
    values, cadence = block.values, block.cadence
    steps = values.shape[1]
    stands = standing(block.changes, block.first, steps)
    age = (np.arange(steps, dtype=np.int32)[None, :] - block.first[:, None]).astype(np.int32)
    present = ~np.isnan(values) & ~(stands.out & ~(values > 0))
    used = present & (values > 0)
    active = Sums(np.where(age >= 0, used, np.nan).astype(np.float32)).mean(4 * cadence.season, 1)
    whole = np.logical_and.accumulate(~present | (np.mod(values, 1) == 0), axis=1)
    with np.errstate(over="ignore"):
        usage = np.where(present, np.clip(values, 0, 1e30), np.nan).astype(np.float32)
    quiet = ~present & (age >= 0) & ~(active >= SPARSE)
    usage[quiet] = 0
    offset = _offset(usage, whole, cadence.scale, cadence.refresh)
    offset = _frozen(offset, stands.ended)
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.log(usage + offset)
    season = _season(log, block)
    level, known = _level(log - season, stands, age, cadence.level)
    expected = level + season
    zero = np.log(np.maximum(offset, 1e-30))
    expected = np.where(stands.ended, zero, expected)
    residual = (log - expected).astype(np.float32)
    scale, highest, lowest = _scale(residual, expected, offset, whole, block)
    doubt = np.where(known > 0, scale**2 * np.float32(1.57) / np.maximum(known, 1), UNKNOWN_LEVEL**2)
    deviation = np.sqrt(scale**2 + doubt).astype(np.float32)
    deviation = np.where(stands.ended, np.maximum(deviation, 1), deviation)
    return Expected(
        stands, age, active, present, whole, offset, log, season, level, known, expected.astype(np.float32),
        residual, scale, deviation, residual / deviation, highest, lowest,
    )  # fmt: skip


def season_of(block: Block) -> tuple[Floats, Floats]:
    """The own profile and the own scale of each cell, NaN while too young: what a pool is made of."""
    found = expect(block)
    old = found.age > 4 * block.cadence.season
    steady = old & (found.active > SPARSE)
    return np.where(steady, found.season, np.nan), np.where(steady, found.scale, np.nan)


def _offset(usage: Floats, whole: Bools, width: int, every: int) -> Floats:
    """A small share of the usual positive usage: of the weeks before, or of the first steps in the beginning."""
    positive = np.where(usage > 0, usage, np.nan).astype(np.float32)
    ordered = refreshed(positive, width, every)
    count = counted(ordered)
    usual = spread_out(np.where(count >= 3, quantile(ordered, count, 0.5), np.nan), every, usage.shape[1])
    beginning = Sums(positive).mean(usage.shape[1])
    held = np.where(np.isnan(usual), beginning, usual)
    least = np.where(whole, np.float32(COUNT_OFFSET), np.float32(0))
    found: Floats = np.maximum(held * np.float32(OFFSET_SHARE), least).astype(np.float32)
    return found


def _frozen(offset: Floats, ended: Bools) -> Floats:
    """After the end the offset stays what it was: what came before the end is what usage is held against."""
    if not ended.any():
        return offset
    columns = np.arange(offset.shape[1])
    kept = np.maximum.accumulate(np.where(ended, 0, columns), axis=1)
    return np.take_along_axis(offset, kept, 1)


def _season(log: Floats, block: Block) -> Floats:
    """The profile at each step: the median of the same step in the weeks before, drawn towards the pool's."""
    cadence = block.cadence
    if cadence.season <= 7:
        around = trimmed_mean(centred(log, cadence.season))
    else:
        half = cadence.season // 2
        around = _centred_mean(log, half)
    over = log - around
    weeks = np.stack([past(over, k * cadence.season) for k in range(1, cadence.weeks + 1)], axis=-1)
    own, count = middle(weeks)
    weight = count.astype(np.float32)
    blended: Floats = (
        (np.where(count > 0, own, 0) * weight + block.pool.profile[None, :] * np.float32(POOL_WEEKS))
        / (weight + np.float32(POOL_WEEKS))
    ).astype(np.float32)
    return blended


def _centred_mean(log: Floats, half: int) -> Floats:
    """The mean of a span around each step; it looks ahead by `half`, and is only read a week later."""
    moved = Sums(log).mean(2 * half, least=half)
    ahead = np.full_like(log, np.nan)
    ahead[:, : log.shape[1] - half] = moved[:, half:]
    return ahead


def _level(place: Floats, stands: Standing, age: Ints, width: int) -> tuple[Floats, Floats]:
    """The median of the recent steps since the latest known change; before any, what it was before the change."""
    windows = trailing(place, width)
    columns = np.arange(place.shape[1], dtype=np.int32)
    since = columns[None, :] - np.maximum(stands.anchor, 0)
    free, count = middle(windows)
    changed = (since < width) & (stands.kind > 0)
    level, known = free, count
    if changed.any():
        rows, steps = np.nonzero(changed)
        kept = windows[rows, steps].copy()
        kept[np.arange(width)[None, :] < (width - since[rows, steps])[:, None]] = np.nan
        own, number = middle(kept)
        level, known = free.copy(), count.copy()
        level[rows, steps] = np.where(number > 0, own, _before(free, stands.anchor, rows, steps))
        known[rows, steps] = number
    return level, known.astype(np.float32)


def _before(free: Floats, anchor: Ints, rows: Places, steps: Places) -> Floats:
    found: Floats = free[rows, np.minimum(np.maximum(anchor[rows, steps], 0), steps)]
    return found


def _scale(
    residual: Floats, expected: Floats, offset: Floats, whole: Bools, block: Block
) -> tuple[Floats, Floats, Floats]:
    """How far residuals stray: their MAD, drawn towards the pool's, no less than counting alone makes them stray."""
    cadence = block.cadence
    steps = residual.shape[1]
    ordered = refreshed(residual, cadence.scale, cadence.refresh)
    count = counted(ordered)
    centre = np.clip(quantile(ordered, count, 0.5), -0.1, 0.1)
    spread, _ = middle(np.abs(ordered - centre[..., None]))
    top = quantile(ordered, count, 1.0)
    bottom = quantile(ordered, count, 0.0)
    own, highest, lowest, number = (
        spread_out(each, cadence.refresh, steps)
        for each in ((spread * MAD).astype(np.float32), top, bottom, count.astype(np.float32))
    )
    pooled = block.pool.scale[None, :]
    variance = (np.where(number > 0, own, 0) ** 2 * number + pooled**2 * POOL_STEPS) / (number + POOL_STEPS)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.maximum(np.exp(np.clip(expected, -60, 60)) - offset, 0)
        counting = np.where(whole, (mean + 0.1) / np.maximum(mean + offset, 0.3) ** 2, 0)
    scale: Floats = np.sqrt(np.maximum(variance, np.minimum(counting, 4)) + FLOOR**2).astype(np.float32)
    return scale, highest, lowest
