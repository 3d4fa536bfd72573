"""Rules run on real books: claimed once, folded whole, failing alone, and after a kill as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from detector import case_rows, cycle
from detector.claims import LEASE, LeaseLost, Refused, Wanted, claim, is_gone, owned, worker_name
from detector.cycle import Setting
from detector.rules import Rule, load
from detector.schedule import Slot
from store import operational
from store.loads import recorded
from store.operational_tables import RuleOverride, Run, Signal
from store.warehouse import Warehouse
from tests.lakes import lake

RULES = Path(__file__).parents[2] / "rules"
NOW = datetime(2026, 11, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def rules() -> dict[str, Rule]:
    """The catalogue by name."""
    return {rule.name: rule for rule in load(RULES)[0]}


@pytest.fixture
def books(tmp_path: Path, rules: dict[str, Rule]) -> Warehouse:
    """The company of the rules' cases in a lake, with one line charged by the wrong tier mode."""
    rule = rules["wrong_tier_mode"]
    warehouse = lake(tmp_path / "lake")
    warehouse.upsert_rows(company_rows(rule), integration="billing", version_at=NOW)
    return warehouse


def company_rows(rule: Rule) -> dict[str, list[dict[str, object]]]:
    """The rows of the rule's first case, which fires."""
    return case_rows.rows(rule.cases[0], case_rows.beside(rule.path))


@pytest.fixture
def setting(books: Warehouse, engine: Engine) -> Iterator[Setting]:
    """Where cycles run, with a clock that stands still."""
    yield Setting(books, engine, lambda: NOW, worker_name())
    books.close()


def runs(engine: Engine) -> list[Run]:
    with operational.reading(engine) as session:
        return list(session.scalars(select(Run).order_by(Run.id)))


def statuses(engine: Engine) -> dict[str, str]:
    with operational.reading(engine) as session:
        return {found.label: found.status for found in session.scalars(select(Signal))}


def test_a_cycle_leaves_a_run_with_its_snapshot_and_the_signals_it_found(
    setting: Setting, rules: dict[str, Rule]
) -> None:
    (result,) = cycle.run(setting, [rules["wrong_tier_mode"]], NOW)
    assert (result.status, result.findings, dict(result.decisions)) == ("ok", 1, {"opened": 1})
    (run,) = runs(setting.engine)
    assert (run.status, run.as_of, run.snapshot) == ("ok", NOW, setting.warehouse.snapshot())
    assert run.rule_hash == rules["wrong_tier_mode"].content_hash
    assert statuses(setting.engine) == {"SIG-1": "unhandled"}


def test_a_second_cycle_on_the_same_data_changes_no_signal(setting: Setting, rules: dict[str, Rule]) -> None:
    cycle.run(setting, list(rules.values()), NOW)
    again = cycle.run(setting, list(rules.values()), NOW)
    assert {reason for result in again for reason in result.decisions} == {"unchanged"}


def test_a_signal_resolves_once_the_data_is_right(setting: Setting, rules: dict[str, Rule]) -> None:
    rule = rules["wrong_tier_mode"]
    cycle.run(setting, [rule], NOW)
    right = case_rows.rows(replace_case(rule), case_rows.beside(rule.path))
    setting.warehouse.upsert_rows(right, integration="billing", version_at=NOW + timedelta(hours=1))
    (first,), (second,) = (cycle.run(setting, [rule], NOW + timedelta(hours=hour)) for hour in (1, 2))
    assert [dict(result.decisions) for result in (first, second)] == [{"clearing": 1}, {"self_healed": 1}]
    assert statuses(setting.engine) == {"SIG-1": "resolved"}


def replace_case(rule: Rule):  # type: ignore[no-untyped-def]
    """The rule's first case with nothing wrong in it."""
    return rule.cases[0].model_copy(update={"given": {}})


