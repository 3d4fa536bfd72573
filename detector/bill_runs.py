"""What the folding of findings has to know of bill runs: which run each draft is of, and when the latest one was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb


@dataclass(frozen=True)
class BillRuns:
    """By draft invoice the run that made it, and the date of the latest run; None without any."""

    of: Mapping[str, str] = field(default_factory=dict)
    latest: datetime | None = None


NONE = BillRuns()
"""Nothing known of bill runs."""


def read(con: duckdb.DuckDBPyConnection, as_of: datetime) -> BillRuns:
    """The bill runs up to `as_of` (aware), from a connection on which `invoices` and `bill_runs` are tables."""
    instant = as_of.astimezone(UTC).replace(tzinfo=None)
    query = "SELECT invoice_id, bill_run_id FROM invoices WHERE status = 'draft' AND bill_run_id IS NOT NULL"
    runs = {str(invoice): str(run) for invoice, run in con.execute(query).fetchall()}
    latest = con.execute("SELECT max(target_date) FROM bill_runs WHERE target_date <= ?", [instant]).fetchone()
    return BillRuns(runs, latest[0].replace(tzinfo=UTC) if latest and latest[0] else None)
