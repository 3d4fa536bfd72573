"""The doors: `score` for every row of some series, `newest` for their latest, `Scoring` for what is big.

A row of the result is a row that was given, or a step of a usually active series at which no row came (value empty).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.unusual import engine, lone, reasons, tails
from detector.unusual.engine import TOLD_FROM, Scored
from detector.unusual.events import KINDS
from detector.unusual.examine import Model
from detector.unusual.gridding import Grid, grids
from detector.unusual.reading import EventRows, Rows

RESULT = ("series", "time", "value", "expected", "lower", "upper", "score", "alarm", "reason")
OUTSTANDING = (
    "series", "time", "value", "expected", "lower", "upper", "score", "oddness", "steps", "times", "reason", "alike",
)  # fmt: skip
METHODS = ("boosting", "forest", "screen")
ACTIVE = 0.9
"""A series with usage on this share of its recent steps should have a row at each."""
PART = 250_000

Progress = Callable[[int, int, str], None]
Floating = NDArray[np.floating]


def threshold(budget: float) -> float:
    """The score from which `budget` signals per 1000 series-months are to be expected of clean usage."""
    return 3.0 - float(np.log10(budget))


@dataclass(frozen=True)
class Summary:
    """What was looked at, and what came of it."""

    series: int
    rows: int
    alarms: int
    alarmed_series: int


def score(
    frame: pd.DataFrame,
    events: pd.DataFrame | None = None,
    budget: float = 1.0,
    model: Model | None = None,
    method: str = "boosting",
) -> pd.DataFrame:
    """Every row with what was expected of it, its score and whether it is an alarm at this budget.

    `frame` has the columns series, time (naive is UTC) and value; `events` series, kind, start, end. `budget` is in
    signals per 1000 series-months of clean usage. With a `model` nothing is taught anew. The score of a row uses
    nothing after it. Raises ValueError for columns that are not there or kinds that are not known.
    """
    made = Scoring(_rows(frame), _event_rows(events), budget, model, method)
    parts = list(made.parts())
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(RESULT))


def newest(
    frame: pd.DataFrame,
    events: pd.DataFrame | None = None,
    budget: float = 1.0,
    model: Model | None = None,
    method: str = "boosting",
) -> pd.DataFrame:
    """The rows of `score` for the latest time of the frame."""
    found = score(frame, events, budget, model, method)
    latest: pd.DataFrame = found[found["time"] == found["time"].max()]
    return latest.reset_index(drop=True)


class Scoring:
    """Scores everything when it is made; gives the result in parts of bounded size."""

    def __init__(
        self,
        rows: Rows,
        events: EventRows | None,
        budget: float = 1.0,
        model: Model | None = None,
        method: str = "boosting",
        tell: Progress = lambda done, total, part: None,
    ) -> None:
        if method not in METHODS:
            raise ValueError(f"there is no method {method}; use {', '.join(METHODS)}")
        if not budget > 0:
            raise ValueError("the budget must be above 0")
        self._rows, self._threshold = rows, threshold(budget)
        self._grids, self._alone = grids(rows, events)
        self._scored = [engine.run(grid.usage, method, tell=tell, model=model) for grid in self._grids]
        self.models = [scored.model for scored in self._scored]
        self._alarms, self._alarmed = 0, 0

    def parts(self, since: np.datetime64 | None = None) -> Iterator[pd.DataFrame]:
        """The result by series and time, as frames of up to some 250,000 rows; with `since` from that time on."""
        self._alarms = self._alarmed = 0
        for grid, scored in zip(self._grids, self._scored, strict=True):
            first = 0 if since is None else max(0, int(np.searchsorted(grid.usage.times, since)) - 1)
            n, steps = grid.usage.values.shape
            for begin, end in _row_parts((n, steps - first)):
                yield self._counted(_part(self._rows, grid, scored, begin, end, first, self._threshold), since)
        for code in self._alone.tolist():
            yield self._counted(_alone(self._rows, code, self._threshold), since)

    def outstanding(self, since: np.datetime64, least: float) -> pd.DataFrame:
        """The steps from `since` on that score `least` or more: series, time, value (NaN without a row), expected,
        lower, upper, score, oddness, over how many steps it lasts, how many times the usual the usage is, the
        reason, and how many times as many series as usual strayed alike. Series that are looked at alone are left out.
        """
        parts = [
            _outstanding(self._rows.names, grid, scored, since, least)
            for grid, scored in zip(self._grids, self._scored, strict=True)
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(OUTSTANDING))

    def summary(self) -> Summary:
        """Counts; of alarms as far as the parts have been read."""
        return Summary(len(self._rows.names), len(self._rows.code), self._alarms, self._alarmed)

    def _counted(self, whole: pd.DataFrame, since: np.datetime64 | None) -> pd.DataFrame:
        part = whole if since is None else whole[whole["time"] >= since]
        self._alarms += int(part["alarm"].sum())
        self._alarmed += int(part.loc[part["alarm"], "series"].nunique())
        return part


def _outstanding(
    names: NDArray[np.object_], grid: Grid, scored: Scored, since: np.datetime64, least: float
) -> pd.DataFrame:
    found, usage = scored.candidates, grid.usage
    score = scored.score[found.row, found.step]
    chosen = np.flatnonzero((score >= least) & (usage.times[found.step] >= since))
    row, step = found.row[chosen], found.step[chosen]
    value, expected, lower, upper = (
        each[row, step].astype(np.float64) for each in (usage.values, scored.expected, scored.lower, scored.upper)
    )
    told = [dict(zip(found.names, found.features[at].tolist(), strict=True)) for at in chosen.tolist()]
    kinds = [reasons.oddness(each, used) for each, used in zip(told, value.tolist(), strict=True)]
    extents = [
        reasons.extent(*each, usage.cadence)
        for each in zip(told, kinds, value.tolist(), expected.tolist(), strict=True)
    ]
    why = reasons.reasons(found, chosen, usage.values, scored.expected, usage.times, usage.cadence)
    alike = [float(np.exp(each["together"])) for each in told]
    columns = (
        names[grid.code[row]], usage.times[step], value, expected, lower, upper, score[chosen].astype(np.float64),
        kinds, [steps for steps, _ in extents], [times for _, times in extents], why, alike,
    )  # fmt: skip
    return pd.DataFrame(dict(zip(OUTSTANDING, columns, strict=True)))


def _row_parts(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    size = max(1, PART // max(shape[1], 1))
    for begin in range(0, shape[0], size):
        yield begin, min(begin + size, shape[0])


def _part(rows: Rows, grid: Grid, scored: Scored, begin: int, end: int, first: int, least: float) -> pd.DataFrame:
    """The rows of the series from `begin` up to before `end`, at the steps from `first` on."""
    usage, cells = grid.usage, (slice(begin, end), slice(first, None))
    low, high = np.searchsorted(grid.row, [begin, end])
    given = low + np.flatnonzero(grid.step[low:high] >= first)
    second = np.full((end - begin, usage.values.shape[1] - first), -1, dtype=np.int64)
    second[grid.row[given] - begin, grid.step[given] - first] = rows.second[grid.given[given]]
    score_of = scored.score[cells]
    expected_row = _should_have_come(scored, begin, end, usage.values.shape[1])[:, first:]
    at = np.nonzero((second >= 0) | expected_row)
    told = _told(grid, scored, begin, end, first)
    times = np.where(
        second[at] >= 0,
        second[at],
        usage.times[at[1] + first].astype("datetime64[s]").astype(np.int64) + _offset(rows, grid)[at[0] + begin],
    )
    values = usage.values[cells][at]
    height = np.where(np.isnan(score_of[at]), np.nan, score_of[at]).astype(np.float64)
    height = np.where(np.isnan(values) & ~expected_row[at], np.nan, height)
    return _frame(
        rows.names[grid.code[at[0] + begin]], times, values, scored.expected[cells][at], scored.lower[cells][at],
        scored.upper[cells][at], height, told[at], least,
    )  # fmt: skip


def _offset(rows: Rows, grid: Grid) -> NDArray[np.int64]:
    """How long after the step's begin the rows of each series are timed."""
    begin = rows.second[grid.given[np.searchsorted(grid.row, np.arange(len(grid.code)))]]
    found: NDArray[np.int64] = begin % grid.usage.cadence.seconds
    return found


