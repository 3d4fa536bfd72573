"""From usage to scores: measure every cell, choose candidates, examine them, and hold each against the past.

At every week the past is read anew: tails of the weeks before, and in some weeks new models taught by what lay before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from detector.unusual import examine, features, inject, pool, tails
from detector.unusual.block import Block, Places, calendar
from detector.unusual.cadence import DAILY, Cadence
from detector.unusual.events import Changes
from detector.unusual.features import CUTS, SCREENS, Measures
from detector.unusual.windows import Floats

CHUNK = 300_000
"""Cells that are measured together."""
LESSONS = (4, 8, 13, 19)
LESSONS_EVERY = 10
"""Weeks at which models are taught: these, and then every so many."""
LESSON_WEEKS = 12
CALIBRATION_WEEKS = 10
LESSON_CELLS = 700_000
HISTORY_WEEKS = 20
SAMPLED = 41
"""Of so many cells that are no candidates one is looked at all the same."""
LEAST_WEIGHT = 8000.0
"""What a lesson weighs at least: the trees are held back by a fixed weight."""
TIE = 0.1
"""What the screen still says beside the examination: trees tell no two very great deviations apart."""
EXAMINED_SLOPE = 1.2 / np.log(10)
"""By how much a score rises with the log odds of the examination. Odds of ten are a false alarm ten times as rare."""
LEAST_ODDS = -0.5
"""Log odds below this rise to no alarm, however calm a small past was."""
SUSPECT = 0.015
"""So many weeks per series-month, those that scored highest in their own time, are not taught as ordinary."""
BAND = 3.0
"""The band reaches so many deviations to both sides."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Usage:
    """Series of one rhythm, in the order of their first rows: (n, T) values, NaN where there is no row."""

    values: NDArray[np.float64]
    first: NDArray[np.int32]
    held: NDArray[np.bool_]
    """Chosen by name, a third of the series: they teach nothing, so that their past can tell how high is high."""
    times: NDArray[np.datetime64]
    changes: Changes
    cadence: Cadence


@dataclass(frozen=True)
class Candidates:
    """The cells that were looked at twice: where, what was measured, the screen's statistics (names: `SCREENS`)."""

    row: Places
    step: Places
    features: Floats
    screens: Floats
    names: tuple[str, ...]

    @property
    def seen(self) -> Places:
        """The columns that the examination sees."""
        return np.array([i for i, name in enumerate(self.names) if _is_seen(name)], dtype=np.intp)

    @property
    def trend(self) -> tuple[int, ...]:
        """How those columns speak for a fault: 1, -1 or 0."""
        return tuple(
            (self.names[i] in features.GROWING) - (self.names[i] in features.FALLING) for i in self.seen.tolist()
        )

    def column(self, name: str) -> Floats:
        """One feature of all candidates."""
        return self.features[:, self.names.index(name)]


def _is_seen(name: str) -> bool:
    return name not in features.LEFT_OUT


@cache
def seen_names() -> tuple[str, ...]:
    """The features that the examination sees, in order: what a stored model has to have been taught on."""
    times = np.datetime64(0, "s") + np.arange(2) * np.timedelta64(DAILY.seconds, "s")
    first = np.zeros(1, dtype=np.int32)
    block = Block(np.ones((1, 2)), first, Changes.none(), calendar(times), pool.unknown(2), DAILY)
    return tuple(name for name in (*features.measure(block).features, *pool.TOGETHER) if _is_seen(name))


@dataclass(frozen=True)
class Scored:
    """Per cell (n, T): what was expected and its band in units of usage, and the score; and the candidates."""

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
    steps = usage.values.shape[1]
    whole = Block(
        usage.values, usage.first, usage.changes, calendar(usage.times), pool.unknown(steps), usage.cadence
    )  # fmt: skip
    whole = Block(whole.values, whole.first, whole.changes, whole.calendar, pool.pool_of(whole), usage.cadence)
    measured = _measured(whole, tell)
    margin, model = _examined(whole, usage, measured, method, seed, tell, model)
    score = np.full(usage.values.shape, tails.LOWEST, dtype=np.float32)
    found = measured.candidates
    score[found.row, found.step] = margin
    unseen = np.isnan(usage.values) & (np.isnan(measured.expected))
    score[unseen] = np.nan
    return Scored(measured.expected, measured.lower, measured.upper, score, found, model)


