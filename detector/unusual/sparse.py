"""Series that are quiet on many steps: is the silence longer, or the amount other, than this series shows?"""

from __future__ import annotations

import numpy as np

from detector.unusual.block import Block
from detector.unusual.expected import MAD, Expected
from detector.unusual.windows import Floats, counted, middle, past, quantile, refreshed, spread_out

LEAST_AMOUNTS = 4
AMOUNT_FLOOR = 0.35
"""Amounts of a sparse series vary at least this much (log scale)."""


def silence(block: Block, found: Expected) -> dict[str, Floats]:
    """Per cell: -log10 of the chance of the silence that lasts here, by how often the series is active then."""
    used = found.present & (block.values > 0)
    seen = np.where(found.age >= 0, used, np.nan).astype(np.float32)
    weeks = np.stack([past(seen, block.cadence.season * k) for k in range(1, 9)], axis=-1)
    same = np.sum(np.where(np.isnan(weeks), 0, weeks), axis=-1)
    count = np.sum(~np.isnan(weeks), axis=-1)
    general = np.where(np.isnan(found.active), 0.5, found.active)
    chance = (same + general * 2) / (count + 2)
    quiet = (found.age >= 1) & ~used & ~found.standing.ended & ~found.standing.out
    cost = np.where(quiet, -np.log10(np.clip(1 - chance, 0.02, 1)), 0)
    run = _run(cost, quiet)
    return {
        "silence": run,
        "unlikely_today": cost.astype(np.float32),
        "missing": (~found.present & (found.age >= 0)).astype(np.float32),
        "active": general.astype(np.float32),
        "chance": chance.astype(np.float32),
    }


def _run(cost: Floats, quiet: np.ndarray) -> Floats:
    """The sum of the cost over the quiet steps that end here."""
    total = np.cumsum(cost, axis=1, dtype=np.float64)
    before = np.maximum.accumulate(np.where(quiet, 0, total), axis=1)
    run: Floats = np.where(quiet, total - before, 0).astype(np.float32)
    return run


def amounts(block: Block, found: Expected) -> dict[str, Floats]:
    """Per cell with usage: its log amount against those of the span before, in deviations and over the highest."""
    cadence = block.cadence
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(np.where(block.values > 0, block.values, np.nan)).astype(np.float32)
    ordered = refreshed(log, cadence.memory, cadence.refresh)
    count = counted(ordered)
    centre = quantile(ordered, count, 0.5)
    spread, _ = middle(np.abs(ordered - centre[..., None]))
    steps = block.values.shape[1]
    usual, stray, top, low, number = (
        spread_out(each, cadence.refresh, steps)
        for each in (
            centre,
            (spread * MAD).astype(np.float32),
            quantile(ordered, count, 1.0),
            quantile(ordered, count, 0.0),
            count.astype(np.float32),
        )
    )
    enough = number >= LEAST_AMOUNTS
    width = np.sqrt(stray**2 + AMOUNT_FLOOR**2) * np.sqrt(1 + 1.6 / np.maximum(number, 1))
    return {
        "z_amount": np.where(enough, (log - usual) / width, np.nan).astype(np.float32),
        "over_top": np.where(enough, log - top, np.nan).astype(np.float32),
        "under_low": np.where(enough, log - low, np.nan).astype(np.float32),
        "amounts": number.astype(np.float32),
        "usual_amount": usual,
    }