def _should_have_come(scored: Scored, begin: int, end: int, steps: int) -> NDArray[np.bool_]:
    """The cells without a row at which one was due: candidates for that very reason."""
    found = scored.candidates
    chosen = (found.row >= begin) & (found.row < end) & (found.column("missing") > 0)
    chosen &= (found.column("chance") >= ACTIVE * 0.9) & (found.column("active") >= 0.5)
    due = np.zeros((end - begin, steps), dtype=bool)
    due[found.row[chosen] - begin, found.step[chosen]] = True
    return due


def _told(grid: Grid, scored: Scored, begin: int, end: int, first: int) -> NDArray[np.object_]:
    found, usage = scored.candidates, grid.usage
    told = np.full((end - begin, usage.values.shape[1] - first), "", dtype=object)
    chosen = np.flatnonzero((found.row >= begin) & (found.row < end) & (found.step >= first))
    chosen = chosen[scored.score[found.row[chosen], found.step[chosen]] >= TOLD_FROM]
    told[found.row[chosen] - begin, found.step[chosen] - first] = reasons.reasons(
        found, chosen, usage.values, scored.expected, usage.times, usage.cadence
    )
    return told


def _alone(rows: Rows, code: int, least: float) -> pd.DataFrame:
    low, high = np.searchsorted(rows.code, [code, code + 1])
    second, value = rows.second[low:high], rows.value[low:high]
    found = lone.score_alone(second, value)
    told = np.full(len(value), "", dtype=object)
    for at in np.flatnonzero(found.score >= min(least, 1.5)).tolist():
        told[at] = _alone_reason(value[at], found, at)
    names = np.full(len(value), rows.names[code], dtype=object)
    return _frame(names, second, value, found.expected, found.lower, found.upper, found.score, told, least)


