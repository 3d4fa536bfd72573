"""A company's own usage looked through: what rules read, what labels change, what models are accepted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select

from detector import cycle, derived, plain_books, triage, unusual, usage_budget, usage_labels, usage_lessons
from detector.beside import Beside
from detector.learned import NOTHING, Announced, Learned, UsageLabel, Verdict
from detector.unusual import company
from detector.unusual.model import ModelFileError
from store import operational
from store.operational_tables import Signal, SignalEvent
from store.usage_tables import UsageLabelRow, UsageModel
from tests.unusual_home import NOW, SILENT_DAYS, STOPPED, Rows, make, rows, rule, setting
from tests.web.company import Home

SILENT = UsageLabel(STOPPED, "silence", date(2026, 11, 17), date(2026, 11, 20), 6.0, Verdict.NO_FAULT)


@pytest.fixture(scope="module")
def given() -> Rows:
    return rows()


@pytest.fixture(scope="module")
def books(given: Rows) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(plain_books.open(given)) as con:
        yield con


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make(tmp_path_factory.mktemp("unusual"))


def odd(con: duckdb.DuckDBPyConnection, learned: Learned = NOTHING, as_of: datetime = NOW) -> list[tuple[object, ...]]:
    """Series, day, oddness and score of what customers' usage shows at the rules' own budget."""
    derived.build(con, as_of, {"unusual_usage"}, beside=Beside(learned))
    query = (
        "SELECT series, day, oddness, score FROM unusual_usage WHERE kind = 'customer' AND score >= 3.5 ORDER BY ALL"
    )
    return con.execute(query).fetchall()


def test_the_one_who_stopped_stands_out_and_nobody_else(books: duckdb.DuckDBPyConnection) -> None:
    found = odd(books)
    assert {row[0] for row in found} == {STOPPED}
    assert {row[2] for row in found} == {"silence"}
    assert max(row[1] for row in found) == date(2026, 11, 20)  # type: ignore[type-var]


def test_what_comes_later_changes_no_score(given: Rows, books: duckdb.DuckDBPyConnection) -> None:
    earlier = NOW - timedelta(days=1)
    wild = [
        {**event, "value": event["value"] * 1000} if event["time"] > earlier else event
        for event in given["usage_events"]
    ]
    with closing(plain_books.open(given | {"usage_events": wild})) as other:
        assert odd(books, as_of=earlier) == odd(other, as_of=earlier)


def test_no_fault_lets_the_same_pass_but_nothing_much_rarer(books: duckdb.DuckDBPyConnection) -> None:
    before = replace(SILENT, first_day=date(2026, 10, 5), last_day=date(2026, 10, 5))
    assert odd(books, Learned(labels=(replace(before, score=12.0),))) == []
    assert odd(books, Learned(labels=(replace(before, score=0.5),))) != []


def test_a_silence_that_was_no_fault_is_let_pass_while_it_lasts(books: duckdb.DuckDBPyConnection) -> None:
    first_day_of_it = replace(SILENT, last_day=SILENT.first_day, score=0.5)
    assert odd(books, Learned(labels=(first_day_of_it,))) == []
    assert odd(books, Learned(labels=(replace(first_day_of_it, series="customer/billing/c08/meter_api"),))) != []


def test_the_days_that_were_labelled_are_let_pass_under_any_name_of_that_direction() -> None:
    said = Learned(labels=(replace(SILENT, oddness="rise"),))
    assert said.repeats(STOPPED, "spike", SILENT.last_day, 12.0)
    assert not said.repeats(STOPPED, "spike", SILENT.last_day + timedelta(days=1), 1.0)
    assert not said.repeats(STOPPED, "fall", SILENT.last_day, 1.0)


@pytest.mark.parametrize("verdict", [Verdict.NO_FAULT, Verdict.PLANNED])
def test_a_much_rarer_silence_of_the_same_period_is_told_all_the_same(tmp_path: Path, verdict: Verdict) -> None:
    home = make(tmp_path / "home")
    where = setting(home)
    with operational.writing(where.engine) as session:
        usage_labels.label(session, 1, verdict, actor="Ana", now=NOW)
        session.flush()
        session.scalars(select(UsageLabelRow)).one().score = 6.0  # as of a customer who pauses now and then
    later = NOW + timedelta(days=15)
    more = [event for event in rows(later, {21, 22, 23})["usage_events"] if event["time"] > NOW - timedelta(days=1)]
    home.warehouse.upsert_rows({"usage_events": more}, integration="product", version_at=later)
    assert [result.findings for result in cycle.run(where, [rule("usage_stopped")], NOW)] == [0]
    assert [result.findings for result in cycle.run(where, [rule("usage_stopped")], later)] == [1]
    with operational.reading(where.engine) as session:
        assert session.scalars(select(Signal.status).order_by(Signal.id)).all()[-1] == "unhandled"


def test_a_planned_change_begins_the_expectation_anew(books: duckdb.DuckDBPyConnection) -> None:
    planned = replace(SILENT, verdict=Verdict.PLANNED, first_day=date(2026, 10, 5), last_day=date(2026, 10, 5))
    derived.build(books, NOW, {"usage_changes"})
    before = company.expectation(books, STOPPED, NOTHING)
    after = company.expectation(books, STOPPED, Learned(labels=(planned,)))
    on_the_day = [next(one for one in each if one.day == date(2026, 10, 5)) for each in (before, after)]
    assert on_the_day[1].upper - on_the_day[1].lower > 2 * (on_the_day[0].upper - on_the_day[0].lower)


def test_a_known_outage_expects_silence_and_an_event_does_not(books: duckdb.DuckDBPyConnection) -> None:
    days = Announced(date(2026, 11, 17), date(2026, 11, 30), is_outage=True)
    assert odd(books, Learned(announced=(days,))) == []
    assert odd(books, Learned(announced=(replace(days, customer_id="somebody else"),))) != []
    assert odd(books, Learned(announced=(replace(days, is_outage=False),))) != []


def test_usage_in_a_known_outage_is_still_looked_at() -> None:
    days = np.datetime64("2026-05-01") + np.arange(100)
    usage = np.full((30, 100), 100.0)
    usage[:, 90:93] = 0
    usage[0, 91] = 100_000
    names = np.arange(30).astype(str)
    frame = pd.DataFrame({"series": names.repeat(100), "time": np.tile(days, 30), "value": usage.ravel()})
    known = pd.DataFrame({"series": names, "kind": "outage", "start": days[90], "end": days[92]})
    alarms = unusual.score(frame, known, method="screen").query("alarm")
    assert set(alarms["series"]) == {"0"}
    assert set(unusual.score(frame, method="screen").query("alarm")["series"]) != {"0"}


def test_labels_move_the_scores_of_their_kind_little_when_few() -> None:
    wrong = Learned(labels=(SILENT,) * 9)
    right = Learned(labels=(replace(SILENT, verdict=Verdict.FAULT),) * 9)
    assert 0 < Learned(labels=(SILENT,)).taken_off("silence") < 0.4
    assert wrong.taken_off("silence") == 1.0
    assert right.taken_off("silence") == -0.3
    assert wrong.taken_off("spike") == 0


def test_an_open_period_is_projected_to_its_end_at_both_readings(books: duckdb.DuckDBPyConnection) -> None:
    derived.build(books, NOW, {"unusual_periods"})
    query = (
        "SELECT goes_on, quantity, usual_quantity, if_real, if_error FROM unusual_periods WHERE series = ? AND goes_on"
    )
    [(goes_on, real, usual, if_real, if_error)] = books.execute(query, [STOPPED]).fetchall()
    days = Decimal(30)  # 7 November to 7 December
    assert goes_on
    assert usual > real * 2  # ten days of thirty were used
    assert abs(usual - 1600 * days * 9 / 10) < 1600 * days / 10  # 1600 on a Monday, 90 % of it over the week
    assert if_error > if_real > 0


def test_a_budget_tells_more_than_clean_usage_would(books: duckdb.DuckDBPyConnection) -> None:
    odd(books)
    found = usage_budget.standing(books)
    at = usage_budget.at_budgets(found, Learned(labels=(SILENT,)))
    assert [row.told for row in at] == sorted(row.told for row in at)
    assert at[2].told >= 1 > at[2].clean
    assert at[2].others == 1


def test_a_verdict_moves_the_signal_and_is_void_once_undone(home: Home) -> None:
    where = setting(home)
    with operational.writing(where.engine) as session:
        signal = session.scalars(select(Signal)).one()
        change = usage_labels.label(session, signal.id, Verdict.NO_FAULT, actor="Ana", now=NOW)
        number = signal.id
    with operational.reading(where.engine) as session:
        assert session.get_one(Signal, number).status == "false_positive"
        assert usage_labels.verdict_of(session, number) is Verdict.NO_FAULT
        [label] = usage_labels.learned(session, NOW).labels
        assert (label.series, label.oddness, label.verdict) == (STOPPED, "silence", Verdict.NO_FAULT)
        assert (label.last_day - label.first_day).days == SILENT_DAYS - 1
        assert usage_labels.learned(session, NOW - timedelta(hours=1)).labels == ()
    assert [result.findings for result in cycle.run(where, [rule("usage_stopped")], NOW)] == [0]
    with operational.writing(where.engine) as session:
        triage.undo(session, change.id, actor="Ana", now=NOW)
    assert [result.findings for result in cycle.run(where, [rule("usage_stopped")], NOW)] == [1]
    with operational.reading(where.engine) as session:
        assert usage_labels.verdict_of(session, number) is None
        assert session.scalars(select(SignalEvent.actor).where(SignalEvent.change_id == change.id)).all() == ["Ana"]


def test_a_model_is_taught_once_a_week_and_kept_when_no_worse(home: Home, tmp_path: Path) -> None:
    where = setting(home)
    reason = usage_lessons.teach_weekly(where, tmp_path)
    assert reason is not None
    assert reason.startswith("the first model")
    assert usage_lessons.teach_weekly(where, tmp_path) is None
    with operational.reading(where.engine) as session:
        learned = usage_labels.learned(session, NOW)
    assert learned.model == str(tmp_path / "usage-1.model")
    assert [result.findings for result in cycle.run(where, [rule("usage_stopped")], NOW)] == [1]
    again = usage_lessons.teach(where, tmp_path)
    assert again is not None
    assert again.startswith("no worse")
    with operational.reading(where.engine) as session:
        assert [row.accepted for row in session.scalars(select(UsageModel))] == [True, True]


def test_a_worse_model_stays_out_and_too_little_usage_teaches_none() -> None:
    model = object()
    assert not usage_lessons.Taught(model, 0.5, 0.6, 30, 0).is_better  # type: ignore[arg-type]
    assert usage_lessons.Taught(model, 0.6, 0.6, 30, 0).is_better  # type: ignore[arg-type]
    few = usage_lessons.Taught(None, 0.0, None, 3, 0)
    assert not few.is_better
    assert "twenty daily series" in few.reason


def test_a_model_file_that_was_changed_is_refused_and_no_signal_resolves(home: Home, tmp_path: Path) -> None:
    where = setting(home)
    assert usage_lessons.teach(where, tmp_path)
    with operational.reading(where.engine) as session:
        learned = usage_labels.learned(session, NOW)
    path = Path(str(learned.model))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelFileError, match=r"not the file that was recorded; teach a new one with `trueup models"):
        company.look_through(_derived(rows()), learned)
    [result] = cycle.run(where, [rule("usage_stopped")], NOW)
    assert result.status == "failed"
    assert "trueup models --teach" in (result.error or "")
    with operational.reading(where.engine) as session:
        assert session.scalars(select(Signal.status)).all() == ["unhandled"]


def _derived(given: Rows) -> duckdb.DuckDBPyConnection:
    con = plain_books.open(given)
    derived.build(con, NOW, {"usage_changes"})
    return con
