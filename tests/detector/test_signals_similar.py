"""What signals have in common, and when it is one issue with one repair."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Engine

from detector import detail, triage
from detector.findings import EntityType, Finding, Reference
from detector.report import signal_json
from store import operational
from tests.detector.signal_stories import TIER_MODE, Told, a_finding, day, fold_run

UNIT_PRICE = Told("wrong_unit_price", "TU-22", "high", "pricing", "P2")
ROUNDING = Told("invoice_arithmetic", "TU-34", "high", "pricing", "P2")


def seen(engine: Engine, signal: int) -> detail.SignalDetail:
    with operational.reading(engine) as session:
        found = detail.signal(session, signal)
        assert found is not None
        return found


def of(rule: Told, line: str, customer: str, price: str = "price_1") -> Finding:
    return replace(a_finding(line, customer=customer), rule=rule.name, cause=Reference(EntityType.PRICE, price))


def test_three_customers_with_one_cause_are_one_issue_with_one_repair(engine: Engine) -> None:
    fold_run(engine, day(0), [of(ROUNDING, "il_1", "c_1")], rule=ROUNDING)
    fold_run(engine, day(3), [of(UNIT_PRICE, "il_2", "c_2")], rule=UNIT_PRICE)
    assert seen(engine, 1).issue is None
    fold_run(engine, day(9), [of(TIER_MODE, "il_3", "c_3")])
    for number in (1, 2, 3):
        issue = seen(engine, number).issue
        assert issue is not None
        assert (issue.cause, issue.customers, issue.status) == ("price:price_1", 3, "open")
        assert [signal.label for signal in issue.signals] == ["SIG-2", "SIG-3", "SIG-1"]
        assert issue.repair == "wrong_unit_price"
    told = signal_json(seen(engine, 1), [], [])["issue"]
    assert (told["signals"], told["repair"]) == (["SIG-2", "SIG-3", "SIG-1"], "wrong_unit_price")


def test_one_signal_of_twenty_customers_is_one_issue(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding(f"il_{n}", customer=f"c_{n}") for n in range(20)])
    issue = seen(engine, 1).issue
    assert issue is not None
    assert (issue.customers, len(issue.signals)) == (20, 1)


def test_what_is_longer_ago_or_false_does_not_make_an_issue(engine: Engine) -> None:
    fold_run(engine, day(0), [of(ROUNDING, "il_1", "c_1")], rule=ROUNDING)
    fold_run(engine, day(31), [of(UNIT_PRICE, "il_2", "c_2"), of(UNIT_PRICE, "il_3", "c_3")], rule=UNIT_PRICE)
    assert seen(engine, 2).issue is None
    fold_run(engine, day(32), [of(TIER_MODE, "il_4", "c_4")])
    assert seen(engine, 2).issue is not None
    with operational.writing(engine) as session:
        triage.dismiss(session, [3], "false_positive", actor="ana", now=day(33))
    assert seen(engine, 2).issue is None


def test_an_issue_closes_when_all_its_signals_are_resolved(engine: Engine) -> None:
    for rule, line in ((TIER_MODE, "il_1"), (UNIT_PRICE, "il_2")):
        fold_run(engine, day(0), [of(rule, f"{line}_{n}", f"c_{n}") for n in range(3)], rule=rule)
    with operational.writing(engine) as session:
        triage.resolve(session, [1], "mended", actor="ana", now=day(1), waiver="the customer agreed")
    issue = seen(engine, 1).issue
    assert issue is not None
    assert issue.status == "open"
    with operational.writing(engine) as session:
        triage.resolve(session, [2], "mended", actor="ana", now=day(1), waiver="the customer agreed")
    issue = seen(engine, 1).issue
    assert issue is not None
    assert issue.status == "closed"


def test_similar_is_the_same_cause_then_the_same_rule_for_the_same_customers(engine: Engine) -> None:
    fold_run(engine, day(0), [of(UNIT_PRICE, "il_9", "c_9")], rule=UNIT_PRICE)
    lines = [of(TIER_MODE, f"il_{n}", f"c_{n}") for n in range(3)]
    fold_run(engine, day(0), [*lines, of(TIER_MODE, "il_5", "c_1", "price_2"), of(TIER_MODE, "il_6", "c_7", "price_3")])
    likes = {like.signal.label: like.why for like in seen(engine, 2).similar}
    assert likes == {"SIG-1": "same cause", "SIG-3": "same rule, 1 of its 3 customers", "SIG-4": "same rule"}


def test_a_defect_that_comes_back_says_how_often(engine: Engine) -> None:
    for start in (0, 30, 60):
        fold_run(engine, day(start), [a_finding()])
        for clear in (1, 2):
            fold_run(engine, day(start + clear), [])
    found = seen(engine, 3)
    assert found.recurrence.at == (day(0), day(30), day(60))
    assert signal_json(found, [], [])["recurrence"]["every_days"] == 30
    assert [(like.signal.label, like.why) for like in found.similar] == [
        ("SIG-1", "the same defect before"),
        ("SIG-2", "the same defect before"),
    ]
