"""Every system rule says about each of its cases exactly what the case expects, and its page tells it well."""

from contextlib import closing
from pathlib import Path

import pytest

from detector import case_rows, cases, derived, plain_books, rules
from detector.evaluate import evaluate
from detector.rule_format import Case
from tests.web.stories import flaws

FOLDER = Path(__file__).parents[2] / "rules"
COMPANY = case_rows.company(FOLDER / "cases" / "company.yaml")
RULES, PROBLEMS = rules.load(FOLDER)
NUMBERS = (*range(1, 37), *range(38, 49), *range(50, 65))
CODES = [f"TU-{number:02}" for number in NUMBERS]


def test_every_system_rule_loads():
    assert [str(problem) for problem in PROBLEMS] == []
    assert sorted({rule.code for rule in RULES}) == CODES


@pytest.mark.parametrize(
    ("rule", "case"),
    [pytest.param(rule, case, id=f"{rule.name}: {case.name}") for rule in RULES for case in rule.cases],
)
def test_case(rule, case):
    result = cases.run_one(rule, case, COMPANY)
    assert result.failures == ()
    assert [flaw for finding in result.findings for flaw in flaws(rule, finding)] == []


@pytest.fixture(scope="module")
def company():
    """The company that the cases start from, as it is, with everything derived."""
    with closing(plain_books.open(case_rows.rows(Case(name="as it is", expect=()), COMPANY))) as con:
        derived.build(con, COMPANY.as_of)
        yield con


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_nothing_is_found_in_the_company_that_the_cases_start_from(rule, company):
    assert evaluate(company, rule, COMPANY.as_of) == []


def test_a_case_that_expects_something_else_says_what_differs():
    rule = next(rule for rule in RULES if rule.name == "wrong_tier_mode")
    case = rule.cases[0].model_copy(update={"expect": ()})
    (failure,) = cases.run_one(rule, case, COMPANY).failures
    assert failure.startswith(
        "price:price_usage was found and not expected: API usage: Acme Corp is charged volume tiers"
    )


def test_a_case_that_expects_another_amount_or_record_says_so():
    rule = next(rule for rule in RULES if rule.name == "wrong_tier_mode")
    (expected,) = rule.cases[0].expect
    dearer = rule.cases[0].model_copy(update={"expect": (expected.model_copy(update={"under": "51.00"}),)})
    assert cases.run_one(rule, dearer, COMPANY).failures == ("price:price_usage: under is 50, expected 51",)
    more = rule.cases[0].model_copy(update={"expect": (expected.model_copy(update={"entities": ("payment:p_1",)}),)})
    (failure,) = cases.run_one(rule, more, COMPANY).failures
    assert failure.startswith("price:price_usage: payment:p_1 not among its records: customer:acme, ")
