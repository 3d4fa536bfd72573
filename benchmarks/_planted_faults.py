"""The example company with every fault, its rules run, and what is true of it: for measuring what is said of causes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from detector import cycle, rules
from detector.cycle import Setting
from integrations import example, files
from remediation.remedy import Remedy
from store import operational
from store.operational_tables import Signal
from store.warehouse import Warehouse

AS_OF = datetime(2026, 11, 3, 6, tzinfo=UTC)
RULES = Path(__file__).parents[1] / "rules"

Truth = Sequence[dict[str, Any]]
"""What the company's maker broke, as truth.jsonl has it."""


@dataclass(frozen=True)
class Planted:
    """One signal whose cause is known: the record that the company's maker broke, and the fault."""

    signal: int
    code: str
    cause: str


@contextmanager
def world(seed: int) -> Iterator[tuple[Remedy, Truth]]:
    """A home with the company, in a folder that is gone afterwards; no billing system is connected."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        example.write(folder / "books", customers=example.least_for("all"), seed=seed, faults="all", as_of=AS_OF,
                      events_per_customer=60)  # fmt: skip
        warehouse = Warehouse(f"sqlite:{folder}/lake/catalog.sqlite", folder / "lake" / "files")
        warehouse.create()
        with closing(warehouse.connect()) as con:
            staged = files.read(folder / "books", con)
            warehouse.upsert(con, staged.tables, version_at=AS_OF, distinct=True)
        engine = operational.open(f"sqlite:///{folder}/operational.sqlite")
        operational.migrate(engine)
        setting = Setting(warehouse, engine, lambda: AS_OF, "benchmark")
        loaded, problems = rules.load(RULES)
        assert not problems, problems
        cycle.run(setting, loaded, AS_OF)
        remedy = Remedy(setting, lambda: loaded, {}, frozenset(), lambda name, records: None)
        yield remedy, [json.loads(line) for line in (folder / "books" / "truth.jsonl").read_text().splitlines()]
        engine.dispose()
        warehouse.close()


def planted_signals(remedy: Remedy, truth: Truth) -> list[Planted]:
    """The signals of the planted faults, each once."""
    with operational.reading(remedy.setting.engine) as session:
        signals = {(each.code, each.cause): each.id for each in session.scalars(select(Signal).order_by(Signal.id))}
    faults = dict.fromkeys((fault["code"], fault["cause"]) for fault in truth)
    return [Planted(signals[fault], *fault) for fault in faults if fault in signals]
