"""Two rules see the same error: the one that explains it speaks, whichever runs first, and nothing is counted twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from detector import covering, detail, rules, triage
from detector.findings import Entity, EntityType, Finding, Reference, Role
from store import operational
from store.operational_tables import Job, SignalImpact
from tests.detector.signal_stories import (
    Told,
    a_finding,
    day,
    fold_run,
    only_signal,
    reasons,
    signals,
    timeline,
)
from tests.detector.test_rules_loading import SOUND

DUPLICATES = Told("duplicate_events", "TU-01", "high", "data_quality", "P2", covers=("TU-06",))
SPIKE = Told("usage_spike", "TU-06", "high", "data_quality", "P2")
OCTOBER = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))


def doubled(item: str = "it_1", **told: object) -> Finding:
    """Events of an item were sent twice in October: 80.00 USD too much."""
    return _of("duplicate_events", item, cause=Reference(EntityType.SOURCE, "collector"), **told)


def spiked(item: str = "it_1", customer: str = "c_1", **told: object) -> Finding:
    """The item's usage is unusually high in October."""
    return _of("usage_spike", item, customer, **{"cause": Reference(EntityType.ITEM, item), **told})


def _of(rule: str, item: str, customer: str = "c_1", **told: object) -> Finding:
    values: dict[str, object] = {
        "rule": rule,
        "subject": Reference(EntityType.ITEM, item),
        "period_start": OCTOBER[0],
        "period_end": OCTOBER[1],
        "under": Decimal(0),
        "over": Decimal(80),
        "title": f"{rule} on {item}",
        "entities": (
            Entity(EntityType.ITEM, item, Role.AFFECTED, customer),
            Entity(EntityType.CUSTOMER, customer, Role.AFFECTED, customer, f"Customer {customer}"),
            Entity(EntityType.INVOICE, f"in_{customer}", Role.AFFECTED, customer),
        ),
        **told,
    }
    return replace(a_finding(), **values)  # type: ignore[arg-type]


def states(engine: Engine) -> dict[str, tuple[str, str | None]]:
    return {f"{found.rule}/{found.cause_id}": (found.status, found.status_reason) for found in signals(engine)}


def money(engine: Engine) -> dict[int, Decimal]:
    with operational.reading(engine) as session:
        return {row.signal_id: row.over for row in session.scalars(select(SignalImpact))}


def seen(engine: Engine, signal: int) -> detail.SignalDetail:
    with operational.reading(engine) as session:
        found = detail.signal(session, signal)
        assert found is not None
        return found


def test_a_spike_that_duplicates_explain_raises_no_signal_of_its_own(engine: Engine) -> None:
    fold_run(engine, day(0), [doubled()], rule=DUPLICATES)
    assert reasons(fold_run(engine, day(0.1), [spiked()], rule=SPIKE)) == ["covered"]
    assert states(engine) == {"duplicate_events/collector": ("unhandled", "opened")}
    assert money(engine) == {1: Decimal(80)}
    (row,) = seen(engine, 1).also_seen
    assert (row.rule, row.code, row.title) == ("usage_spike", "TU-06", "usage_spike on it_1")
    assert timeline(engine, 1) == ["opened", "explains"]
    assert reasons(fold_run(engine, day(1), [spiked()], rule=SPIKE)) == ["kept_covered"]
    assert timeline(engine, 1) == ["opened", "explains"]


def test_the_spike_that_was_there_first_closes_and_says_why(engine: Engine) -> None:
    fold_run(engine, day(0), [spiked()], rule=SPIKE)
    with operational.writing(engine) as session:
        triage.assign(session, [1], "ana", actor="ana", now=day(0.2))
        triage.change_status(session, [1], "in_progress", actor="ana", now=day(0.3))
        triage.comment(session, [1], "The customer says it is real.", actor="ana", now=day(0.4))
    assert reasons(fold_run(engine, day(1), [doubled()], rule=DUPLICATES)) == ["opened", "covered"]
    assert states(engine) == {
        "usage_spike/it_1": ("resolved", "covered"),
        "duplicate_events/collector": ("unhandled", "opened"),
    }
    closed = seen(engine, 1)
    assert closed.covered_by == (2,)
    assert closed.timeline[0].detail == "SIG-2 explains it better"
    assert closed.signal.assignee == "ana"
    assert "The customer says it is real." in [event.detail for event in closed.timeline]
    assert [row.own_signal_id for row in seen(engine, 2).also_seen] == [1]
    assert reasons(fold_run(engine, day(2), [spiked()], rule=SPIKE)) == ["kept_covered"]


