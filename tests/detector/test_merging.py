"""Signals that people said are one problem stay one, and those that they split stay apart, whatever the runs bring."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine

from detector import inbox, merging, triage
from detector.bill_runs import BillRuns
from detector.findings import EntityType, Finding, Reference
from detector.inbox import Filter
from store import operational
from tests.detector.signal_stories import a_finding, day, fold_run, signals

ANA = {"actor": "ana", "now": day(0.5)}


def found(*lines: int) -> list[Finding]:
    return [a_finding(f"il_{n}", cause=Reference(EntityType.PRICE, f"price_{n}")) for n in lines]


@pytest.fixture
def three(engine: Engine) -> Engine:
    """A store with three open signals, of three causes."""
    fold_run(engine, day(0), found(1, 2, 3))
    return engine


def listed(engine: Engine, **wanted: str) -> list[int]:
    with operational.reading(engine) as session:
        return sorted(item.id for item in inbox.page(session, Filter(**wanted), day(5)).items)


def merge(engine: Engine, *ids: int) -> triage.Change:
    with operational.writing(engine) as session:
        return merging.merge(session, ids, **ANA)


def test_of_a_case_one_signal_is_listed_and_all_money_counts(three: Engine) -> None:
    with operational.reading(three) as session:
        before = inbox.overview(session, Filter(), day(5)).totals
    merge(three, 1, 2)
    assert listed(three) == [1, 3]
    assert listed(three, view="every") == [1, 2, 3]
    with operational.reading(three) as session:
        overview = inbox.overview(session, Filter(), day(5))
    assert overview.total == 2
    assert [(one.currency, one.under, one.over) for one in overview.totals] == [
        (one.currency, one.under, one.over) for one in before
    ]


def test_a_merged_pair_stays_merged_over_later_runs(three: Engine) -> None:
    merge(three, 1, 2)
    fold_run(three, day(1), found(1, 2, 3))
    assert listed(three) == [1, 3]


def test_when_the_one_that_speaks_is_gone_the_next_is_listed_and_steps_back_when_it_returns(three: Engine) -> None:
    merge(three, 1, 2)
    fold_run(three, day(1), found(2, 3))
    fold_run(three, day(2), found(2, 3))
    assert listed(three) == [2, 3], "nothing open is ever out of sight"
    fold_run(three, day(3), found(1, 2, 3))
    assert listed(three) == [1, 3]


def test_a_new_signal_of_a_merged_cause_joins_its_case(three: Engine) -> None:
    merge(three, 1, 2)
    with operational.writing(three) as session:
        triage.dismiss(session, [2], "false_positive", **ANA)
    again = [*found(1, 3), replace(found(2)[0], subject=Reference(EntityType.INVOICE_LINE, "il_new"))]
    fold_run(three, day(1), again)
    assert len(signals(three)) == 4
    assert listed(three) == [1, 3]


def test_a_split_signal_stays_apart_over_later_runs(three: Engine) -> None:
    merge(three, 1, 2, 3)
    with operational.writing(three) as session:
        merging.split(session, [2], **ANA)
    fold_run(three, day(1), found(1, 2, 3))
    assert listed(three) == [1, 2]


def test_of_two_that_are_split_neither_is_in_a_case(three: Engine) -> None:
    merge(three, 1, 2)
    with operational.writing(three) as session:
        merging.split(session, [1], **ANA)
    assert listed(three) == [1, 2, 3]
    with pytest.raises(triage.IllegalTransition, match="SIG-2 is not merged"), operational.writing(three) as session:
        merging.split(session, [2], **ANA)


def test_a_merge_can_be_undone(three: Engine) -> None:
    change = merge(three, 1, 2)
    with operational.writing(three) as session:
        triage.undo(session, change.id, actor="ana", now=day(0.6))
    assert listed(three) == [1, 2, 3]


@pytest.mark.parametrize(("ids", "why"), [((1,), "at least two"), ((1, 2), "SIG-1 is resolved")])
def test_what_cannot_be_merged_is_refused_with_its_reason(three: Engine, ids: tuple[int, ...], why: str) -> None:
    with operational.writing(three) as session:
        triage.resolve(session, [1], "fixed", waiver="seen in Stripe", **ANA)
    with pytest.raises(triage.IllegalTransition, match=why):
        merge(three, *ids)


def test_a_third_signal_joins_a_case_and_two_cases_do_not_become_one(three: Engine) -> None:
    fold_run(three, day(0.2), found(1, 2, 3, 4))
    merge(three, 1, 2)
    merge(three, 3, 4)
    with pytest.raises(triage.IllegalTransition, match="two merged cases"):
        merge(three, 1, 3)
    with operational.writing(three) as session:
        merging.split(session, [4], **ANA)
    merge(three, 1, 3)
    assert listed(three) == [1, 4]


def snooze(engine: Engine, wakes: str) -> None:
    with operational.writing(engine) as session:
        triage.snooze(session, [1], wakes=wakes, **ANA)
    assert 1 not in listed(engine)


def test_a_snooze_ends_when_the_money_grows(three: Engine) -> None:
    snooze(three, "money")
    fold_run(three, day(1), found(1, 2, 3))
    assert 1 not in listed(three)
    dearer = replace(found(1)[0], under=Decimal(900))
    fold_run(three, day(2), [dearer, *found(2, 3)])
    assert 1 in listed(three)


def test_a_snooze_ends_when_it_is_found_in_another_place(three: Engine) -> None:
    snooze(three, "recurrence")
    fold_run(three, day(1), [replace(found(1)[0], under=Decimal(900)), *found(2, 3)])
    assert 1 not in listed(three)
    elsewhere = replace(found(1)[0], subject=Reference(EntityType.INVOICE_LINE, "il_9"))
    fold_run(three, day(2), [*found(1, 2, 3), elsewhere])
    assert 1 in listed(three)


def test_a_snooze_ends_with_the_next_bill_run(three: Engine) -> None:
    snooze(three, "bill_run")
    fold_run(three, day(1), found(1, 2, 3), bill_runs=BillRuns(latest=day(0)))
    assert 1 not in listed(three), "that run was before"
    fold_run(three, day(2), found(1, 2, 3), bill_runs=BillRuns({"in_1": "run_7"}, day(1.5)))
    assert 1 in listed(three)
    with operational.reading(three) as session:
        (group, *_) = inbox.groups(session, Filter(group="bill_run"), day(2) + timedelta(hours=1))
    assert group.narrow.bill_run == group.key
