"""What a page of the console costs with 100,000 signals and a million usage rows, beside a page that does little.

Each page is asked for in this process, whole and as the part that htmx asks for: milliseconds p50 and p95, statements,
bytes gzipped, elements. The reference, in the same process and in turn with the pages, is a page of the same app that
lists fifty signals by their primary key. What people do: a status change and 1,000 signals assigned at once, beside the
same with 1,000 signals in the store. Budgets: console.md, section 4. `python -m benchmarks.console_speed` prints JSON;
`--home` keeps what was made for the next time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from flask import Flask, render_template_string
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select

from benchmarks import _console_home
from benchmarks._console_home import NOW
from detector import rules
from detector.live_rules import LiveRules
from store import operational
from store.operational_tables import Signal
from store.warehouse import Warehouse
from web import create_app
from web.server import settle

KB = 1024
RULES = Path(__file__).parents[1] / "rules"
PAGE_MS, PARTIAL_MS, BULK_MS, CHANGE_MS, RATIO = 120.0, 60.0, 1000.0, 150.0, 1.5
"""Budgets: a page and a part at p95, 1,000 at once, one status change, and that beside 1,000 signals."""

REFERENCE = """<!doctype html><title>Reference</title><table>{% for each in rows %}<tr><td>{{ each.label }}<td>
{{ each.title }}<td>{{ each.severity }}<td>{{ each.rank_amount }}{% endfor %}</table>"""


def main() -> None:
    """Make the home, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--signals", type=int, default=100_000)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--times", type=int, default=30)
    arguments.add_argument("--home", type=Path, help="Where the home is made, and found again.")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="trueup-console-") as scratch:
        folder = (given.home or Path(scratch)) / f"{given.signals}-{given.events}"
        small = (given.home or Path(scratch)) / "1000-36000"
        for each in (folder, small):
            each.mkdir(parents=True, exist_ok=True)
        large = Measured(*_console_home.made(folder, signals=given.signals, events=given.events))
        few = Measured(*_console_home.made(small, signals=1_000, events=36_000))
        print(json.dumps(_told(given, large, few), indent=2))


class Measured:
    """An app on a home, and what its requests cost."""

    def __init__(self, engine: Engine, warehouse: Warehouse) -> None:
        self.engine, self.warehouse = engine, warehouse
        warehouse.near.gather()  # as a console has done that runs for a few seconds
        self.app = _app(engine, warehouse)
        self.client: FlaskClient = self.app.test_client()
        self.client.get("/signals")
        settle()  # as the server does once it answers
        self.statements = 0
        event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.statements += 1

    def pages(self) -> dict[str, str]:
        """The pages by name, with records of this home."""
        with closing(self.warehouse.connect()) as books:
            invoice, customer, subscription = books.execute(
                "SELECT invoice_id, customer_id, subscription_id FROM books.invoices WHERE status = 'draft' ORDER BY 1"
            ).fetchall()[0]
            (item,) = books.execute("SELECT min(item_id) FROM books.invoice_lines WHERE kind = 'usage'").fetchall()[0]
        return {
            "inbox": "/signals",
            "inbox, a filter": "/signals?sev=critical",
            "inbox, sorted": "/signals?sort=amount",
            "inbox, a search": "/signals?q=customer+17",
            "inbox, by cause": "/signals?group=cause",
            "signal": "/signals/SIG-1",
            "peek": "/signals/SIG-1/peek",
            "customer": f"/customers/{customer}",
            "subscription": f"/subscriptions/{subscription}",
            "invoice": f"/invoices/{invoice}",
            "usage": f"/usage?item={item}",
            "bill runs": "/bill-runs",
            "bill run": "/bill-runs/run-1",
            "team": "/team",
            "report": "/reports/manager?period=2026-01",
            "notifications": "/notifications",
            "audit": "/audit",
            "audit of a signal": "/audit?about=SIG-1",
            "rules": "/rules",
            "runs": "/runs",
            "scoreboard": "/scoreboard",
            "API, signals": "/api/v1/signals",
            "API, drafts": "/api/v1/drafts",
        }

    def cost(self, address: str, times: int, *, partial: bool = False) -> dict[str, Any]:
        """Milliseconds, statements, bytes and elements of a page."""
        headers = {"HX-Request": "true"} if partial else {}
        took, body, statements = [], b"", 0
        for turn in range(times + 1):
            self.statements, began = 0, time.perf_counter()
            answer = self.client.get(address, headers=headers)
            passed = time.perf_counter() - began
            assert answer.status_code == 200, f"{address}: {answer.status_code}"
            body, statements = answer.data, self.statements
            if turn:  # the first one warms up
                took.append(passed * 1000)
        return {
            **_spread(took),
            "statements": statements,
            "gzip_kb": round(len(gzip.compress(body, 6)) / KB, 1),
            "elements": len(re.findall(rb"<[a-z]", body)),
        }

    def open_ids(self, most: int) -> list[int]:
        """Signals that are open, by their numbers."""
        with operational.reading(self.engine) as session:
            return list(session.scalars(select(Signal.id).where(Signal.is_open.is_(True)).limit(most)))

    def change(self, number: int, turn: int) -> float:
        """Milliseconds of one status change, to and fro by turns."""
        status = ("triaged", "in_progress")[turn % 2]
        return _timed(lambda: self._act(deed="status", id=str(number), status=status))

    def assign(self, numbers: list[int], who: str) -> float:
        """Milliseconds of assigning signals at once."""
        return _timed(lambda: self._act(deed="assign", assignee=who, id=[str(number) for number in numbers]))

    def _act(self, **form: Any) -> None:
        answer = self.client.post("/signals/act", data={**form, "back": "/signals"})
        assert answer.status_code == 303, answer.status_code


