"""Whether a column is one of many values, however many: they reach the database as one value, not as one each."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Text, any_, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session


def among(session: Session, column: InstrumentedAttribute[Any], values: Collection[str | int]) -> ColumnElement[bool]:
    """`column` is one of the texts or whole numbers, found by an index on it."""
    if session.get_bind().dialect.name == "postgresql":
        kind = column.type if not isinstance(column.type, Text) else Text()
        return column == any_(cast(list(values), ARRAY(kind)))
    each = func.json_each(literal(json.dumps(list(values)))).table_valued("value")
    return column.in_(select(each.c.value))
