"""Reads bill runs and the invoices that each of them made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duckdb import DuckDBPyConnection

from remediation import gate
from web import places
from web.console import rows
from web.lookups import Row
from web.places import Place

_ASKED = ", ".join(f"i.{name}" for name in gate.ASKED)
_OF_RUN = "FROM books.invoices AS i WHERE i.bill_run_id = $run AND i.integration = $integration"


def runs(books: DuckDBPyConnection, after: Place | None, most: int = 50) -> tuple[list[Row], str | None]:
    """The newest bill runs after a place in that list, each with how many invoices it made and how many are drafts."""
    found = rows(
        books,
        """
        WITH shown AS (
            SELECT * FROM books.bill_runs
            WHERE $at IS NULL OR (target_date, bill_run_id) < (CAST($at AS TIMESTAMP), $after)
            ORDER BY target_date DESC, bill_run_id DESC LIMIT $most
        )
        SELECT s.*, count(i.invoice_id) AS invoices, count(*) FILTER (i.status = 'draft') AS drafts,
            min(i.finalizes_at) FILTER (i.status = 'draft') AS finalizes_at
        FROM shown AS s
        LEFT JOIN books.invoices AS i ON i.integration = s.integration AND i.bill_run_id = s.bill_run_id
        GROUP BY ALL ORDER BY s.target_date DESC, s.bill_run_id DESC""",
        {"at": after[0] if after else None, "after": after[1] if after else "", "most": most + 1},
    )
    last = found[most - 1] if len(found) > most else None
    return found[:most], places.written(last["target_date"], last["bill_run_id"]) if last else None


def coming(books: DuckDBPyConnection) -> list[Row]:
    """The bill runs that have drafts which become final by themselves, the first first: when, and how many drafts."""
    return rows(
        books,
        """
        SELECT integration, bill_run_id, min(finalizes_at) AS finalizes_at, count(*) AS drafts
        FROM books.invoices WHERE status = 'draft' AND bill_run_id IS NOT NULL AND finalizes_at IS NOT NULL
        GROUP BY ALL ORDER BY min(finalizes_at), bill_run_id LIMIT 200""",
    )


def previous(books: DuckDBPyConnection, run: Mapping[str, Any]) -> Row | None:
    """The run of the same integration before this one."""
    found = rows(
        books,
        """
        SELECT * FROM books.bill_runs
        WHERE integration = $integration AND target_date < $target AND status <> 'canceled'
        ORDER BY target_date DESC, bill_run_id DESC LIMIT 1""",
        {"integration": run["integration"], "target": run["target_date"]},
    )
    return found[0] if found else None


def invoices(
    books: DuckDBPyConnection, run: Mapping[str, Any], state: str, after: Place | None, most: int = 50
) -> tuple[list[Row], str | None]:
    """The run's invoices with their customer's name, of one status where it is given, after a place in that list."""
    found = rows(
        books,
        """
        SELECT i.*, c.name AS customer_name FROM books.invoices AS i
        LEFT JOIN books.customers AS c ON c.integration = i.integration AND c.customer_id = i.customer_id
        WHERE i.bill_run_id = $run AND i.integration = $integration AND $state IN ('', i.status)
            AND ($at IS NULL OR (i.created_at, i.invoice_id) < (CAST($at AS TIMESTAMP), $after))
        ORDER BY i.created_at DESC, i.invoice_id DESC LIMIT $most""",
        {
            **_key(run),
            "state": state,
            "at": after[0] if after else None,
            "after": after[1] if after else "",
            "most": most + 1,
        },
    )
    last = found[most - 1] if len(found) > most else None
    return found[:most], places.written(last["created_at"], last["invoice_id"]) if last else None


def drafts(books: DuckDBPyConnection, run: Mapping[str, Any]) -> list[Row]:
    """The run's drafts as the gate asks for them."""
    return rows(books, f"SELECT {_ASKED} {_OF_RUN} AND i.status = 'draft' ORDER BY i.invoice_id", _key(run))


def every_draft(books: DuckDBPyConnection) -> list[Row]:
    """Every draft as the gate asks for it, of a bill run or not."""
    return rows(books, f"SELECT {_ASKED} FROM books.invoices AS i WHERE status = 'draft' ORDER BY invoice_id")


def ids(books: DuckDBPyConnection, run: Mapping[str, Any]) -> list[str]:
    """The ids of the run's invoices."""
    return [row["invoice_id"] for row in rows(books, f"SELECT i.invoice_id {_OF_RUN}", _key(run))]


def by_state(books: DuckDBPyConnection, run: Mapping[str, Any]) -> Mapping[str, int]:
    """How many of the run's invoices have each status."""
    query = f"SELECT i.status, count(*) AS invoices {_OF_RUN} GROUP BY ALL ORDER BY i.status"
    return {row["status"]: row["invoices"] for row in rows(books, query, _key(run))}


def totals(books: DuckDBPyConnection, run: Mapping[str, Any]) -> list[Row]:
    """The run's invoices by currency, void ones left out: how many, and their total."""
    query = f"""
        SELECT i.currency, count(*) AS invoices, sum(i.total) AS total {_OF_RUN} AND i.status <> 'void'
        GROUP BY ALL ORDER BY i.currency"""
    return rows(books, query, _key(run))


def _key(run: Mapping[str, Any]) -> dict[str, Any]:
    return {"run": run["bill_run_id"], "integration": run["integration"]}