def _app(engine: Engine, warehouse: Warehouse) -> Flask:
    loaded, _ = rules.load(RULES)
    app = create_app(engine=engine, warehouse=warehouse, rules=LiveRules(loaded, engine), clock=lambda: NOW, secret="x")
    app.config["WTF_CSRF_ENABLED"] = False

    def reference() -> str:
        with operational.reading(engine) as session:
            found = session.scalars(select(Signal).where(Signal.id <= 50)).all()
            return render_template_string(REFERENCE, rows=found)

    app.add_url_rule("/reference", "reference", reference)
    return app


def _told(given: argparse.Namespace, large: Measured, few: Measured) -> dict[str, Any]:
    table = {}
    for name, address in large.pages().items():
        reference = large.cost("/reference", given.times)  # right before: the machine's speed changes within minutes
        whole = large.cost(address, given.times)
        part = large.cost(address, given.times, partial=True) if not address.startswith("/api") else {}
        table[name] = {
            **whole,
            "partial_p95": part.get("p95"),
            "reference_p50": reference["p50"],
            "of_reference": round(whole["p50"] / reference["p50"], 1),
            "p95_of_reference": round(whole["p95"] / reference["p50"], 1),
            "within": whole["p95"] <= PAGE_MS and (part.get("p95") or 0.0) <= PARTIAL_MS,
        }
    many, some = _deeds((large, few), given.times)
    ratio = round(many["status change"]["p50"] / some["status change"]["p50"], 2)
    return {
        "signals": given.signals,
        "usage_rows": given.events,
        "pages": table,
        "deeds": {
            "large": many,
            "small": some,
            "status_change_ratio": ratio,
            "within": many["1,000 assigned"]["p95"] <= BULK_MS
            and many["status change"]["p95"] <= CHANGE_MS
            and ratio <= RATIO,
        },
        "budgets": {"page_p95": PAGE_MS, "partial_p95": PARTIAL_MS, "bulk": BULK_MS, "status_change": CHANGE_MS,
                    "ratio": RATIO},
    }  # fmt: skip


def _deeds(stores: tuple[Measured, Measured], times: int) -> list[dict[str, Any]]:
    """Of each store what people do costs, in turn, as the machine's speed changes: a status change, 1,000 assigned."""
    open_ids = [each.open_ids(1_000) for each in stores]
    changes: list[list[float]] = [[], []]
    bulks: list[list[float]] = [[], []]
    for turn in range(times):
        for at, each in enumerate(stores):
            changes[at].append(each.change(open_ids[at][0], turn))
    for who in ("Ana Analyst", "Ben Billing", "Cleo Cash"):
        for at, each in enumerate(stores):
            bulks[at].append(each.assign(open_ids[at], who))
    return [{"status change": _spread(own), "1,000 assigned": _spread(bulks[at])} for at, own in enumerate(changes)]


def _timed(deed: Callable[[], None]) -> float:
    began = time.perf_counter()
    deed()
    return (time.perf_counter() - began) * 1000


def _spread(took: list[float]) -> dict[str, float]:
    found = sorted(took)
    return {"p50": round(statistics.median(found), 1), "p95": round(found[int(0.95 * (len(found) - 1))], 1)}


if __name__ == "__main__":
    main()
