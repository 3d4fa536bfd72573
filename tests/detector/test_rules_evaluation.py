"""A rule on real books: what a row becomes, and how a rule that fails says so."""

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from detector import case_rows, derived, plain_books, rules
from detector.evaluate import RuleFailed, evaluate
from detector.findings import EntityType, Role
from detector.parameters import ParameterError, settle

COMPANY = case_rows.company(Path(__file__).parents[2] / "rules" / "cases" / "company.yaml")
AS_OF = datetime(2026, 11, 3, tzinfo=UTC)

RULE = """\
name: large_invoice
code: ACME-2
title: "{name} of {customer_id}, issued {issued_at}: {impact}"
why: Somebody should look at it.
category: pricing
severity: low
schedule: {every: PT60M}
params:
  least: {type: decimal, default: 170, why: Smaller ones are usual.}
query: |
  SELECT i.integration, i.invoice_id, i.number AS name, i.customer_id, i.subscription_id, i.currency, i.issued_at,
      i.total AS billed, 100.00 AS expected, 100.00 - i.total AS difference,
      i.period_start, i.period_end,
      (SELECT list(line_id ORDER BY line_id) FROM invoice_lines AS l WHERE l.invoice_id = i.invoice_id) AS line_ids,
      [{'payment_id': p.payment_id, 'paid': p.amount}] AS payments
  FROM invoices AS i
  JOIN payments AS p USING (integration, invoice_id)
  WHERE i.total > $least AND i.created_at < $as_of

subject: invoice
cause: customer
impact: {difference: difference}
entities:
  - {type: invoice, expected: expected, actual: billed, unit: currency}
  - {type: invoice_line, id: line_ids, role: evidence}
  - {type: payment, each: payments, actual: paid, unit: currency}
  - subscription
playbook:
  root_cause:
    - {system: crm, change: Look at it., outcome: It is known.}
cases:
  - {name: never run here, expect: [{cause: "customer:x"}]}
  - {name: neither, expect: quiet}
"""


def rule(text: str = RULE) -> rules.Rule:
    loaded, problems = rules.parse(text, Path("large_invoice.yaml"))
    assert problems == []
    assert loaded is not None
    return loaded


@pytest.fixture(scope="module")
def con():
    with closing(plain_books.open(COMPANY.rows)) as con:
        derived.build(con, AS_OF, {"invoices"})
        yield con


def test_a_row_becomes_a_finding(con):
    found = evaluate(con, rule(), AS_OF)
    assert [str(finding.subject) for finding in found] == ["invoice:inv_bolt_nov", "invoice:inv_bolt_oct"]
    finding = found[1]
    assert finding.title == "B-2 of bolt, issued 2026-10-01: USD 74"
    assert str(finding.cause) == "customer:bolt"
    assert (finding.under, finding.over, finding.exposure) == (0, Decimal("74.00"), 0)
    assert finding.period_start == datetime(2026, 9, 1, tzinfo=UTC)
    assert finding.evidence["billed"] == Decimal("174.00")
    assert "line_ids" not in finding.evidence
    assert finding.rule_hash == rule().content_hash


def test_its_records_come_with_what_the_books_say_about_them(con):
    entities = {str(entity.reference): entity for entity in evaluate(con, rule(), AS_OF)[1].entities}
    assert list(entities) == [
        "invoice:inv_bolt_oct",
        "invoice_line:bolt_fee_oct",
        "invoice_line:bolt_usage_sep",
        "payment:pay_bolt_oct",
        "subscription:sub_bolt",
        "customer:bolt",
    ]
    invoice, line = entities["invoice:inv_bolt_oct"], entities["invoice_line:bolt_usage_sep"]
    assert (invoice.name, invoice.status, invoice.expected, invoice.actual, invoice.unit) == (
        "B-2",
        "paid",
        100,
        174,
        "USD",
    )
    assert invoice.execution_date == datetime(2026, 10, 1, 2, tzinfo=UTC)
    assert (line.target_date, line.customer_id, line.role) == (datetime(2026, 9, 1, tzinfo=UTC), "bolt", Role.EVIDENCE)
    assert (entities["payment:pay_bolt_oct"].actual, entities["payment:pay_bolt_oct"].name) == (174, "invoice")
    assert (entities["customer:bolt"].role, entities["customer:bolt"].name) == (Role.CAUSE, "Bolt Ltd")
    assert entities["subscription:sub_bolt"].type is EntityType.SUBSCRIPTION


