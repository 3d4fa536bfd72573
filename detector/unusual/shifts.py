"""Changes that last: shifted levels, drifts, a changed profile of the week, each in units of usual wandering."""

from __future__ import annotations

import numpy as np

from detector.unusual.block import Block
from detector.unusual.expected import Expected
from detector.unusual.windows import Floats, Sums, past

CLIP = np.float32(2.5)
"""One step counts for no more than this many deviations, so that a spike is no shift."""


def shifts(block: Block, found: Expected) -> dict[str, Floats]:
    """Per cell: by how much the last spans lie over the reference before them (log), and in units of wandering."""
    cadence = block.cadence
    clipped = _clipped(found)
    sums = Sums(clipped)
    anchor = found.standing.anchor
    week = cadence.shifts[0]
    recent = sums.mean(week, least=max(2, week // 2))
    wander = _wandering(recent, week, found.scale)
    told: dict[str, Floats] = {"wander": wander}
    for number, span in enumerate(cadence.shifts):
        now = sums.mean(span, 0, anchor, max(2, span // 2))
        before = sums.mean(cadence.reference, span, anchor, week)
        by = now - before
        told[f"shift{number}"] = by
        told[f"z_shift{number}"] = by / wander
    told["last3"] = sums.mean(3, 0, anchor, 2) - sums.mean(2 * week, 3, anchor, week // 2)
    told |= _drift(recent, week, wander)
    return told


def _clipped(found: Expected) -> Floats:
    reach = CLIP * found.deviation
    level = found.level
    with np.errstate(invalid="ignore"):
        held: Floats = np.clip(found.place, level - reach, level + reach)
    return held


def _wandering(recent: Floats, week: int, scale: Floats) -> Floats:
    """How much the mean of a week usually differs from that of the week before: the past eight weeks, and the noise."""
    by = np.abs(recent - past(recent, week))
    seen = np.stack([past(by, week * k) for k in range(1, 8)], axis=-1)
    there = ~np.isnan(seen)
    count = np.sum(there, axis=-1)
    own = np.sum(np.where(there, np.minimum(seen, 3 * scale[..., None]), 0), axis=-1) / np.maximum(count, 1)
    noise = scale * np.float32(np.sqrt(2 / week) * 1.3)
    squared = ((own * 1.25) ** 2 * count + noise**2 * 3) / (count + 3)
    found: Floats = np.sqrt(squared + 0.01**2).astype(np.float32)
    return found


def _drift(recent: Floats, week: int, wander: Floats) -> dict[str, Floats]:
    """The slope per week of the last five weekly levels, of the five before, and how steadily it went one way."""
    levels = [past(recent, week * k) for k in range(9)]
    slope = (2 * levels[0] + levels[1] - levels[3] - 2 * levels[4]) / np.float32(10)
    earlier = (2 * levels[4] + levels[5] - levels[7] - 2 * levels[8]) / np.float32(10)
    differences = np.stack([levels[k] - levels[k + 1] for k in range(4)], axis=-1)
    with np.errstate(invalid="ignore"):
        steady = np.sum(np.sign(differences), axis=-1)
        middle = np.mean(differences, axis=-1)
        rough = np.sqrt(np.mean((differences - middle[..., None]) ** 2, axis=-1))
    longer = np.sqrt(rough**2 + wander**2)
    short = (levels[0] - levels[2]) / np.float32(2)
    before = np.where(np.isnan(earlier), 0, earlier)
    return {
        "slope": slope,
        "slope_before": earlier,
        "slope_short": short,
        "steady": steady.astype(np.float32),
        "z_drift": (slope - np.clip(before, -0.05, 0.05)) * np.float32(3.2) / longer,
        "since8": levels[0] - levels[8],
    }


def profile(block: Block, found: Expected) -> dict[str, Floats]:
    """How much of the usual profile of the week is missing from the last one and two weeks: 0 as ever, 1 all of it."""
    season = np.where(np.isnan(found.residual), np.nan, found.season)
    residual = _within(found)
    told: dict[str, Floats] = {}
    week = block.cadence.season
    sums = {
        name: Sums(each)
        for name, each in (("s", season), ("e", residual), ("se", season * residual), ("ss", season * season))
    }
    squares = Sums(residual * residual / np.maximum(found.scale, 1e-6) ** 2)
    for number, span in enumerate((week, 2 * week)):
        s, e, se, ss = (sums[name].mean(span, 0, found.standing.anchor, week - 2) for name in ("s", "e", "se", "ss"))
        energy = np.maximum(ss - s * s, 1e-6)
        lost = -(se - s * e) / energy
        told[f"profile{number}"] = lost.astype(np.float32)
        told[f"z_profile{number}"] = (lost * np.sqrt(energy * np.float32(span)) / found.scale).astype(np.float32)
        told[f"rough{number}"] = np.sqrt(squares.mean(span, 0, found.standing.anchor, week // 2))
    told["rough_before"] = np.sqrt(squares.mean(4 * week, 2 * week, None, week))
    told["profile_size"] = np.sqrt(np.maximum(sums["ss"].mean(2 * week) - sums["s"].mean(2 * week) ** 2, 0))
    return told


def _within(found: Expected) -> Floats:
    reach = 4 * found.deviation
    with np.errstate(invalid="ignore"):
        held: Floats = np.clip(found.residual, -reach, reach)
    return held
