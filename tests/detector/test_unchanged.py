"""A rule that can find nothing else is skipped and says so; whatever would move a signal is evaluated."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from detector import case_rows, cycle, triage, unchanged
from detector.cycle import Setting
from detector.horizon import turns
from detector.rules import Rule, load
from store import operational
from store.operational_tables import Run, Signal, SignalEntity, SignalEvent, SignalImpact
from store.warehouse import Warehouse
from tests.lakes import lake

RULES = Path(__file__).parents[2] / "rules"
NOW = datetime(2026, 11, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
LOADED = {rule.name: rule for rule in load(RULES)[0]}
TIERS = LOADED["wrong_tier_mode"]
LATE = "payment_retries_exhausted"


def books_of(rule: Rule, folder: Path, case: int = 0) -> Warehouse:
    """The company of one of a rule's cases, in a lake."""
    warehouse = lake(folder)
    warehouse.upsert_rows(
        case_rows.rows(rule.cases[case], case_rows.beside(rule.path)), integration="billing", version_at=NOW
    )
    return warehouse


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """What the two stores may do differently is tested where signals are folded; here one of them will do."""
    return sqlite_engine


@pytest.fixture
def setting(tmp_path: Path, engine: Engine) -> Iterator[Setting]:
    warehouse = books_of(TIERS, tmp_path / "lake")
    yield Setting(warehouse, engine, lambda: NOW, "w")
    warehouse.close()


def outcome(setting: Setting, as_of: datetime, rule: Rule = TIERS) -> tuple[str, str | None]:
    (result,) = cycle.run(setting, [rule], as_of)
    return result.status, result.reason


SKIPPED = ("skipped", "unchanged")
EVALUATED = ("ok", None)


def test_a_second_run_on_the_same_books_is_skipped_and_the_signal_is_still_seen(setting: Setting) -> None:
    assert outcome(setting, NOW) == EVALUATED
    assert outcome(setting, NOW) == SKIPPED
    assert outcome(setting, NOW + HOUR) == SKIPPED
    with operational.reading(setting.engine) as session:
        signal, last = (
            session.scalars(select(Signal)).one(),
            session.scalars(select(Run).order_by(Run.id.desc())).first(),
        )
    assert last is not None
    assert (signal.last_seen, signal.last_run_id) == (NOW + HOUR, last.id)
    assert (last.status, last.reason, last.findings, last.snapshot) == (
        "skipped",
        "unchanged",
        1,
        1 + last.snapshot - 1,
    )


def test_a_table_that_it_reads_or_describes_its_records_by_makes_it_run(setting: Setting) -> None:
    for table, change in (
        ("invoice_lines", {"quantity": None}),
        ("customers", {"name": "Acme Renamed"}),
    ):
        outcome(setting, NOW)
        assert outcome(setting, NOW) == SKIPPED
        row = case_rows.rows(TIERS.cases[0], case_rows.beside(TIERS.path))[table][0]
        version = NOW + HOUR if table == "invoice_lines" else NOW + 2 * HOUR
        setting.warehouse.upsert_rows({table: [{**row, **change}]}, integration="billing", version_at=version)
        assert outcome(setting, NOW) == EVALUATED


def test_a_table_that_it_does_not_read_lets_it_be_skipped(setting: Setting) -> None:
    outcome(setting, NOW)
    alert = {"alert_id": "a", "kind": "credit.low", "sent_at": NOW, "status": "delivered"}
    setting.warehouse.upsert_rows({"alerts_sent": [alert]}, integration="billing", version_at=NOW)
    assert outcome(setting, NOW) == SKIPPED


@pytest.mark.parametrize(
    "change",
    [
        {"content_hash": "another"},
        {"severity": "low", "content_hash": "another"},
    ],
)
def test_another_text_makes_it_run(setting: Setting, change: dict[str, Any]) -> None:
    outcome(setting, NOW)
    assert outcome(setting, NOW, TIERS.model_copy(update=change)) == EVALUATED


def test_a_row_that_becomes_known_makes_it_run(setting: Setting) -> None:
    row = case_rows.rows(TIERS.cases[0], case_rows.beside(TIERS.path))["invoices"][0]
    later = {**row, "invoice_id": "in_later", "created_at": NOW + 5 * HOUR}
    setting.warehouse.upsert_rows({"invoices": [later]}, integration="billing", version_at=NOW)
    assert [outcome(setting, NOW + hours * HOUR) for hours in (0, 4, 5, 6)] == [EVALUATED, SKIPPED, EVALUATED, SKIPPED]


def test_what_people_do_and_what_waits_for_another_run_makes_it_run(setting: Setting) -> None:
    outcome(setting, NOW)
    later = replace(setting, clock=lambda: NOW + 1.5 * HOUR)
    with operational.writing(setting.engine) as session:
        triage.dismiss(session, [1], "immaterial", actor="ana", now=NOW + HOUR, until=NOW + 5 * HOUR)
    assert outcome(later, NOW + 1.5 * HOUR) == EVALUATED
    latest = replace(setting, clock=lambda: NOW + 2 * HOUR)
    assert outcome(latest, NOW + 2 * HOUR) == SKIPPED
    assert outcome(latest, NOW + 5 * HOUR) == EVALUATED
    with operational.reading(setting.engine) as session:
        assert session.scalars(select(Signal.status)).all() == ["unhandled"]
    with operational.writing(setting.engine) as session:
        session.execute(update(Signal).values(clear_runs=1))
    assert outcome(latest, NOW + 5 * HOUR) == EVALUATED


