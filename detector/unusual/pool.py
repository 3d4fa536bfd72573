"""What all series of a rhythm have in common: profile and scale of the young, and days on which many move together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detector.unusual.block import Block, Places, Pool
from detector.unusual.expected import season_of
from detector.unusual.windows import Floats

SAMPLE = 1500
LEAST = 20
"""Fewer series than this tell nothing about the others."""
USUAL_SCALE = np.float32(0.25)
STEPS_OF_Z = np.array([1.5, 2.5, 4.0, 7.0], dtype=np.float32)
TOGETHER = ("together", "together_quiet", "middle_z")


def unknown(steps: int) -> Pool:
    """A pool that knows nothing yet: flat profile, usual scale."""
    return Pool(np.zeros(steps, dtype=np.float32), np.full(steps, USUAL_SCALE, dtype=np.float32))


def pool_of(block: Block) -> Pool:
    """The medians, step by step, over the series that were there first. Later ones would change nothing before them."""
    steps = block.values.shape[1]
    rows = np.arange(min(SAMPLE, len(block.values)))
    sample = replace(block.part(rows, 0, steps), pool=unknown(steps))
    season, scale = season_of(sample)
    return Pool(_middle(season, np.float32(0)), _middle(scale, USUAL_SCALE))


def _middle(values: Floats, otherwise: np.float32) -> Floats:
    ordered = np.sort(values.T, axis=1)
    count = np.sum(~np.isnan(ordered), axis=1)
    place = np.maximum(count - 1, 0) // 2
    found: Floats = np.where(count >= LEAST, ordered[np.arange(len(ordered)), place], otherwise).astype(np.float32)
    return found


class Together:
    """How many series stray alike at each step, beside how many usually do: a holiday or an outage moves many."""

    def __init__(self, steps: int) -> None:
        self._over = np.zeros((2, len(STEPS_OF_Z), steps))
        self._there = np.zeros(steps)
        self._above = np.zeros(steps)

    def add(self, z: Floats) -> None:
        """Count the deviations (series, steps) of some series."""
        self._there += np.sum(~np.isnan(z), axis=0)
        with np.errstate(invalid="ignore"):
            self._above += np.sum(z > 0, axis=0)
            for number, least in enumerate(STEPS_OF_Z):
                self._over[0, number] += np.sum(z <= -least, axis=0)
                self._over[1, number] += np.sum(z >= least, axis=0)

    def of(self, z: Floats, step: Places, span: int) -> Floats:
        """(cells, 3): log of the share that strays alike over the usual one, of the share today, and of the middle."""
        there = np.maximum(self._there, 1)
        today = self._over / there
        usual = _before(self._over, span) / np.maximum(_before(there[None, None, :], span), 1)
        doubt = 2 / there
        lift = np.log((today + doubt) / (usual + doubt))
        side = (z > 0).astype(np.intp)
        with np.errstate(invalid="ignore"):
            number = np.clip(np.searchsorted(STEPS_OF_Z, np.abs(z) * 0.75, side="right") - 1, 0, len(STEPS_OF_Z) - 1)
        up = (self._above + 1) / (there + 2)
        return np.stack(
            [lift[side, number, step], np.log(today[side, number, step] + doubt[step]), np.log(up / (1 - up))[step]],
            axis=1,
        ).astype(np.float32)


def _before(values: np.ndarray, span: int) -> np.ndarray:
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    steps = np.arange(values.shape[-1])
    found: np.ndarray = total[..., steps] - total[..., np.maximum(steps - span, 0)]
    return found
