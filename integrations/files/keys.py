"""Rows of one file that share a key: which stays, and whether the others say the same."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from billing.model import Table
from integrations.files.checks import quoted

APPEND_ONLY = frozenset({"usage_events"})
"""Tables that may hold a key twice: producers send an event again when they are not sure that it arrived."""

_NOT_CONTENT = frozenset({"received_at", "external_url"})


class Keys:
    """The keys of good rows. `good` is a SELECT of the columns `names` and of `_row`, `_last`."""

    def __init__(self, con: duckdb.DuckDBPyConnection, table: Table, names: Sequence[str], good: str) -> None:
        self.con, self.table, self.names, self.good = con, table, names, good
        self.key = ", ".join(quoted(name) for name in table.primary_key if name in names)
        self.surplus = quoted(f"import_surplus_{table.name}")
        row = con.execute(f"SELECT count(*), count(DISTINCT hash({self.key})) FROM ({good})").fetchone()
        self.rows, self.distinct = row or (0, 0)

    def find_surplus(self) -> None:
        """Makes the temporary table of every row but the first of its key: `same` content or not, the row `kept`.

        The first event is the one received first, the first row of any other table the one that comes first.
        """
        append_only = self.table.name in APPEND_ONLY
        order = "received_at, _row" if append_only else "_row"
        ignored = _NOT_CONTENT if append_only else frozenset()
        content = ", ".join(quoted(name) for name in self.names if name not in ignored)
        hashed = f"hash({self.key})"
        self.con.execute(
            f"""CREATE OR REPLACE TEMP TABLE {self.surplus} AS
                WITH twice AS (
                    SELECT *, row({content}) AS _content FROM ({self.good})
                    WHERE {hashed} IN (SELECT {hashed} FROM ({self.good}) GROUP BY 1 HAVING count(*) > 1)
                ), ranked AS (
                    SELECT _row, _last, concat_ws('/', {self._shown}) AS _key, row_number() OVER same_key AS nth,
                           first_value(_row) OVER same_key AS kept,
                           _content IS NOT DISTINCT FROM first_value(_content) OVER same_key AS same
                    FROM twice WINDOW same_key AS (PARTITION BY {self.key} ORDER BY {order})
                )
                SELECT _row, _last, _key, kept, same FROM ranked WHERE nth > 1"""
        )

    @property
    def _shown(self) -> str:
        return ", ".join(f"{quoted(name)}::VARCHAR" for name in self.table.key)

    def count(self, chosen: str) -> int:
        """How many surplus rows fulfil a condition over `same`."""
        row = self.con.execute(f"SELECT count(*) FROM {self.surplus} WHERE {chosen}").fetchone()
        return int(row[0]) if row else 0

    def listed(self, chosen: str, most: int) -> list[tuple[int, str, int]]:
        """Row, key and the row that is kept of the first surplus rows that fulfil a condition."""
        return self.con.execute(
            f"SELECT _row, _key, kept FROM {self.surplus} WHERE {chosen} ORDER BY 1 LIMIT {most}"
        ).fetchall()
