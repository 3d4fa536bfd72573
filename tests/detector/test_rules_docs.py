"""The example in docs/writing-rules.md is a rule that loads and whose cases pass."""

import re
from pathlib import Path

from detector import case_rows, cases, derived, rules, vocabulary

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "writing-rules.md").read_text(encoding="utf-8")


def test_the_example_works():
    found = re.search(r"```yaml\n(.+?)```", PAGE, re.DOTALL)
    assert found
    rule, problems = rules.parse(found[1], Path("unpaid_invoice.yaml"))
    assert [str(problem) for problem in problems] == []
    company = case_rows.company(ROOT / "rules" / "cases" / "company.yaml")
    assert [result.failures for result in cases.run(rule, company)] == [(), ()]


def test_the_relations_and_macros_that_it_names_exist():
    for relation in re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \| ", PAGE.partition("## Fields")[0], re.MULTILINE):
        assert {name for name in relation if name} <= set(derived.RELATIONS)
    named = set(re.findall(r"`(\w+)\(", PAGE)) - {"now"}
    assert named
    assert named <= vocabulary.known().functions
