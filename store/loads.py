"""The record of an import or a sync: begun before anything is read, ended with what came in or why nothing did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from store import operational
from store.operational_tables import Load
from store.upsert import Counts


@dataclass
class Loading:
    """What an import or sync has brought in so far, by table."""

    id: int
    counts: dict[str, Counts] = field(default_factory=dict)
    bad: Mapping[str, int] = field(default_factory=dict)
    report: str | None = None

    def add(self, counts: Mapping[str, Counts]) -> None:
        """Count what one page, or one folder, brought in."""
        for table, new in counts.items():
            old = self.counts.get(table, Counts())
            self.counts[table] = Counts(
                old.inserted + new.inserted,
                old.updated + new.updated,
                old.unchanged + new.unchanged,
                old.older + new.older,
                old.conflicts + new.conflicts,
                (old.conflict_ids + new.conflict_ids)[:100],
            )


@contextmanager
def recorded(
    engine: Engine, kind: str, integration: str, source: str | None, clock: Callable[[], datetime]
) -> Iterator[Loading]:
    """A row of `loads` around the block: `running`, then `ok`, `partial` (some rows were refused) or `failed`."""
    with operational.writing(engine) as session:
        load = Load(kind=kind, integration=integration, source=source, started_at=clock(), status="running")
        session.add(load)
        session.flush()
        loading = Loading(load.id)
    try:
        yield loading
    except BaseException as error:
        _end(engine, loading, clock(), "failed", str(error) or type(error).__name__)
        raise
    _end(engine, loading, clock(), "partial" if any(loading.bad.values()) else "ok", None)


def _end(engine: Engine, loading: Loading, now: datetime, status: str, error: str | None) -> None:
    with operational.writing(engine) as session:
        load = session.get_one(Load, loading.id)
        load.status, load.error, load.finished_at, load.report = status, error, now, loading.report
        load.rows = {
            table: {
                "inserted": count.inserted,
                "updated": count.updated,
                "unchanged": count.unchanged,
                "older": count.older,
                "conflicts": count.conflicts,
                "bad": loading.bad.get(table, 0),
            }
            for table, count in loading.counts.items()
        }
