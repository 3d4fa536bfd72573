"""A process of its own that writes to a warehouse, for tests that run several at once or kill them.

It upserts pages, each with a cursor in one transaction, and goes on where its cursor stands. Keys are shared between
writers, contents tell who wrote.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event

from store.warehouse import Warehouse

START = datetime(2026, 3, 1, tzinfo=UTC)
CUSTOMERS = 30
EVENTS = 200


def page(writer: str, number: int) -> dict[str, list[dict[str, object]]]:
    """Customers that every writer writes, and events that only this one sends. Later pages are newer versions."""
    at = version(writer, number)
    customers = [
        {
            "customer_id": f"c{i}",
            "name": f"{writer} {number}",
            "status": "active",
            "created_at": START,
            "version_at": at,
        }
        for i in range(number % 7, CUSTOMERS)
    ]
    events = [
        {
            "source": writer,
            "event_id": f"{number}-{i}",
            "event_type": "api",
            "subject": "s",
            "time": at,
            "received_at": at,
            "status": "accepted",
        }
        for i in range(EVENTS)
    ]
    return {"customers": customers, "usage_events": events}


def version(writer: str, number: int) -> datetime:
    """The instant of a writer's page: no two are equal."""
    return START + timedelta(minutes=number, seconds=int(writer))


def expected(writers: int, pages: int) -> list[tuple[str, str]]:
    """What the customers are when every writer has written all of its pages, in whatever order."""
    written = sorted((version(str(w), n), f"{w} {n}", n % 7) for w in range(writers) for n in range(pages))
    newest = {i: name for _, name, first in written for i in range(first, CUSTOMERS)}
    return sorted((f"c{i}", name) for i, name in newest.items())


def write(catalog: str, data: str, writer: str, pages: int, begun: Event | None = None) -> None:
    """Writes the pages after the cursor; `begun` is set once the first of them is written."""
    warehouse = Warehouse(catalog, data)
    for number in range(int(warehouse.cursor("test", writer) or -1) + 1, pages):
        warehouse.upsert_rows(
            page(writer, number),
            integration="test",
            version_at=version(writer, number),
            cursors={("test", writer): str(number)},
        )
        if begun is not None:
            begun.set()
