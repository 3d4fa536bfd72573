"""What a rule's query may name: the tables of the books, the derived relations and the rating macros.

All of it is read off empty books with everything derived on them, so that it cannot differ from what a run has.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from threading import Lock

import duckdb

from billing.books import BY_NAME
from detector import derived, plain_books
from detector.query import Vocabulary

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (as $as_of is bound: a TIMESTAMP in UTC)
"""The `$as_of` with which queries are bound and never run."""


CURRENCIES = "currencies"
"""The relation of ISO 4217 codes and their exponents, which `derived.build` always makes."""

_one_at_a_time = Lock()


@cache
def known() -> Vocabulary:
    """The documented relations, and the macros that derived relations bring."""
    with _one_at_a_time:
        sql = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE NOT internal"
        macros = _blank().execute(sql).fetchall()
    return Vocabulary(
        frozenset(BY_NAME) | frozenset(derived.RELATIONS) | {CURRENCIES}, frozenset(name for (name,) in macros)
    )


def columns(sql: str, bound: Mapping[str, object]) -> dict[str, str]:
    """The columns that a checked query returns, with their SQL types; nothing is run.

    Lines in the duckdb.Error that it raises for a query that does not bind count one too many.
    """
    with _one_at_a_time:
        rows = _blank().execute(f"DESCRIBE\n{sql}", bound).fetchall()
    return {str(name): str(kind) for name, kind, *_ in rows}


@cache
def _blank() -> duckdb.DuckDBPyConnection:
    """Empty books with every relation derived. Temporary relations belong to one connection, so there is no cursor."""
    con = plain_books.open({})
    derived.build(con, EPOCH.replace(tzinfo=UTC))
    con.execute("SET enable_external_access = false; SET lock_configuration = true")
    return con