def test_a_rule_that_fails_says_so_resolves_nothing_and_lets_the_others_run(
    setting: Setting, rules: dict[str, Rule]
) -> None:
    rule = rules["wrong_tier_mode"]
    cycle.run(setting, [rule], NOW)
    broken = rule.model_copy(
        update={"query": "SELECT 1 / 0 AS x, error('no such luck') AS integration", "uses": frozenset()}
    )
    results = cycle.run(setting, [broken, rules["payment_retries_exhausted"]], NOW + timedelta(hours=1))
    assert [result.status for result in results] == ["failed", "ok"]
    assert "no such luck" in (results[0].error or "")
    assert runs(setting.engine)[1].status == "failed"
    assert runs(setting.engine)[1].reason == "rule_failed"
    assert statuses(setting.engine) == {"SIG-1": "unhandled"}


def test_a_broken_derived_relation_fails_only_the_rules_that_need_it(setting: Setting, rules: dict[str, Rule]) -> None:
    needs_nothing_known = rules["wrong_tier_mode"].model_copy(update={"relations": frozenset({"no_such_relation"})})
    results = cycle.run(setting, [needs_nothing_known, rules["payment_retries_exhausted"]], NOW)
    assert results[1].status == "ok"


def test_stale_data_opens_signals_and_resolves_none(setting: Setting, rules: dict[str, Rule]) -> None:
    rule = rules["wrong_tier_mode"]
    limited = replace(setting, limits={"billing": timedelta(hours=2)})
    (first,) = cycle.run(limited, [rule], NOW)
    assert (first.status, dict(first.decisions)) == ("ok", {"opened": 1})
    assert first.reason == "stale: billing: never synced"
    with recorded(setting.engine, "sync", "billing", None, lambda: NOW):
        pass
    right = case_rows.rows(replace_case(rule), case_rows.beside(rule.path))
    setting.warehouse.upsert_rows(right, integration="billing", version_at=NOW + timedelta(hours=1))
    old = replace(limited, clock=lambda: NOW + timedelta(hours=3))
    assert [dict(cycle.run(old, [rule], NOW + timedelta(hours=3))[0].decisions) for _ in range(3)] == [
        {"kept_stale": 1}
    ] * 3
    assert runs(setting.engine)[-1].reason == (
        "stale: billing: nothing came in since 2026-11-03 00:00, the limit is 2:00:00"
    )
    fresh = replace(limited, clock=lambda: NOW + timedelta(hours=1))
    assert dict(cycle.run(fresh, [rule], NOW + timedelta(hours=3))[0].decisions) == {"clearing": 1}


def test_a_sync_that_failed_or_never_ended_is_stale_too(setting: Setting, rules: dict[str, Rule]) -> None:
    limited = replace(setting, limits={"billing": None})
    with pytest.raises(RuntimeError), recorded(setting.engine, "sync", "billing", None, lambda: NOW):
        (running,) = cycle.run(limited, [rules["wrong_tier_mode"]], NOW)
        assert running.reason == "stale: billing: a sync that began at 2026-11-03 00:00 has not ended"
        raise RuntimeError("the billing system hung up")
    (failed,) = cycle.run(limited, [rules["wrong_tier_mode"]], NOW)
    assert failed.reason == "stale: billing: the last sync failed: the billing system hung up"


def test_what_an_operator_set_for_a_rule_holds(setting: Setting, rules: dict[str, Rule]) -> None:
    with operational.writing(setting.engine) as session:
        override = RuleOverride(rule="wrong_tier_mode", state="active", changed_by="ana", changed_at=NOW)
        override.severity, override.params = "low", {"tolerance_percent": "5"}
        session.add(override)
    (result,) = cycle.run(setting, [rules["wrong_tier_mode"]], NOW)
    with operational.reading(setting.engine) as session:
        assert session.scalars(select(Signal.severity)).all() == ["low"] * result.findings


