"""The latest books kept open for rules that must not wait: a draft that has just come in, say.

Opening the lake and its tables costs more than most rules. Here they stay open from one event to the next, small tables
as plain copies; what was written since is read in the lake. Locked down as `cycle.books_at` is, and of one snapshot for
as long as a run holds it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import duckdb

from detector import derived
from detector.limits import Limits
from store.warehouse import Warehouse


@dataclass(frozen=True)
class Open:
    """A connection on which `books.<table>` is the latest snapshot; `large`: tables that are read where they lie."""

    con: duckdb.DuckDBPyConnection
    large: frozenset[str]


class Ready:
    """The open books of one process."""

    def __init__(self, warehouse: Warehouse, allowed: Limits) -> None:
        """`allowed`: what one rule may take. Nothing is opened yet."""
        self._near = warehouse.copy(derived.FEW, derived.FEW, prepare=lambda con: lock_down(con, warehouse, allowed))
        self._held = threading.Lock()

    @contextmanager
    def books(self, snapshot: int) -> Iterator[Open | None]:
        """The books, when they are at this snapshot and nobody else holds them; None otherwise."""
        if not self._held.acquire(blocking=False):
            yield None
            return
        try:
            with closing(self._near.connect()) as con:
                left = derived.READ_IN_PLACE - self._near.copied
                large = derived.large(con) & left if left else left
                yield Open(con, frozenset(large)) if self._near.snapshot == snapshot else None
        finally:
            self._held.release()

    def gather(self) -> None:
        """Copies what was written since, unless a run holds the books."""
        if self._held.acquire(blocking=False):
            try:
                self._near.gather()
            finally:
                self._held.release()

    def close(self) -> None:
        """Lets go of the copy, once a run that reads it has ended; after a minute the process ends without."""
        if self._held.acquire(timeout=60):
            try:
                self._near.close()
            finally:
                self._held.release()


def lock_down(con: duckdb.DuckDBPyConnection, warehouse: Warehouse, allowed: Limits) -> None:
    """Nothing of this machine but the files of the lake can be reached on the connection from now on."""
    spill = con.execute("SELECT current_setting('temp_directory')").fetchone()
    places = [*warehouse.places, *(str(place) for place in spill or () if place)]
    allowed.apply(con)
    con.execute(f"SET allowed_directories = {places!r}")
    con.execute("SET enable_external_access = false; SET lock_configuration = true")
