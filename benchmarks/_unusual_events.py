"""Scoring of fault windows against clean weeks: average precision, recall at false alarms, delays by kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

FROM_DAY = 56
WEEK = 7


@dataclass(frozen=True)
class Judged:
    """The greatest score of each fault window and of each clean week, and over how many series-months."""

    faults: pd.DataFrame
    clean: np.ndarray
    months: float

    def threshold(self, rate: float) -> float:
        """The score that `rate` clean weeks per 1000 series-months exceed."""
        allowed = int(rate * self.months / 1000)
        ordered = np.sort(self.clean)[::-1]
        return float(ordered[min(allowed, len(ordered) - 1)])

    def recall(self, threshold: float, chosen: pd.Series | None = None) -> float:
        """The share of fault windows that exceed a threshold."""
        peaks = self.faults["peak"] if chosen is None else self.faults.loc[chosen, "peak"]
        return float((peaks > threshold).mean()) if len(peaks) else float("nan")

    def false_alarms(self, threshold: float) -> float:
        """Clean weeks above a threshold, per 1000 series-months."""
        return float((self.clean > threshold).sum() / self.months * 1000)

    def average_precision(self) -> float:
        """Area under precision over recall, windows and weeks ranked together."""
        scores = np.concatenate([self.faults["peak"], self.clean])
        wrong = np.concatenate([np.ones(len(self.faults)), np.zeros(len(self.clean))])
        order = np.lexsort((wrong, -scores))
        found = np.cumsum(wrong[order])
        precision = found / np.arange(1, len(found) + 1)
        return float((precision * wrong[order]).sum() / max(wrong.sum(), 1))


def judge(score: np.ndarray, faults: pd.DataFrame, values: np.ndarray, per_day: int = 1) -> Judged:
    """Hold scores (series, steps) against the faults. Weeks with a fault or up to two weeks after one are left out."""
    filled = np.where(np.isnan(score), -np.inf, score)
    n, steps = score.shape
    begin, week = FROM_DAY * per_day, WEEK * per_day
    if begin >= steps:
        raise ValueError("there is nothing after the first eight weeks")
    peaks = []
    dirty = np.zeros((n, steps), dtype=bool)
    for row in faults.itertuples():
        window = filled[row.index, row.first : row.last + 1]
        peaks.append(window.max())
        dirty[row.index, row.first : row.last + 2 * week] = True
    started = np.cumsum(~np.isnan(values), axis=1) > 0
    weeks = (steps - begin) // week
    shaped = filled[:, begin : begin + weeks * week].reshape(n, weeks, week)
    usable = ~dirty[:, begin : begin + weeks * week].reshape(n, weeks, week).any(axis=2)
    usable &= started[:, begin : begin + weeks * week].reshape(n, weeks, week).any(axis=2)
    clean = shaped.max(axis=2)[usable]
    return Judged(faults.assign(peak=peaks), clean, usable.sum() * WEEK / 30)


def delays(judged: Judged, score: np.ndarray, threshold: float, per_day: int = 1) -> dict[str, float | None]:
    """Median days from the begin of a found fault to its first score above the threshold, by kind."""
    found: dict[str, list[float]] = {}
    for row in judged.faults.itertuples():
        over = np.flatnonzero(score[row.index, row.first : row.last + 1] > threshold)
        found.setdefault(row.kind, [])
        if len(over):
            found[row.kind].append(over[0] / per_day)
    return {kind: float(np.median(each)) if each else None for kind, each in sorted(found.items())}


def figures(score: np.ndarray, judged: Judged, per_day: int = 1) -> dict[str, Any]:
    """The figures of one detector in one world."""
    at = {rate: judged.threshold(rate) for rate in (1, 10)}
    inside = judged.faults["inside"].astype(bool)
    by_kind = {
        kind: [round(judged.recall(at[rate], judged.faults["kind"] == kind), 3) for rate in (1, 10)]
        for kind in sorted(judged.faults["kind"].unique())
    }
    return {
        "faults": len(judged.faults),
        "average_precision": round(judged.average_precision(), 3),
        "recall_1": round(judged.recall(at[1]), 3),
        "recall_10": round(judged.recall(at[10]), 3),
        "recall_10_inside_known_changes": round(judged.recall(at[10], inside), 3),
        "inside": int(inside.sum()),
        "recall_by_kind_1_10": by_kind,
        "delay_days_10": delays(judged, score, at[10], per_day),
    }
