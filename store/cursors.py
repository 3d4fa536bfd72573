"""Cursors of the integrations. They lie in the lake, so that they move together with the rows that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import duckdb

from store.lake import ALIAS
from store.schema import CURSORS
from store.upsert import literal

Cursors = Mapping[tuple[str, str], str]
"""(integration, stream) -> up to where the stream was read."""


def read(con: duckdb.DuckDBPyConnection, integration: str, stream: str) -> str | None:
    """Up to where the stream was read; None when it never was."""
    row = con.execute(
        f"SELECT value FROM {ALIAS}.{CURSORS} WHERE integration = ? AND stream = ?", [integration, stream]
    ).fetchone()
    return None if row is None else str(row[0])


def move(con: duckdb.DuckDBPyConnection, cursors: Cursors, at: datetime) -> bool:
    """Sets cursors within the open transaction of `con`; whether any of them moved."""
    moved = {key: value for key, value in cursors.items() if read(con, *key) != value}
    for (integration, stream), value in moved.items():
        con.execute(f"DELETE FROM {ALIAS}.{CURSORS} WHERE integration = ? AND stream = ?", [integration, stream])
        con.execute(f"INSERT INTO {ALIAS}.{CURSORS} VALUES (?, ?, ?, {literal(at)})", [integration, stream, value])
    return bool(moved)
