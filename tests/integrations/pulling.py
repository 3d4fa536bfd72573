"""Pulling a vendor's peer: into plain rows, and into a lake whole, twice, and cut at every page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

from billing.books import TABLES
from integrations.capabilities import Integration
from integrations.pages import Page
from store.warehouse import Warehouse
from tests.lakes import lake
from tests.peers.rows import NOW

Dump = dict[str, list[tuple[object, ...]]]


def pulled(
    source: Integration, cursors: Mapping[str, str] | None = None, *, full: bool = False, now: datetime = NOW
) -> list[Page]:
    """The pages of one pull from the cursors given."""
    return list(source.pull((cursors or {}).get, full=full, now=now))


def sync(
    warehouse: Warehouse, source: Integration, *, full: bool = False, now: datetime = NOW, most: int | None = None
) -> int:
    """What the sync job does, up to `most` pages; how many pages were stored. The page behind them is read and lost."""
    stored = 0
    for page in source.pull(lambda stream: warehouse.cursor(source.name, stream), full=full, now=now):
        if stored == most:
            return stored
        cursors = {(source.name, stream): value for stream, value in page.cursors.items()}
        warehouse.upsert_rows(page.rows, integration=source.name, version_at=page.version_at, cursors=cursors)
        stored += 1
    return stored


def books(warehouse: Warehouse) -> Dump:
    """Everything that the books hold, but for when it was read and where it is shown."""
    with closing(warehouse.connect(read_only=True)) as con:
        return {
            table.name: con.execute(
                f'SELECT * EXCLUDE (synced_at, version_at, external_url) FROM books."{table.name}" ORDER BY ALL'
            ).fetchall()
            for table in TABLES
        }


def kept(warehouse: Warehouse, rows: Mapping[str, list[dict[str, object]]], name: str) -> None:
    """The rows as an import brings them in."""
    warehouse.upsert_rows(rows, integration=name, version_at=NOW)


def cut_everywhere(source: Integration, folder: Path) -> Iterator[Dump]:
    """The books after a pull that was cut behind each of its pages, and a second that went to the end."""
    whole = lake(folder / "whole")
    pages = sync(whole, source)
    yield books(whole)
    torn = lake(folder / "torn")
    for _ in range(pages):
        sync(torn, source, most=1)
    sync(torn, source)
    yield books(torn)
    for warehouse in (whole, torn):
        warehouse.close()
