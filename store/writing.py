"""One writer at a time per lake, and lost commit races.

DuckLake knows no unique keys: two transactions that both insert the same new key would both commit. So every
writer takes the lake's lock first: a file lock beside a SQLite catalog, an advisory lock in PostgreSQL. Both go
away with their process, however it ends. What still collides (a compaction, a person with their own DuckDB) is
tried again from the start of the transaction.
"""

from __future__ import annotations

import fcntl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import duckdb
import psycopg
import stamina

from store.lake import Catalog

T = TypeVar("T")

_LOST = ("conflict", "database is locked", "failed to commit ducklake transaction", "could not serialize", "deadlock")


@contextmanager
def sole_writer(catalog: Catalog, data_path: str) -> Iterator[None]:
    """Waits until no other process or thread writes to the lake, and holds that place for the `with` block."""
    held = _file_lock(catalog) if catalog.scheme == "sqlite" else _advisory_lock(catalog, data_path)
    with held:
        yield


@contextmanager
def _file_lock(catalog: Catalog) -> Iterator[None]:
    with Path(f"{catalog.place}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _advisory_lock(catalog: Catalog, data_path: str) -> Iterator[None]:
    with psycopg.connect(catalog.place, application_name="trueup writer") as con:
        con.execute("SELECT pg_advisory_xact_lock(%s, %s)", (0x7472_7565, zlib.crc32(data_path.encode()) - (1 << 31)))
        yield


def again_when_lost(write: Callable[[], T]) -> T:
    """Runs `write`, one whole transaction, until it commits or fails for another reason than a lost race."""
    for attempt in stamina.retry_context(on=_lost_race, attempts=20, timeout=120, wait_initial=0.05, wait_max=2):
        with attempt:
            return write()
    raise AssertionError("stamina either returns or raises")


def _lost_race(error: Exception) -> bool:
    message = str(error).lower()
    return isinstance(error, duckdb.Error) and any(sign in message for sign in _LOST)
