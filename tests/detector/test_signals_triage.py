"""What people do with signals, and that they can take it back, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, event, select

from detector import inbox, triage
from detector.findings import EntityType, Reference
from store import operational
from store.operational_tables import SignalEvent
from tests.detector.signal_stories import a_finding, day, fold_run, only_signal, reasons, signals, timeline

ANA = {"actor": "ana", "now": day(0.5)}


@pytest.fixture
def one(engine: Engine) -> Engine:
    """A store with one open signal."""
    fold_run(engine, day(0), [a_finding()])
    return engine


@pytest.fixture
def many(sqlite_engine: Engine) -> Engine:
    """A store with ten open signals."""
    found = [a_finding(f"il_{number}", cause=Reference(EntityType.PRICE, f"price_{number}")) for number in range(10)]
    fold_run(sqlite_engine, day(0), found)
    return sqlite_engine


def test_work_moves_a_signal_from_unhandled_to_resolved(one: Engine) -> None:
    for status in ("triaged", "in_progress", "awaiting_external", "in_progress"):
        with operational.writing(one) as session:
            triage.change_status(session, [1], status, **ANA)
        assert only_signal(one).status == status
    fold_run(one, day(1))
    with operational.writing(one) as session:
        triage.resolve(session, [1], "configuration: tier mode", actor="ana", now=day(1.5))
    signal = only_signal(one)
    assert (signal.status, signal.status_reason, signal.resolved_at) == ("resolved", "verified", day(1.5))
    assert timeline(one, 1)[-1] == "verified"


@pytest.mark.parametrize("status", ["awaiting_external", "unhandled"])
def test_a_step_that_the_state_does_not_allow_is_refused_with_what_is_allowed(one: Engine, status: str) -> None:
    with (
        pytest.raises(
            triage.IllegalTransition, match=r"SIG-1 is unhandled and cannot become .*; it can become .*triaged"
        ),
        operational.writing(one) as session,
    ):
        triage.change_status(session, [1], status, **ANA)
    assert only_signal(one).status == "unhandled"
    assert timeline(one, 1) == ["opened"]


def test_resolving_needs_a_run_that_came_back_without_it_or_a_waiver(one: Engine) -> None:
    with (
        pytest.raises(triage.IllegalTransition, match="not verified: no complete run of wrong_tier_mode"),
        operational.writing(one) as session,
    ):
        triage.resolve(session, [1], "fixed", **ANA)
    with operational.writing(one) as session:
        triage.resolve(session, [1], "fixed", waiver="ten cents", **ANA)
    assert only_signal(one).status_reason == "waived"


def test_resolved_is_no_status_to_move_to_without_saying_why(one: Engine) -> None:
    with pytest.raises(triage.IllegalTransition, match="use resolve or dismiss"), operational.writing(one) as session:
        triage.change_status(session, [1], "resolved", **ANA)


@pytest.mark.parametrize(
    ("reason", "status", "until"),
    [
        ("expected", "suppressed", None),
        ("false_positive", "false_positive", None),
        ("immaterial", "suppressed", day(0.5) + timedelta(days=30)),
    ],
)
def test_dismissing_says_for_how_long(one: Engine, reason: str, status: str, until: object) -> None:
    with operational.writing(one) as session:
        triage.dismiss(session, [1], reason, **ANA)
    signal = only_signal(one)
    assert (signal.status, signal.status_reason, signal.suppressed_until) == (status, reason, until)


def test_an_unknown_reason_or_priority_is_refused_with_the_known_ones(one: Engine) -> None:
    with operational.writing(one) as session:
        with pytest.raises(ValueError, match="use one of expected, false_positive"):
            triage.dismiss(session, [1], "whatever", **ANA)
        with pytest.raises(ValueError, match="P1, P2, P3, P4"):
            triage.set_priority(session, [1], "urgent", **ANA)
        with pytest.raises(ValueError, match="needs some text"):
            triage.comment(session, [1], "  ", **ANA)
        with pytest.raises(triage.UnknownSignal, match="SIG-7"):
            triage.assign(session, [1, 7], "ben", **ANA)


def test_what_was_dismissed_can_be_brought_back_by_hand(one: Engine) -> None:
    with operational.writing(one) as session:
        triage.dismiss(session, [1], "expected", **ANA)
        triage.change_status(session, [1], "unhandled", **ANA)
    assert only_signal(one).status == "unhandled"
    assert reasons(fold_run(one, day(1), [a_finding()])) == ["unchanged"]


def test_a_signal_cannot_come_back_while_a_later_one_stands_for_the_same_defect(one: Engine) -> None:
    with operational.writing(one) as session:
        change = triage.dismiss(session, [1], "false_positive", **ANA)
    fold_run(one, day(1), [a_finding(), a_finding("il_2")])
    assert len(signals(one)) == 2
    for deed in (
        lambda session: triage.change_status(session, [1], "unhandled", **ANA),
        lambda session: triage.undo(session, change.id, **ANA),
    ):
        with (
            pytest.raises(triage.IllegalTransition, match="SIG-2 stands for the same defect now"),
            operational.writing(one) as session,
        ):
            deed(session)


def test_a_change_can_be_undone_and_the_undoing_undone(one: Engine) -> None:
    with operational.writing(one) as session:
        change = triage.dismiss(session, [1], "immaterial", **ANA)
    with operational.writing(one) as session:
        undone = triage.undo(session, change.id, **ANA)
    assert (only_signal(one).status, only_signal(one).suppressed_until) == ("unhandled", None)
    assert timeline(one, 1) == ["opened", "immaterial", "undid status"]
    with operational.writing(one) as session:
        triage.undo(session, undone.id, **ANA)
    assert only_signal(one).status == "suppressed"
    with (
        pytest.raises(triage.IllegalTransition, match="undone already"),
        operational.writing(one) as session,
    ):
        triage.undo(session, change.id, **ANA)


def test_what_was_changed_since_is_not_undone(one: Engine) -> None:
    with operational.writing(one) as session:
        change = triage.assign(session, [1], "ben", **ANA)
        triage.assign(session, [1], "eve", **ANA)
    with pytest.raises(triage.IllegalTransition, match="changed since"), operational.writing(one) as session:
        triage.undo(session, change.id, **ANA)
    assert only_signal(one).assignee == "eve"


def test_what_a_rule_found_cannot_be_undone(one: Engine) -> None:
    with operational.reading(one) as session:
        change = session.scalars(select(SignalEvent.change_id)).one()
    with pytest.raises(triage.IllegalTransition, match="cannot be undone"), operational.writing(one) as session:
        triage.undo(session, change, **ANA)
    with pytest.raises(LookupError, match="no change"), operational.writing(one) as session:
        triage.undo(session, "nope", **ANA)


def test_two_people_changing_one_signal_are_told_of_each_other(one: Engine) -> None:
    seen = only_signal(one).version
    with operational.writing(one) as session:
        triage.assign(session, [1], "ben", actor="ben", now=day(0.6), version=seen)
    with (
        pytest.raises(triage.ChangedMeanwhile, match="by ben at 2026-03-01 20:24:00 UTC") as told,
        operational.writing(one) as session,
    ):
        triage.set_priority(session, [1], "P3", version=seen, **ANA)
    assert told.value.event is not None
    assert told.value.event.actor == "ben"
    assert only_signal(one).priority == "P1"


def test_a_run_is_no_change_of_people(one: Engine) -> None:
    seen = only_signal(one).version
    fold_run(one, day(0.2), [a_finding(), a_finding("il_2")])
    with operational.writing(one) as session:
        triage.assign(session, [1], "ben", version=seen, **ANA)
    assert only_signal(one).assignee == "ben"


def test_what_sleeps_until_an_instant_wakes_then_by_itself(one: Engine) -> None:
    with operational.writing(one) as session:
        triage.snooze(session, [1], until=day(3), **ANA)
    assert listed(one, day(2)) == []
    assert listed(one, day(2), view="snoozed") == [1]
    assert listed(one, day(3.1)) == [1]


def test_what_sleeps_up_to_an_amount_wakes_when_a_run_ranks_it_above(one: Engine) -> None:
    with operational.writing(one) as session:
        triage.snooze(session, [1], amount=Decimal(50), **ANA)
    fold_run(one, day(1), [a_finding(actual="80")])
    assert listed(one, day(1)) == []
    fold_run(one, day(2), [a_finding(actual="60")])
    assert listed(one, day(2)) == [1]


def test_only_open_signals_sleep_and_a_sleeping_one_can_be_woken(one: Engine) -> None:
    with operational.writing(one) as session:
        triage.snooze(session, [1], until=day(3), **ANA)
        triage.snooze(session, [1], **ANA)
    assert listed(one, day(1)) == [1]
    with operational.writing(one) as session:
        triage.dismiss(session, [1], "expected", **ANA)
    with pytest.raises(triage.IllegalTransition, match="only open signals"), operational.writing(one) as session:
        triage.snooze(session, [1], until=day(3), **ANA)


def test_a_change_of_many_applies_where_it_can_and_names_the_others(many: Engine) -> None:
    with operational.writing(many) as session:
        triage.dismiss(session, [2, 3], "expected", **ANA)
    with operational.writing(many) as session:
        change = triage.change_status(session, [1, 2, 3, 4], "triaged", **ANA)
    assert [event.signal_id for event in change.events] == [1, 4]
    assert [refusal.signal for refusal in change.refused] == ["SIG-2", "SIG-3"]
    with operational.writing(many) as session:
        assert len(triage.undo(session, change.id, **ANA).events) == 2
    assert [signal.status for signal in signals(many)][:4] == ["unhandled", "suppressed", "suppressed", "unhandled"]


def test_a_change_that_every_signal_refuses_raises_and_says_how_many(many: Engine) -> None:
    with operational.writing(many) as session:
        triage.dismiss(session, range(1, 11), "expected", **ANA)
    with pytest.raises(triage.IllegalTransition, match="9 more refused"), operational.writing(many) as session:
        triage.change_status(session, range(1, 11), "triaged", **ANA)


def test_changing_one_signal_takes_the_same_few_statements_however_many_there_are(many: Engine) -> None:
    statements: list[str] = []
    event.listen(many, "before_cursor_execute", lambda *args: statements.append(args[2]))
    with operational.writing(many) as session:
        triage.change_status(session, [5], "triaged", **ANA)
    verbs = [sql.split()[0] for sql in statements]
    assert verbs == ["BEGIN", "SELECT", "UPDATE", "INSERT", "SELECT", "SELECT", "INSERT"], "the last asks for its case"


def listed(engine: Engine, now: object, view: str = "inbox") -> list[int]:
    with operational.reading(engine) as session:
        return [item.id for item in inbox.page(session, inbox.Filter(view=view), now).items]  # type: ignore[arg-type]
