"""Rows laid out on a grid of steps, by rhythm: each series is daily, hourly or of a rhythm of its own."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.unusual.cadence import DAILY, DAY, HOUR, HOURLY, Cadence
from detector.unusual.cells import Usage
from detector.unusual.events import KINDS, Changes
from detector.unusual.reading import BadInputError, EventRows, Rows

FIRST_GAPS = 50
"""The rhythm of a series is that of its first rows, so that later ones cannot change it."""
HELD_SHARE = 3
LEAST_TOGETHER = 20
"""Fewer hourly series than this are looked at one by one."""
MOST_CELLS = 200_000_000
"""Series times steps of one grid."""

Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Grid:
    """Series of one rhythm: `usage` for the engine, `code` per row of it; where each of the given rows lies."""

    usage: Usage
    code: Codes
    given: NDArray[np.int32]
    row: NDArray[np.int32]
    step: NDArray[np.int32]


def rhythms(rows: Rows) -> NDArray[np.int8]:
    """Per series 0 daily, 1 hourly, 2 other, by the gaps between its first rows; without any, as most others."""
    count = len(rows.names)
    begin = np.searchsorted(rows.code, np.arange(count))
    place = np.arange(len(rows.code)) - begin[rows.code]
    gap = np.diff(rows.second, prepend=rows.second[:1])
    counted = (place > 0) & (place <= FIRST_GAPS)
    code, gap = rows.code[counted], gap[counted]
    total = np.bincount(code, minlength=count)
    short = np.bincount(code[gap < 0.9 * HOUR], minlength=count)
    within = np.bincount(code[gap < 0.9 * DAY], minlength=count)
    found = np.where(short > 0.2 * total, 2, np.where(within > 0.2 * total, 1, 0)).astype(np.int8)
    alone = total == 0
    if alone.any():
        known = found[~alone][:1000]
        found[alone] = np.bincount(known, minlength=3).argmax() if len(known) else 0
    return found


def grids(rows: Rows, events: EventRows | None) -> tuple[list[Grid], Codes]:
    """The grids of the daily and the hourly series, and the series that have to be looked at one by one."""
    kinds = rhythms(rows)
    made, alone = [], [np.flatnonzero(kinds == 2)]
    for number, cadence in enumerate((DAILY, HOURLY)):
        code = np.flatnonzero(kinds == number)
        if not len(code):
            continue
        if cadence is HOURLY and len(code) < LEAST_TOGETHER:
            alone.append(code)
            continue
        made.append(_grid(rows, code, cadence, events))
    return made, np.sort(np.concatenate(alone))


def _grid(rows: Rows, code: Codes, cadence: Cadence, events: EventRows | None) -> Grid:
    number = np.full(len(rows.names), -1, dtype=np.int64)
    number[code] = np.arange(len(code))
    given = np.flatnonzero(number[rows.code] >= 0).astype(np.int32)
    row, second = number[rows.code[given]], rows.second[given]
    begin = second[np.searchsorted(row, np.arange(len(code)))]
    offset = begin % cadence.seconds if cadence is DAILY else np.zeros_like(begin)
    step = np.floor_divide(second - offset[row] + (cadence.seconds // 2 if cadence is DAILY else 0), cadence.seconds)
    zero = int(step.min())
    step -= zero
    steps = int(step.max()) + 1
    if steps * len(code) > MOST_CELLS:
        days = steps * cadence.seconds // 86400
        raise BadInputError(
            f"{len(code):,} {cadence.name} series reach over {days:,} days, too many to lay out; "
            "mend times that are far off, or score a part of the file"
        )
    values = np.full((len(code), steps), np.nan)
    values[row, step] = rows.value[given]
    first = np.floor_divide(begin, cadence.seconds) - zero
    times = np.datetime64(zero * cadence.seconds, "s") + np.arange(steps) * np.timedelta64(cadence.seconds, "s")
    held = np.array([zlib.crc32(str(name).encode()) % HELD_SHARE == 0 for name in rows.names[code]], dtype=bool)
    changes = _changes(rows, number, events, cadence, zero)
    usage = Usage(values, first.astype(np.int32), held, times, changes, cadence)
    return Grid(usage, code, given, row.astype(np.int32), step.astype(np.int32))


def _changes(rows: Rows, number: NDArray[np.int64], events: EventRows | None, cadence: Cadence, zero: int) -> Changes:
    if events is None or not len(events.name):
        return Changes.none()
    place = {name: int(number[code]) for code, name in enumerate(rows.names)}
    row = np.array([place.get(name, -1) for name in events.name], dtype=np.int32)
    kind = np.array([KINDS.index(each) + 1 for each in events.kind], dtype=np.int32)
    half = cadence.seconds // 2 if cadence is DAILY else 0
    first = (np.floor_divide(events.start + half, cadence.seconds) - zero).astype(np.int64)
    last = np.where(events.end >= 0, np.floor_divide(events.end, cadence.seconds) - zero, -1)
    kept = (row >= 0) & (np.abs(first) < 1_000_000)
    return Changes(row[kept], kind[kept], first[kept].astype(np.int32), last[kept].astype(np.int32))
