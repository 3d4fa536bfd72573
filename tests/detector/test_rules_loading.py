"""A rule file says what is wrong with it, all of it at once, by file and line."""

from pathlib import Path

import pytest

from detector import rules

SOUND = """\
name: unpaid_invoice
code: ACME-1
title: "{name} is unpaid ({impact})"
why: Somebody has to ask for the money.
category: collection
severity: high
schedule: {daily: "06:00", timezone: Europe/Berlin}
params:
  least: {type: decimal, default: 10.50, min: 0, max: 1000, why: Small change is let be.}
  grace: {type: duration, default: P2D, why: How long after the due date.}
query: |
  SELECT i.integration, i.invoice_id, i.number AS name, i.customer_id, i.currency, i.amount_due AS exposure,
      i.created_at AS period_start, i.due_at AS period_end, [{'id': i.invoice_id}] AS parts
  FROM invoices AS i
  WHERE i.amount_due > $least AND i.due_at + $grace < $as_of

subject: invoice
cause: customer
impact: {exposure: exposure}
entities:
  - {type: invoice, actual: exposure, unit: currency}
  - {type: invoice, each: parts, id: id}
playbook:
  root_cause:
    - {system: crm, change: Ask the customer., outcome: The invoice is paid.}
cases:
  - name: due two days ago
    given:
      invoices: [{invoice_id: inv_x, status: open, amount_due: 161.00, due_at: 2026-10-30}]
    expect: [{cause: "customer:acme", exposure: 161.00}]
  - name: paid
    expect: quiet
page:
  story: ["{name} waits since {period_end:day}, {exposure} in all.", "{name} waits for {exposure}."]
"""


def mistakes(text: str, name: str = "unpaid_invoice.yaml") -> list[str]:
    """The problems of a file of that name, without its folder: `line: message`."""
    _, problems = rules.parse(text, Path(name))
    return [str(problem).removeprefix(f"{name}:") for problem in problems]


def test_a_sound_file_is_a_rule():
    rule, problems = rules.parse(SOUND, Path("unpaid_invoice.yaml"))
    assert problems == []
    assert rule.priority == "P2"
    assert rule.relations == {"invoices"}
    assert rule.uses == {"least", "grace", "as_of"}
    assert rule.playbook.verify[0].system == "trueup"
    assert rule.entities[0].id == "invoice_id"


