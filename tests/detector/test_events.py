"""What comes in runs its rules at once, once; what is stopped or takes too long keeps nothing, and says why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from detector import case_rows, claims, cycle, requests, schedule
from detector.background import Background, quick_first
from detector.cycle import Setting
from detector.limits import Limits
from detector.rules import Rule, load
from store import operational
from store.operational_tables import Job, Run
from tests.lakes import lake

RULES = Path(__file__).parents[2] / "rules"
NOW = datetime(2026, 11, 3, tzinfo=UTC)
LOADED = {rule.name: rule for rule in load(RULES)[0]}
TIERS, LEDGER = LOADED["wrong_tier_mode"], LOADED["ledger_imbalance"]
ENDLESS = f"""SELECT i.integration, i.customer_id, i.currency, count(*) AS exposure
    FROM {", ".join(f"invoice_lines AS {name}" for name in "abcdefghjkl")}, invoices AS i
    WHERE hash(a.line_id || b.line_id || l.line_id) % 1000003 = 7 GROUP BY ALL"""


def company() -> dict[str, list[dict[str, object]]]:
    return case_rows.rows(TIERS.cases[0], case_rows.beside(TIERS.path))


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """What the two stores may do differently is tested where signals are folded; here one of them will do."""
    return sqlite_engine


@pytest.fixture
def setting(tmp_path: Path, engine: Engine) -> Iterator[Setting]:
    warehouse = lake(tmp_path / "lake")
    warehouse.upsert_rows(company(), integration="billing", version_at=NOW)
    yield Setting(warehouse, engine, lambda: datetime.now(UTC), claims.worker_name())
    warehouse.close()


def background(setting: Setting) -> Background:
    return Background(setting, lambda: [TIERS, LEDGER], {}, {})


def tell(setting: Setting, event: str, snapshot: int = 7) -> datetime:
    moment = datetime.now(UTC)
    with operational.writing(setting.engine) as session:
        requests.tell(session, event, "billing", snapshot, now=moment)
    return moment


def runs(setting: Setting) -> list[Run]:
    with operational.reading(setting.engine) as session:
        return list(session.scalars(select(Run).order_by(Run.id)))


def test_a_draft_runs_its_rules_within_a_second(setting: Setting) -> None:
    loop = schedule.loop({"events": (0.25, background(setting).react)})
    loop.start()
    try:
        time.sleep(0.4)
        told = tell(setting, "invoice.draft")
        until = time.monotonic() + 30
        while time.monotonic() < until and not (runs(setting) and runs(setting)[0].finished_at):
            time.sleep(0.05)
    finally:
        loop.shutdown()
    (run,) = runs(setting)
    assert (run.rule, run.trigger, run.slot) == ("wrong_tier_mode", "event", "invoice.draft/billing/7")
    assert run.started_at - told < timedelta(seconds=1)


def test_an_event_runs_each_rule_once_however_often_it_is_worked_on(setting: Setting) -> None:
    for _ in range(2):
        tell(setting, "invoice.draft")
        background(setting).react()
    assert [run.slot for run in runs(setting)] == ["invoice.draft/billing/7"]


def test_an_event_waits_for_the_run_that_is_going_on(setting: Setting) -> None:
    busy = claims.Wanted("wrong_tier_mode", "h", "s", "manual", NOW, 1, "far/away/1/1")
    with operational.writing(setting.engine) as session:
        claims.claim(session, busy, datetime.now(UTC))
    tell(setting, "invoice.draft")
    background(setting).react()
    with operational.writing(setting.engine) as session:
        assert session.scalars(select(Job.status)).all() == ["queued"]
        session.scalars(select(Run)).one().status = "ok"
    background(setting).react()
    assert [run.slot for run in runs(setting)] == ["s", "invoice.draft/billing/7"]


def test_a_paused_rule_is_not_run_by_an_event(setting: Setting) -> None:
    with operational.writing(setting.engine) as session:
        schedule.pause(session, "wrong_tier_mode", None, actor="ana", now=NOW)
    tell(setting, "invoice.draft")
    background(setting).react()
    assert runs(setting) == []


def test_only_drafts_that_were_written_are_news(setting: Setting) -> None:
    before = setting.warehouse.snapshot()
    invoice = company()["invoices"][0]
    paid = {**invoice, "invoice_id": "in_paid", "status": "paid"}
    setting.warehouse.upsert_rows({"invoices": [paid]}, integration="billing", version_at=NOW)
    assert setting.warehouse.drafts_since(before) == set()
    draft = {**invoice, "invoice_id": "in_draft", "status": "draft"}
    setting.warehouse.upsert_rows({"invoices": [draft]}, integration="billing", version_at=NOW)
    assert setting.warehouse.drafts_since(before) == {"billing"}
    assert setting.warehouse.drafts_since(setting.warehouse.snapshot()) == set()


def endless() -> Rule:
    return TIERS.model_copy(update={"query": ENDLESS, "uses": frozenset()})


def test_a_run_that_somebody_cancels_stops_and_keeps_nothing(setting: Setting) -> None:
    results: list[cycle.RunResult] = []
    thread = threading.Thread(target=lambda: results.extend(cycle.run(setting, [endless(), LEDGER], NOW)))
    thread.start()
    until = time.monotonic() + 30
    while time.monotonic() < until and not runs(setting):
        time.sleep(0.05)
    time.sleep(1)
    with operational.writing(setting.engine) as session:
        assert claims.cancel(session, 1, actor="ana")
    thread.join(timeout=60)
    assert [(result.status, result.reason) for result in results] == [("skipped", "cancelled"), ("ok", None)]
    assert runs(setting)[0].error == "cancelled by ana"


def test_a_run_that_is_cancelled_before_its_turn_never_begins(setting: Setting) -> None:
    slow = replace(setting, clock=lambda: NOW)
    found: list[str] = []

    def stop_the_second(result: cycle.RunResult) -> None:
        found.append(f"{result.rule} {result.status} {result.reason}")
        with operational.writing(setting.engine) as session:
            claims.cancel(session, 2, actor="ana")

    cycle.run(slow, [TIERS, LEDGER], NOW, on_result=stop_the_second)
    assert found == ["wrong_tier_mode ok None", "ledger_imbalance skipped cancelled"]


def test_a_rule_that_takes_too_long_fails_by_itself_and_says_so(setting: Setting) -> None:
    hasty = replace(setting, allowed=Limits(time=timedelta(seconds=1)))
    began = time.monotonic()
    endless_result, other = cycle.run(hasty, [endless(), LEDGER], NOW)
    assert time.monotonic() - began < 30
    assert (endless_result.status, other.status) == ("failed", "ok")
    assert "it took longer than 1 s; narrow the query" in (endless_result.error or "")


def test_a_rule_that_needs_too_much_memory_or_finds_too_much_says_so(setting: Setting) -> None:
    many = "SELECT i.integration, i.invoice_id, i.currency, i.total AS exposure FROM invoices AS i, invoice_lines AS l"
    rule = TIERS.model_copy(update={"query": many, "uses": frozenset()})
    (result,) = cycle.run(replace(setting, allowed=Limits(rows=10)), [rule], NOW)
    assert "it returned more than 10 rows; narrow the query" in (result.error or "")
    greedy = (
        "SELECT list(a.line_id || b.line_id || c.line_id || d.line_id ORDER BY hash(d.line_id)) AS x FROM "
        + ", ".join(f"invoice_lines AS {name}" for name in "abcdefgh")
    )
    rule = TIERS.model_copy(update={"query": greedy, "uses": frozenset()})
    (result,) = cycle.run(replace(setting, allowed=Limits(memory="100MiB", disk="10MiB")), [rule], NOW)
    assert result.status == "failed"
    assert "needs more memory than a rule may take" in (result.error or "")


def test_the_first_signals_of_a_draft_do_not_wait_for_the_dearest_rule() -> None:
    on_draft = schedule.after("invoice.draft", list(LOADED.values()))
    quick, slow = quick_first(on_draft)
    assert LOADED["invoice_arithmetic"] in quick
    assert LOADED["wrong_tier_mode"] in slow
    assert sorted(rule.name for rule in [*quick, *slow]) == sorted(rule.name for rule in on_draft)
    assert not [rule for rule in quick for other in slow if rule.code in other.covers]
    assert quick_first([LEDGER]) == [[LEDGER]]
    assert quick_first([]) == []