def test_a_parameter_moves_the_threshold(con):
    assert evaluate(con, rule(), AS_OF, {"least": "176"}) == evaluate(con, rule(), AS_OF, {"least": Decimal(176)})
    assert len(evaluate(con, rule(), AS_OF, {"least": 176})) == 1
    assert evaluate(con, rule(), AS_OF, {"least": 1000}) == []


def test_the_instant_of_the_run_is_the_rule_s_now(con):
    assert evaluate(con, rule(), datetime(2026, 10, 2, tzinfo=UTC))[0].title.startswith("B-2")


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"lest": 1}, "there is no parameter lest; the rule has: least"),
        ({"least": "much"}, "parameter least: 'much' is not a decimal number"),
    ],
)
def test_a_parameter_that_does_not_fit(con, params, reason):
    with pytest.raises(RuleFailed, match=reason):
        evaluate(con, rule(), AS_OF, params)


def failing(tmp_path, old: str, new: str) -> rules.Rule:
    """The rule with one change, saved, so that its lines can be named."""
    path = tmp_path / "large_invoice.yaml"
    path.write_text(RULE.replace(old, new, 1))
    loaded, problems = rules.read(path)
    assert problems == []
    assert loaded is not None
    return loaded


def test_a_rule_that_fails_says_where(con, tmp_path):
    broken = failing(tmp_path, "i.total > $least", "CAST(i.number AS INTEGER) > $least")
    with pytest.raises(RuleFailed) as failed:
        evaluate(con, broken, AS_OF)
    assert (failed.value.rule, failed.value.path.name, failed.value.line) == ("large_invoice", "large_invoice.yaml", 18)
    assert "Could not convert string 'A-1' to INT32" in str(failed.value)


def test_a_relation_that_is_not_there_is_named_by_its_line(tmp_path):
    sound = failing(tmp_path, "", "")
    with closing(plain_books.open({})) as con, pytest.raises(RuleFailed) as failed:
        evaluate(con, sound, AS_OF)
    assert failed.value.line == 16
    assert "invoices does not exist" in failed.value.reason


def test_too_many_rows(con):
    with pytest.raises(RuleFailed, match="it returned more than 1 rows; narrow the query or raise a threshold"):
        evaluate(con, rule(), AS_OF, max_rows=1)


def test_a_row_without_its_cause(con):
    with pytest.raises(RuleFailed, match="a row has no customer_id, which names its customer"):
        evaluate(con, rule(RULE.replace("i.customer_id, i.subs", "NULL AS customer_id, i.subs")), AS_OF)


def test_every_kind_of_parameter():
    text = """
  a: {type: decimal, default: 0.10, why: x}
  b: {type: int, default: 3, min: 1, max: 5, why: x}
  c: {type: text, default: EUR, why: x}
  d: {type: bool, default: true, why: x}
  e: {type: duration, default: P1M, min: P7D, why: x}"""
    use = "WHERE [$a, $b] IS NOT NULL AND $c <> '' AND $d AND $as_of + $e > $as_of AND"
    declared = rule(RULE.replace("\nquery", text + "\nquery", 1).replace("WHERE", use)).params
    values = settle(declared, {"a": "0.20", "d": "false", "e": "P10D"})
    assert (values["a"], values["b"], values["c"], values["d"]) == (Decimal("0.20"), 3, "EUR", False)
    for name, wrong in {"a": "NaN", "b": "6", "d": "yes", "e": "P6D"}.items():
        with pytest.raises(ParameterError, match=f"parameter {name}: "):
            settle(declared, {name: wrong})