MISTAKES = {
    "a sentence with an unknown column": (
        "{name} waits for",
        "{nam} waits for",
        "34: page.story.1: the query returns no",
    ),
    "a sentence with an unknown kind": ("{period_end:day}", "{period_end:d}", "34: page.story: braces hold a column"),
    "no YAML": ("severity: high", "severity: [high", "7: this is not YAML: while parsing a flow sequence"),
    "a key twice": ("severity: high", "severity: high\nseverity: low", "7: severity is here twice"),
    "an alias": ("cause: customer", "cause: &c customer", "18: anchors and aliases are not allowed"),
    "a tag": ("cause: customer", "cause: !!python/name:os.system customer", "18: the tag tag:yaml.org"),
    "a second document": ("cause: customer", "cause: customer\n---\na: 1", "19: one rule per file"),
    "too deep": ("cause: customer", "cause: " + "[" * 30 + "]" * 30, "18: nested more than 20 deep"),
    "an unknown field": ("severity: high", "severity: high\nsevertiy: low", "7: severtiy: there is no such field"),
    "a missing field": ("severity: high\n", "", "1: severity: this field is missing"),
    "an unknown word": ("severity: high", "severity: urgent", "6: severity: Input should be 'critical', 'high'"),
    "another file name": ("name: unpaid_invoice", "name: unpaid", "1: name: the file is called unpaid_invoice.yaml"),
    "a bad code": ("ACME-1", "ACME", "2: code: String should match"),
    "an open brace in the title": ("{name} is", "{name is", "3: title: "),
    "a format in the title": ("{name} is", "{name:>9} is", "3: title: braces hold the name of a column"),
    "a title column": ("{name} is", "{nmae} is", "3: title: the query returns no column nmae; it returns integration"),
    "two rhythms": ('{daily: "06:00",', '{daily: "06:00", hourly: 5,', "7: schedule: say one of hourly and daily"),
    "no rhythm": ('daily: "06:00", ', "", "7: schedule: say when the rule runs"),
    "a bad time": ('"06:00"', '"25:00"', "7: schedule.daily: '25:00' is not a time of day"),
    "a bad timezone": ("Europe/Berlin", "Europe/Bonn", "7: schedule.timezone: 'Europe/Bonn' is not an IANA timezone"),
    "a bad event": ('daily: "06:00"', "on: [paid]", "7: schedule.on.0: Input should be 'invoice.draft'"),
    "a bad parameter": ("default: 10.50", "default: ten", "9: params.least: 'ten' is not a decimal number"),
    "a default out of bounds": (
        "default: 10.50",
        "default: 5000",
        "9: params.least: 5000 is above the maximum of 1000",
    ),
    "a bad duration": ("default: P2D", "default: 2 days", "10: params.grace: '2 days' is not an ISO 8601 duration"),
    "bounds of a text": (
        "{type: duration, default: P2D,",
        "{type: text, default: x, max: y,",
        "10: params.grace: min and max have no meaning for text",
    ),
    "an unused parameter": (
        " AND i.due_at + $grace",
        " AND i.due_at",
        "10: params.grace: the query does not use $grace",
    ),
    "an unknown parameter": ("$grace", "$garce", "15:46: query: $garce is not declared under params; did you mean"),
    "a query that cannot be parsed": ("WHERE i.amount_due > $least", "WHERE i.amount_due >", "15:"),
    "an unknown relation": ("FROM invoices", "FROM invoces", "14:8: query: there is no relation 'invoces'; did you"),
    "an unknown column": ("i.amount_due >", "i.amuont_due >", "15:9: query: Binder Error: "),
    "a writing query": ("SELECT i.integration", "DELETE i.integration", "12:3: query: only SELECT is allowed"),
    "no integration": ("i.integration, i.invoice_id,", "i.invoice_id,", "11: query: the query returns no column"),
    "a subject without its column": ("subject: invoice", "subject: payment", "17: subject.id: the query returns no"),
    "money that is no decimal": (
        "i.amount_due AS exposure",
        "i.amount_due / 2 AS exposure",
        "19: impact.exposure: exposure is DOUBLE; money has to be a DECIMAL",
    ),
    "no money": (
        "impact: {exposure: exposure}",
        "impact: {currency: currency}",
        "19: impact: name a column with money",
    ),
    "difference and under": (
        "impact: {exposure: exposure}",
        "impact: {difference: exposure, under: exposure}",
        "19: impact: difference stands for both",
    ),
    "an unknown entity": ("{type: invoice, actual", "{type: invoyce, actual", "21: entities.0.type: Input should be"),
    "an entity's column": (
        "actual: exposure",
        "actual: paid",
        "21: entities.0.actual: the query returns no column paid",
    ),
    "a list that is none": ("each: parts", "each: name", "22: entities.1.each: name is not a list of structs"),
    "an unknown system": ("system: crm", "system: fax", "25: playbook.root_cause.0.system: Input should be 'product'"),
    "no root cause": ("root_cause:", "contain:", "23: playbook.root_cause: this field is missing"),
    "no quiet case": ("  - name: paid\n    expect: quiet\n", "", "26: cases: none of the cases stays quiet"),
    "an unknown table": ("invoices: [{", "invoyces: [{", "29: invoyces is not a table of the books"),
    "an unknown column of a table": ("status: open", "state: open", "29: invoices has no column state"),
    "a value that does not parse": (
        "161.00, due_at",
        "lots, due_at",
        "29: invoices.amount_due: 'lots' is not of kind money",
    ),
    "a value that is no choice": (
        "status: open",
        "status: opened",
        "29: invoices.status: 'opened' is not one of draft",
    ),
    "a bad instant": ("2026-10-30", "Friday", "29: invoices.due_at: 'Friday' is not an instant such as"),
    "a parameter of a case": (
        "  - name: paid\n",
        "  - name: paid\n    params: {lest: 1}\n",
        "32: there is no parameter lest",
    ),
    "a cause of a case": ('"customer:acme"', '"acme"', "30: cases.0.expect.0.cause: String should match"),
}


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_mistake(old, new, expected):
    assert old in SOUND
    found = mistakes(SOUND.replace(old, new, 1))
    assert any(message.startswith(expected) for message in found), found


def test_every_mistake_of_a_file_at_once():
    text = SOUND.replace("severity: high", "severity: urgent").replace("FROM invoices", "FROM invoces")
    found = mistakes(text.replace("system: crm", "system: fax"))
    assert [message.partition(":")[0] for message in found] == ["6", "14", "25"]


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    _, (problem,) = rules.load(tmp_path)
    assert (problem.path.name, problem.line) == ("a.yaml", 1)
    assert "cannot be read" in problem.message


def test_a_file_that_is_too_large():
    assert mistakes("# " + "x" * 300_000) == ["1: the file has more than 200000 characters"]


def test_an_empty_file_and_one_without_fields():
    assert mistakes("") == ["1: the file is empty"]
    assert mistakes("- a") == ["1: a rule file is a map of fields: name, code, title, ..."]


def test_a_broken_file_leaves_the_others_alone(tmp_path):
    (tmp_path / "unpaid_invoice.yaml").write_text(SOUND)
    (tmp_path / "broken.yaml").write_text(
        SOUND.replace("name: unpaid_invoice", "name: broken").replace("high", "urgent")
    )
    loaded, problems = rules.load(tmp_path)
    assert [rule.name for rule in loaded] == ["unpaid_invoice"]
    assert [(problem.path.name, problem.line) for problem in problems] == [("broken.yaml", 6)]


def test_one_name_twice(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "unpaid_invoice.yaml").write_text(SOUND)
    _, (problem,) = rules.load(tmp_path)
    assert "unpaid_invoice is also the name of" in problem.message


def test_another_text_is_another_rule():
    first, _ = rules.parse(SOUND, Path("unpaid_invoice.yaml"))
    second, _ = rules.parse(SOUND.replace("10.50", "10.51"), Path("unpaid_invoice.yaml"))
    assert first.content_hash != second.content_hash