def test_it_comes_back_as_it_was_when_what_explained_it_was_a_false_positive(engine: Engine) -> None:
    fold_run(engine, day(0), [spiked()], rule=SPIKE)
    with operational.writing(engine) as session:
        triage.change_status(session, [1], "triaged", actor="ana", now=day(0.2))
        triage.snooze(session, [1], actor="ana", now=day(0.3), until=day(9))
    fold_run(engine, day(1), [doubled()], rule=DUPLICATES)
    with operational.writing(engine) as session:
        triage.dismiss(session, [2], "false_positive", actor="ben", now=day(2))
    back = seen(engine, 1)
    assert (back.signal.status, back.signal.status_reason) == ("triaged", "uncovered")
    assert back.signal.snoozed_until == day(9)
    assert back.timeline[0].detail == "SIG-2 explained it and was a false positive"
    assert back.covered_by == ()
    assert reasons(fold_run(engine, day(3), [spiked()], rule=SPIKE)) == ["unchanged"]
    assert reasons(fold_run(engine, day(4), [doubled()], rule=DUPLICATES)) == ["suppressed_false_positive"]


def test_what_never_had_a_signal_is_asked_for_again_after_a_false_positive(engine: Engine) -> None:
    fold_run(engine, day(0), [doubled()], rule=DUPLICATES)
    fold_run(engine, day(0.1), [spiked()], rule=SPIKE)
    with operational.writing(engine) as session:
        triage.dismiss(session, [1], "false_positive", actor="ben", now=day(1))
    with operational.reading(engine) as session:
        assert [job.args for job in session.scalars(select(Job))] == [{"rules": ["usage_spike"]}]
    assert reasons(fold_run(engine, day(2), [spiked()], rule=SPIKE)) == ["opened"]


def test_it_comes_back_when_the_duplicates_are_mended_and_the_spike_stays(engine: Engine) -> None:
    fold_run(engine, day(0), [spiked()], rule=SPIKE)
    fold_run(engine, day(1), [doubled()], rule=DUPLICATES)
    fold_run(engine, day(2), [], rule=DUPLICATES)
    assert reasons(fold_run(engine, day(3), [], rule=DUPLICATES)) == ["self_healed"]
    assert reasons(fold_run(engine, day(40), [spiked()], rule=SPIKE)) == ["uncovered"]
    assert states(engine)["usage_spike/it_1"] == ("unhandled", "uncovered")


def test_of_a_signal_only_what_is_explained_leaves_its_money(engine: Engine) -> None:
    one_cause = {"cause": Reference(EntityType.METER, "requests")}
    fold_run(engine, day(0), [spiked(**one_cause), spiked("it_2", "c_2", **one_cause)], rule=SPIKE)
    assert money(engine) == {1: Decimal(160)}
    assert reasons(fold_run(engine, day(1), [doubled()], rule=DUPLICATES)) == ["opened", "covered_partly"]
    assert money(engine) == {1: Decimal(80), 2: Decimal(80)}
    decided = fold_run(engine, day(2), [spiked(**one_cause), spiked("it_2", "c_2", **one_cause)], rule=SPIKE)
    assert sorted(reasons(decided)) == ["changed", "kept_covered"]
    assert money(engine) == {1: Decimal(80), 2: Decimal(80)}
    assert states(engine)["usage_spike/requests"] == ("unhandled", "opened")


@pytest.mark.parametrize(
    "other",
    [
        spiked("it_2"),
        spiked(period_start=OCTOBER[1], period_end=OCTOBER[1] + timedelta(days=30)),
        spiked(integration="chargebee"),
    ],
    ids=["another item of the same customer and invoice", "another month", "another billing system"],
)
def test_what_is_about_something_else_stays_a_signal(engine: Engine, other: Finding) -> None:
    fold_run(engine, day(0), [doubled()], rule=DUPLICATES)
    assert reasons(fold_run(engine, day(0.1), [other], rule=SPIKE)) == ["opened"]
    assert len(signals(engine)) == 2


def test_a_finding_without_a_period_is_about_any_time(engine: Engine) -> None:
    fold_run(engine, day(0), [doubled(period_start=None, period_end=None)], rule=DUPLICATES)
    assert reasons(fold_run(engine, day(0.1), [spiked()], rule=SPIKE)) == ["covered"]


def test_a_rule_that_covers_nothing_hides_nothing(engine: Engine) -> None:
    fold_run(engine, day(0), [doubled()], rule=replace(DUPLICATES, covers=()))
    assert reasons(fold_run(engine, day(0.1), [spiked()], rule=SPIKE)) == ["opened"]


def test_what_a_person_reopened_is_not_closed_again(engine: Engine) -> None:
    fold_run(engine, day(0), [spiked()], rule=SPIKE)
    fold_run(engine, day(1), [doubled()], rule=DUPLICATES)
    with operational.writing(engine) as session:
        triage.change_status(session, [1], "in_progress", actor="ana", now=day(2))
    assert reasons(fold_run(engine, day(3), [doubled()], rule=DUPLICATES)) == ["unchanged"]
    assert reasons(fold_run(engine, day(3), [spiked()], rule=SPIKE)) == ["unchanged"]
    assert states(engine)["usage_spike/it_1"][0] == "in_progress"


