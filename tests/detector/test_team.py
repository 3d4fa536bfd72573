"""Load and deadlines by person, handing out, standing in, new signals; and what a manager is told of a month."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine

from detector import due, manager_report, team, triage
from detector.findings import EntityType, Finding, Reference
from store import operational
from tests.detector.signal_stories import START, a_finding, day, fold_run, signals

ANA = {"actor": "ana", "now": day(0.5)}


def found(*lines: int) -> list[Finding]:
    return [a_finding(f"il_{n}", cause=Reference(EntityType.PRICE, f"price_{n}")) for n in lines]


@pytest.fixture
def four(engine: Engine) -> Engine:
    fold_run(engine, day(0), found(1, 2, 3, 4))
    return engine


def assignees(engine: Engine) -> list[str | None]:
    return [signal.assignee for signal in signals(engine)]


def test_a_signal_is_overdue_after_the_hours_of_its_severity(four: Engine) -> None:
    with operational.writing(four) as session:
        triage.assign(session, [1, 2], "Bob", **ANA)
        severity = signals(four)[0].severity
        limits = {**due.HOURS, severity: 24}
        assert [(one.name, one.open, one.overdue) for one in team.loads(session, limits, day(0.9))] == [("Bob", 2, 0)]
        (bob,) = team.loads(session, limits, day(1.1))
    assert (bob.open, bob.overdue) == (2, 2)
    assert bob.totals[0].under == Decimal(40)


def test_what_was_closed_in_time_counts_for_thirty_days(four: Engine) -> None:
    with operational.writing(four) as session:
        triage.assign(session, [1, 2], "Bob", **ANA)
        triage.dismiss(session, [1], "expected", actor="bob", now=day(0.6))
        triage.dismiss(session, [2], "expected", actor="bob", now=day(9))
        limits = dict.fromkeys(due.HOURS, 24)
        (bob,) = team.loads(session, limits, day(10))
        assert (bob.closed, bob.in_time) == (2, 1)
        (bob,) = team.loads(session, limits, day(31))
        assert (bob.closed, bob.in_time) == (1, 0)


def test_signals_are_handed_out_to_those_who_have_least_and_are_there(four: Engine) -> None:
    with operational.writing(four) as session:
        for name, until in (("Ana", None), ("Bob", None), ("Cid", day(30))):
            team.set_away(session, name, until, None, **ANA)
        triage.assign(session, [1], "Bob", **ANA)
        team.hand_out(session, **ANA)
    assert sorted(map(str, assignees(four))) == ["Ana", "Ana", "Bob", "Bob"]
    with pytest.raises(team.BadTeam, match="has somebody"), operational.writing(four) as session:
        team.hand_out(session, **ANA)


def test_everybody_with_a_signal_is_named_once(four: Engine) -> None:
    with operational.writing(four) as session:
        assert team.assignees(session, 10) == []
        triage.assign(session, [1, 3], "Bob", **ANA)
        triage.assign(session, [2], "Ana", **ANA)
        assert team.assignees(session, 10) == ["Ana", "Bob"]
        assert team.assignees(session, 1) == ["Ana"]


def test_everything_of_a_person_goes_to_another(four: Engine) -> None:
    with operational.writing(four) as session:
        triage.assign(session, [1, 2, 3], "Bob", **ANA)
        change = team.reassign(session, "Bob", "Ana", **ANA)
    assert assignees(four) == ["Ana", "Ana", "Ana", None]
    with operational.writing(four) as session:
        triage.undo(session, change.id, **ANA)
    assert assignees(four)[0] == "Bob"
    with pytest.raises(team.BadTeam, match="Cid has no open signal"), operational.writing(four) as session:
        team.reassign(session, "Cid", "Ana", **ANA)


def test_new_signals_go_to_whom_the_first_fitting_rule_names_or_who_stands_in(four: Engine) -> None:
    with operational.writing(four) as session:
        team.add_rule(session, "integration", "stripe", "Bob", **ANA)
        team.add_rule(session, "rule", "wrong_tier_mode", "Ana", **ANA)
    fold_run(four, day(1), found(1, 2, 3, 4, 5))
    assert assignees(four) == [None, None, None, None, "Bob"], "what is there already stays as it is"
    with operational.writing(four) as session:
        team.set_away(session, "Bob", day(9), "Cid", **ANA)
    fold_run(four, day(2), found(1, 2, 3, 4, 5, 6))
    fold_run(four, day(10), found(1, 2, 3, 4, 5, 6, 7))
    assert assignees(four)[5:] == ["Cid", "Bob"]


@pytest.mark.parametrize("text", ["", "0", "soon", "99999"])
def test_hours_that_cannot_be_are_refused_by_name(engine: Engine, text: str) -> None:
    wanted = {name: str(value) for name, value in due.HOURS.items()}
    with operational.writing(engine) as session:
        due.set_hours(session, {**wanted, "critical": "8"}, **ANA)
        assert due.hours(session)["critical"] == 8
        with pytest.raises(due.BadHours, match="hours for high"):
            due.set_hours(session, {**wanted, "high": text}, **ANA)


def test_a_month_tells_what_was_prevented_recovered_and_written_off(engine: Engine) -> None:
    drafts = {"in_il_1": day(3)}
    fold_run(engine, day(0), found(1, 2, 3, 4), drafts=drafts)
    fold_run(engine, day(1), found(3, 4), drafts=drafts)
    with operational.writing(engine) as session:
        triage.resolve(session, [1, 2], "price fixed", actor="ana", now=day(1.5))
        triage.dismiss(session, [3], "immaterial", actor="ana", now=day(2))
        triage.dismiss(session, [4], "false_positive", actor="ana", now=day(2))
        told = manager_report.report(session, START, START + timedelta(days=20))
        before = manager_report.report(session, START - timedelta(days=20), START)
    assert [(one.kind, one.exact, one.estimate) for one in told.sums] == [
        ("prevented", Decimal(20), Decimal(0)), ("recovered", Decimal(20), Decimal(0)),
        ("written_off", Decimal(20), Decimal(0)),
    ]  # fmt: skip
    assert [signal.id for signal in told.signals["prevented"]] == [1]
    assert (told.found, told.closed) == (4, 4)
    assert told.to_first_action == timedelta(days=1.75)
    assert told.to_verified == timedelta(days=1.5)
    assert [(one.right, one.wrong) for one in told.precision] == [(2, 1)]
    assert (before.found, before.closed, before.sums, before.to_verified) == (0, 0, (), None)
