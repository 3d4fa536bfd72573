"""What is measured together: some series over some steps, with what is known of them and of their pool."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.unusual.cadence import Cadence
from detector.unusual.events import Changes
from detector.unusual.windows import Floats

Values = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class Calendar:
    """For each step, the step one and two months earlier at the same day (and hour); -1 where there is none."""

    same_day: tuple[Places, Places]
    same_end: tuple[Places, Places]
    """The same, counted from the end of the month."""
    to_end: NDArray[np.float32]
    """Days to the end of the month."""
    day: NDArray[np.float32]
    """Day of the month."""


@dataclass(frozen=True)
class Pool:
    """What is usual among all series at each step, of what lay before it."""

    profile: Floats
    scale: Floats


@dataclass(frozen=True)
class Block:
    """Series (m) over steps (T)."""

    values: Values
    """(m, T) usage per step; NaN where there is no row."""
    first: NDArray[np.int32]
    """(m,) the step of the first row; before 0 where the block is a later part of longer series."""
    changes: Changes
    calendar: Calendar
    pool: Pool
    cadence: Cadence

    def part(self, rows: Places, begin: int, end: int) -> Block:
        """Some rows over the steps from `begin` up to before `end`."""
        return replace(
            self,
            values=self.values[rows, begin:end],
            first=self.first[rows] - np.int32(begin),
            changes=self.changes.of(rows, len(self.first)).since(begin),
            calendar=_later(self.calendar, begin, end),
            pool=Pool(self.pool.profile[begin:end], self.pool.scale[begin:end]),
        )


def calendar(times: NDArray[np.datetime64]) -> Calendar:
    """The calendar of consecutive steps that begin at these instants."""
    steps = times.astype("datetime64[s]")
    place = {value: index for index, value in enumerate(steps.tolist())}
    days, months = steps.astype("datetime64[D]"), steps.astype("datetime64[M]")
    clock = steps - days
    day = (days - months.astype("datetime64[D]")).astype(int)
    end = ((months + 1).astype("datetime64[D]") - days).astype(int)
    same_day, same_end = [], []
    for back in (1, 2):
        earlier = months - back
        length = ((earlier + 1).astype("datetime64[D]") - earlier.astype("datetime64[D]")).astype(int)
        by_day = np.where(day < length, (earlier.astype("datetime64[D]") + day) + clock, np.datetime64("NaT"))
        by_end = np.where(end <= length, ((earlier + 1).astype("datetime64[D]") - end) + clock, np.datetime64("NaT"))
        same_day.append(_found(place, by_day))
        same_end.append(_found(place, by_end))
    return Calendar(
        (same_day[0], same_day[1]),
        (same_end[0], same_end[1]),
        (end - 1).astype(np.float32),
        (day + 1).astype(np.float32),
    )


def _found(place: dict[object, int], instants: NDArray[np.datetime64]) -> Places:
    found: Places = np.array([place.get(each, -1) for each in instants.astype("datetime64[s]").tolist()], dtype=np.intp)
    return found


def _later(whole: Calendar, begin: int, end: int) -> Calendar:
    def moved(places: Places) -> Places:
        """Places counted from where the block begins; -1 for what lies before it."""
        found: Places = np.where(places[begin:end] >= begin, places[begin:end] - begin, -1)
        return found

    return Calendar(
        (moved(whole.same_day[0]), moved(whole.same_day[1])),
        (moved(whole.same_end[0]), moved(whole.same_end[1])),
        whole.to_end[begin:end],
        whole.day[begin:end],
    )