def test_what_a_person_dismissed_stays_dismissed(engine: Engine) -> None:
    fold_run(engine, day(0), [spiked()], rule=SPIKE)
    with operational.writing(engine) as session:
        triage.dismiss(session, [1], "expected", actor="ana", now=day(0.5))
    fold_run(engine, day(1), [doubled()], rule=DUPLICATES)
    assert reasons(fold_run(engine, day(2), [spiked()], rule=SPIKE)) == ["kept_suppressed"]
    assert states(engine)["usage_spike/it_1"] == ("suppressed", "expected")


def test_what_explains_something_that_explains_something_speaks_for_both(engine: Engine) -> None:
    gap = Told("metering_gap", "TU-04", "critical", "integration", "P1", covers=("TU-01",))
    of_source = replace(doubled(), rule="metering_gap", title="metering_gap on it_1")
    on_line = replace(spiked(), entities=(Entity(EntityType.INVOICE_LINE, "il_9", Role.AFFECTED),),
                      subject=Reference(EntityType.INVOICE_LINE, "il_9"))  # fmt: skip
    both = replace(doubled(), entities=(*doubled().entities, Entity(EntityType.INVOICE_LINE, "il_9", Role.AFFECTED)))
    fold_run(engine, day(0), [of_source], rule=gap)
    assert reasons(fold_run(engine, day(0.1), [both], rule=DUPLICATES)) == ["covered"]
    assert reasons(fold_run(engine, day(0.2), [on_line], rule=SPIKE)) == ["covered"]
    assert only_signal(engine).rule == "metering_gap"
    assert [row.rule for row in seen(engine, 1).also_seen] == ["duplicate_events", "usage_spike"]


def test_the_order_of_the_rules_makes_no_difference(engine: Engine) -> None:
    runs = [(DUPLICATES, [doubled()]), (SPIKE, [spiked(), spiked("it_2", "c_2")])]
    for start, order in ((0, runs), (10, runs[::-1])):
        for step in (0, 1):
            for rule, found in order:
                fold_run(engine, day(start + step), found, rule=rule)
        live = {name: status for name, (status, _) in states(engine).items() if status != "resolved"}
        assert live == {"duplicate_events/collector": "unhandled", "usage_spike/it_2": "unhandled"}


def test_the_benchmark_leaves_out_what_folding_leaves_out() -> None:
    found = [(DUPLICATES, doubled()), (SPIKE, spiked()), (SPIKE, spiked("it_2"))]
    assert [(rule.code, str(one.subject)) for rule, one in covering.speaking(found)] == [
        ("TU-01", "item:it_1"),
        ("TU-06", "item:it_2"),
    ]
    assert [rule.code for rule in covering.ordered([SPIKE, DUPLICATES])] == ["TU-01", "TU-06"]


def catalogue(folder: Path, **covers: str) -> list[str]:
    """What the loader says of rules by name, each with a code of its own and what it covers."""
    for number, (name, codes) in enumerate(covers.items(), 1):
        text = SOUND.replace("unpaid_invoice", name).replace("ACME-1", f"ACME-{number}")
        (folder / f"{name}.yaml").write_text(text.replace("impact:", f"covers: {codes}\nimpact:", 1))
    (folder / "cases").mkdir(exist_ok=True)
    company = Path(__file__).parents[2] / "rules" / "cases" / "company.yaml"
    (folder / "cases" / "company.yaml").write_text(company.read_text())
    return [str(problem).removeprefix(f"{folder}/") for problem in rules.load(folder)[1]]


def test_a_rule_may_cover_another_and_a_fault_that_no_rule_detects_yet(tmp_path: Path) -> None:
    assert catalogue(tmp_path, first_rule="[ACME-2, TU-06]", second_rule="[]") == []


def test_a_code_that_nobody_knows_is_refused_at_its_line(tmp_path: Path) -> None:
    assert catalogue(tmp_path, first_rule="[TU-06, ACME-9]") == [
        "first_rule.yaml:19: covers: no rule has the code ACME-9, and it is no fault of the catalogue"
    ]


def test_rules_that_would_explain_each_other_are_refused(tmp_path: Path) -> None:
    problems = catalogue(tmp_path, first_rule="[ACME-2]", second_rule="[ACME-1]", third_rule="[ACME-3]")
    assert problems == [
        "first_rule.yaml:19: covers: ACME-1 covers ACME-2 covers ACME-1: a rule cannot explain itself",
        "second_rule.yaml:19: covers: ACME-2 covers ACME-1 covers ACME-2: a rule cannot explain itself",
        "third_rule.yaml:19: covers: ACME-3 covers ACME-3: a rule cannot explain itself",
    ]
