"""Hostile rule files by the hundred: refused or stopped with a reason, nothing read or written outside, all alive."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from detector import case_rows, cycle, derived, rules
from detector.evaluate import RuleFailed, evaluate
from detector.limits import Limits
from detector.rules import Rule
from tests.detector.hostile import RULES, hostile
from tests.lakes import lake

SEED = int(os.environ.get("TRUEUP_FUZZ_SEED", "4"))
NOW = datetime(2026, 11, 3, tzinfo=UTC)
LIMITS = Limits(time=timedelta(seconds=1), memory="300MiB", disk="20MiB", rows=1_000)
CANARY = "the-secret-of-the-canary"


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside the books, in which everything is run, with a file that nothing may read."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.csv").write_text(f"x\n{CANARY}\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def books(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The little company in a lake, derived and locked down as for a run."""
    warehouse = lake(tmp_path / "lake")
    rule = rules.load(RULES)[0][0]
    company = case_rows.rows(rule.cases[0], case_rows.beside(rule.path))
    warehouse.upsert_rows(company, integration="billing", version_at=NOW)
    with cycle.books_at(warehouse, warehouse.snapshot(), LIMITS) as con:
        derived.build(con, NOW)
        yield con
    warehouse.close()


@pytest.mark.parametrize(
    "number", [pytest.param(300, id="300"), pytest.param(5_000, id="5000", marks=pytest.mark.fuzz)]
)
def test_hostile_rules_are_refused_or_stopped_with_a_reason(
    books: duckdb.DuckDBPyConnection, outside: Path, number: int
) -> None:
    chance, came = random.Random(SEED), Counter[str]()
    for _ in range(number):
        kind, text = hostile(chance, outside)
        said = _tried(books, text)
        came[f"{kind}: {'ran' if said is None else 'stopped' if said.startswith('rule ') else 'refused'}"] += 1
        assert said is None or (said.strip() and CANARY not in said), (kind, text[:500])
        if kind in ("a reader", "a statement", "recursive"):
            assert said is not None, (kind, text)
    print(dict(sorted(came.items())))
    assert came["a cross join: stopped"], came
    assert [path.name for path in outside.iterdir()] == ["secret.csv"]
    assert (outside / "secret.csv").read_text() == f"x\n{CANARY}\n"
    assert books.execute("SELECT count(*) > 0 FROM invoices").fetchone() == (True,)


def _tried(books: duckdb.DuckDBPyConnection, text: str) -> str | None:
    """Why the rule was refused or stopped; None when it ran."""
    rule, problems = rules.parse(text, RULES / "usage" / f"{_name(text)}.yaml")
    if rule is None:
        assert problems
        return "\n".join(str(problem) for problem in problems)
    return _run(books, rule)


def _run(books: duckdb.DuckDBPyConnection, rule: Rule) -> str | None:
    try:
        found = evaluate(books, rule, NOW, max_rows=LIMITS.rows, limit=LIMITS.time)
    except RuleFailed as failure:
        return str(failure)
    assert all(CANARY not in str(finding.evidence) for finding in found)
    return None


def _name(text: str) -> str:
    first = next((line for line in text.splitlines() if line.startswith("name: ")), "name: x")
    return first.removeprefix("name: ").strip().replace("/", "_")[:60] or "x"
