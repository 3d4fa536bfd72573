"""What is measured of each cell, by name: the screen's statistics and what the examination learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.unusual.block import Block, Places
from detector.unusual.expected import SPARSE, Expected, expect
from detector.unusual.shifts import profile, shifts
from detector.unusual.sparse import amounts, silence
from detector.unusual.windows import Bools, Floats, Sums, past

UNITS = {1000.0: "1000", 1024.0: "1024", 60.0: "60", 3600.0: "3600"}
CUTS = {"point": 2.4, "shift": 2.6, "drift": 2.8, "profile": 3.2, "silence": 1.3, "amount": 2.2}
"""A cell at which one of the screen's statistics reaches this is a candidate. Constants, so nothing is looked ahead."""
SCREENS = tuple(CUTS)
SIGNED = ("z_month", "after_month", "z_amount", "z_shift0", "z_shift1", "z_shift2", "z_drift")
GROWING = frozenset(
    {f"size_{name}" for name in SIGNED}
    | {"over_highest", "over_record", "over_top", "silence", "z_profile0", "z_profile1"}
)
FALLING = frozenset({"under_lowest", "under_record", "under_low"})
LEFT_OUT = frozenset(
    {"z", "z_month", "after_month", "z_amount", "z_shift0", "z_shift1", "z_shift2", "z_drift", "residual"}
)
"""Told with their sign for the explanation; the examination sees their size, and the side."""
NEGATIVE = "negative"


@dataclass(frozen=True)
class Measures:
    """Statistics per cell (series, steps) of one block."""

    expected: Expected
    features: dict[str, Floats]
    screens: dict[str, Floats]
    negative: Bools
    """Less than nothing, in a series that never was before."""


def measure(block: Block) -> Measures:
    """Everything that is measured of the cells of a block."""
    found = expect(block)
    told: dict[str, Floats] = {}
    told |= shifts(block, found)
    told |= profile(block, found)
    told |= silence(block, found)
    told |= amounts(block, found)
    told |= _point(block, found)
    told |= _month(block, found)
    _forget(told, block, found)
    told |= _circumstances(block, found)
    told |= _sizes(told)
    return Measures(found, told, _screens(found, told), _negative(block, found))


def candidates(measures: Measures) -> Bools:
    """The cells at which a statistic of the screen reaches its cut, or usage is negative."""
    with np.errstate(invalid="ignore"):
        reached = [measures.screens[name] >= cut for name, cut in CUTS.items()]
    chosen: Bools = np.logical_or.reduce([*reached, measures.negative]) & (measures.expected.age >= 0)
    return chosen


def rows(measures: Measures, at: tuple[Places, Places]) -> Floats:
    """(cells, features): what the examination sees of the cells at these (rows, steps)."""
    return np.stack([measures.features[name][at] for name in measures.features], axis=1).astype(np.float32)


def _point(block: Block, found: Expected) -> dict[str, Floats]:
    """The cell itself and its neighbours before it."""
    z, residual = found.z, found.residual
    strong = Sums(np.where(np.isnan(z), np.nan, (np.abs(z) > 3)).astype(np.float32))
    usage = np.where(np.isnan(block.values), 0, np.clip(block.values, 0, 1e30))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        hoped = np.exp(np.clip(found.expected, -60, 60)).astype(np.float64)
        two = (usage + np.nan_to_num(past(usage.astype(np.float32), 1))) + found.offset
        both = hoped + np.nan_to_num(past(hoped.astype(np.float32), 1))
        pair = np.log(np.maximum(two, 1e-30) / np.maximum(both, 1e-30))
    return {
        "z": z,
        "side": np.sign(residual),
        "residual": residual,
        "scale": found.scale,
        "residual1": past(residual, 1),
        "residual2": past(residual, 2),
        "residual_week": past(residual, block.cadence.season),
        "z1": past(z, 1),
        "pair": pair.astype(np.float32),
        "tail": np.maximum(found.highest, -found.lowest) / found.scale,
        "over_record": residual - _record(residual),
        "under_record": residual + _record(-residual),
        "over_highest": residual - found.highest,
        "under_lowest": residual - found.lowest,
        "habit": strong.mean(8 * block.cadence.season, 1),
        "habit_now": strong.mean(block.cadence.season, 1),
    }


def _record(residual: Floats) -> Floats:
    """The greatest residual before each step."""
    with np.errstate(invalid="ignore"):
        highest = np.fmax.accumulate(residual, axis=1)
    return past(highest.astype(np.float32), 1)


