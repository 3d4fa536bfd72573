"""A new rule file to start from: it loads, its cases pass, and it finds something simple that is then replaced."""

from __future__ import annotations

from pathlib import Path

from detector.rules import RuleProblem, parse

TEXT = """\
name: {name}
code: OWN-{number}
title: "{{customer_name}} has not paid {{impact}} for {{days_open}} days"
why: >
  Say what goes wrong, why it costs money, and what this rule deliberately does not find. This one finds open invoices
  that have waited too long; replace the query, and everything below it, by your own.
category: collection
severity: medium
schedule: {{daily: "06:00"}}

params:
  days:
    {{type: int, default: 45, min: 1, max: 365, why: "How long an invoice may stay open."}}

query: |
  SELECT i.integration, i.invoice_id, i.customer_id, c.name AS customer_name, i.currency, i.amount_due,
         date_diff('day', i.issued_at, $as_of) AS days_open
  FROM invoices AS i
  JOIN customers AS c ON c.integration = i.integration AND c.customer_id = i.customer_id
  WHERE i.status = 'open' AND i.amount_due > 0 AND date_diff('day', i.issued_at, $as_of) > $days

subject: invoice
period: null
cause: customer
impact: {{exposure: amount_due}}
entities:
  - invoice
  - customer

playbook:
  root_cause:
    - system: payments
      change: Say what has to be changed, and where.
      outcome: Say what is then true.

cases:
  - name: an invoice that has been open for two months
    given:
      invoices: [{{invoice_id: inv_acme_oct, status: open, amount_due: 10.00, issued_at: 2026-09-01T00:00:00Z}}]
    expect:
      - {{cause: "customer:acme", exposure: 10.00, entities: ["invoice:inv_acme_oct"]}}
  - name: an invoice that was issued yesterday
    given:
      invoices: [{{invoice_id: inv_acme_oct, status: open, amount_due: 10.00, issued_at: 2026-11-02T00:00:00Z}}]
    expect: quiet
"""


def text(name: str, number: int) -> str:
    """The template as the rule `name` with code OWN-`number`."""
    return TEXT.format(name=name, number=number)


def write(path: Path, content: str, name: str) -> tuple[Path, list[RuleProblem]]:
    """Write a rule of that name to `path`; the path, or what is wrong with the rule.

    Raises FileExistsError when there is such a file already.
    """
    _, problems = parse(content, path.with_name(f"{name}.yaml"))
    if problems:
        return path, problems
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(content)
    return path, []
