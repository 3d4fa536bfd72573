"""Looking back over the columns of a matrix (series, steps): each result at t is made of columns up to t only."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int32]


def past(values: Floats, steps: int) -> Floats:
    """The matrix as it was `steps` columns ago; NaN before there was anything."""
    moved = np.full_like(values, np.nan)
    if steps < values.shape[1]:
        moved[:, steps:] = values[:, : values.shape[1] - steps]
    return moved


def trailing(values: Floats, width: int) -> Floats:
    """(series, steps, width): the `width` columns that end before each step, oldest first; NaN before the first."""
    ahead = np.full((len(values), width), np.nan, dtype=np.float32)
    return sliding_window_view(np.concatenate([ahead, values[:, :-1]], axis=1), width, axis=1)


def centred(values: Floats, width: int) -> Floats:
    """(series, steps, width): the columns around each step. It looks ahead by half a width: read it that much later."""
    half = width // 2
    edge = np.full((len(values), half), np.nan, dtype=np.float32)
    return sliding_window_view(np.concatenate([edge, values, edge], axis=1), width, axis=1)


def middle(values: Floats) -> tuple[Floats, Ints]:
    """The median over the last axis and how many values it is of; NaN where there are none."""
    ordered = np.sort(values, axis=-1)
    count = counted(values)
    return quantile(ordered, count, 0.5), count


def counted(values: Floats) -> Ints:
    """How many values there are along the last axis."""
    number: Ints = np.asarray(np.sum(~np.isnan(values), axis=-1, dtype=np.int32))
    return number


def quantile(ordered: Floats, count: Ints, share: float) -> Floats:
    """A quantile of sorted values, NaN last, by the mean of its two neighbours; NaN where there are no values."""
    place = np.maximum(count - 1, 0) * share
    low = np.floor(place).astype(np.intp)[..., None]
    high = np.ceil(place).astype(np.intp)[..., None]
    below, above = np.take_along_axis(ordered, low, -1)[..., 0], np.take_along_axis(ordered, high, -1)[..., 0]
    found: Floats = (below + above) * np.float32(0.5)
    return found


def trimmed_mean(values: Floats) -> Floats:
    """The mean over the last axis without its highest and lowest, where there are five or more."""
    there = ~np.isnan(values)
    count = np.sum(there, axis=-1, dtype=np.int32)
    total = np.sum(np.where(there, values, 0), axis=-1)
    highest = np.max(np.where(there, values, -np.inf), axis=-1)
    lowest = np.min(np.where(there, values, np.inf), axis=-1)
    many = count >= 5
    with np.errstate(invalid="ignore"):
        total = np.where(many, total - highest - lowest, total)
    count = np.where(many, count - 2, count)
    found: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return found


def refreshed(values: Floats, width: int, every: int, offset: int = 0) -> Floats:
    """(series, times, width): sorted windows of the `width` columns before each `every`-th column, NaN last."""
    starts = np.arange(0, values.shape[1], every)
    ahead = np.full((len(values), width), np.nan, dtype=np.float32)
    windows = sliding_window_view(np.concatenate([ahead, values], axis=1), width, axis=1)
    return np.sort(windows[:, starts - offset if offset else starts], axis=-1)


def spread_out(values: Floats, every: int, steps: int) -> Floats:
    """What was worked out at each `every`-th column, held until the next."""
    return np.repeat(values, every, axis=1)[:, :steps]


class Sums:
    """Sums over spans of columns in constant time; what is not known counts as not there."""

    def __init__(self, values: Floats) -> None:
        there = ~np.isnan(values)
        self._sum = _running(np.where(there, values, 0).astype(np.float64))
        self._count = _running(there.astype(np.float64))
        self._columns = np.arange(values.shape[1])

    def total(self, width: int, back: int = 0, since: Ints | None = None) -> tuple[Floats, Floats]:
        """Sum and count of the `width` columns that end `back` before each step, none of them before `since`."""
        end = np.maximum(self._columns + 1 - back, 0)
        begin = np.maximum(end - width, 0)
        if since is None:
            return self._between(begin, end)
        first = np.minimum(np.maximum(begin, since), end)
        sums = self._sum[:, end] - np.take_along_axis(self._sum, first.astype(np.intp), 1)
        counts = self._count[:, end] - np.take_along_axis(self._count, first.astype(np.intp), 1)
        return sums.astype(np.float32), counts.astype(np.float32)

    def mean(self, width: int, back: int = 0, since: Ints | None = None, least: int = 1) -> Floats:
        """The mean of that span; NaN where it has fewer than `least` values."""
        total, count = self.total(width, back, since)
        found: Floats = np.where(count >= least, total / np.maximum(count, 1), np.nan).astype(np.float32)
        return found

    def _between(self, begin: NDArray[np.intp], end: NDArray[np.intp]) -> tuple[Floats, Floats]:
        sums, counts = self._sum[:, end] - self._sum[:, begin], self._count[:, end] - self._count[:, begin]
        return sums.astype(np.float32), counts.astype(np.float32)


def _running(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
