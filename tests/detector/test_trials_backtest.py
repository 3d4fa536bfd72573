"""A dry run over the past says what runs would have raised, keeps nothing, and stops when it is told to."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from billing.periods import parse_duration
from detector import backtest, case_rows, cycle, past, triage
from detector.cycle import Setting
from detector.past import Span
from detector.replay import Contender, Limits, Raised
from detector.rule_format import Schedule
from detector.rules import Rule, load, parse
from detector.trial_report import backtest_json, backtest_text
from store import operational
from store.operational_tables import Run, Signal, SignalImpact
from tests.detector.test_signals_cycle import NOW, company_rows, replace_case
from tests.lakes import lake

RULES = Path(__file__).parents[2] / "rules"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def rules() -> dict[str, Rule]:
    return {rule.name: rule for rule in load(RULES)[0]}


@pytest.fixture
def setting(tmp_path: Path, rules: dict[str, Rule], sqlite_engine: Engine) -> Iterator[Setting]:
    """The company of the cases with one line charged by the wrong tier mode, and no signal yet."""
    warehouse = lake(tmp_path / "lake")
    warehouse.upsert_rows(company_rows(rules["wrong_tier_mode"]), integration="billing", version_at=NOW)
    yield Setting(warehouse, sqlite_engine, lambda: NOW, "tests")
    warehouse.close()


def tried(setting: Setting, rule: Rule, span: Span, **more: object) -> backtest.Backtest:
    params = more.pop("params", {})
    return backtest.backtest(
        setting.warehouse,
        setting.engine,
        Contender(rule, params),
        span,
        setting.policy,
        **more,  # type: ignore[arg-type]
    )


def raised_by_runs(engine: Engine) -> set[tuple[object, ...]]:
    """Every signal as the runs left it."""
    with operational.reading(engine) as session:
        money = {
            signal: sorted((row.currency, row.under, row.over, row.exposure) for row in rows)
            for signal, rows in (
                (each.id, session.scalars(select(SignalImpact).where(SignalImpact.signal_id == each.id)).all())
                for each in session.scalars(select(Signal))
            )
        }
        return {
            (s.fingerprint, s.digest, s.title, s.status, s.first_seen, s.last_seen, s.entity_count, s.finding_count,
             tuple(money[s.id]))
            for s in session.scalars(select(Signal))
        }  # fmt: skip


def raised_dry(raised: tuple[Raised, ...]) -> set[tuple[object, ...]]:
    return {
        (s.fingerprint, s.digest, s.title, s.status, s.first_seen, s.last_seen, s.records, s.findings,
         tuple((m.currency, m.under, m.over, m.exposure) for m in s.impacts))
        for s in raised
    }  # fmt: skip


@pytest.mark.parametrize("name", ["wrong_tier_mode", "unbilled_period", "usage_mismatch"])
def test_a_dry_run_and_then_the_runs_over_the_same_range_give_identical_signals(
    setting: Setting, rules: dict[str, Rule], name: str
) -> None:
    span = Span(NOW + 30 * DAY, NOW - 5 * DAY, parse_duration("P5D"))
    dry = tried(setting, rules[name], span)
    assert len(dry.replay.points) == 8
    for point in dry.replay.points:
        (result,) = cycle.run(setting, [rules[name]], point.as_of)
        assert result.status == "ok" or result.reason == "unchanged"
    assert raised_dry(dry.outcome.raised) == raised_by_runs(setting.engine)
    assert name != "wrong_tier_mode" or len(dry.outcome.raised) == 1


def test_running_every_rule_again_on_unchanged_data_opens_no_signal(setting: Setting, rules: dict[str, Rule]) -> None:
    cycle.run(setting, list(rules.values()), NOW)
    before = raised_by_runs(setting.engine)
    again = cycle.run(setting, list(rules.values()), NOW)
    assert sum(result.decisions.get("opened", 0) for result in again) == 0
    assert raised_by_runs(setting.engine) == before
    assert before


def test_a_dry_run_keeps_nothing(setting: Setting, rules: dict[str, Rule]) -> None:
    dry = tried(setting, rules["wrong_tier_mode"], Span(NOW))
    told = backtest_json(dry)
    assert (told["signals"], told["open"], len(told["findings"])) == (1, 1, 1)
    assert told["rows"] > 0
    assert told["impact"] == told["would_raise"][0]["impact"]
    assert "nothing was kept" in backtest_text(told)[-1]
    with operational.reading(setting.engine) as session:
        assert [session.scalar(select(func.count()).select_from(table)) for table in (Run, Signal)] == [0, 0]


def test_it_looks_at_the_snapshot_of_that_time_and_says_so_where_there_was_none(
    setting: Setting, rules: dict[str, Rule]
) -> None:
    """The books were loaded just now: earlier instants have no snapshot, later ones have."""
    rule = rules["wrong_tier_mode"]
    wrong = setting.warehouse.snapshot()
    right = case_rows.rows(replace_case(rule), case_rows.beside(rule.path))
    setting.warehouse.upsert_rows(right, integration="billing", version_at=NOW + timedelta(hours=1))
    made = dict(setting.warehouse.snapshots())
    old, then, since = past.on_snapshots(setting.warehouse, [NOW, made[wrong], made[setting.warehouse.snapshot()]])
    assert (old.of_then, old.snapshot) == (False, setting.warehouse.snapshot())
    assert (then.of_then, then.snapshot) == (True, wrong)
    assert (since.of_then, since.snapshot) == (True, setting.warehouse.snapshot())
    assert len(tried(setting, rule, Span(made[wrong])).outcome.raised) == 1
    corrected = tried(setting, rule, Span(NOW))
    assert corrected.outcome.raised == ()
    assert "the current one, as it was known then" in " ".join(backtest_text(backtest_json(corrected)))


def test_the_difference_from_the_rule_that_runs_is_told_by_cause(setting: Setting, rules: dict[str, Rule]) -> None:
    live = rules["wrong_tier_mode"]
    deaf = draft(live, "billed_mode\n", "billed_mode\n", "AND abs(difference) > 1000000")
    gone = tried(setting, deaf, Span(NOW), live=live).difference
    assert gone is not None
    assert (len(gone.added), len(gone.gone), gone.same) == (0, 1, 0)
    added = tried(setting, live, Span(NOW), live=deaf).difference
    assert added is not None
    assert (len(added.added), len(added.gone)) == (1, 0)
    assert tried(setting, live, Span(NOW), live=live).difference is None


def draft(rule: Rule, old: str, new: str, more: str) -> Rule:
    """The rule's text with a condition more."""
    text = rule.text.replace(old, new).replace("\nsubject:", f"      {more}\n\nsubject:", 1)
    made, problems = parse(text, rule.path)
    assert made is not None, problems
    return made


