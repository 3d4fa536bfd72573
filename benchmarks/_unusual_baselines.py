"""What the detector is measured beside: a robust z-score, a seasonal one, and one isolation forest over all series.

Each bare, and guarded as detectors.md guards them: quiet for the young, the sparse and in known changes, with the two
exact rules (negative usage, a missing day). None looks ahead.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

EXACT = 1e6
QUIET_DAYS = 28


def _median_and_mad(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(all="ignore"):
        ordered = np.sort(values, axis=-1)
        count = np.sum(~np.isnan(values), axis=-1)
        place = (np.maximum(count - 1, 0) // 2)[..., None]
        middle = np.take_along_axis(ordered, place, -1)
        apart = np.sort(np.abs(values - middle), axis=-1)
        return middle[..., 0], np.take_along_axis(apart, place, -1)[..., 0] * 1.4826


def _before(values: np.ndarray, width: int) -> np.ndarray:
    ahead = np.full((len(values), width), np.nan)
    return np.lib.stride_tricks.sliding_window_view(np.concatenate([ahead, values[:, :-1]], axis=1), width, axis=1)


def robust_z(values: np.ndarray) -> np.ndarray:
    """|log usage - median of 28 days before| in MADs; (series, days)."""
    return _in_parts(values, _robust)


def seasonal_z(values: np.ndarray) -> np.ndarray:
    """|log usage - median of the same weekday of eight weeks before|, in MADs of such residuals of 42 days before."""
    return _in_parts(values, lambda log: np.abs(_seasonal(log)))


def pooled_forest(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """One isolation forest over seasonal residuals and their recent means, taught by the first eight weeks."""
    z = _in_parts(values, _seasonal)
    told = np.stack([z, *(np.nan_to_num(_mean_before(z, width)) for width in (1, 3, 7, 14))], axis=-1)
    told = np.clip(np.nan_to_num(told), -60, 60)
    rng = np.random.default_rng(seed)
    known = told[:, 28:56].reshape(-1, told.shape[-1])
    trees = IsolationForest(n_estimators=100, random_state=seed).fit(rng.permutation(known)[:50_000])
    score = np.zeros(z.shape)
    for day in range(56, z.shape[1]):
        score[:, day] = -trees.score_samples(told[:, day])
    return score


def guarded(score: np.ndarray, values: np.ndarray, events: pd.DataFrame) -> np.ndarray:
    """The same, quiet where it cannot know, and with the exact rules."""
    held = np.nan_to_num(score, nan=0.0)
    started = np.cumsum(~np.isnan(values), axis=1)
    used = np.nan_to_num(_before(np.where(started > 0, np.nan_to_num(values) > 0, np.nan), 28).mean(axis=-1))
    held[(started < QUIET_DAYS) | (used < 0.8)] = 0
    for row in events.itertuples():
        if row.kind in ("plan_change", "contract_end"):
            held[row.index, row.first : row.first + (QUIET_DAYS if row.kind == "plan_change" else 10_000)] = 0
    held[np.nan_to_num(values) < 0] = EXACT
    held[np.isnan(values) & (used > 0.95)] = EXACT / 2
    return held


def _in_parts(values: np.ndarray, of) -> np.ndarray:  # type: ignore[no-untyped-def]
    log = np.log(np.maximum(values, 0) + 1)
    return np.concatenate([of(log[start : start + 2000]) for start in range(0, len(log), 2000)])


def _robust(log: np.ndarray) -> np.ndarray:
    middle, spread = _median_and_mad(_before(log, 28))
    return np.abs(log - middle) / (spread + 0.05)


def _seasonal(log: np.ndarray) -> np.ndarray:
    same = np.stack([_shifted(log, 7 * k) for k in range(1, 9)], axis=-1)
    middle, _ = _median_and_mad(same)
    residual = log - middle
    _, spread = _median_and_mad(_before(residual, 42))
    return residual / (spread + 0.05)


def _shifted(log: np.ndarray, days: int) -> np.ndarray:
    moved = np.full_like(log, np.nan)
    moved[:, days:] = log[:, :-days]
    return moved


def _mean_before(z: np.ndarray, width: int) -> np.ndarray:
    return np.nanmean(np.concatenate([_before(z, width), z[..., None]], axis=-1), axis=-1)
