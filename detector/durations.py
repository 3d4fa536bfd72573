"""How long things took: durations counted by whole seconds, and within what so many of ten of them are."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session


@dataclass(frozen=True)
class Durations:
    """How many things took so many seconds: each number of seconds once, in order, with how many took it."""

    seconds: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many they are."""
        return sum(self.counts)

    @property
    def median(self) -> timedelta | None:
        """Half of them took no longer; None where there are none."""
        return self.within(5)

    def within(self, tenths: int) -> timedelta | None:
        """What so many tenths of them took no longer than, in proportion between two; None where there are none."""
        if not self.counts:
            return None
        up_to = list(accumulate(self.counts))
        place, rest = divmod(tenths * (up_to[-1] - 1), 10)
        below = self.seconds[bisect_right(up_to, place)]
        above = self.seconds[bisect_right(up_to, place + 1)] if rest else below
        return timedelta(seconds=below + (above - below) * rest / 10)


def of(seconds: Iterable[int]) -> Durations:
    """Of single durations in seconds."""
    counted = sorted(Counter(seconds).items())
    return Durations(tuple(each for each, _ in counted), tuple(count for _, count in counted))


def read(
    session: Session, column: InstrumentedAttribute[int | None], where: Sequence[ColumnElement[bool]]
) -> Durations:
    """Of a column of seconds, over the rows that have any."""
    query = select(column, func.count()).where(*where, column.is_not(None)).group_by(column).order_by(column)
    rows = [(seconds, count) for seconds, count in session.execute(query) if seconds is not None]
    return Durations(tuple(seconds for seconds, _ in rows), tuple(count for _, count in rows))
