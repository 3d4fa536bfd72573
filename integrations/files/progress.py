"""Telling how far a long statement is, while DuckDB runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb

OnProgress = Callable[[int, int | None, str], None]
"""Called with rows done, rows in all (an estimate for text files until they are read; None when unknown), the table."""

_EVERY = 0.2


@contextmanager
def watched(
    con: duckdb.DuckDBPyConnection, on_progress: OnProgress | None, total: int | None, table: str
) -> Iterator[None]:
    """Within the block, tells several times a second how far the statement is that `con` runs."""
    if on_progress is None:
        yield
        return
    con.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(con, on_progress, total, table, ended), daemon=True)
    on_progress(0, total, table)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
        con.execute("SET enable_progress_bar = false")


def _tell(
    con: duckdb.DuckDBPyConnection, on_progress: OnProgress, total: int | None, table: str, ended: threading.Event
) -> None:
    while not ended.wait(_EVERY):
        percent = max(con.query_progress(), 0.0)
        if total is not None:
            on_progress(min(int(total * percent / 100), total), total, table)
