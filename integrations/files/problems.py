"""What is wrong in the files, told so that a person finds the place: file, row, column, value and reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

KEPT = 100
"""How many problems are kept; all of them are counted."""

_LONGEST_VALUE = 200


@dataclass(frozen=True)
class Problem:
    """One thing wrong. `row` is null where the file as a whole is meant, `column` and `value` where there is none.

    `place` says what `row` counts: "line" (csv, jsonl: the line of the file, the first is 1) or "row" (parquet: the
    row of data, the first is 1).
    """

    file: str
    row: int | None
    column: str | None
    value: str | None
    reason: str
    place: str = "row"

    def __str__(self) -> str:
        where = [self.file]
        if self.row is not None:
            where.append(f"{self.place} {self.row}")
        if self.column is not None:
            where.append(f"column {self.column}")
        shown = "" if self.value is None else f"{self.value!r} "
        return f"{', '.join(where)}: {shown}{self.reason}"


@dataclass
class Tally:
    """Problems as they are found: the first hundred of each kind, and the count of all."""

    kept: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, problem: Problem) -> None:
        """Counts one problem, and keeps it when it is among the first hundred."""
        self.add_some([problem] if len(self.kept) < KEPT else [], 1)

    def add_some(self, listed: Iterable[Problem], count: int) -> None:
        """Counts `count` problems of which some are listed, and keeps those."""
        self.kept += listed
        self.count += count


def shown(value: object) -> str | None:
    """A value as it stands in a report: text, cut when it is long."""
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
