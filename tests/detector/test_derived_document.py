"""Headers, documentation and build of the derived relations say the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlglot
from sqlglot import exp

from billing.books import BY_NAME
from detector import derived, derived_document, plain_books
from detector.sources import TOLD

MADE_IN_PYTHON = {
    "announced_days", "currencies", "hour_segments", "integration_dialects", "labelled_hours", "unusual_scores",
    "zone_offsets", *TOLD,
}  # fmt: skip
RELATIONS = [each for each in derived.derivations() if each.columns]


def test_the_page_is_current() -> None:
    told = "docs/relations.md is not what the SQL files say: run `python -m detector.derived_document`"
    assert derived_document.PAGE.read_text(encoding="utf-8") == derived_document.page(), told


def test_every_relation_has_the_columns_that_its_header_says() -> None:
    con = plain_books.open({})
    derived.build(con, datetime(2025, 1, 1, tzinfo=UTC))
    for relation in RELATIONS:
        made = {name: _plain(kind) for name, kind, *_ in con.execute(f"DESCRIBE {relation.name}").fetchall()}
        assert made == derived.RELATIONS[relation.name], relation.name


def _plain(kind: str) -> str:
    return "STRUCT" if kind.startswith("STRUCT") else kind


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_every_header_names_what_the_sql_reads(relation: derived.Derivation) -> None:
    read: set[str] = set()
    for statement in sqlglot.parse(relation.sql, read="duckdb"):
        assert statement is not None
        own = {cte.alias for cte in statement.find_all(exp.CTE)} | {relation.name}
        read |= {table.name for table in statement.find_all(exp.Table)} - own
    assert read <= set(BY_NAME) | set(derived.RELATIONS) | MADE_IN_PYTHON
    assert read == set(relation.inputs)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_every_relation_says_its_grain_and_each_column_once(relation: derived.Derivation) -> None:
    assert relation.grain.startswith("one row per")
    assert len({column.name for column in relation.columns}) == len(relation.columns)


def test_only_what_is_needed_is_made() -> None:
    con = plain_books.open({})
    derived.build(con, datetime(2025, 1, 1, tzinfo=UTC), {"periods"})
    made = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()}
    assert "period_rows" in made
    assert made.isdisjoint({"usage_sums", "live_lines", "matches"})


def test_deriving_again_as_of_another_day_replaces_everything() -> None:
    con = plain_books.open({})
    for day in (1, 2):
        derived.build(con, datetime(2025, 1, day, tzinfo=UTC))
    assert con.execute("SELECT as_of()").fetchone() == (datetime(2025, 1, 2),)  # noqa: DTZ001
