"""The newest hours, before their day is over: who fell silent or rose, and what people say of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import select

from detector import cycle, derived, plain_books, triage, usage_budget, usage_labels, usage_lessons
from detector.beside import Beside
from detector.learned import HIGH_HOURS, SILENT_HOURS, Announced, Learned, UsageLabel, Verdict
from detector.unusual import company
from detector.unusual.gridding import grids
from store import operational
from store.operational_tables import Signal
from tests.unusual_home import NOW, hourly, make_hourly, rule, setting
from tests.web.company import Home

SILENT, HIGH = "customer/billing/c01/meter_api", "customer/billing/c02/meter_api"
TODAY = NOW.date()
SAID = UsageLabel(SILENT, SILENT_HOURS, TODAY, TODAY, 4.0, Verdict.NO_FAULT, NOW)


@pytest.fixture(scope="module")
def books() -> Iterator[duckdb.DuckDBPyConnection]:
    given = hourly({"c00": NOW, "c01": NOW - timedelta(hours=7), "c02": NOW}, {"c02": 9000})
    with closing(plain_books.open(given)) as con:
        yield con


def told(con: duckdb.DuckDBPyConnection, *labels: UsageLabel, as_of: datetime = NOW) -> dict[str, float]:
    """The scores of the hours that rules would tell of, by series."""
    return _told(con, Learned(labels=labels), as_of)


def _told(con: duckdb.DuckDBPyConnection, learned: Learned, as_of: datetime = NOW) -> dict[str, float]:
    derived.build(con, as_of, {"unusual_hours"}, beside=Beside(learned))
    query = "SELECT series, score FROM unusual_hours WHERE score >= CASE direction WHEN 'silence' THEN 3.5 ELSE 0.7 END"
    return dict(con.execute(query).fetchall())


def test_one_who_fell_silent_this_night_is_told_this_morning(books: duckdb.DuckDBPyConnection) -> None:
    assert told(books).keys() == {SILENT, HIGH}
    assert told(books, as_of=NOW - timedelta(hours=5)) == {}


def test_a_known_outage_of_the_day_expects_it(books: duckdb.DuckDBPyConnection) -> None:
    day = Announced(date(2026, 11, 21), date(2026, 11, 21), is_outage=True, customer_id="c01")
    assert _told(books, Learned(announced=(day,))).keys() == {HIGH}


@pytest.mark.parametrize("verdict", [Verdict.NO_FAULT, Verdict.PLANNED])
def test_what_is_no_fault_is_let_pass_while_it_lasts(books: duckdb.DuckDBPyConnection, verdict: Verdict) -> None:
    early = replace(SAID, verdict=verdict, said_at=NOW - timedelta(hours=4), score=0.1)
    assert told(books, early).keys() == {HIGH}
    before_it_began = replace(early, said_at=NOW - timedelta(hours=8))
    assert told(books, before_it_began).keys() == {SILENT, HIGH}


def test_the_like_is_let_pass_for_eight_weeks_unless_ten_times_as_rare(books: duckdb.DuckDBPyConnection) -> None:
    score = told(books)[SILENT]
    before = replace(SAID, first_day=TODAY - timedelta(days=50), last_day=TODAY - timedelta(days=50), score=score)
    assert told(books, before).keys() == {HIGH}
    long_ago = replace(before, first_day=TODAY - timedelta(days=57), last_day=TODAY - timedelta(days=57))
    assert SILENT in told(books, long_ago)
    assert SILENT in told(books, replace(before, score=score - 2))
    assert SILENT in told(books, replace(before, series=HIGH))


def test_an_hour_ten_times_as_high_as_one_that_was_no_fault_is_told(books: duckdb.DuckDBPyConnection) -> None:
    last_week = TODAY - timedelta(days=7)
    burst = UsageLabel(HIGH, HIGH_HOURS, last_week, last_week, 2.0, Verdict.NO_FAULT, NOW - timedelta(days=7))
    assert told(books)[HIGH] == pytest.approx(2.35, abs=0.01)  # 9000 where 40 is the highest
    assert told(books, burst).keys() == {SILENT}
    assert HIGH in told(books, replace(burst, score=1.0))


def test_labels_move_how_rare_hours_of_their_kind_have_to_be(books: duckdb.DuckDBPyConnection) -> None:
    before = told(books)
    others = [replace(SAID, series=f"customer/billing/c{number}/meter_api") for number in range(10, 19)]
    after = told(books, *others)
    assert after[SILENT] == pytest.approx(before[SILENT] - 1)
    assert after[HIGH] == before[HIGH]
    faults = told(books, *(replace(each, verdict=Verdict.FAULT) for each in others))
    assert faults[SILENT] == pytest.approx(before[SILENT] + 0.3)


def test_the_day_of_hours_that_were_no_fault_is_not_told_again_but_the_next_is() -> None:
    said = Learned(labels=(SAID, replace(SAID, series=HIGH, oddness=HIGH_HOURS)))
    assert said.repeats(SILENT, "silence", TODAY, 9.0)
    assert said.repeats(HIGH, "spike", TODAY, 9.0)
    assert not said.repeats(SILENT, "silence", TODAY + timedelta(days=1), 0.5)
    assert not said.repeats(SILENT, "spike", TODAY, 0.5)
    fault = Learned(labels=(replace(SAID, verdict=Verdict.FAULT),))
    assert not fault.repeats(SILENT, "silence", TODAY, 0.5)


def test_planned_hours_begin_the_expectation_of_days_anew_and_count_for_no_budget_of_days(
    books: duckdb.DuckDBPyConnection,
) -> None:
    planned = Learned(labels=(replace(SAID, verdict=Verdict.PLANNED),))
    derived.build(books, NOW, {"usage_changes"})
    known = company.known_changes(books, planned)
    assert (SILENT, "plan_change") in zip(known.name.tolist(), known.kind.tolist(), strict=True)
    [budget] = usage_budget.at_budgets(usage_budget.Standing(1.0, ()), planned, [1.0])
    assert (budget.faults, budget.others) == (0, 0)
    assert [(each.oddness, each.planned) for each in usage_budget.segments(planned)] == [(SILENT_HOURS, 1)]


def test_high_hours_teach_by_their_day_and_silent_ones_do_not(books: duckdb.DuckDBPyConnection) -> None:
    derived.build(books, NOW, {"usage_changes"})
    rows = company.series(books, "kind = 'customer'")
    day = TODAY - timedelta(days=1)
    labels = [replace(SAID, oddness=oddness, first_day=day, last_day=day) for oddness in (SILENT_HOURS, HIGH_HOURS)]
    [said] = usage_lessons._said(rows, grids(rows, None)[0][0], labels)
    assert (said.first, said.last, said.is_fault) == (said.first, said.first, False)


def test_a_verdict_on_hours_ends_the_signal_until_it_is_undone(tmp_path: Path) -> None:
    home = make_hourly(tmp_path / "home")
    where = setting(home)
    with operational.writing(where.engine) as session:
        change = usage_labels.label(session, 1, Verdict.NO_FAULT, actor="Ana", now=NOW)
        usage_labels.label(session, 2, Verdict.PLANNED, actor="Ana", now=NOW)
    both = [rule("stopped_today"), rule("spike_today")]
    assert [result.findings for result in cycle.run(where, both, NOW)] == [0, 0]
    assert statuses(home) == ["false_positive", "suppressed"]
    with operational.writing(where.engine) as session:
        triage.undo(session, change.id, actor="Ana", now=NOW)
    assert [result.findings for result in cycle.run(where, both, NOW)] == [1, 0]
    with operational.writing(where.engine) as session:
        triage.dismiss(session, [1], "false_positive", actor="Ana", now=NOW)
    later = NOW + timedelta(hours=28)
    until = {"c00": later, "c01": NOW + timedelta(hours=15)}
    more = [event for event in hourly(until, more=28)["usage_events"] if event["time"] > NOW]
    home.warehouse.upsert_rows({"usage_events": more}, integration="product", version_at=later)
    cycle.run(where, both[:1], later)
    assert statuses(home) == ["false_positive", "suppressed", "unhandled"], "a silence of another day is told anew"


def statuses(home: Home) -> list[str]:
    with operational.reading(home.engine()) as session:
        return list(session.scalars(select(Signal.status).order_by(Signal.id)))
