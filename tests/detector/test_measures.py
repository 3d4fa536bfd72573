"""A measure instead of a query: what is counted by window, and which windows are findings."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from detector import derived, plain_books, rules
from detector.evaluate import evaluate
from detector.rules import Rule

AS_OF = datetime(2026, 11, 16, 6, 0, tzinfo=UTC)
"""A Monday morning."""
HEAD = """\
name: measured_payments
code: ACME-1
title: "{customer_id}: {value} instead of {usual}"
why: Something is not as it was.
category: collection
severity: low
schedule: {daily: "06:00"}
measure:
"""
TAIL = """
subject: customer
cause: customer
impact: {exposure: exposure}
entities: [customer]
playbook:
  root_cause:
    - {system: crm, change: Ask., outcome: Known.}
cases:
  - name: fires
    expect: [{cause: "customer:acme", exposure: 1}]
  - name: quiet
    expect: quiet
"""
PAYMENTS = "  of: payments\n  at: created_at\n  by: [integration, customer_id, currency]\n"


def parsed(measure: str) -> tuple[Rule | None, list[str]]:
    rule, problems = rules.parse(HEAD + measure + TAIL, Path("measured_payments.yaml"))
    return rule, [str(problem).removeprefix("measured_payments.yaml:") for problem in problems]


def paid(*days: tuple[float, object], customer: str = "acme", at: datetime = AS_OF) -> list[dict[str, Any]]:
    """Payments so many days before `at`."""
    return [
        {
            "integration": "b", "payment_id": f"{customer}_{number}", "customer_id": customer, "currency": "EUR",
            "amount": Decimal(str(amount)), "amount_refunded": Decimal(0), "status": "succeeded", "purpose": "invoice",
            "created_at": at - timedelta(days=day),
        }
        for number, (day, amount) in enumerate(days)
    ]  # fmt: skip


def found(measure: str, payments: list[dict[str, Any]], as_of: datetime = AS_OF) -> list[tuple[str, str, Decimal]]:
    """Customer, first day of the window and exposure of every finding."""
    rule, problems = parsed(PAYMENTS + measure)
    assert rule is not None, problems
    with closing(plain_books.open({"payments": payments})) as con:
        derived.build(con, as_of, rule.relations)
        findings = evaluate(con, rule, as_of)
    return [(one.subject.id, f"{one.period_start:%m-%d %H:%M}", one.exposure) for one in findings]


DAILY = "  window: {tumbling: P1D}\n  value: {sum: amount}\n  money: true\n"
STEADY = [(day + 0.5, 100) for day in range(1, 15)]


@pytest.mark.parametrize(
    ("trigger", "days", "hit"),
    [
        ("{above: 150}", [*STEADY, (1.6, 60)], [("acme", "11-14 00:00", Decimal(160))]),
        ("{above: 160}", [*STEADY, (1.6, 60)], []),
        ("{rises: 50}", [*STEADY, (1.6, 60)], [("acme", "11-14 00:00", Decimal(60))]),
        ("{rises: 60}", [*STEADY, (1.6, 60)], []),
        ("{rises: 50, least: 61}", [*STEADY, (1.6, 60)], []),
        ("{rises: 50, least_history: 14}", [*STEADY, (1.6, 60)], []),
        ("{below: 50}", [*STEADY[1:], (1.6, 10)], [("acme", "11-14 00:00", Decimal(10))]),
        ("{below: 10}", [*STEADY[1:], (1.6, 10)], []),
        ("{falls: 50}", [(1.5, 40), *STEADY[1:]], [("acme", "11-14 00:00", Decimal(60))]),
        ("{falls: 60}", [(1.5, 40), *STEADY[1:]], []),
        ("{robust_z: 4}", [(d + 0.5, 100 + d % 3) for d in range(2, 15)] + [(1.5, 300)],
         [("acme", "11-14 00:00", Decimal(199))]),
        ("{robust_z: 4}", [(d + 0.5, 100 + d % 3) for d in range(2, 15)] + [(1.5, 103)], []),
        ("{absent: true}", [*STEADY[1:]], []),
        ("{exists: true, least: 500}", [*STEADY, (2.5, 450)], [("acme", "11-13 00:00", Decimal(550))]),
    ],
)  # fmt: skip
def test_a_trigger_is_hit_at_its_bound_and_not_before(trigger: str, days: list[Any], hit: list[Any]) -> None:
    assert found(f"{DAILY}  trigger: {trigger}\n", paid(*days)) == hit


def test_what_falls_silent_is_told_by_the_others_that_go_on() -> None:
    others = paid(*STEADY, customer="globex")
    measure = f"{DAILY}  trigger: {{absent: true, in_a_row: 2}}\n"
    assert found(measure, [*paid(*STEADY[2:]), *others]) == [("acme", "11-14 00:00", Decimal(100))]
    assert found(measure, [*paid(*STEADY[1:]), *others]) == []


def test_the_same_weekday_is_compared_with_itself() -> None:
    sundays = [(7 * week + 0.5, 20) for week in range(1, 8)]
    days = [(day + 0.5, 100) for day in range(56) if day % 7]
    measure = f"{DAILY}  trigger: {{weekday: 50, least_history: 28}}\n"
    assert found(measure, paid(*days, *sundays, (0.5, 20))) == []
    assert found(measure, paid(*days, *sundays, (0.5, 100))) == [("acme", "11-15 00:00", Decimal(80))]


def test_so_many_windows_in_a_row() -> None:
    measure = f"{DAILY}  trigger: {{above: 150, in_a_row: 3}}\n"
    assert found(measure, paid(*STEADY, (1.6, 60), (2.6, 60))) == []
    assert found(measure, paid(*STEADY, (1.6, 60), (2.6, 60), (3.6, 60))) == [("acme", "11-14 00:00", Decimal(160))]


def test_a_ratio_and_a_set_difference_look_at_another_series() -> None:
    notes = "{of: credit_notes, at: created_at, value: {sum: amount}}"
    ratio = f"{DAILY}  trigger: {{ratio_above: 2, to: {notes}}}\n"
    assert found(ratio, paid((1.5, 100))) == []
    missing = f"{DAILY}  trigger: {{missing_in: true, to: {notes}}}\n"
    assert found(missing, paid((1.5, 100))) == [("acme", "11-14 00:00", Decimal(100))]


@pytest.mark.parametrize(
    ("window", "hit"),
    [
        ("{tumbling: P7D}", "11-09 00:00"),
        ("{calendar: week}", "11-09 00:00"),
        ("{tumbling: P1D, timezone: Europe/Berlin}", "11-14 23:00"),
        ("{calendar: day, timezone: America/New_York}", "11-15 05:00"),
        ("{sliding: P2D, every: P1D}", "11-14 00:00"),
        ("{tumbling: PT6H}", "11-15 06:00"),
    ],
)
def test_windows_begin_where_the_local_clock_says(window: str, hit: str) -> None:
    late = paid((1, 10))
    measure = f"  window: {window}\n  value: {{sum: amount}}\n  trigger: {{above: 5}}\n"
    starts = [start for _, start, _ in found(measure, late, AS_OF + timedelta(hours=2))]
    assert starts[0] == hit


def test_a_day_of_the_local_calendar_keeps_its_length_when_the_clock_changes() -> None:
    berlin = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)
    measure = "  window: {calendar: day, timezone: Europe/Berlin}\n  value: {sum: amount}\n  trigger: {above: 5}\n"
    assert [start for _, start, _ in found(measure, paid((0, 10), at=berlin), berlin + timedelta(days=2))] == [
        "10-24 22:00"
    ]


def test_a_window_waits_for_what_comes_late() -> None:
    measure = "  window: {tumbling: P1D, lag: PT12H}\n  value: {sum: amount}\n  trigger: {above: 5}\n"
    assert found(measure, paid((0.5, 10))) == []
    assert len(found(measure, paid((0.5, 10)), AS_OF + timedelta(hours=6))) == 1


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ("  window: {tumbling: P1D, calendar: day}\n  trigger: {above: 1}\n", "say one of tumbling, sliding, calendar"),
        ("  window: {tumbling: P1M}\n  trigger: {above: 1}\n", "months are of different lengths; use calendar: month"),
        ("  window: {tumbling: P1D}\n  trigger: {above: 1, below: 2}\n", "say one of above, below, rises"),
        ("  window: {tumbling: P1D}\n  trigger: {ratio_above: 1}\n", "`to` names the other series"),
        ("  window: {tumbling: P1D}\n  trigger: {above: many}\n", "'many' is neither a number nor a parameter"),
        ("  window: {billing_period: true}\n  trigger: {above: 1}\n", "name item_id in `by`"),
        ("  window: {tumbling: P1D, timezone: Berlin}\n  trigger: {above: 1}\n", "not an IANA timezone"),
        ("  where: amount > (\n  window: {tumbling: P1D}\n  trigger: {above: 1}\n", "where cannot be parsed"),
        (
            "  where: read_text('x') = ''\n  window: {tumbling: P1D}\n  trigger: {above: 1}\n",
            "read_text() is not allowed",
        ),
        (
            "  money: true\n  value: {avg: amount}\n  window: {tumbling: P1D}\n  trigger: {above: 1}\n",
            "an average or a",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_at_its_place(measure: str, said: str) -> None:
    rule, problems = parsed(PAYMENTS + measure)
    assert rule is None
    assert any(said in problem for problem in problems), problems


def test_a_rule_has_a_query_or_a_measure() -> None:
    both = f"{PAYMENTS}{DAILY}  trigger: {{above: 1}}\nquery: SELECT 1\n"
    assert any("say either query or measure" in problem for problem in parsed(both)[1])


def test_the_measure_is_the_query_that_people_see() -> None:
    rule, problems = parsed(f"{PAYMENTS}{DAILY}  where: status = 'succeeded'\n  trigger: {{above: 150}}\n")
    assert problems == []
    assert rule is not None
    assert rule.relations == {"payments"}
    assert "SUM(r.amount)" in rule.query
    assert "status = 'succeeded'" in rule.query


def test_a_parameter_stands_in_a_trigger() -> None:
    params = "params:\n  most: {type: decimal, default: 150, why: More is unusual.}\n"
    text = HEAD + PAYMENTS + DAILY + "  trigger: {above: $most}\n" + params + TAIL
    rule, problems = rules.parse(text, Path("measured_payments.yaml"))
    assert problems == []
    assert rule is not None
    assert rule.uses == {"most", "as_of"}


def test_the_example_of_the_documentation_is_a_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "writing-rules.md").read_text()
    example = page.partition("## Measures")[2].partition("```yaml\nmeasure:\n")[2].partition("```")[0]
    rule, problems = parsed(example)
    assert problems == []
    assert rule is not None
