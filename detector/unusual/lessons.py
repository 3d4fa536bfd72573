"""What the past teaches: its candidates as ordinary, faults injected into copies of it, and what people labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.unusual import examine, features, inject, tails
from detector.unusual.block import Block, Places
from detector.unusual.cells import CHUNK, Candidates, Measured, Usage
from detector.unusual.windows import Floats

LESSON_WEEKS = 12
LESSON_CELLS = 700_000
HISTORY_WEEKS = 20
LEAST_WEIGHT = 8000.0
"""What a lesson weighs at least: the trees are held back by a fixed weight."""
LABEL_WEIGHT = 10.0
"""A labelled cell weighs as much as so many others."""
SUSPECT = 0.015
"""So many weeks per series-month, those that scored highest in their own time, are not taught as ordinary."""


@dataclass(frozen=True)
class Said:
    """What a person said of the steps from `first` to `last` of a row: a fault, or none."""

    row: int
    first: int
    last: int
    is_fault: bool


def teach(whole: Block, usage: Usage, measured: Measured, scored: Floats, now: int, seed: int) -> examine.Lesson | None:
    """What the steps before `now` teach: their candidates as ordinary, and faults injected into them."""
    found, cadence = measured.candidates, usage.cadence
    rng = np.random.default_rng([seed, now])
    recent = np.flatnonzero(
        (found.step < now) & (found.step >= max(3 * cadence.season, now - LESSON_WEEKS * cadence.season))
    )
    months = np.sum(usage.first < now) * LESSON_WEEKS * cadence.season / cadence.month
    recent = recent[~_suspect(found, scored, cadence.season, months, recent)]
    if len(recent) > examine.MOST_ORDINARY:
        recent = rng.choice(recent, examine.MOST_ORDINARY, replace=False)
    told, faults, weights, rows = injected(whole, measured, now, rng)
    if not len(told) or not len(recent):
        return None
    ordinary = np.ones(len(recent))
    weights = weights * (examine.WEIGHT * len(recent) / max(weights[faults > 0].sum(), 1e-9))
    enough = max(1.0, LEAST_WEIGHT / (ordinary.sum() + weights.sum()))
    return examine.Lesson(
        np.concatenate([found.features[recent], told])[:, found.seen],
        np.concatenate([np.zeros(len(recent), dtype=np.int8), faults]),
        np.concatenate([ordinary, weights]) * enough,
        np.concatenate([usage.held[found.row[recent]], usage.held[rows]]),
        found.trend,
    )


def with_labels(
    lesson: examine.Lesson, found: Candidates, usage: Usage, said: Sequence[Said]
) -> examine.Lesson:  # fmt: skip
    """The lesson with the candidates that people spoke of: few, so they weigh more than others."""
    cells = [
        (
            np.flatnonzero((found.row == each.row) & (found.step >= each.first) & (found.step <= each.last)),
            each.is_fault,
        )
        for each in said
    ]
    places = np.concatenate([np.zeros(0, dtype=np.intp), *(at for at, _ in cells)])
    faults = np.concatenate([np.zeros(0), *(np.full(len(at), is_fault) for at, is_fault in cells)])
    usual = float(np.median(lesson.weights[lesson.faults == 0]))
    return examine.Lesson(
        np.concatenate([lesson.features, found.features[np.ix_(places, found.seen)]]),
        np.concatenate([lesson.faults, faults.astype(np.int8)]),
        np.concatenate([lesson.weights, np.full(len(places), LABEL_WEIGHT * usual)]),
        np.concatenate([lesson.held, usage.held[found.row[places]]]),
        lesson.trend,
    )


def _suspect(found: Candidates, scored: Floats, season: int, months: float, recent: Places) -> NDArray[np.bool_]:
    """Of the recent candidates, those of series and weeks that scored highest in their own time, and of the week after.

    As many as faults are likely: `SUSPECT` per series-month. What is left teaches what is ordinary.
    """
    key = found.row[recent].astype(np.int64) * 100_000 + found.step[recent] // season
    maxima = np.sort(tails.weekly_maxima(scored[recent], found.row[recent], found.step[recent] // season))
    number = min(int(SUSPECT * months), len(maxima))
    if not number:
        return np.zeros(len(recent), dtype=bool)
    bad = key[scored[recent] >= maxima[len(maxima) - number]]
    return np.isin(key, np.concatenate([bad, bad + 1]))


def injected(
    whole: Block, measured: Measured, now: int, rng: np.random.Generator
) -> tuple[Floats, examine.Labels, examine.Weights, Places]:
    """Candidates of copies with faults: features, 1 where the fault is, weights, and the row of the series."""
    cadence = whole.cadence
    begin = max(0, now - HISTORY_WEEKS * cadence.season)
    begun = int(np.count_nonzero(whole.first < now))
    copies = int(min(5000, max(600 // cadence.day + 200, 2 * begun), LESSON_CELLS // (now - begin)))
    span = (max(2 * cadence.season, now - 8 * cadence.season), now)
    made = inject.inject(rng, whole.values, whole.first, whole.changes, cadence, span, copies)
    parts = [
        _lesson_part(whole, measured, made, slice(start, start + CHUNK // (now - begin)), begin, now)
        for start in range(0, len(made.rows), CHUNK // (now - begin))
    ]
    if not parts:
        nothing = np.zeros(0)
        return nothing.astype(np.float32), nothing.astype(np.int8), nothing, nothing.astype(np.intp)
    told, faults, weights, rows = (np.concatenate(each) for each in zip(*parts, strict=True))
    return told, faults, weights, rows


def _lesson_part(
    whole: Block, measured: Measured, made: inject.Injected, part: slice, begin: int, now: int
) -> tuple[Floats, examine.Labels, examine.Weights, Places]:
    rows, first, last = made.rows[part], made.first[part] - begin, made.last[part] - begin
    block = whole.part(rows, begin, now)
    more = made.changes.of(np.arange(part.start, part.start + len(rows)), len(made.rows)).since(begin)
    block = replace(
        block,
        values=made.values[part, begin:now],
        first=made.began[part] - np.int32(begin),
        changes=block.changes.and_(more),
    )
    measures = features.measure(block)
    steps = np.arange(now - begin)[None, :]
    during = (steps >= first[:, None]) & (steps <= last[:, None])
    after = (steps > last[:, None]) & (steps <= last[:, None] + whole.cadence.season)
    row, step = np.nonzero(features.candidates(measures) & (during | after))
    at = (row, step)
    told = features.rows(measures, at)
    z = told[:, list(measures.features).index("z")]
    told = np.concatenate([told, measured.together.of(z, at[1] + begin, 4 * whole.cadence.season)], axis=1)
    ordinary = made.ordinary[part][at[0]]
    faults = (during[at] & ~ordinary).astype(np.int8)
    number = np.bincount(at[0][faults > 0], minlength=len(rows))
    weights = np.where(faults > 0, 1 / np.sqrt(np.maximum(number[at[0]], 1)), np.where(ordinary, 0.5, 0.1))
    return told, faults, weights, rows[at[0]]
