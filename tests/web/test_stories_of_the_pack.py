"""Every system rule tells what went wrong in sentences of its own.

That the stories of its cases read well is looked at where the cases run: tests/detector/test_rules_cases.py.
"""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from string import Formatter

import pytest

from detector import rules
from detector.findings import EntityType, Finding, Reference
from tests.web.stories import flaws, told

RULES, _ = rules.load(Path(__file__).parents[2] / "rules")
MIDDAY = datetime(2026, 10, 7, 12, tzinfo=UTC)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_a_story_that_says_how_much_and_is_not_its_title(rule):
    assert rule.page.story, "say in page.story what went wrong"
    for sentence in rule.page.story:
        assert sentence.endswith(".")
        assert "  " not in sentence
    names = [name for sentence in rule.page.story for _, name, _, _ in Formatter().parse(sentence) if name]
    assert names
    assert rule.title not in rule.page.story
    for said in (rule.page.meaning, rule.page.billed, rule.page.expected):
        assert said is None or said[0].isupper()
    assert rule.page.meaning is None or rule.page.meaning.endswith(".")


def finding(**evidence):
    about = Reference(EntityType.CUSTOMER, "acme")
    return Finding(
        rule="negative_balance",
        rule_hash="",
        subject=about,
        integration="billing",
        cause=about,
        group="USD",
        period_start=MIDDAY,
        period_end=MIDDAY,
        currency="USD",
        under=Decimal(25),
        over=Decimal(0),
        exposure=Decimal(0),
        title="Acme has spent more credit than there was",
        entities=(),
        evidence=evidence,
    )


@pytest.mark.parametrize(
    ("evidence", "flaw"),
    [
        ({"customer_name": "None", "balance": Decimal(-25), "since": MIDDAY}, "says None"),
        ({"customer_name": "{acme}", "balance": Decimal(-25), "since": MIDDAY}, "has a brace"),
        ({"customer_name": "", "balance": Decimal(-25), "since": MIDDAY}, "has a space too many"),
        ({"customer_name": "Acme", "balance": None, "since": MIDDAY}, "is the title"),
    ],
)
def test_a_story_that_reads_badly_is_told_apart(evidence, flaw):
    rule = next(rule for rule in RULES if rule.name == "negative_balance")
    assert [found.partition(":")[0] for found in flaws(rule, finding(**evidence))] == [flaw]


def test_a_story_that_reads_well_has_no_flaws():
    rule = next(rule for rule in RULES if rule.name == "negative_balance")
    well = finding(customer_name="Acme", balance=Decimal("-25.5"), since=MIDDAY)
    assert flaws(rule, well) == []
    assert told(rule, well).startswith(
        "The credit balance of Acme fell below zero on 7 Oct 2026 and stands at −25.50 USD."
    )
