"""How long things took, in whole seconds, and within what so many of ten of them are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Text, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session


@dataclass(frozen=True)
class Durations:
    """The seconds that each of many things took, in order."""

    seconds: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.seconds)

    @property
    def median(self) -> timedelta | None:
        """Half of them took no longer; None where there are none."""
        return self.within(5)

    def within(self, tenths: int) -> timedelta | None:
        """What so many tenths of them took no longer than, in proportion between two; None where there are none."""
        if not self.seconds:
            return None
        place, rest = divmod(tenths * (len(self.seconds) - 1), 10)
        below = self.seconds[place]
        above = self.seconds[place + 1] if rest else below
        return timedelta(seconds=below + (above - below) * rest / 10)


def of(seconds: Iterable[int]) -> Durations:
    """Of single durations in seconds."""
    return Durations(tuple(sorted(seconds)))


def read(
    session: Session, column: InstrumentedAttribute[int | None], where: Sequence[ColumnElement[bool]]
) -> Durations:
    """Of a column of seconds, over the rows that have any: one text, as there may be tens of thousands."""
    every = func.aggregate_strings(cast(column, Text), ",")
    told = session.scalar(select(every).where(*where, column.is_not(None)))
    return of(map(int, told.split(","))) if told else Durations()