def test_a_query_says_where_it_asks_the_time() -> None:
    sql = "SELECT 1 FROM invoices AS i WHERE i.due_at + $grace < $as_of AND i.created_at > $as_of - $within"
    assert turns(sql) == [
        "SELECT min((i.due_at + $grace)) FROM invoices AS i WHERE (i.due_at + $grace) > $as_of",
        "SELECT min(((i.created_at) + $within)) - CASE WHEN date_part('month', $within) + date_part('year', $within) "
        "<> 0 THEN INTERVAL 3 DAY ELSE INTERVAL 0 DAY END FROM invoices AS i "
        "WHERE ((i.created_at) + $within) > $as_of",
    ]
    assert turns("SELECT 1 FROM invoices") == []


@pytest.mark.parametrize(
    ("sql", "turn"),
    [
        (
            "SELECT 1 FROM invoices AS i JOIN payments AS p ON p.customer_id = i.customer_id AND p.created_at < $as_of",
            "SELECT min((p.created_at)) FROM payments AS p WHERE (p.created_at) > $as_of",
        ),
        (
            "SELECT 1 FROM invoices WHERE due_at BETWEEN issued_at AND $as_of",
            "SELECT min((due_at)) FROM invoices WHERE (due_at) > $as_of",
        ),
        (
            "SELECT date_trunc('hour', $as_of - $settle) FROM invoices",
            "SELECT (date_trunc('HOUR', ($as_of - $settle)) + INTERVAL 1 HOUR) - (($as_of - $settle) - $as_of)",
        ),
    ],
)
def test_a_turn_is_read_from_a_join_a_range_and_a_whole_hour(sql: str, turn: str) -> None:
    assert turns(sql) == [turn]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT $as_of AS period_end FROM invoices",
        "SELECT epoch_us($as_of) AS x FROM invoices",
        "SELECT 1 FROM invoices AS i JOIN payments AS p ON p.created_at + (i.due_at - i.issued_at) < $as_of",
        "SELECT date_trunc('month', $as_of) FROM invoices",
        "SELECT 1 FROM invoices AS i WHERE i.due_at < $as_of - i.length",
        "SELECT 1 WHERE DATE '2026-01-01' < $as_of",
    ],
)
def test_time_that_acts_otherwise_is_not_guessed_at(sql: str) -> None:
    with pytest.raises(Exception, match=r"^$"):
        turns(sql)


CASES = [(rule, index) for rule in LOADED.values() for index, case in enumerate(rule.cases) if case.fires]


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=st.sampled_from(CASES),
    hours=st.lists(st.integers(0, 24 * 45), min_size=1, max_size=4),
)
def test_skipping_never_changes_what_signals_are(case: tuple[Rule, int], hours: list[int]) -> None:
    """The same steps in time, with and without skipping, leave the same signals behind."""
    rule, index = case
    folder = Path(tempfile.mkdtemp())
    try:
        warehouse = books_of(rule, folder / "lake", index)
        left = []
        for skips in (True, False):
            engine = operational.open(f"sqlite:///{folder}/{skips}.sqlite")
            operational.migrate(engine)
            moment = rule.cases[index].as_of or NOW
            for step in (0, *hours):
                moment += timedelta(hours=step)
                setting = Setting(warehouse, engine, lambda moment=moment: moment, "w")  # type: ignore[misc]
                cycle.run(setting, [rule], moment)
                if not skips:
                    _forget(engine)
            left.append(_signals(engine))
            engine.dispose()
        assert left[0] == left[1]
        warehouse.close()
    finally:
        shutil.rmtree(folder)


def _forget(engine: Engine) -> None:
    """Take away what lets the next run be skipped."""
    with operational.writing(engine) as session:
        session.execute(update(Run).values(inputs=None))


def _signals(engine: Engine) -> dict[str, Any]:
    """Signals with everything but their numbers of runs."""
    with operational.reading(engine) as session:
        columns = [column for column in Signal.__table__.columns if not column.name.endswith("run_id")]
        money = [
            SignalImpact.signal_id,
            SignalImpact.currency,
            SignalImpact.under,
            SignalImpact.over,
            SignalImpact.exposure,
        ]
        records = [SignalEntity.type, SignalEntity.entity_id, SignalEntity.status, SignalEntity.gone_since]
        told = [SignalEvent.signal_id, SignalEvent.reason, SignalEvent.at]
        return {
            "signals": session.execute(select(*columns)).all(),
            "money": session.execute(select(*money)).all(),
            "records": sorted(map(str, session.execute(select(*records)).all())),
            "timeline": session.execute(select(*told).order_by(SignalEvent.id)).all(),
        }


def test_the_tables_of_a_rule_include_those_that_name_its_records() -> None:
    assert {"invoice_lines", "invoices", "prices", "customers", "meters"} <= unchanged.tables(TIERS)
    assert "credit_movements" not in unchanged.tables(TIERS)
