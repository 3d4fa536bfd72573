"""How a table of the books is described: kinds of value, columns, tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """What a column may hold. `books.yaml` of the specification names the same kinds."""

    ID = "id"  # opaque string
    TEXT = "text"
    TS = "ts"  # an instant, UTC, microseconds
    MONEY = "money"  # major units of the row's currency, 4 places
    PRICE = "price"  # major units per unit, 12 places
    QTY = "qty"  # 9 places
    CURRENCY = "currency"  # ISO 4217, upper case
    DURATION = "duration"  # ISO 8601, for example P1M
    JSON = "json"  # RFC 8259 text
    INT = "int"
    BOOL = "bool"
    ENUM = "enum"  # one of the column's `values`


DECIMAL_PLACES = {Kind.MONEY: (18, 4), Kind.PRICE: (27, 12), Kind.QTY: (27, 9)}
"""Digits in all and after the point of each decimal kind."""


@dataclass(frozen=True)
class Column:
    """One column: its name, what it holds and whether it may be null or absent."""

    name: str
    kind: Kind
    optional: bool = False
    values: tuple[str, ...] = ()
    note: str = ""


SOURCE_COLUMNS = (
    Column("integration", Kind.ID, optional=True, note='The configured name of the source; "files" when absent.'),
    Column("external_url", Kind.TEXT, optional=True, note="Where the record is shown in its own system."),
)
"""Columns that every table has and that a source may set."""


@dataclass(frozen=True)
class Table:
    """One table of the books.

    `key` is the primary key without `integration`, which every key also has. `known_at` names the column whose
    instant says since when the record exists, so that a run as of an earlier instant does not see it;
    `known_with` names a parent table and column instead.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    known_at: str | None = None
    known_with: tuple[str, str] | None = None
    note: str = ""

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns that a source may fill, by name, `integration` and `external_url` included."""
        return {column.name: column for column in (*self.columns, *SOURCE_COLUMNS)}

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The full key, `integration` first."""
        return ("integration", *self.key)


_COLUMN = re.compile(r"(?P<name>\w+): (?P<kind>\w+)(?:\[(?P<values>[^\]]*)\])?(?P<optional>\?)?(?:\s+# (?P<note>.*))?")


def described(
    name: str,
    columns: str,
    *,
    key: tuple[str, ...] = (),
    known_at: str | None = None,
    known_with: tuple[str, str] | None = None,
    note: str = "",
) -> Table:
    """The table whose columns stand one a line as `name: kind?  # note`; a line of `#` goes on with the note above it.

    Raises ValueError for a line of another form: a mistake in the description, found at import.
    """
    found: list[Column] = []
    for line in filter(None, map(str.strip, columns.splitlines())):
        if line.startswith("# "):
            found[-1] = replace(found[-1], note=f"{found[-1].note} {line[2:]}".strip())
        else:
            found.append(_column(line))
    return Table(name, key or (found[0].name,), tuple(found), known_at, known_with, note)


def _column(line: str) -> Column:
    match = _COLUMN.fullmatch(line)
    if match is None:
        raise ValueError(f"not a column of the form `name: kind?  # note`: {line}")
    values = tuple(value.strip() for value in (match["values"] or "").split(",") if value.strip())
    return Column(match["name"], Kind(match["kind"]), bool(match["optional"]), values, match["note"] or "")
