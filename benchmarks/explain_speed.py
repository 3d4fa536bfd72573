"""How long one metered line takes to explain in a process that has the books near, as the console has.

On the example company and on one with millions of events. The reference fetches the same line's rows from plain DuckDB
tables by hand-written SQL on keys, and works nothing out: the line with its invoice, the item's terms, tiers,
overrides, the usage of its subjects in its period, reports, discounts, credit notes. Both in one process, in turn, one
thread each; milliseconds by the clock and of the processor, p50 and p95 over lines chosen by hash. What it costs to
bring the books near stands beside it. Goal: under 20 ms. `python -m benchmarks.explain_speed` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import _rules_books
from billing.books import TABLES
from detector.explain import explain
from integrations import example, files
from store.warehouse import Warehouse

GOAL_MS = 20.0
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
CHOSEN = """
    SELECT integration, line_id FROM books.invoice_lines
    WHERE kind = 'usage' AND item_id IS NOT NULL AND period_start IS NOT NULL
    ORDER BY hash(line_id) LIMIT {}"""
REFERENCE = (
    """SELECT l.*, i.status, i.total, i.created_at, i.customer_id, i.currency, c.name
    FROM books.invoice_lines AS l JOIN books.invoices AS i USING (integration, invoice_id)
    JOIN books.customers AS c ON c.integration = i.integration AND c.customer_id = i.customer_id
    WHERE l.line_id = $line AND l.integration = $integration""",
    """SELECT i.*, s.*, p.*, m.* FROM books.subscription_items AS i
    JOIN books.subscriptions AS s ON s.integration = i.integration AND s.subscription_id = i.subscription_id
    JOIN books.prices AS p ON p.integration = i.integration AND p.price_id = i.price_id
    LEFT JOIN books.meters AS m ON m.meter_id = p.meter_id
    WHERE i.item_id = $item""",
    "SELECT * FROM books.price_tiers WHERE price_id = $price",
    "SELECT * FROM books.price_overrides WHERE customer_id = $customer AND price_id = $price",
    """SELECT sum(e.value), count(*) FROM books.usage_events AS e
    WHERE e.subject IN (SELECT subject FROM books.subjects WHERE customer_id = $customer)
        AND e.event_type = $event_type AND e.time >= $start AND e.time < $end AND e.status = 'accepted'""",
    """SELECT * FROM books.reported_usage WHERE item_id = $item AND period_start >= $start AND period_end <= $end""",
    "SELECT * FROM books.discounts WHERE customer_id = $customer OR item_id = $item",
    "SELECT * FROM books.credit_notes WHERE invoice_id = $invoice",
)


def main() -> None:
    """Make both companies, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=300, help="of the example company")
    arguments.add_argument("--events", type=int, default=5_000_000, help="of the large company")
    arguments.add_argument("--lines", type=int, default=200, help="how many lines are explained")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        small = measure(_example(Path(scratch) / "small", chosen.customers), NOW, chosen.lines)
        large = Path(scratch) / "large"
        large.mkdir()
        made = _rules_books.write(large, events=chosen.events, lines=chosen.events // 50)
        big = measure(made, _rules_books.AS_OF, chosen.lines)
    ratio = max(small["ratio"], big["ratio"])
    print(json.dumps({"ratio": ratio, "goal_ms": GOAL_MS, "example_company": small, "large_company": big}, indent=2))


def _example(home: Path, customers: int) -> Warehouse:
    example.write(home / "books", customers=customers, seed=1, faults="all", as_of=NOW)
    warehouse = Warehouse(f"sqlite:{home / 'catalog.sqlite'}", home / "lake")
    warehouse.create()
    with closing(warehouse.connect()) as con:
        staged = files.read(home / "books", con)
        warehouse.upsert(con, staged.tables, version_at=NOW, distinct=True)
    return warehouse


def measure(warehouse: Warehouse, as_of: datetime, lines: int) -> dict[str, Any]:
    """Both ways on the same lines, after one round to warm up."""
    gathered = _timed(warehouse.near.gather)
    with closing(warehouse.near.connect()) as con, closing(_plain(warehouse)) as plain:
        con.execute("SET threads = 1")
        plain.execute("SET threads = 1")
        chosen = con.execute(CHOSEN.format(lines)).fetchall()
        asked = {line: _asked(plain, *line) for line in chosen}
        ours, reference = [], []
        for line in (*chosen[:10], *chosen):
            integration, line_id = line
            ours.append(_timed(lambda: explain(con, line_id, as_of, integration)))  # noqa: B023 (called at once)
            reference.append(_timed(lambda: _fetch(plain, asked[line])))  # noqa: B023
        events = con.execute("SELECT count(*) FROM books.usage_events").fetchone()
    result = {
        "usage_events": events[0] if events else 0,
        "lines": len(chosen),
        "explain": _spread(ours[10:]),
        "reference": _spread(reference[10:]),
        "gathered_once_ms": round(gathered[0], 1),
        "gathered_once_processor_ms": round(gathered[1], 1),
    }
    warehouse.close()
    by_the_clock = result["explain"]["p50_ms"] / result["reference"]["p50_ms"]
    by_processor = result["explain"]["p50_processor_ms"] / result["reference"]["p50_processor_ms"]
    return {"ratio": round(by_the_clock, 2), "ratio_of_processor_time": round(by_processor, 2), **result}


def _plain(warehouse: Warehouse) -> duckdb.DuckDBPyConnection:
    """The same books as plain DuckDB tables in memory, in the order in which the lake holds them."""
    con = warehouse._instance(snapshot=None, read_only=True, alias="lake")
    con.execute("CREATE SCHEMA books")
    for table in TABLES:
        con.execute(f"CREATE TABLE memory.books.{table.name} AS FROM lake.{table.name}")
    return con


def _asked(plain: duckdb.DuckDBPyConnection, integration: str, line_id: str) -> dict[str, Any]:
    """The keys by which the reference fetches a line's rows."""
    found = plain.execute(
        """SELECT l.item_id, i.price_id, s.customer_id, l.invoice_id, l.period_start, l.period_end, m.event_type
        FROM books.invoice_lines AS l JOIN books.subscription_items AS i USING (integration, item_id)
        JOIN books.subscriptions AS s ON s.integration = i.integration AND s.subscription_id = i.subscription_id
        JOIN books.prices AS p ON p.integration = i.integration AND p.price_id = i.price_id
        LEFT JOIN books.meters AS m ON m.meter_id = p.meter_id WHERE l.integration = ? AND l.line_id = ?""",
        [integration, line_id],
    ).fetchone()
    names = ("item", "price", "customer", "invoice", "start", "end", "event_type")
    return {"line": line_id, "integration": integration, **dict(zip(names, found or (None,) * 7, strict=True))}


def _fetch(plain: duckdb.DuckDBPyConnection, asked: dict[str, Any]) -> None:
    for query in REFERENCE:
        plain.execute(query, {name: value for name, value in asked.items() if f"${name}" in query}).fetchall()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, and of this process's processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - clock) * 1e3, (time.process_time() - processor) * 1e3


def _spread(taken: list[tuple[float, float]]) -> dict[str, float]:
    told = {}
    for place, name in enumerate(("ms", "processor_ms")):
        values = [each[place] for each in taken]
        cuts = statistics.quantiles(values, n=20)
        told |= {f"p50_{name}": round(statistics.median(values), 1), f"p95_{name}": round(cuts[-1], 1)}
    return told


if __name__ == "__main__":
    main()
