"""How long the rules take on millions of events, beside one hand-written query that reads the events once.

Ours: a connection to the lake, every derived relation that the rules need, and the rules: those of the first fifteen
codes, and all. The reference: one aggregate
of the events by customer, meter and billing period, with the subjects mapped; it neither rates nor compares anything.
Both in one process and on new connections, the best of `--rounds`, in seconds by the clock and of processor time.
Goal for the fifteen: at most 4 times. `python -m benchmarks.rules_speed [--events N] [--lines N]` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import _rules_books as books
from detector import derived, rules
from detector.evaluate import evaluate
from detector.rules import Rule
from store.warehouse import Warehouse

GOAL = 4.0
RULES = Path(__file__).parents[1] / "rules"
FIRST = frozenset(f"TU-{number:02}" for number in (1, 2, 5, 6, 13, 19, 20, 22, 34, 38, 39, 40, 42, 52, 59))
"""The codes of the first version, which the goal is about: by what records prove, not by what is unusual."""
UNUSUAL = {"unusual_usage", "unusual_hours"}

REFERENCE = """
    WITH boundaries AS (
        SELECT customer_id, n, timezone('UTC', timezone(timezone, timezone(timezone, timezone('UTC', billing_anchor))
            + to_months(CAST(n AS INTEGER)))) AS at_utc
        FROM books.subscriptions, range(15) AS months(n)
    ), customer_periods AS (
        SELECT customer_id, at_utc AS period_start,
            lead(at_utc) OVER (PARTITION BY customer_id ORDER BY n) AS period_end
        FROM boundaries
    )
    SELECT s.customer_id, m.meter_id, p.period_start, sum(e.value) AS quantity, count(*) AS events
    FROM books.usage_events AS e
    JOIN books.meters AS m ON m.event_type = e.event_type
    JOIN books.subjects AS s
        ON s.subject = e.subject AND s.valid_from <= e.time AND (s.valid_to IS NULL OR e.time < s.valid_to)
    JOIN customer_periods AS p
        ON p.customer_id = s.customer_id AND p.period_start <= e.time AND e.time < p.period_end
    WHERE e.status = 'accepted'
    GROUP BY ALL
"""
MONTHS = """
    SELECT s.customer_id, e.event_type, date_trunc('month', e.time) AS month, sum(e.value) AS quantity,
        count(*) AS events
    FROM books.usage_events AS e
    JOIN books.subjects AS s ON s.subject = e.subject
    WHERE e.status = 'accepted'
    GROUP BY ALL
"""


def main() -> None:
    """Make the books, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=5_000_000)
    arguments.add_argument("--lines", type=int, default=100_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--home", type=Path, help="keep the books here, and use them when they are there")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        warehouse = _books(chosen.home or Path(scratch), chosen.events, chosen.lines)
        print(json.dumps(measure(warehouse, chosen.rounds), indent=2))


def _books(home: Path, events: int, lines: int) -> Warehouse:
    if (home / "catalog.sqlite").exists():
        return Warehouse(f"sqlite:{home / 'catalog.sqlite'}", home / "lake")
    home.mkdir(parents=True, exist_ok=True)
    return books.write(home, events=events, lines=lines)


def measure(warehouse: Warehouse, rounds: int) -> dict[str, Any]:
    """Seconds of each part, and the ratio that the goal is about."""
    loaded, problems = rules.load(RULES)
    assert not problems, problems
    counts = warehouse.counts()
    reference, months, ours, every = [], [], [], []
    first = [rule for rule in loaded if rule.code in FIRST and not UNUSUAL & derived.needed(rule.relations)]
    for _ in range(rounds):
        reference.append(_aggregate(warehouse, REFERENCE))
        months.append(_aggregate(warehouse, MONTHS))
        ours.append(_cycle(warehouse, first))
        every.append(_cycle(warehouse, loaded))
    best, single = min(ours, key=lambda each: each["seconds"]), min(reference, key=lambda each: each["seconds"])
    whole = min(every, key=lambda each: each["seconds"])
    return {
        "events": counts["usage_events"],
        "invoice_lines": counts["invoice_lines"],
        "rules": len(first),
        "reference": single,
        "reference_by_calendar_month": min(months, key=lambda each: each["seconds"]),
        "ours": best,
        "every_rule": {"rules": len(loaded), "ratio": round(whole["seconds"] / single["seconds"], 2), **whole},
        "ratio": round(best["seconds"] / single["seconds"], 2),
        "ratio_of_processor_time": round(
            min(each["processor"] for each in ours) / min(each["processor"] for each in reference), 2
        ),
        "goal": GOAL,
    }


def _aggregate(warehouse: Warehouse, query: str) -> dict[str, Any]:
    with _Stopwatch() as watch, closing(warehouse.connect(snapshot=warehouse.snapshot())) as con:
        con.execute(query).fetchall()
    return watch.read()


def _cycle(warehouse: Warehouse, loaded: list[Rule]) -> dict[str, Any]:
    each, findings = {}, {}
    with _Stopwatch() as watch, closing(warehouse.connect(snapshot=warehouse.snapshot())) as con:
        connected = time.perf_counter()
        derived.build(con, books.AS_OF, set().union(*(rule.relations for rule in loaded)))
        deriving = time.perf_counter() - connected
        for rule in loaded:
            start = time.perf_counter()
            findings[rule.name] = len(evaluate(con, rule, books.AS_OF))
            each[rule.name] = round(time.perf_counter() - start, 3)
    return watch.read() | {"derive": round(deriving, 3), "by_rule": each, "findings": findings}


class _Stopwatch:
    """Seconds by the clock, and of this process on any core, from entering to leaving."""

    def __enter__(self) -> _Stopwatch:
        self.began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *failure: object) -> None:
        self.ended = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, Any]:
        clock, processor = (round(end - start, 3) for start, end in zip(self.began, self.ended, strict=True))
        return {"seconds": clock, "processor": processor}


if __name__ == "__main__":
    main()