@pytest.mark.parametrize(
    "query", ["SELECT * FROM read_text('{path}')", "COPY (SELECT 1) TO '{path}'", "ATTACH '{path}'", "SET threads = 1"]
)
def test_a_query_that_got_past_every_check_reaches_no_file_and_no_setting(
    setting: Setting, rules: dict[str, Rule], tmp_path: Path, query: str
) -> None:
    (tmp_path / "secret").write_text("a key")
    sneaky = query.format(path=tmp_path / "secret")
    rule = rules["wrong_tier_mode"].model_copy(update={"query": sneaky, "uses": frozenset()})
    (result,) = cycle.run(setting, [rule], NOW)
    assert result.status == "failed"
    assert "disabled" in (result.error or "") or "locked" in (result.error or "")


def test_of_many_workers_that_want_one_slot_one_runs_it(setting: Setting, rules: dict[str, Rule]) -> None:
    results: list[cycle.RunResult] = []

    def work(number: int) -> None:
        worker = replace(setting, worker=f"elsewhere/-/{number}/1")
        results.extend(
            cycle.run(worker, [rules["wrong_tier_mode"]], NOW, slots={"wrong_tier_mode": Slot("2026-11-03T00:00")})
        )

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.status for result in results) == ["ok", "skipped", "skipped", "skipped"]
    assert {result.reason for result in results if result.status == "skipped"} <= {"already_running", "already_done"}
    assert [run.status for run in runs(setting.engine)] == ["ok"]


def wanted(slot: str, worker: str) -> Wanted:
    return Wanted("wrong_tier_mode", "h", slot, "schedule", NOW, 1, worker)


def test_a_claim_holds_while_its_worker_lives_and_its_lease_lasts(engine: Engine) -> None:
    with operational.writing(engine) as session:
        run = claim(session, wanted("s1", "far/away/1/1"), NOW)
        assert isinstance(run, Run)
    with operational.writing(engine) as session:
        assert claim(session, wanted("s1", "near/by/2/2"), NOW + LEASE / 2) == Refused("already_running", 1)
        assert claim(session, wanted("s2", "near/by/2/2"), NOW + LEASE / 2) == Refused("already_running", 1)


def test_a_claim_whose_lease_is_over_is_taken_over_and_its_first_owner_writes_nothing(engine: Engine) -> None:
    with operational.writing(engine) as session:
        claim(session, wanted("s1", "far/away/1/1"), NOW)
    with operational.writing(engine) as session:
        taken = claim(session, wanted("s1", "near/by/2/2"), NOW + LEASE)
        assert isinstance(taken, Run)
        assert (taken.id, taken.reason, taken.claimed_by) == (1, "taken_over", "near/by/2/2")
    with operational.writing(engine) as session, pytest.raises(LeaseLost, match="taken over by near/by"):
        owned(session, 1, "far/away/1/1")


def test_a_run_that_was_left_behind_is_closed_when_another_slot_is_wanted(engine: Engine) -> None:
    with operational.writing(engine) as session:
        claim(session, wanted("s1", "far/away/1/1"), NOW)
    with operational.writing(engine) as session:
        assert isinstance(claim(session, wanted("s2", "near/by/2/2"), NOW + LEASE), Run)
    assert [(run.slot, run.status, run.reason) for run in runs(engine)] == [
        ("s1", "failed", "abandoned"),
        ("s2", "running", None),
    ]


def test_a_slot_that_was_run_is_not_run_again(engine: Engine) -> None:
    with operational.writing(engine) as session:
        run = claim(session, wanted("s1", "near/by/2/2"), NOW)
        assert isinstance(run, Run)
        run.status = "ok"
    with operational.writing(engine) as session:
        assert claim(session, wanted("s1", "near/by/2/2"), NOW + LEASE) == Refused("already_done", 1)


def test_a_process_that_was_killed_is_known_to_be_gone_at_once() -> None:
    print_name = "from detector.claims import worker_name; print(worker_name(), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", print_name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    assert not is_gone(name)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert is_gone(name)
    assert not is_gone("another-host/pid:[1]/17/99")
    assert not is_gone("what is this")
    assert not is_gone(worker_name())
