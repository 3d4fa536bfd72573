"""The company that the console's tests look at: the example company in a home of its own, evaluated once, and another
home whose signals are as awkward as signals can be.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine

from detector import cycle, rules, trials
from detector.connections import Configured
from detector.decisions import Policy
from detector.findings import Entity, EntityType, Finding, Reference, Role
from detector.live_rules import LiveRules
from detector.operator_settings import Stated
from detector.signals import fold
from integrations import example, files
from remediation.life import Approvals
from store import operational
from store.operational_tables import Load, Run
from store.warehouse import Warehouse
from web import create_app

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
RATES = {"EUR": Decimal("1.1"), "GBP": Decimal("1.3"), "JPY": Decimal("0.0066"), "KWD": Decimal("3.2")}
RULES = Path(__file__).parents[2] / "rules"
LONGEST = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft International Holdings"
HOSTILE = """<script>alert(1)</script> & "Sons" <img src=x onerror=alert(2)> {{7*7}} 'Ltd'"""


@dataclass(frozen=True)
class Home:
    """A folder with both stores."""

    folder: Path

    @property
    def warehouse(self) -> Warehouse:
        """The books."""
        return Warehouse(f"sqlite:{self.folder / 'catalog.sqlite'}", self.folder / "lake")

    def engine(self) -> Engine:
        """The operational store, up to date."""
        engine = operational.open(f"sqlite:///{self.folder / 'trueup.sqlite'}")
        operational.migrate(engine)
        return engine

    def app(
        self,
        *,
        https: bool = False,
        connected: Sequence[Configured] = (),
        advisor: str | None = None,
        stated: Sequence[Stated] = (),
        ways: Sequence[str] = (),
        approvals: Approvals | None = None,
    ) -> Flask:
        """The console on both stores, its clock standing still."""
        engine = self.engine()
        return create_app(
            engine=engine,
            warehouse=self.warehouse,
            rules=live(engine),
            clock=lambda: NOW,
            ranking_rates=RATES,
            secret="a secret of the tests",
            https=https,
            connected=connected,
            advisor=advisor,
            stated=stated,
            ways=ways,
            approvals=approvals,
        )

    def try_out(self, engine: Engine | None = None) -> None:
        """What a worker does: every dry run and calibration that a page asked for."""
        engine = engine or self.engine()
        setting = cycle.Setting(self.warehouse, engine, lambda: NOW, "tests", Policy(rates=RATES))
        while trials.work(setting, live(engine)):
            pass

    def copy(self, folder: Path) -> Home:
        """The same books, and signals of its own to change."""
        folder.mkdir(parents=True, exist_ok=True)
        with closing(self.engine().raw_connection()) as source:
            source.execute("VACUUM INTO ?", (str(folder / "trueup.sqlite"),))
        for name in ("catalog.sqlite", "lake"):
            (folder / name).symlink_to(self.folder / name)
        return Home(folder)


@cache
def pack() -> tuple[rules.Rule, ...]:
    """The system pack, read once."""
    loaded, problems = rules.load(RULES)
    assert not problems
    return tuple(loaded)


def live(engine: Engine) -> LiveRules:
    """The system pack, and what the store has."""
    return LiveRules(list(pack()), engine)


FAULTS = tuple(f"TU-{number:02}" for number in (1, 2, 5, 6, 13, 19, 20, 22, 34, 38, 39, 40, 42, 52, 59))
"""What is wrong in the company of the tests: a fault of every kind of page."""


def example_home(folder: Path, *, customers: int = 60, events_per_customer: int = 200) -> Home:
    """The example company with these faults, loaded and evaluated."""
    home, books = Home(folder), folder / "books"
    example.write(books, customers=customers, seed=3, faults=FAULTS, as_of=NOW, events_per_customer=events_per_customer)
    home.warehouse.create()
    with closing(home.warehouse.connect()) as con:
        staged = files.read(folder / "books", con)
        counts = home.warehouse.upsert(con, staged.tables, version_at=NOW)
    engine = home.engine()
    with operational.writing(engine) as session:
        rows = {table: {"inserted": count.inserted} for table, count in counts.items()}
        session.add(_load("files", "import", minutes=20, rows=rows, source="/data/books"))
    setting = cycle.Setting(home.warehouse, engine, lambda: NOW - timedelta(minutes=12), "tests", Policy(rates=RATES))
    results = cycle.run(setting, list(pack()), NOW - timedelta(minutes=12))
    assert not [result for result in results if result.status != "ok"]
    shutil.rmtree(folder / "books")
    return home


def empty_home(folder: Path) -> Home:
    """Books without a row, and no signal."""
    home = Home(folder)
    home.warehouse.create()
    home.engine()
    return home


def hostile_home(folder: Path) -> Home:
    """Empty books and signals with hostile and endless names, twelve-digit amounts and a thousand records."""
    home = empty_home(folder)
    with operational.writing(home.engine()) as session:
        run = _run("duplicate_events")
        session.add_all(
            [run, _load("files", "import", minutes=5, status="failed", error=f"usage.csv row 3: {HOSTILE}")]
        )
        session.flush()
        fold(session, run, _Told(), _awkward(), now=NOW, policy=Policy(rates=RATES))
    return home


def many_home(folder: Path, signals: int = 130) -> Home:
    """Empty books and a list of several pages, seen in two runs with other amounts."""
    home = empty_home(folder)
    with operational.writing(home.engine()) as session:
        session.add(_load("stripe", "sync", minutes=5, rows={"invoices": {"inserted": 400}}))
        for day, factor in ((2, 1), (1, 2), (0, 3)):
            run = _run("wrong_tier_mode", day)
            session.add(run)
            session.flush()
            found = [_line(number, factor) for number in range(signals)]
            drafts = {f"in_{number}": NOW + timedelta(hours=number) for number in range(0, signals, 9)}
            fold(session, run, replace(_Told(), name="wrong_tier_mode", code="TU-19", severity="critical"), found,
                 now=run.as_of, policy=Policy(rates=RATES), drafts=drafts)  # fmt: skip
    return home


@dataclass(frozen=True)
class _Told:
    """What a signal takes over from its rule."""

    name: str = "duplicate_events"
    code: str = "TU-01"
    severity: str = "high"
    category: str = "data_quality"
    priority: str = "P2"
    confidence: str = "exact"
    gate: str = "hold"
    content_hash: str = "0" * 64
    covers: tuple[str, ...] = ()


def _load(integration: str, kind: str, *, minutes: int, status: str = "ok", **more: object) -> Load:
    at = NOW - timedelta(minutes=minutes)
    return Load(integration=integration, kind=kind, started_at=at, finished_at=at, status=status, **more)


def _run(rule: str, days_ago: int = 0) -> Run:
    at = NOW - timedelta(days=days_ago)
    return Run(
        rule=rule, rule_hash="0" * 64, trigger="schedule", slot=f"{rule}/{days_ago}", as_of=at, snapshot=1, status="ok",
        claimed_by="tests", lease_until=at, started_at=at, finished_at=at, findings=1,
    )  # fmt: skip


def _line(number: int, factor: int) -> Finding:
    """A line billed wrongly, dearer the higher its number."""
    expected = Decimal(number * 7 * factor + 10).quantize(Decimal("0.01"))
    currency = ("USD", "EUR", "JPY", "KWD", "GBP")[number % 5]
    expected = expected.quantize(Decimal(1)) if currency == "JPY" else expected
    return _finding(f"il_{number}", f"Customer {number:03}", currency, expected, expected * 2, cause=f"price_{number}")


def _awkward() -> list[Finding]:
    huge = Decimal("987654321098.76")
    return [
        _finding("il_hostile", HOSTILE, "USD", huge, Decimal("0.01"), cause="price_1"),
        _finding("il_long", LONGEST, "JPY", Decimal("987654321098"), Decimal(1), cause="price_2"),
        _finding("il_wide", "W" * 300, "KWD", Decimal("0.001"), Decimal("98765432109.876"), cause="price_3"),
        _finding("il_many", "Thousand Records Ltd", "EUR", Decimal("1000.00"), Decimal("0.00"), 1000, cause="price_4"),
    ]


def _finding(
    line: str, customer: str, currency: str, expected: Decimal, billed: Decimal, events: int = 0, *, cause: str
) -> Finding:
    invoice = f"in_{line.removeprefix('il_')}"
    records = [
        Entity(EntityType.PRICE, cause, Role.CAUSE, name=f"Price of {customer}"),
        Entity(EntityType.CUSTOMER, f"c_{line}", Role.AFFECTED, f"c_{line}", customer, status="active"),
        Entity(EntityType.INVOICE, invoice, Role.AFFECTED, f"c_{line}", customer, NOW, NOW, "draft"),
        Entity(EntityType.INVOICE_LINE, line, Role.AFFECTED, f"c_{line}", customer, NOW, NOW, "draft", expected, billed,
               currency),
        *(Entity(EntityType.USAGE_EVENT, f"ev_{n:04}", Role.EVIDENCE, f"c_{line}", None, NOW, NOW, "accepted", None,
                 Decimal(n), "units") for n in range(events)),
    ]  # fmt: skip
    return Finding(
        rule="duplicate_events",
        rule_hash="0" * 64,
        subject=Reference(EntityType.INVOICE_LINE, line),
        integration="stripe",
        cause=Reference(EntityType.PRICE, cause),
        group="",
        period_start=datetime(2026, 10, 1, tzinfo=UTC),
        period_end=datetime(2026, 11, 1, tzinfo=UTC),
        currency=currency,
        under=max(expected - billed, Decimal(0)),
        over=max(billed - expected, Decimal(0)),
        exposure=Decimal(0),
        title=f"{customer} is charged wrongly on {invoice}",
        entities=tuple(records),
        evidence={
            "metered": expected,
            "recorded": expected,
            "billed_quantity": expected,
            "billed": billed,
            "expected": expected,
            "customer_name": customer,
            "price_name": f"Price of {customer}",
        },
    )
