"""From usage to scores: measure every cell, choose candidates, examine them, and hold each against the past.

At every week the past is read anew: tails of the weeks before, and in some weeks new models taught by what lay before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.unusual import cells, examine, lessons, pool, tails
from detector.unusual.block import Block, Places
from detector.unusual.cells import CHUNK, Candidates, Measured, Progress, Usage
from detector.unusual.features import CUTS, SCREENS
from detector.unusual.lessons import Said
from detector.unusual.windows import Floats

LESSONS = (4, 8, 13, 19)
LESSONS_EVERY = 10
"""Weeks at which models are taught: these, and then every so many."""
CALIBRATION_WEEKS = 10
TIE = 0.1
"""What the screen still says beside the examination: trees tell no two very great deviations apart."""
EXAMINED_SLOPE = 1.2 / np.log(10)
"""By how much a score rises with the log odds of the examination. Odds of ten are a false alarm ten times as rare."""
TOLD_FROM = 0.7
"""From this score a reason is given."""
FAR, STRETCHED = 2.0, 1.2
"""Beyond a score of `FAR` the examination is surer than its log odds say: so much steeper the score goes on."""
SURE_SILENCE = 4.5
"""A silence of less chance than 10 to the minus this needs no second look: its own statistic, less one, is its score.
On worlds of our own 0 to 5 of 100,000 clean series-months were as silent."""
LEAST_ODDS = -0.5
"""Log odds below this rise to no alarm, however calm a small past was."""


@dataclass(frozen=True)
class Scored:
    """Per cell (n, T): what was expected and its band in units of usage, and the score; and what there is to tell of:
    the candidates that score `TOLD_FROM` or more, and those without a row.
    """

    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats
    candidates: Candidates
    model: examine.Model | None


def run(
    usage: Usage,
    method: str = "boosting",
    seed: int = 0,
    tell: Progress = lambda done, total, part: None,
    model: examine.Model | None = None,
) -> Scored:
    """Score all cells. `method` is boosting, forest, or screen for no second look; a `model` given is the one used."""
    whole, measured = cells.measured(usage, tell)
    margin, model = _examined(whole, usage, measured, method, seed, tell, model)
    unseen = np.isnan(usage.values) & (np.isnan(measured.expected))
    score = np.where(unseen, np.float32(np.nan), np.float32(tails.LOWEST))
    found = measured.candidates
    score[found.row, found.step] = margin  # a silence of more than a week, too, at which nothing is expected any more
    told = found.where((margin >= TOLD_FROM) | (found.column("missing") > 0))
    return Scored(measured.expected, measured.lower, measured.upper, score, told, model)


def lesson_of(usage: Usage, said: Sequence[Said], seed: int = 0) -> examine.Lesson | None:
    """What all of the usage teaches, faults injected and labels given; None when there is too little to learn from."""
    steps = usage.values.shape[1]
    if len(usage.values) < pool.LEAST or steps < LESSONS[0] * usage.cadence.season:
        return None
    whole, measured = cells.measured(usage, lambda done, total, part: None)
    scored, _ = _examined(whole, usage, measured, "screen", seed, lambda done, total, part: None, None)
    lesson = lessons.teach(whole, usage, measured, scored, steps, seed)
    return lesson and lessons.with_labels(lesson, measured.candidates, usage, said)


def _margins(model: examine.Model, found: Candidates, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What a model says of the chosen candidates, some at a time."""
    places = np.flatnonzero(chosen)
    parts = [places[start : start + CHUNK // 5] for start in range(0, len(places), CHUNK // 5)]
    if not parts:
        return np.zeros(0)
    return np.concatenate([model.margin(found.features[np.ix_(part, found.seen)]) for part in parts])


def _examined(
    whole: Block,
    usage: Usage,
    measured: Measured,
    method: str,
    seed: int,
    tell: Progress,
    given: examine.Model | None,
) -> tuple[Floats, examine.Model | None]:
    """The score of each candidate: week by week, with the latest models, against the weeks before."""
    found, cadence = measured.candidates, usage.cadence
    steps = usage.values.shape[1]
    week = found.step // cadence.season
    held = usage.held[found.row]
    height = screen_height(found.screens)
    plain = np.log1p(height) * TIE
    scored = np.full(len(week), tails.LOWEST, dtype=np.float32)
    model = given
    if model:
        height = _margins(model, found, np.ones(len(week), dtype=bool)) + plain
    weeks = -(-steps // cadence.season)
    alive, apart = _alive(usage, weeks, np.ones(len(usage.held), dtype=bool)), _alive(usage, weeks, usage.held)
    for now in range(weeks):
        if not given and method in examine.TEACHERS and _teaches(now) and len(usage.values) >= pool.LEAST:
            lesson = lessons.teach(whole, usage, measured, scored, now * cadence.season, seed)
            model = (lesson and examine.TEACHERS[method](lesson, seed)) or model
            if model:
                span = (week >= now - CALIBRATION_WEEKS) & (week < _next_lesson(now))
                height = np.full(len(week), np.nan)
                height[span] = _margins(model, found, span) + plain[span]
            tell(now, weeks, "weeks")
        chosen = week == now
        if chosen.any():
            before = (week < now) & (week >= max(2, now - CALIBRATION_WEEKS)) & (held | (model is None))
            series = (alive if model is None else apart)[max(2, now - CALIBRATION_WEEKS) : now].sum()
            months = float(series) * cadence.season / cadence.month
            slope = EXAMINED_SLOPE if isinstance(model, examine.Boosted) else None
            scored[chosen] = _against(height, found, week, before, chosen, months, slope)
    silence = found.screens[:, SCREENS.index("silence")]
    scored = np.where(silence >= SURE_SILENCE, np.maximum(scored, np.minimum(silence - 1, tails.HIGHEST)), scored)
    scored[(measured.candidates.column("negative") > 0)] = tails.HIGHEST
    return scored, model


def _against(
    height: NDArray[np.float64], found: Candidates, week: Places, before: NDArray[np.bool_], chosen: NDArray[np.bool_],
    months: float, slope: float | None,
) -> NDArray[np.float64]:  # fmt: skip
    if months < 2:
        return _unheld(height[chosen])
    maxima = tails.weekly_maxima(height[before], found.row[before], week[before])
    least = float("-inf") if slope is None else LEAST_ODDS
    score = tails.tail(maxima, months, slope, least).score(height[chosen])
    if slope is None:
        return score
    return np.where(score > FAR, np.minimum(FAR + (score - FAR) * STRETCHED, tails.HIGHEST), score)


def _unheld(height: NDArray[np.float64]) -> NDArray[np.float64]:
    """With no past to hold a height against, the height itself, on a scale that gives little away."""
    held: NDArray[np.float64] = np.clip(height - 2.5, tails.LOWEST, 2.9)
    return held


def screen_height(screens: Floats) -> NDArray[np.float64]:
    """How high the screen's statistics go, each in units of its cut, with a log beyond."""
    cuts = np.array([CUTS[name] for name in SCREENS], dtype=np.float32)
    height: NDArray[np.float64] = np.max(screens / cuts, axis=1).astype(np.float64)
    return height


def _teaches(week: int) -> bool:
    last = LESSONS[-1]
    return week in LESSONS or (week > last and (week - last) % LESSONS_EVERY == 0)


def _next_lesson(week: int) -> int:
    return next(later for later in range(week + 1, week + LESSONS_EVERY + 2) if _teaches(later))


def _alive(usage: Usage, weeks: int, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How many of the chosen series there are in each week."""
    begun = np.bincount(np.minimum(usage.first[chosen] // usage.cadence.season, weeks), minlength=weeks + 1)[:weeks]
    found: NDArray[np.float64] = np.cumsum(begun).astype(np.float64)
    return found