def test_what_people_made_of_the_signals_is_beside_them(setting: Setting, rules: dict[str, Rule]) -> None:
    rule = rules["wrong_tier_mode"]
    cycle.run(setting, [rule], NOW)
    with operational.writing(setting.engine) as session:
        triage.resolve(session, [1], "price corrected", actor="ana", now=NOW, waiver="seen in the invoice")
    overlap = backtest_json(tried(setting, rule, Span(NOW)))["overlap"]
    assert (overlap["resolved"], overlap["dismissed"], overlap["new"], overlap["missed"]) == (1, 0, 0, [])
    deaf = draft(rule, "", "", "AND abs(difference) > 1000000")
    missed = backtest_json(tried(setting, deaf, Span(NOW)))["overlap"]["missed"]
    assert [each["signal"] for each in missed] == ["SIG-1"]
    beside = backtest_json(tried(setting, deaf, Span(NOW + DAY), live=rule))
    assert [each["signal"] for each in beside["overlap"]["missed"]] == ["SIG-1"]
    assert [each["known"]["verdict"] for each in beside["difference"]["gone"]] == ["right"]
    nobody_would = backtest_json(tried(setting, deaf, Span(NOW + DAY)))
    assert nobody_would["overlap"]["missed"] == []


def test_a_time_limit_leaves_a_result_that_says_how_far_it_got(setting: Setting, rules: dict[str, Rule]) -> None:
    span = Span(NOW, NOW - 20 * DAY, parse_duration("P1D"))
    dry = tried(setting, rules["wrong_tier_mode"], span, limits=Limits(seconds=0.3))
    assert dry.replay.stopped
    assert "stopped at the limit of 0.3 s after" in dry.replay.stopped
    assert len(dry.replay.points) < 21
    assert backtest_text(backtest_json(dry))[-3].startswith("PARTIAL: stopped at the limit")


