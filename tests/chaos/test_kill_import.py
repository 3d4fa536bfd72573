"""`trueup import`, killed at fifty random moments and run again, leaves the same books as one left in peace."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from billing.books import TABLES
from store.lake import LakeError
from store.warehouse import Warehouse

pytestmark = pytest.mark.chaos

Books = dict[str, tuple[object, ...] | None] | None

DIGEST = "SELECT count(*), bit_xor(hash(COLUMNS(* EXCLUDE (synced_at, version_at)))) FROM books.{}"
KILLS = 50
EVENTS = 300_000


def write_books(folder: Path, edition: int) -> Path:
    """A company's books in three formats. The second edition changes customers and adds events and meters."""
    folder.mkdir()
    con = duckdb.connect()
    con.execute(
        f"""COPY (SELECT 'e' || i AS event_id, 'app' AS source, 'api' AS event_type, 's' || (i % 50) AS subject,
                         TIMESTAMP '2026-01-01' + to_seconds(i) AS time, i::DECIMAL(18,2) AS value,
                         time AS received_at, 'accepted' AS status FROM range({EVENTS * edition}) events(i))
            TO '{folder}/usage_events.parquet'"""
    )
    con.execute(
        f"""COPY (SELECT 'c' || i AS customer_id, 'Customer ' || (i * {edition} % 7) AS name, 'EUR' AS currency,
                         'active' AS status, '2026-01-01T00:00:00Z' AS created_at FROM range(20000) customers(i))
            TO '{folder}/customers.csv'"""
    )
    con.execute(
        f"""COPY (SELECT 'm' || i AS meter_id, 'Meter' AS name, 'api' AS event_type, 'sum' AS aggregation
                  FROM range({500 * edition}) meters(i)) TO '{folder}/meters.jsonl' (FORMAT json)"""
    )
    return folder


def start_import(home: Path, books: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "trueup", "import", str(books)]
    environment = {**os.environ, "TRUEUP_HOME": str(home)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def import_in_peace(home: Path, books: Path) -> float:
    """Imports to the end; how many seconds that took."""
    began = time.monotonic()
    process = start_import(home, books)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told.decode()
    return time.monotonic() - began


def books_of(home: Path) -> Books:
    """Every table: how many rows, and numbers over all contents that any difference changes. None before it is made."""
    warehouse = Warehouse(f"sqlite:{home}/warehouse/catalog.sqlite", home / "warehouse" / "files")
    try:
        with closing(warehouse.connect(read_only=True)) as con:
            return {table.name: con.execute(DIGEST.format(table.name)).fetchone() for table in TABLES}
    except (LakeError, duckdb.CatalogException):
        return None
    finally:
        warehouse.close()


def nothing_in(books: Books) -> bool:
    """Whether the books are not made yet, or empty."""
    return books is None or all(row is not None and row[0] == 0 for row in books.values())


def test_fifty_kills_leave_the_same_books(tmp_path: Path) -> None:
    editions = [write_books(tmp_path / f"books{edition}", edition) for edition in (1, 2)]
    peaceful, killed, chance = tmp_path / "peaceful", tmp_path / "killed", random.Random(50)
    landed = 0
    for books in editions:
        before = books_of(killed)
        needed = import_in_peace(peaceful, books)
        after = books_of(peaceful)
        for _ in range(KILLS // len(editions)):
            process = start_import(killed, books)
            time.sleep(chance.uniform(0.2, 1.0) * needed)
            process.send_signal(signal.SIGKILL)
            landed += process.wait() == -signal.SIGKILL
            found = books_of(killed)
            assert found in (before, after) or (before is None and nothing_in(found))  # never half of an import
        import_in_peace(killed, books)
        assert books_of(killed) == after
    assert landed > KILLS / 2, "too few of the kills came while an import ran"