ACROSS = {
    "z_amount": 4, "over_top": 4, "under_low": 4, "slope_short": 3, "slope": 5, "z_drift": 5, "steady": 5,
    "slope_before": 9, "since8": 9,
}  # fmt: skip
"""Statistics that would compare with what lay before a known change, and for how many weeks after it."""


def _forget(told: dict[str, Floats], block: Block, found: Expected) -> None:
    """After a known change nothing is known yet of these: what lay before it tells nothing."""
    changed = (found.standing.kind > 0) & (found.standing.anchor > block.first[:, None])
    if not changed.any():
        return
    since = np.arange(block.values.shape[1])[None, :] - found.standing.anchor
    for name, weeks in ACROSS.items():
        told[name] = np.where(changed & (since < weeks * block.cadence.season), np.float32(np.nan), told[name])


def _sizes(told: dict[str, Floats]) -> dict[str, Floats]:
    """How far, whichever way: in these a greater distance never speaks less for a fault (`GROWING`)."""
    return {f"size_{name}": np.abs(told[name]) for name in SIGNED}


def _month(block: Block, found: Expected) -> dict[str, Floats]:
    """The residual if the same day a month before (by day, or from the end) tells what is usual on it."""
    residual = found.residual
    best = np.abs(residual)
    signed = residual
    for places in (*block.calendar.same_day, *block.calendar.same_end):
        then = np.where(places >= 0, residual[:, places], np.nan)
        alike = (np.abs(then) > 2 * found.scale) & (np.sign(then) == np.sign(residual))
        left = np.where(alike, residual - then, residual)
        nearer = np.abs(left) < best
        best, signed = np.where(nearer, np.abs(left), best), np.where(nearer, left, signed)
    last = np.where(block.calendar.same_end[0] >= 0, residual[:, block.calendar.same_end[0]], np.nan)
    day = np.where(block.calendar.same_day[0] >= 0, residual[:, block.calendar.same_day[0]], np.nan)
    return {
        "after_month": signed,
        "z_month": signed / found.deviation,
        "month_before_end": last,
        "month_before_day": day,
        "to_end": np.broadcast_to(block.calendar.to_end, residual.shape),
        "day_of_month": np.broadcast_to(block.calendar.day, residual.shape),
    }


def _circumstances(block: Block, found: Expected) -> dict[str, Floats]:
    """Age, size, and what is known to have changed."""
    columns = np.arange(block.values.shape[1], dtype=np.float32)[None, :]
    since = np.where(found.standing.kind > 0, columns - found.standing.anchor, np.nan)
    return {
        "age": np.minimum(found.age, 100 * block.cadence.day).astype(np.float32),
        "known": found.known,
        "size": np.clip(found.expected, -20, 40),
        "whole": found.whole.astype(np.float32),
        "change": found.standing.kind.astype(np.float32),
        "since_change": np.minimum(since, 60 * block.cadence.day).astype(np.float32),
        "ended": found.standing.ended.astype(np.float32),
        "negative": _negative(block, found).astype(np.float32),
        "season": found.season,
    }


def _negative(block: Block, found: Expected) -> Bools:
    with np.errstate(invalid="ignore"):
        below = block.values < 0
    seen = Sums(np.where(found.present, below, np.nan).astype(np.float32))
    earlier = seen.mean(block.values.shape[1], 1)
    old: Bools = below & (earlier < 0.02)
    return old


def _screens(found: Expected, told: dict[str, Floats]) -> dict[str, Floats]:
    """The statistics by which cells become candidates; greater is more unusual."""
    steady = found.active >= SPARSE
    kept = found.age >= 3
    ended = found.standing.ended

    def of(values: Floats, where: Bools) -> Floats:
        """How far values are off where it counts, else nothing."""
        return np.where(where & ~np.isnan(values), np.abs(values), 0).astype(np.float32)

    return {
        "point": of(told["z_month"], kept & (steady | ended)),
        "shift": np.maximum.reduce([of(told[f"z_shift{k}"], steady & ~ended) for k in range(3)]),
        "drift": of(told["z_drift"], steady & ~ended),
        "profile": np.maximum(
            of(np.maximum(told["z_profile0"], 0), steady & ~ended),
            of(np.maximum(told["z_profile1"], 0), steady & ~ended),
        ),
        "silence": of(told["silence"], kept),
        "amount": of(told["z_amount"], ~steady & ~ended),
    }
