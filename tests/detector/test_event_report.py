"""Every usage event is accounted for: which line counts it, or in one sentence why none does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest

from detector import plain_books
from detector.event_commands import row_text
from detector.event_report import OUTCOMES, Traced, trace
from tests.detector.small_books import at, event, invoice, line, rows


@pytest.fixture(scope="module")
def books() -> Iterator[duckdb.DuckDBPyConnection]:
    """January is billed, February was forgotten, March is a draft, April runs."""
    held = rows(
        usage_events=[
            event("jan", "2025-01-10"),
            event("feb", "2025-02-10"),
            event("feb-2", "2025-02-11"),
            event("mar", "2025-03-10"),
            event("apr", "2025-04-05"),
            event("early", "2024-12-31"),
            event("nobody", "2025-02-03", subject="ghost"),
            event("other", "2025-02-04", event_type="heartbeat"),
            event("bad", "2025-02-05", status="invalid", error="it has no subject"),
            event("jan", "2025-01-10", integration="copy", received="2025-01-12"),
            event("later", "2025-02-12", received="2025-05-01"),
        ],
        invoices=[invoice(), invoice("draft", "2025-04-01", status="draft", issued_at=None)],
        invoice_lines=[
            line("l-jan", "2025-01-01", "2025-02-01", 1, "0.10"),
            line("l-mar", "2025-03-01", "2025-04-01", 1, "0.10", invoice_id="draft"),
        ],
    )
    with closing(plain_books.open(held)) as con:
        yield con


def traced(books: duckdb.DuckDBPyConnection, start: str, end: str, event_id: str | None = None) -> Traced:
    return trace(books, at("2025-04-20"), at(start), at(end), event_id=event_id)


def test_every_event_has_one_outcome(books: duckdb.DuckDBPyConnection) -> None:
    found = traced(books, "2024-01-01", "2026-01-01")
    assert {outcome: found.count(outcome) for outcome in OUTCOMES} == {
        "billed": 1, "on_draft": 1, "running": 1, "not_billed": 2, "no_item": 0, "no_customer": 2, "no_meter": 1,
        "repeated": 1, "refused": 1,
    }  # fmt: skip
    assert found.events == 10
    (lost,) = (share for share in found.shares if share.outcome == "not_billed")
    assert (lost.event_type, lost.events, lost.example) == ("call", 2, "feb-2")


def test_a_span_holds_its_start_and_not_its_end(books: duckdb.DuckDBPyConnection) -> None:
    assert traced(books, "2025-02-10", "2025-02-11").events == 1


def test_one_event_says_what_counted_it(books: duckdb.DuckDBPyConnection) -> None:
    first, second = traced(books, "2024-01-01", "2026-01-01", "jan").rows
    assert row_text(first) == "copy jan, call of acme: an event received before is the same"
    assert row_text(second) == (
        "files jan, call of acme: a line of an invoice counts it; meter calls, item item, invoice inv, line l-jan"
    )
    (bad,) = traced(books, "2024-01-01", "2026-01-01", "bad").rows
    assert row_text(bad).startswith("files bad, call of acme: it was refused when it came in (it has no subject)")
    assert traced(books, "2024-01-01", "2026-01-01", "unheard of").events == 0