def _alone_reason(value: float, found: lone.LoneScored, at: int) -> str:
    expected, width = found.expected[at], (found.upper[at] - found.lower[at]) / 2
    if np.isnan(expected) or not width > 0:
        return "unlike anything this series showed before"
    deviations = (value - expected) / width * lone.DEVIATIONS
    side = "above" if deviations > 0 else "below"
    return f"{value:.6g} where {expected:.6g} was expected, {abs(deviations):.0f} deviations {side}"


def _frame(
    names: NDArray[np.object_], second: NDArray[np.int64], value: Floating, expected: Floating, lower: Floating,
    upper: Floating, height: Floating, told: NDArray[np.object_], least: float,
) -> pd.DataFrame:  # fmt: skip
    known = np.where(np.isnan(height), tails.LOWEST, height)
    return pd.DataFrame({
        "series": names,
        "time": second.astype("datetime64[s]"),
        "value": value,
        "expected": np.round(expected.astype(np.float64), 6),
        "lower": np.round(lower.astype(np.float64), 6),
        "upper": np.round(upper.astype(np.float64), 6),
        "score": np.round(known.astype(np.float64), 4),
        "alarm": known >= least,
        "reason": told,
    })  # fmt: skip


def _rows(frame: pd.DataFrame) -> Rows:
    for column in ("series", "time", "value"):
        if column not in frame.columns:
            raise ValueError(f"there is no column {column}")
    times = pd.to_datetime(frame["time"], utc=True)
    value = pd.to_numeric(frame["value"]).to_numpy(dtype=np.float64, na_value=np.nan)
    known = pd.DataFrame({
        "series": frame["series"].astype(str).to_numpy(dtype=object),
        "second": times.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64),
        "value": np.where(np.isfinite(value), value, np.nan),
    })  # fmt: skip
    known = known.drop_duplicates(["series", "second"], keep="last")
    began = known.groupby("series")["second"].min().reset_index().sort_values(["second", "series"])
    code = pd.Series(np.arange(len(began)), index=began["series"])
    known["code"] = known["series"].map(code)
    known = known.sort_values(["code", "second"])
    return Rows(
        began["series"].to_numpy(dtype=object), known["code"].to_numpy(dtype=np.int32),
        known["second"].to_numpy(dtype=np.int64), known["value"].to_numpy(dtype=np.float64), (),
    )  # fmt: skip


def _event_rows(events: pd.DataFrame | None) -> EventRows | None:
    if events is None or not len(events):
        return None
    unknown = set(events["kind"]) - set(KINDS)
    if unknown:
        raise ValueError(f"the kind {min(unknown)!r} of a known change is unknown; use {', '.join(KINDS)}")
    ends = events["end"] if "end" in events.columns else pd.Series(pd.NaT, index=events.index)
    return EventRows(
        events["series"].astype(str).to_numpy(dtype=object), events["kind"].to_numpy(dtype=object),
        _seconds(events["start"]), _seconds(ends),
    )  # fmt: skip


def _seconds(times: pd.Series) -> NDArray[np.int64]:
    known = pd.to_datetime(times, utc=True)
    seconds = known.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    return np.where(known.isna().to_numpy(), -1, seconds)
