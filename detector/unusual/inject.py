"""Faults put into the series' own past, to learn from: broader in kind and size than any list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.unusual.block import Places, Values
from detector.unusual.cadence import Cadence
from detector.unusual.events import CONTRACT_END, PLAN_CHANGE, PLANNED, START, Changes

Row = Values
Random = np.random.Generator
KNOWN_SHARE = 0.25
UNIT_FACTORS = (1000.0, 1000.0, 1024.0, 60.0, 3600.0, 100.0)


@dataclass(frozen=True)
class Injected:
    """Copies of series: which rows, their values, the steps from `first` to `last` that are a fault or, where
    `ordinary`, what a known change made of them; `changes` come beside those of the series, `began` instead.
    """

    rows: Places
    values: Values
    first: Places
    last: Places
    ordinary: NDArray[np.bool_]
    changes: Changes
    began: NDArray[np.int32]


def inject(
    rng: Random,
    values: Values,
    began: NDArray[np.int32],
    changes: Changes,
    cadence: Cadence,
    span: tuple[int, int],
    copies: int,
) -> Injected:
    """Faults that begin in the steps `span` of (series, steps) `values`, of which nothing later is looked at.

    A quarter of the copies have a known change first, and half of those no fault: what it makes of usage is ordinary.
    """
    high = span[1]
    rows, first = _places(rng, began, changes, cadence, span, copies)
    copied, starts = values[rows, :high].copy(), began[rows].copy()
    lasts: list[int] = []
    kept: list[int] = []
    ordinary: list[bool] = []
    known: list[tuple[int, int, int, int]] = []
    for number, (row, step) in enumerate(zip(copied, first.tolist(), strict=True)):
        changed = rng.random() < KNOWN_SHARE and _change(rng, row, int(starts[number]), step, cadence)
        if changed and rng.random() < 0.5:
            begin, end = changed[1], min(changed[1] + 28 * cadence.day, high)
        else:
            kind = "after_end" if changed and changed[0] == CONTRACT_END else KINDS[int(rng.integers(len(KINDS)))]
            if not _able(row, step, kind, cadence):
                continue
            begin, end = step, min(step + _length(rng, kind, cadence), high)
            row[step:end] = _MADE[kind](rng, row, step, end, cadence)
        if changed:
            starts[number] = changed[1] if changed[0] == START else starts[number]
            known.append((len(kept), *changed))
        ordinary.append(bool(changed) and begin != step)
        first[number] = begin
        kept.append(number)
        lasts.append(end - 1)
    chosen = np.array(kept, dtype=np.intp)
    told = np.array(known, dtype=np.int32).reshape(-1, 4)
    return Injected(
        rows[chosen], copied[chosen], first[chosen], np.array(lasts, dtype=np.intp), np.array(ordinary, dtype=bool),
        Changes(told[:, 0], told[:, 1], told[:, 2], told[:, 3]), starts[chosen],
    )  # fmt: skip


def _change(rng: Random, row: Row, began: int, step: int, cadence: Cadence) -> tuple[int, int, int] | None:
    """Put a known change before `step` into a row: kind, first and last step. None where there is no room."""
    at = step - int(rng.integers(1, 25 * cadence.day))
    if at <= began + 2 * cadence.season:
        return None
    kind = int(rng.choice([PLAN_CHANGE, CONTRACT_END, START, PLANNED]))
    last = -1
    if kind == PLAN_CHANGE:
        row[at:] = _like(row, row[at:] * np.exp(rng.normal(0, 0.8)), at, len(row))
    elif kind == CONTRACT_END:
        fade = int(rng.integers(0, 4)) * cadence.day
        row[at : at + fade] = _like(row, row[at : at + fade] * rng.uniform(0, 0.5), at, at + fade)
        row[at + fade :] = 0 if rng.random() < 0.7 else np.nan
    elif kind == START:
        row[:at] = np.nan
        grown = np.minimum(np.arange(len(row) - at) / (cadence.day * rng.uniform(1, 25)), 1)
        row[at:] = _like(row, row[at:] * (0.1 + 0.9 * grown), at, len(row)) if rng.random() < 0.6 else row[at:]
    else:
        last = at + int(rng.integers(2, 14)) * cadence.day
        row[at : last + 1] = _like(row, row[at : last + 1] * np.exp(rng.uniform(-0.7, 1.8)), at, last)
    return kind, at, last


def _places(
    rng: Random, began: np.ndarray, changes: Changes, cadence: Cadence, span: tuple[int, int], copies: int
) -> tuple[Places, Places]:
    """Rows and first steps; a quarter of them within four weeks after a known change or the first row."""
    low, high = span
    old = np.flatnonzero(began < high - cadence.day)
    if not len(old):
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    rows = rng.choice(old, copies)
    first = rng.integers(low, high, copies)
    near = np.flatnonzero((changes.first >= low - 14 * cadence.day) & (changes.first < high - 1))
    if len(near):
        inside = rng.choice(near, copies // 4)
        rows[: len(inside)] = changes.row[inside]
        first[: len(inside)] = changes.first[inside] + rng.integers(0, 28 * cadence.day, len(inside))
    fits = (first >= np.maximum(low, began[rows] + 3 * cadence.day)) & (first < high)
    return rows[fits].astype(np.intp), first[fits].astype(np.intp)


def _length(rng: Random, kind: str, cadence: Cadence) -> int:
    short, long = _LENGTHS[kind]
    steps = int(rng.integers(short, long + 1))
    return max(1, steps * cadence.day if short > 3 else int(steps * cadence.day ** rng.uniform(0, 1)))


def _able(row: Row, step: int, kind: str, cadence: Cadence) -> bool:
    """There must be usage to go wrong."""
    if kind in ("zero", "missing"):
        before = row[max(0, step - 2 * cadence.season) : step]
        return bool(np.mean(before > 0) > 0.85) if len(before) else False
    return kind == "after_end" or bool(row[step] > 0)


def _like(row: Row, wrong: Row, step: int, end: int) -> Row:
    """Counted usage stays counted."""
    known = row[:step][~np.isnan(row[:step])]
    return np.round(wrong) if len(known) and bool(np.all(np.mod(known, 1) == 0)) else wrong


def _spike(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    return _like(row, row[step:end] * np.exp(rng.uniform(np.log(2), np.log(2000)) ** 1.0), step, end)


def _small_spike(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    return _like(row, row[step:end] * rng.uniform(2, 5), step, end)


def _double(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    return row[step:end] * 2


def _loss(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    return _like(row, row[step:end] * rng.uniform(0.02, 0.5), step, end)


def _unit(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    factor = UNIT_FACTORS[int(rng.integers(len(UNIT_FACTORS)))]
    return row[step:end] * factor


def _unit_down(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    return row[step:end] / UNIT_FACTORS[int(rng.integers(len(UNIT_FACTORS)))]


def _zero(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    return np.zeros(end - step)


def _missing(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    return np.full(end - step, np.nan)


def _negative(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    return -np.abs(row[step:end]) * rng.uniform(0.01, 1.5)


def _level(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    factor = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.18, 0.7)))
    return _like(row, row[step:end] * factor, step, end)


def _drift(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    pace = rng.choice([-1, 1]) * rng.uniform(0.007, 0.022) / cadence.day
    return _like(row, row[step:end] * np.exp(pace * np.arange(1, end - step + 1)), step, end)


def _after_end(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    """Usage goes on, or comes back, as some weeks before."""
    before = np.nan_to_num(row[max(0, step - 8 * cadence.season) : step])
    usual = float(np.median(before[before > 0])) if np.any(before > 0) else 1.0
    return _like(row, usual * np.exp(rng.normal(0, 0.3, end - step) + rng.uniform(-0.7, 3)), step, end)


def _season(rng: Random, row: Row, step: int, end: int, cadence: Cadence) -> Row:
    """The profile flattens, or moves by days (hours)."""
    season = cadence.season
    before = row[max(0, step - 4 * season) : step]
    if len(before) < 2 * season:
        return row[step:end]
    before = before[-(len(before) // season) * season :].reshape(-1, season)
    with np.errstate(all="ignore"):
        usual = np.nan_to_num(np.nanmean(np.where(np.isnan(before), 0, before), axis=0))
    place = np.arange(end - step) % season
    held = np.maximum(usual[place], 1e-9 + 0.01 * usual.mean())
    if rng.random() < 0.6:
        other = np.full(end - step, usual.mean())
    else:
        other = np.roll(usual, int(rng.integers(1, season)))[place]
    return _like(row, row[step:end] * np.clip(other / held, 0.02, 50), step, end)


_MADE: dict[str, Callable[[Random, Row, int, int, Cadence], Row]] = {
    "spike": _spike,
    "small_spike": _small_spike,
    "double": _double,
    "loss": _loss,
    "unit": _unit,
    "unit_down": _unit_down,
    "zero": _zero,
    "missing": _missing,
    "negative": _negative,
    "level": _level,
    "level_again": _level,
    "drift": _drift,
    "drift_again": _drift,
    "season": _season,
    "after_end": _after_end,
}
KINDS = tuple(kind for kind in _MADE if kind != "after_end")
_LENGTHS = {
    "spike": (1, 2), "small_spike": (1, 2), "double": (1, 1), "loss": (1, 2), "unit": (2, 20), "unit_down": (2, 20),
    "zero": (1, 14), "missing": (1, 3), "negative": (1, 2), "level": (6, 16), "level_again": (6, 21),
    "drift": (20, 45), "drift_again": (20, 45), "season": (7, 18), "after_end": (1, 3),
}  # fmt: skip
