"""What a page may ask of the books: so many queries, however many lines, items and events it is about.

One customer has one record of each kind, another has many: the pages of both make the same queries, counted by DuckDB
itself. Budgets: spec/console.md, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from store.near import Near
from tests.detector.test_explain import OCTOBER, SEPTEMBER, Rows, company, event, invoice, line, price, tier
from tests.web.company import NOW, empty_home
from tests.web.reading import get
from web.console import KEY

FEW, MANY = 1, 7
MIDDLE = datetime(2026, 9, 16, 4, tzinfo=UTC)
QUERIES = {
    "/invoices/in_{}": 24,
    "/usage?item=i_right_{}_0": 13,
    "/subscriptions/s_{}": 9,
    "/subscriptions/s_{}?show=rated": 40,
    "/customers/c_{}": 6,
    "/lines/il_wrong_{}_0": 24,
}
"""By address, how many queries one request may make of the books, whatever they hold."""


@dataclass
class Watched:
    """A browser, and how many queries of the books its requests make."""

    client: FlaskClient
    near: Near

    def queries(self, address: str) -> Sequence[str]:
        """Those of one page."""
        with closing(self.near.connect()) as books:
            books.execute("CALL enable_logging('QueryLog', storage = 'memory')")
            get(self.client, address)
            books.execute("CALL disable_logging()")
            found = books.execute(
                "SELECT message FROM duckdb_logs WHERE type = 'QueryLog' ORDER BY timestamp"
            ).fetchall()
            books.execute("CALL truncate_duckdb_logs()")
        return [query for (query,) in found if "FROM books." in query]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    home = empty_home(tmp_path_factory.mktemp("books"))
    few, many = books_of(FEW), books_of(MANY)
    both = {table: [*few[table], *(row for row in many[table] if row not in few[table])] for table in few}
    home.warehouse.upsert_rows(both, integration="stripe", version_at=NOW)
    app = home.app()
    near = app.extensions[KEY].warehouse.near
    near.gather()
    yield Watched(app.test_client(), near)
    near.close()


def books_of(count: int) -> Rows:
    """A customer with an invoice of so many lines of each kind: right, at another price, and billed in two parts.

    Its plan has another version, a discount is a fixed amount, and a credit note is for the whole invoice.
    """
    rows = company(customers={"customer_id": f"c_{count}"}, subjects={"customer_id": f"c_{count}"})
    rows["subjects"][0] |= {"subject": f"subject_{count}"}
    rows["subscriptions"][0] |= {"subscription_id": f"s_{count}", "customer_id": f"c_{count}", "plan_id": "plan1"}
    mine = {"customer_id": f"c_{count}", "subscription_id": f"s_{count}", "invoice_id": f"in_{count}"}
    plan = {"plan_key": "calls", "name": "Calls", "status": "active", "currency": "USD", "cadence": "P1M"}
    rows["plans"] = [{**plan, "plan_id": f"plan{version}", "version": version} for version in (1, 2)]
    rows["prices"] = [price("p1", "graduated", plan_id="plan1"), price("p2", "graduated", plan_id="plan2")]
    rows["price_tiers"] += [tier("p2", 1, 1000, "0.50"), tier("p2", 2, None, "0.25")]
    rows["invoices"] = [invoice(f"in_{count}", 3000 * count) | mine]
    rows["subscription_items"], rows["invoice_lines"], rows["reported_usage"] = [], [], []
    for kind in ("right", "wrong", "split"):
        for place in range(count):
            item = f"i_{kind}_{count}_{place}"
            own = {"item_id": item, "subscription_id": f"s_{count}"}
            rows["subscription_items"].append(
                {**own, "price_id": "p1", "active_from": datetime(2026, 1, 1, tzinfo=UTC)}
            )
            rows["invoice_lines"] += lines(kind, f"{count}_{place}", own | {"invoice_id": f"in_{count}"})
    rows["usage_events"] = [
        event(number % 28 + 1, 100, event_id=f"e_{count}_{number}", subject=f"subject_{count}")
        for number in range(10 * count)
    ]
    rows["discounts"] = [
        {"discount_id": f"d_{count}", "customer_id": f"c_{count}", "kind": "amount", "value": Decimal(5),
         "currency": "USD", "starts_at": SEPTEMBER}
    ]  # fmt: skip
    rows["credit_notes"] = [
        {"credit_note_id": f"cn_{count}", "invoice_id": f"in_{count}", "customer_id": f"c_{count}", "currency": "USD",
         "amount": Decimal(9), "status": "issued", "created_at": OCTOBER}
    ]  # fmt: skip
    return rows


def lines(kind: str, name: str, own: dict[str, Any]) -> list[dict[str, Any]]:
    if kind != "split":
        return [line(f"il_{kind}_{name}", amount=300 if kind == "right" else 475, quantity=1000) | own]
    parts = (("a", SEPTEMBER, MIDDLE), ("b", MIDDLE, OCTOBER))
    return [
        line(f"il_{part}_{name}", amount=150, quantity=500) | own | {"period_start": start, "period_end": end}
        for part, start, end in parts
    ]


@pytest.mark.parametrize("address", QUERIES)
def test_a_page_asks_the_books_as_little_about_many_records_as_about_few(watched: Watched, address: str) -> None:
    few, many = (watched.queries(address.format(count)) for count in (FEW, MANY))
    assert 0 < len(many) <= QUERIES[address]
    assert len(many) == len(few), [each[:200] for each in many]
