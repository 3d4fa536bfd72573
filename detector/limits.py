"""What one rule may take - time, memory, rows - and the watch that stops a query that takes more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import duckdb

LOOK = 0.5
"""Seconds between two looks at whether somebody stopped the run."""


@dataclass(frozen=True)
class Limits:
    """The most that one evaluation may take. Memory is what DuckDB holds at once, None as much as the warehouse allows
    (half of the machine's, at most 4 GiB); beyond it, what is sorted and joined goes to disk.
    """

    time: timedelta = timedelta(minutes=5)
    memory: str | None = None
    disk: str = "50GiB"
    rows: int = 50_000

    def apply(self, con: duckdb.DuckDBPyConnection) -> None:
        """Set what DuckDB itself keeps; before its configuration is locked."""
        con.execute(f"SET max_temp_directory_size = '{self.disk}'")
        if self.memory is not None:
            con.execute(f"SET memory_limit = '{self.memory}'")


USUAL = Limits()
"""What a rule may take unless the configuration says otherwise."""


@dataclass
class Watch:
    """Why a query was stopped; None while it may go on."""

    why: str | None = None
    _over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def watched(
    con: duckdb.DuckDBPyConnection, limit: timedelta, cancelled: Callable[[], str | None] = lambda: None
) -> Iterator[Watch]:
    """Interrupts what runs on `con` once it takes longer than `limit`, or once `cancelled` names somebody.

    What is interrupted raises duckdb.Error; `why` says the reason then.
    """
    watch = Watch()
    thread = threading.Thread(target=_look, args=(watch, con, limit.total_seconds(), cancelled), daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch._over.set()
        thread.join()


def _look(watch: Watch, con: duckdb.DuckDBPyConnection, seconds: float, cancelled: Callable[[], str | None]) -> None:
    waited = 0.0
    while not watch._over.wait(min(LOOK, max(seconds - waited, 0.01))):
        waited += LOOK
        if watch.why is None:
            who = cancelled()
            if who:
                watch.why = f"cancelled by {who}"
            elif waited >= seconds:
                watch.why = f"it took longer than {seconds:g} s"
        if watch.why is not None:
            con.interrupt()