@dataclass(frozen=True)
class _Measured:
    expected: Floats
    lower: Floats
    upper: Floats
    together: pool.Together
    candidates: Candidates


def _measured(whole: Block, tell: Progress) -> _Measured:
    n, steps = whole.values.shape
    expected, lower, upper = (np.full((n, steps), np.nan, dtype=np.float32) for _ in range(3))
    together = pool.Together(steps)
    parts: list[tuple[Places, Places, Floats, Floats]] = []
    names: tuple[str, ...] = ()
    for begin in range(0, n, max(1, CHUNK // steps)):
        rows = np.arange(begin, min(n, begin + max(1, CHUNK // steps)))
        measures = features.measure(whole.part(rows, 0, steps))
        names = tuple(measures.features)
        expected[rows], lower[rows], upper[rows] = band(measures)
        together.add(measures.expected.z)
        parts.append(_cells(measures, rows))
        tell(int(rows[-1]) + 1, n, "series")
    found = _joined(parts, names, together, 4 * whole.cadence.season)
    return _Measured(expected, lower, upper, together, found)


def _joined(
    parts: list[tuple[Places, Places, Floats, Floats]], names: tuple[str, ...], together: pool.Together, span: int
) -> Candidates:
    """The candidates of all parts, with what the pool did at their steps; each part is let go when it is copied."""
    row, step, screens = (np.concatenate([part[which] for part in parts]) for which in (0, 1, 3))
    told = np.empty((len(row), len(names) + len(pool.TOGETHER)), dtype=np.float32)
    end = len(row)
    while parts:
        part = parts.pop()[2]
        told[end - len(part) : end, : len(names)] = part
        end -= len(part)
    told[:, len(names) :] = together.of(told[:, names.index("z")], step, span)
    return Candidates(row, step, told, screens, (*names, *pool.TOGETHER))


def _margins(model: examine.Model, found: Candidates, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What a model says of the chosen candidates, some at a time."""
    places = np.flatnonzero(chosen)
    parts = [places[start : start + CHUNK // 5] for start in range(0, len(places), CHUNK // 5)]
    if not parts:
        return np.zeros(0)
    return np.concatenate([model.margin(found.features[np.ix_(part, found.seen)]) for part in parts])


def _cells(measures: Measures, rows: Places) -> tuple[Places, Places, Floats, Floats]:
    row, step = np.nonzero(features.candidates(measures) | _sampled(measures, rows))
    at = (row, step)
    screens = np.stack([measures.screens[name][at] for name in SCREENS], axis=1)
    return rows[at[0]], at[1], features.rows(measures, at), screens


def _sampled(measures: Measures, rows: Places) -> NDArray[np.bool_]:
    """Some cells that are no candidates, scattered evenly: what is ordinary is taught by them too."""
    steps = np.arange(measures.expected.age.shape[1])
    scattered = (rows[:, None] * 7919 + steps[None, :] * 104_729) % SAMPLED == 0
    found: NDArray[np.bool_] = scattered & (measures.expected.known > 0)
    return found


def band(measures: Measures) -> tuple[Floats, Floats, Floats]:
    """Expected usage and its band, in units of usage."""
    found = measures.expected
    reach = BAND * found.deviation

    def usage(log: Floats) -> Floats:
        return np.maximum(np.exp(np.clip(log, -60, 80)) - found.offset, 0).astype(np.float32)

    return usage(found.expected), usage(found.expected - reach), usage(found.expected + reach)


def _examined(
    whole: Block,
    usage: Usage,
    measured: _Measured,
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
            lesson = teach(whole, usage, measured, scored, now * cadence.season, seed)
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
    return tails.tail(maxima, months, slope, least).score(height[chosen])


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


def teach(
    whole: Block, usage: Usage, measured: _Measured, scored: Floats, now: int, seed: int
) -> examine.Lesson | None:
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
    whole: Block, measured: _Measured, now: int, rng: np.random.Generator
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
    whole: Block, measured: _Measured, made: inject.Injected, part: slice, begin: int, now: int
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
