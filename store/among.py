"""Whether a column is one of many values, however many: they reach the database as one value, not as one each."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Integer, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class among(FunctionElement[bool]):  # noqa: N801 (it is a function of SQL)
    """The column is one of the texts or whole numbers, found by an index on it: `among(Signal.id, [1, 2])`."""

    type = Boolean()
    inherit_cache = True

    def __init__(
        self, column: InstrumentedAttribute[Any] | ColumnElement[Any], values: Collection[str] | Collection[int]
    ) -> None:
        super().__init__(column, literal(json.dumps(list(values))))

    def self_group(self, against: Any = None) -> Any:
        """As it is: compared with true, as SQLAlchemy would on SQLite, no index finds it."""
        return self


@compiles(among, "sqlite")
def _sqlite(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(among, "postgresql")
def _postgresql(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = element.clauses
    kind = "BIGINT" if isinstance(column.type, Integer) else "TEXT"
    each = f"SELECT CAST(jsonb_array_elements_text(CAST({compiler.process(values, **options)} AS JSONB)) AS {kind})"
    return f"{compiler.process(column, **options)} IN ({each})"