def test_a_limit_of_findings_and_a_cancel_stop_it_too(setting: Setting, rules: dict[str, Rule]) -> None:
    span = Span(NOW + 4 * DAY, NOW, parse_duration("P1D"))
    many = tried(setting, rules["wrong_tier_mode"], span, limits=Limits(findings=1))
    assert many.replay.stopped == "stopped at the limit of 1 findings after 2 of 5 instants"
    done: list[int] = []
    cancelled = tried(
        setting, rules["wrong_tier_mode"], span, tell=lambda at, total: done.append(at), stop=lambda: len(done) == 3
    )
    assert cancelled.replay.stopped == "cancelled after 3 of 5 instants"
    assert len(cancelled.outcome.raised) == 1


def test_ctrl_c_at_a_terminal_leaves_what_was_found_so_far(setting: Setting, rules: dict[str, Rule]) -> None:
    endless = "SELECT count(*) FROM range(100000000) a, range(100000) b"
    slow = rules["wrong_tier_mode"].model_copy(update={"query": endless, "uses": frozenset()})
    press = threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    press.start()
    try:
        assert tried(setting, slow, Span(NOW)).replay.stopped == "cancelled after 0 of 1 instants"
    finally:
        press.join()
        signal.signal(signal.SIGINT, before)


def test_a_query_that_never_ends_is_interrupted_at_the_limit(setting: Setting, rules: dict[str, Rule]) -> None:
    endless = "SELECT count(*) FROM range(100000000) a, range(100000) b"
    slow = rules["wrong_tier_mode"].model_copy(update={"query": endless, "uses": frozenset()})
    began = datetime.now(UTC)
    dry = tried(setting, slow, Span(NOW), limits=Limits(seconds=1))
    assert dry.replay.stopped == "stopped at the limit of 1 s after 0 of 1 instants"
    assert datetime.now(UTC) - began < timedelta(seconds=8)


@pytest.mark.parametrize(
    ("schedule", "most", "said"),
    [
        (Schedule(daily="06:00"), 31, ["10-01 06:00", "10-02 06:00", "10-03 06:00", "10-04 00:00"]),
        (Schedule(every="P1D"), 31, ["10-01 00:00", "10-02 00:00", "10-03 00:00", "10-04 00:00"]),
        (Schedule(on="invoice.draft"), 31, ["10-01 00:00", "10-02 00:00", "10-03 00:00", "10-04 00:00"]),
        (Schedule(cron="0 12 * * 5"), 31, ["10-02 12:00", "10-04 00:00"]),
        (Schedule(hourly=5), 4, ["10-01 17:05", "10-02 11:05", "10-03 05:05", "10-04 00:00"]),
    ],
)
def test_a_range_is_stepped_by_the_schedule_and_thinned_where_that_is_too_much(
    schedule: Schedule, most: int, said: list[str]
) -> None:
    span = Span(datetime(2026, 10, 4, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC), None, most)
    found, thinned = past.instants(schedule, span)
    assert [f"{each:%m-%d %H:%M}" for each in found] == said
    assert thinned == (most == 4)


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        past.instants(Schedule(hourly=5), Span(NOW, NOW + DAY))
