"""Programs read the books and what is behind a number: records, explanations, usage, bill runs, drafts at the gate."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.web.api.contract import Asking
from tests.web.company import Home


@pytest.fixture(scope="module")
def some(home: Home) -> dict[str, str]:
    """An id of each kind of record."""
    with closing(home.warehouse.connect()) as books:
        invoice, customer = books.execute(
            "SELECT invoice_id, customer_id FROM books.invoices WHERE status = 'draft' ORDER BY 1 LIMIT 1"
        ).fetchall()[0]
        line, item = books.execute(
            "SELECT line_id, item_id FROM books.invoice_lines WHERE kind = 'usage' ORDER BY 1 LIMIT 1"
        ).fetchall()[0]
        (subscription,) = books.execute("SELECT min(subscription_id) FROM books.subscriptions").fetchall()[0]
        (run,) = books.execute("SELECT bill_run_id FROM books.bill_runs ORDER BY target_date DESC, 1 DESC").fetchall()[
            0
        ]
    return {"invoice": invoice, "customer": customer, "line": line, "item": item, "subscription": subscription,
            "run": run}  # fmt: skip


def test_records_are_told_with_what_hangs_on_them(ask: Asking, some: dict[str, str]) -> None:
    invoice = ask(f"GET /invoices/{some['invoice']}")
    assert invoice["record"]["customer_id"] == some["customer"]
    assert invoice["lines"]
    assert invoice["gate"]["invoice"] == some["invoice"]
    assert ask(f"GET /customers/{some['customer']}")["subscriptions"]
    assert ask(f"GET /subscriptions/{some['subscription']}")["items"]
    assert ask(f"GET /records/item/{some['item']}")["records"][0]["item_id"] == some["item"]
    for address in ("invoices/none", "customers/none", "subscriptions/none", "records/price/none", "records/dog/1"):
        ask(f"GET /{address}", None, 404)


def test_an_amount_is_explained_also_under_other_terms(ask: Asking, some: dict[str, str]) -> None:
    explained = ask(f"GET /lines/{some['line']}/explanation")
    assert explained["line_id"] == some["line"]
    other = ask(f"GET /lines/{some['line']}/explanation?set=quantity%3D1200")
    assert other != explained
    ask(f"GET /lines/{some['line']}/explanation?set=colour%3Dred", None, 400)
    ask(f"GET /lines/{some['line']}/explanation?set=quantity", None, 400)
    assert ask(f"GET /invoices/{some['invoice']}/explanation")["invoice_id"] == some["invoice"]


def test_a_signal_is_explained_line_by_line(ask: Asking) -> None:
    wrong = ask("GET /signals?view=every&status=any&code=TU-19")["signals"][0]["id"]
    told = ask(f"GET /signals/{wrong}/diff")
    assert told["lines"][0]["tiers"]
    assert told["of"] >= len(told["lines"])


def test_usage_is_told_by_day_and_event(ask: Asking, some: dict[str, str]) -> None:
    told = ask(f"GET /usage?item={some['item']}&from=2026-09-01&to=2026-11-01")
    assert told["days"]
    assert told["counts"]["all"] >= len(told["events"]) > 0
    ask("GET /usage?item=none", None, 404)
    ask(f"GET /usage?item={some['item']}&show=odd", None, 400)


def test_bill_runs_drafts_books_and_scores(ask: Asking, some: dict[str, str]) -> None:
    assert some["run"] in [run["bill_run_id"] for run in ask("GET /bill-runs")["bill_runs"]]
    drafts = ask("GET /drafts?limit=2")
    more = ask(f"GET /drafts?limit=2&after={drafts['next']}")
    assert not {each["invoice"] for each in drafts["drafts"]} & {each["invoice"] for each in more["drafts"]}
    assert {each["state"] for each in ask("GET /drafts?state=blocked")["drafts"]} == {"blocked"}
    assert {table["name"]: table["rows"] for table in ask("GET /data")["tables"]}["invoices"] > 0
    assert ask("GET /scoreboard?days=90")
    ask("GET /scoreboard?days=3", None, 400)
