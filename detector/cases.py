"""Runs the cases inside a rule: a few rows, one run, and whether the rule said what the case expects.

Everything is real but the storage: plain tables in memory instead of the lake, the same derived relations and
evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import duckdb

from detector import case_rows, derived, plain_books
from detector.beside import Beside
from detector.case_rows import Company
from detector.evaluate import RuleFailed, evaluate
from detector.findings import Finding
from detector.rule_format import Case, ExpectedFinding
from detector.rules import Rule
from detector.sources import RELATIONS, Sources


@dataclass(frozen=True)
class CaseResult:
    """What came of one case; `failures` says in words what differs from what it expects."""

    rule: str
    case: str
    failures: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the rule said exactly what the case expects."""
        return not self.failures


def run(rule: Rule, company: Company | None = None) -> list[CaseResult]:
    """The result of every case of the rule, in order. `company` is the one beside the rule's file by default."""
    base = company or case_rows.beside(rule.path)
    return [run_one(rule, case, base) for case in rule.cases]


def run_one(rule: Rule, case: Case, base: Company) -> CaseResult:
    """The result of one case; a rule that fails on it is a failure of the case."""
    try:
        findings = _findings(rule, case, base)
    except (RuleFailed, ValueError, duckdb.Error) as error:
        return CaseResult(rule.name, case.name, (f"it could not be run: {error}",))
    return CaseResult(rule.name, case.name, tuple(_differences(case, findings)), tuple(findings))


def _findings(rule: Rule, case: Case, base: Company) -> list[Finding]:
    as_of: datetime = case.as_of or base.as_of
    rows = case_rows.rows(case, base)
    told = Sources({table: rows.pop(name, []) for name, table in RELATIONS.items()})
    with plain_books.changed(base.books, rows) as con:
        derived.build(con, as_of.astimezone(UTC), set(rule.relations), beside=Beside(sources=told))
        return evaluate(con, rule, as_of, case.params)


def _differences(case: Case, findings: list[Finding]) -> list[str]:
    """In words, what was expected and did not come, and what came and was not expected."""
    unexpected = list(findings)
    said = []
    for one in case.expect:
        found = next((finding for finding in unexpected if _mismatch(one, finding) is None), None)
        if found is not None:
            unexpected.remove(found)
            continue
        alike = [_mismatch(one, finding) for finding in unexpected if str(finding.cause) == one.cause]
        said.append(f"{one.cause}: {alike[0]}" if alike else f"{one.cause} was expected and not found")
        unexpected = [finding for finding in unexpected if str(finding.cause) != one.cause]
    return said + [f"{finding.cause} was found and not expected: {finding.title}" for finding in unexpected]


def _mismatch(expected: ExpectedFinding, finding: Finding) -> str | None:
    """How a finding differs from the expected one; None when it does not."""
    amounts: Mapping[str, tuple[Decimal, Decimal]] = {
        name: (Decimal(getattr(expected, name)), getattr(finding, name)) for name in ("under", "over", "exposure")
    }
    if str(finding.cause) != expected.cause:
        return f"the cause is {finding.cause}"
    for name, (wanted, got) in amounts.items():
        if wanted != got:
            return f"{name} is {got.normalize():f}, expected {wanted.normalize():f}"
    if expected.currency and expected.currency != finding.currency:
        return f"the currency is {finding.currency}, expected {expected.currency}"
    listed = {str(entity.reference) for entity in finding.entities}
    missing = [reference for reference in expected.entities if reference not in listed]
    return f"{', '.join(missing)} not among its records: {', '.join(sorted(listed))}" if missing else None
