"""Makes daily or hourly usage of many customers with faults of fifteen kinds, for measuring `detector.unusual`.

Nothing here is shared with the faults that the detector injects for its own training: other shapes, other sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KINDS = (
    "x3",
    "x10",
    "x100",
    "x1000",
    "unit_x1000",
    "unit_/1000",
    "zero",
    "missing_day",
    "negative",
    "level_-30",
    "level_+30",
    "drift_up",
    "drift_down",
    "season_break",
    "duplicate_x2",
)
START = datetime(2026, 1, 5, tzinfo=UTC)
FIRST_FAULT = 58
WINDOWS = {"level_-30": 14, "level_+30": 14, "drift_up": 40, "drift_down": 40, "season_break": 14}
SHORT = {"unit_x1000", "unit_/1000", "zero"}

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Usage of n series over T days: `values` (n, T), NaN where there is no row; what is known, and what is wrong."""

    values: Matrix
    events: pd.DataFrame
    faults: pd.DataFrame
    per_day: int = 1

    def frame(self) -> pd.DataFrame:
        """The rows as `trueup series` reads them."""
        n, steps = self.values.shape
        step = np.timedelta64(24 // self.per_day, "h")
        times = np.datetime64(START.replace(tzinfo=None), "s") + np.arange(steps) * step
        names = np.char.add("s", np.arange(n).astype(str))
        there = ~np.isnan(self.values)
        rows, columns = np.nonzero(there)
        return pd.DataFrame({"series": names[rows], "time": times[columns], "value": self.values[there]})


@dataclass(frozen=True)
class Truth:
    """What made a world, for a judge that may know it: (n, T) log of the mean usage by level, profile, growth, known
    changes and holidays, without ramps, steps and promotions; per series what its noise is.
    """

    log: Matrix
    spread: Matrix
    is_heavy: NDArray[np.bool_]
    held: Matrix
    """How much of a day's deviation is left on the next."""
    is_counted: NDArray[np.bool_]


def make(
    seed: int, series: int = 20_000, days: int = 180, *, fault_share: float = 0.1, inside_share: float = 0.08
) -> World:
    """A world of daily series; one fault in `fault_share` of them, `inside_share` of the faults in a known change."""
    return make_known(seed, series, days, fault_share=fault_share, inside_share=inside_share)[0]


def make_known(
    seed: int, series: int = 20_000, days: int = 180, *, fault_share: float = 0.1, inside_share: float = 0.08
) -> tuple[World, Truth]:
    """The same world, and what made it."""
    rng = np.random.default_rng(seed)
    log, ramps, kind, weekend = _mean(rng, series, days)
    events = _known_changes(rng, log, days)
    unsaid = np.where(np.isfinite(log), ramps, 0)
    before = log.copy()
    _organic(rng, log, days)
    with np.errstate(invalid="ignore"):
        unsaid += np.nan_to_num(log - before)
    _holidays(rng, log, weekend, days)
    values, *noise = _draw(rng, log, kind)
    _late(rng, values)
    values = _begin(values, events)
    faults = _faults(rng, values, events, fault_share, inside_share)
    _hide(rng, values, kind, faults)
    return World(values, events, faults), Truth(log - unsaid, *noise)


def _mean(rng: np.random.Generator, n: int, days: int) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """The log of the expected usage per day, its ramps, the kind of each series, and what its weekend is."""
    kind = rng.choice(["steady", "sparse", "month_end"], n, p=[0.82, 0.12, 0.06])
    level = rng.normal(6, 2, n)
    weekend = rng.choice([-1.2, -0.5, 0.0, 0.25], n, p=[0.35, 0.2, 0.3, 0.15]) + rng.normal(0, 0.12, n)
    profile = rng.normal(0, 0.06, (n, 7))
    profile[:, 5:] += weekend[:, None]
    day = np.arange(days)
    log = level[:, None] + profile[:, day % 7]
    growth = rng.normal(0.0005, 0.0012, n)
    log += growth[:, None] * day
    ramp = rng.random(n) < 0.05
    began = rng.integers(0, days - 30, n)
    rising = np.clip(day - began[:, None], 0, 60) * rng.uniform(0.003, 0.01, (n, 1))
    ramps = np.where(ramp[:, None], rising, 0)
    log += ramps
    dates = pd.date_range(START, periods=days)
    last = np.asarray(dates.days_in_month - dates.day) < 1
    lift = rng.uniform(np.log(3), np.log(12), n)
    log[:, last] += np.where(kind == "month_end", lift, 0)[:, None]
    return log, ramps, kind, weekend


def _known_changes(rng: np.random.Generator, log: Matrix, days: int) -> pd.DataFrame:
    """Plan changes, ends, starts and planned weeks, put into `log`; a row each as `--events` reads them."""
    n = len(log)
    drawn = rng.choice(["", "plan_change", "contract_end", "start", "planned"], n, p=[0.76, 0.07, 0.04, 0.1, 0.03])
    rows = []
    for index in np.flatnonzero(drawn != ""):
        kind, day = drawn[index], int(rng.integers(20, days - 15))
        end: int | None = None
        if kind == "plan_change":
            log[index, day:] += rng.normal(0.15, 0.7)
        elif kind == "contract_end":
            fade = int(rng.integers(0, 4))
            log[index, day : day + fade] -= np.arange(1, fade + 1)
            log[index, day + fade :] = -np.inf
        elif kind == "start":
            log[index, :day] = np.nan
            grown = np.minimum(np.arange(days - day) / rng.uniform(4, 25), 1)
            log[index, day:] += np.log(0.15 + 0.85 * grown)
        else:
            end = day + int(rng.integers(3, 10))
            log[index, day : end + 1] += rng.uniform(0.4, 1.8)
        rows.append((index, kind, day, end))
    return _dated(pd.DataFrame(rows, columns=["index", "kind", "first", "last"]))


def _dated(rows: pd.DataFrame) -> pd.DataFrame:
    start = pd.Timestamp(START.replace(tzinfo=None))
    return rows.assign(
        series="s" + rows["index"].astype(str),
        start=start + pd.to_timedelta(rows["first"], unit="D"),
        end=start + pd.to_timedelta(rows["last"].astype("float64"), unit="D"),
    )


def _organic(rng: np.random.Generator, log: Matrix, days: int) -> None:
    """Steps and promotion weeks that nobody announced: unusual, and no fault."""
    n = len(log)
    for index in np.flatnonzero(rng.random(n) < 0.008):
        log[index, int(rng.integers(10, days)) :] += rng.normal(0, 0.25)
    for index in np.flatnonzero(rng.random(n) < 0.01):
        day = int(rng.integers(10, days))
        log[index, day : day + 7] += rng.uniform(0.2, 0.7)


def _holidays(rng: np.random.Generator, log: Matrix, weekend: Matrix, days: int) -> None:
    """Three countries with holidays of their own, on which businesses work as on a weekend; one day off for all."""
    country = rng.integers(0, 3, len(log))
    for each in range(3):
        for day in rng.choice(np.arange(10, days), days // 26, replace=False):
            if day % 7 < 5:
                log[country == each, day] += (weekend * rng.uniform(0.7, 1.1, len(log)))[country == each]


def _draw(rng: np.random.Generator, log: Matrix, kind: Matrix) -> tuple[Matrix, Matrix, Matrix, Matrix, Matrix]:
    """Usage around its expectation: autocorrelated, sometimes heavy-tailed noise, counts for some, sparse for some.

    With it the spread of each series, whether it is heavy-tailed, what is held from day to day, whether it is counted.
    """
    n, days = log.shape
    spread = np.exp(rng.normal(np.log(0.14), 0.5, n)).clip(0.03, 0.5)
    heavy, held = rng.random(n) < 0.2, rng.uniform(0, 0.4, n)
    shocks = np.where(heavy[:, None], rng.standard_t(4, (n, days)).clip(-8, 8) * 0.7, rng.normal(size=(n, days)))
    noise = np.empty((n, days))
    noise[:, 0] = shocks[:, 0]
    for day in range(1, days):
        noise[:, day] = held * noise[:, day - 1] + np.sqrt(1 - held**2) * shocks[:, day]
    mean = np.exp(log + spread[:, None] * noise)
    counts = rng.random(n) < 0.6
    there = np.nan_to_num(mean, nan=0.0)
    values = np.where(counts[:, None], rng.poisson(np.minimum(there, 1e12)).astype(float), np.round(there, 3))
    active = rng.random((n, days)) < rng.uniform(0.04, 0.35, (n, 1))
    values[(kind == "sparse")[:, None] & ~active] = 0
    values[np.isnan(mean)] = np.nan
    return values, spread, heavy, held, counts


def _late(rng: np.random.Generator, values: Matrix) -> None:
    """A part of one day's usage lands on the next."""
    late = rng.random(values.shape) < 0.0012
    late[:, -1] = False
    rows, days = np.nonzero(late)
    moved = np.floor(np.nan_to_num(values[rows, days]) * rng.uniform(0.2, 0.7, len(rows)))
    values[rows, days] -= moved
    values[rows, days + 1] += moved


def _begin(values: Matrix, events: pd.DataFrame) -> Matrix:
    """Nothing is known of a customer before the start."""
    for row in events[events["kind"] == "start"].itertuples():
        values[row.index, : row.first] = np.nan
    return values


def _faults(
    rng: np.random.Generator, values: Matrix, events: pd.DataFrame, share: float, inside: float
) -> pd.DataFrame:
    n, days = values.shape
    changed = events[(events["first"] > FIRST_FAULT - 20) & (events["first"] < days - 12)]
    within = changed.sample(min(len(changed), int(n * share * inside)), random_state=int(rng.integers(2**31)))
    free = np.setdiff1d(np.arange(n), events["index"])
    outside = rng.choice(free, min(len(free), int(n * share) - len(within)), replace=False)
    places = [(int(i), -1) for i in outside] + [(int(r.index), int(r.first)) for r in within.itertuples()]
    ends = set(events.loc[events["kind"] == "contract_end", "index"])
    rows = []
    for index, change in places:
        kind = str(rng.choice(KINDS))
        if index in ends and kind not in ("x10", "x100", "x1000", "negative", "unit_x1000"):
            continue  # after the end there is nothing that could fall
        length = WINDOWS.get(kind, int(rng.integers(3, 9)) if kind in SHORT else 1)
        low = FIRST_FAULT if change < 0 else max(FIRST_FAULT, change + 1)
        high = days - length if change < 0 else min(change + 20, days - length)
        if index in ends:
            high = min(high, change + 2)
        if high < low:
            continue
        first = int(rng.integers(low, high + 1))
        first = _busy(values[index], first, length, kind)
        if first is None:
            continue
        last = first + length - 1
        _break(rng, values[index], first, last, kind)
        rows.append((index, kind, first, last, change >= 0))
    return _dated(pd.DataFrame(rows, columns=["index", "kind", "first", "last", "inside"]))


def _busy(row: Matrix, first: int, length: int, kind: str) -> int | None:
    """The first day from `first` on which a fault of this kind shows: usage is there."""
    for day in range(first, min(first + 40, len(row) - length + 1)):
        if row[day] > 0 and (kind not in ("zero", "missing_day") or np.mean(row[day - 14 : day] > 0) > 0.9):
            return day
    return None


def _break(rng: np.random.Generator, row: Matrix, first: int, last: int, kind: str) -> None:
    window = slice(first, last + 1)
    day = np.arange(last - first + 1)
    whole = bool(np.all(row[np.isfinite(row)] % 1 == 0))
    if kind.startswith("x"):
        row[window] *= float(kind[1:])
    elif kind == "unit_x1000":
        row[window] *= 1000
    elif kind == "unit_/1000":
        row[window] /= 1000
    elif kind == "zero":
        row[window] = 0
    elif kind == "missing_day":
        row[window] = np.nan
    elif kind == "negative":
        row[window] = -np.abs(row[window]) * rng.uniform(0.05, 1.2)
    elif kind.startswith("level"):
        row[window] *= 0.7 if "-" in kind else 1.3
    elif kind.startswith("drift"):
        row[window] *= np.exp((0.012 if kind == "drift_up" else -0.012) * (day + 1))
    elif kind == "season_break":
        recent = row[first - 28 : first]
        row[window] = np.nanmean(recent) * row[window] / np.maximum(_weekly(row, first)[day % 7], 1e-9)
    elif kind == "duplicate_x2":
        row[window] *= 2
    if whole and kind not in ("unit_/1000",):
        row[window] = np.round(row[window])


def _weekly(row: Matrix, first: int) -> Matrix:
    """Mean usage per weekday of the four weeks before, beginning with the weekday of `first`."""
    weeks: Matrix = np.nanmean(row[first - 28 : first].reshape(4, 7), axis=0)
    return weeks


def _hide(rng: np.random.Generator, values: Matrix, kind: Matrix, faults: pd.DataFrame) -> None:
    """Half of the sparse customers send no row on a day without usage."""
    silent = (kind == "sparse") & (rng.random(len(kind)) < 0.5)
    faulty = np.zeros(values.shape, dtype=bool)
    for row in faults.itertuples():
        faulty[row.index, row.first : row.last + 1] = True
    values[silent[:, None] & (values == 0) & ~faulty] = np.nan


def make_hourly(seed: int, series: int = 1_000, days: int = 60, *, fault_share: float = 0.1) -> World:
    """A smaller world of hourly series with daily and weekly seasons; faults of the kinds that show within a day."""
    rng = np.random.default_rng(seed)
    steps = days * 24
    hour = np.arange(steps)
    level, depth = rng.normal(4, 1.5, (series, 1)), rng.uniform(0.1, 1.2, (series, 1))
    phase = rng.integers(0, 24, (series, 1))
    weekend = rng.choice([-1.0, -0.4, 0.0], (series, 1))
    log = level + depth * np.sin((hour + phase) / 24 * 2 * np.pi) + weekend * ((hour // 24) % 7 >= 5)
    log = log + np.exp(rng.normal(np.log(0.15), 0.5, (series, 1))) * rng.normal(size=(series, steps))
    values = rng.poisson(np.exp(log)).astype(float)
    rows = []
    for index in rng.choice(series, int(series * fault_share), replace=False):
        kind = str(rng.choice(["x3", "x10", "x100", "x1000", "unit_x1000", "unit_/1000", "zero", "negative"]))
        length = int(rng.integers(8, 30)) if kind in SHORT else int(rng.integers(1, 4))
        first = int(rng.integers(36 * 24, steps - length))
        if np.all(values[index, first : first + length] == 0):
            continue
        _break(rng, values[index], first, first + length - 1, kind)
        rows.append((int(index), kind, first, first + length - 1, False))
    faults = pd.DataFrame(rows, columns=["index", "kind", "first", "last", "inside"])
    return World(values, pd.DataFrame(columns=["series", "kind", "start", "end"]), faults, 24)


def day_of(index: int) -> datetime:
    """The instant at which day `index` begins."""
    return START + timedelta(days=index)
