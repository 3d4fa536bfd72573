"""The tables of one schema of a warehouse, whatever the case of their names, read in chunks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from integrations.marks import bound

CHUNK = 500
"""Records that are read together with what belongs to them."""

Record = Mapping[str, Any]
"""One row, its columns in lower case."""


@dataclass
class Tables:
    """What a schema holds. Raises SQLAlchemyError where the database does."""

    engine: sa.Engine = field(repr=False)
    schema: str | None = None

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The tables and views, by their names in lower case."""
        found = sa.inspect(self.engine)
        listed = [*found.get_table_names(schema=self.schema), *found.get_view_names(schema=self.schema)]
        return {name.lower(): name for name in listed}

    def first(self, *candidates: str) -> str | None:
        """The first of the tables that is there."""
        return next((name for name in candidates if name in self.names), None)

    def read(self, name: str, increments: str, since: str | None = None) -> Iterator[list[Record]]:
        """The rows of a table from a cursor on, in the order of the column that it counts."""
        table = self._table(name)
        columns = self._columns(name)
        query = sa.select("*").select_from(table)
        if increments in columns:
            by: sa.ColumnClause[Any] = sa.column(columns[increments])
            query = query.order_by(by)
            query = query if since is None else query.where(by >= bound(since))
        with self.engine.connect() as con:
            found = con.execution_options(stream_results=True, max_row_buffer=CHUNK).execute(query)
            for part in found.mappings().partitions(CHUNK):
                yield [_lower(row) for row in part]

    def newest(self, name: str, increments: str) -> object:
        """The largest value of the column that counts; None where there is none."""
        if increments not in self._columns(name):
            return None
        by: sa.ColumnClause[Any] = sa.column(self._columns(name)[increments])
        with self.engine.connect() as con:
            return con.execute(sa.select(sa.func.max(by)).select_from(self._table(name))).scalar_one()

    def of(self, name: str | None, column: str, values: Iterable[object]) -> dict[object, list[Record]]:
        """The rows of a table whose column has one of the values, by that value; none where it is not there."""
        wanted = sorted({value for value in values if value is not None}, key=str)
        if name is None or name not in self.names or column not in self._columns(name):
            return {}
        by: sa.ColumnClause[Any] = sa.column(self._columns(name)[column])
        found: dict[object, list[Record]] = {}
        with self.engine.connect() as con:
            for first in range(0, len(wanted), CHUNK):
                chosen = sa.select("*").select_from(self._table(name)).where(by.in_(wanted[first : first + CHUNK]))
                for row in con.execute(chosen).mappings():
                    found.setdefault(row[self._columns(name)[column]], []).append(_lower(row))
        return found

    def _table(self, name: str) -> sa.TableClause:
        return sa.table(self.names[name], schema=self.schema)

    def _columns(self, name: str) -> Mapping[str, str]:
        """The table's columns, by their names in lower case."""
        if name not in self._known:
            listed = sa.inspect(self.engine).get_columns(self.names[name], schema=self.schema)
            self._known[name] = {str(column["name"]).lower(): str(column["name"]) for column in listed}
        return self._known[name]

    _known: dict[str, Mapping[str, str]] = field(default_factory=dict, repr=False)


def _lower(row: Mapping[Any, Any]) -> Record:
    return {str(name).lower(): value for name, value in row.items()}


def structure(value: object) -> Any:
    """An object or list that a warehouse keeps as JSON, or as the text of it; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value, parse_float=Decimal)
    return value


def seconds(value: object) -> object:
    """An instant as Stripe states it, in seconds since 1970; one without an offset is UTC, a number stays."""
    if isinstance(value, str) and not value.lstrip("-").replace(".", "", 1).isdigit():
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    return value


def each_by(rows: Mapping[object, Sequence[Record]]) -> dict[object, Record]:
    """The last row of each value."""
    return {value: held[-1] for value, held in rows.items()}
