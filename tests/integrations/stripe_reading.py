"""A reading of Stripe into the lake in a process of its own, which says what it does so that it can be killed there."""

from __future__ import annotations

from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from integrations.stripe import from_config
from store.warehouse import Counts, Warehouse
from tests.lakes import lake
from tests.peers.stripe.process import KEY
from tests.peers.stripe.sample import NOW

NAME = "stripe"


def sync(
    warehouse: Warehouse,
    url: str,
    *,
    full: bool = False,
    page_size: int = 100,
    say: Connection | None = None,
    now: datetime = NOW,
) -> dict[str, Counts]:
    """What the sync job does: each page with its cursors in one transaction. Returns the counts of all pages by table.

    `say` gets "read" before a page is stored and "stored" after it, and waits for an answer each time.
    """
    settings = {"api_key": KEY, "base_url": url, "requests_per_second": 10_000, "recorded_usage": True}
    stripe = from_config(NAME, settings, page_size=page_size)
    total: dict[str, Counts] = {}
    for page in stripe.pull(lambda stream: warehouse.cursor(NAME, stream), full=full, now=now):
        _tell(say, "read")
        cursors = {(NAME, stream): value for stream, value in page.cursors.items()}
        counts = warehouse.upsert_rows(page.rows, integration=NAME, version_at=page.version_at, cursors=cursors)
        for table, count in counts.items():
            before = total.get(table, Counts())
            total[table] = Counts(
                *(getattr(before, n) + getattr(count, n) for n in ("inserted", "updated", "unchanged", "older"))
            )
        _tell(say, "stored")
    return total


def sync_in_child(folder: str, url: str, say: Connection) -> None:
    """One reading, told step by step."""
    place = Path(folder)
    sync(lake(place), url, say=say)


def _tell(say: Connection | None, what: str) -> None:
    if say is not None:
        say.send(what)
        say.recv()
