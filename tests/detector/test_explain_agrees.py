"""The explanation of a line and the set-based rating of all lines are two ways to one result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from billing.books import TABLES
from detector import derived
from detector.explain import explain
from integrations import example, files
from store.schema import creation

AS_OF = datetime(2026, 10, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The books of an example company with every fault planted, and the relations derived from them."""
    folder = tmp_path_factory.mktemp("company") / "books"
    example.write(
        folder, customers=example.least_for("all"), seed=11, faults="all", as_of=AS_OF, events_per_customer=125
    )
    with closing(books_of(folder)) as con:
        derived.build(con, AS_OF)
        yield con


def books_of(folder: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'; CREATE SCHEMA books")
    staged = files.read(folder, con)
    for table in TABLES:
        con.execute(creation(table))
        if table.name in staged.tables:
            stored = "TIMESTAMP '1970-01-01' AS synced_at, TIMESTAMP '1970-01-01' AS version_at"
            relation = staged.tables[table.name]
            con.execute(f"INSERT INTO books.{table.name} BY NAME SELECT *, {stored} FROM {relation}")
    return con


LINES = """
SELECT e.integration, e.line_id, e.reason, e.expected_amount, e.expected_discount, e.metered, e.metered_at_cutoff,
    b.credited, b.net
FROM expected_lines AS e
JOIN billed_lines AS b USING (integration, line_id)
ORDER BY e.amount IS DISTINCT FROM e.expected_amount DESC, b.credited <> 0 DESC, e.prior_quantity IS NULL,
    hash(e.line_id)
LIMIT 120"""
"""The wrong ones first, then those with credit notes and those of split periods, then any."""


def test_a_line_is_explained_as_it_is_rated(company: duckdb.DuckDBPyConnection) -> None:
    lines = company.execute(LINES).fetchall()
    assert len(lines) == 120
    for integration, line_id, *rated in lines:
        found = explain(company, line_id, AS_OF, integration)
        expected, basis = found.expectation, found.expectation.basis
        assert [
            expected.reason,
            expected.amount,
            expected.discount if expected.amount is not None else None,
            basis.quantity if basis else None,
            basis.usage.quantity_at_cutoff if basis and basis.usage else None,
            found.credited,
            found.numbers.billed,
        ] == rated, line_id
