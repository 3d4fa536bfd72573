"""Any SQL database is read by its mapping, from where it grew, and a mapping that is wrong is named by its key."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from integrations.http import SourceError
from integrations.sql import Sql, from_config
from tests.integrations.pulling import books, pulled, sync
from tests.integrations.stripe_company import cursors_of, rows_of
from tests.lakes import lake

EVENTS = {
    "source": "raw_events",
    "increments": "loaded_at",
    "columns": {
        "event_id": "id",
        "event_type": "kind",
        "subject": "account",
        "time": "happened_at",
        "value": "amount",
        "received_at": "loaded_at",
        "properties": "extra",
    },
    "values": {"source": "warehouse", "status": "accepted"},
}
CUSTOMERS = {
    "source": "SELECT key, title, 'EUR' AS money, since FROM accounts WHERE key <> 'test'",
    "columns": {"customer_id": "key", "name": "title", "currency": "money", "created_at": "since"},
    "values": {"status": "active"},
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'theirs.sqlite'}"
    run(made, "CREATE TABLE accounts (key TEXT, title TEXT, since TEXT)")
    run(made, "INSERT INTO accounts VALUES ('a', 'Acme', '2026-01-02'), ('test', 'Test', '2026-01-02')")
    run(
        made,
        "CREATE TABLE raw_events (id TEXT, kind TEXT, account TEXT, happened_at TEXT, amount, loaded_at TEXT, extra)",
    )
    for n in range(5):
        add(made, n)
    return made


def run(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as con:
        for statement in statements:
            con.execute(sa.text(statement))
    engine.dispose()


def add(url: str, n: int, amount: str = "0.1") -> None:
    at = f"2026-11-0{n + 1}T10:00:00"
    run(url, f"""INSERT INTO raw_events VALUES ('e{n}', 'llm', 'a', '{at}Z', {amount}, '{at}', '{{"x": {n}}}')""")


def connected(url: str, **tables: object) -> Sql:
    return from_config("shop", {"url": url, "tables": tables})


def test_rows_come_as_they_are_mapped(url: str) -> None:
    held = rows_of(pulled(connected(url, customers=CUSTOMERS, usage_events=EVENTS)))
    assert [row["name"] for row in held["customers"].values()] == ["Acme"]
    assert len(held["usage_events"]) == 5
    row = held["usage_events"]["warehouse", "e3"]
    assert (row["value"], row["properties"], row["status"]) == (Decimal("0.1"), {"x": 3}, "accepted")


def test_a_later_pull_begins_where_the_column_was(url: str, tmp_path: Path) -> None:
    source, warehouse = connected(url, customers=CUSTOMERS, usage_events=EVENTS), lake(tmp_path / "lake")
    sync(warehouse, source)
    add(url, 6)
    pages = pulled(source, {"usage_events": warehouse.cursor("shop", "usage_events") or ""})
    assert [row["event_id"] for page in pages for row in page.rows.get("usage_events", [])] == ["e4", "e6"]
    sync(warehouse, source)
    before, snapshot = books(warehouse), warehouse.snapshot()
    assert len(before["usage_events"]) == 6
    sync(warehouse, source)
    sync(warehouse, source, full=True)
    assert (books(warehouse), warehouse.snapshot()) == (before, snapshot)


def test_a_row_that_the_books_cannot_hold_is_named_with_its_column_and_the_rest_comes(url: str) -> None:
    add(url, 7, amount="'much'")
    add(url, 8, amount="0.00000000012")
    pages = pulled(connected(url, usage_events=EVENTS))
    told = {remark.id: remark.reason for page in pages for remark in page.remarks}
    assert set(told) == {"warehouse/e7", "warehouse/e8"}
    assert told["warehouse/e7"] == "usage_events.value from column amount: 'much' is not a number"
    assert len(rows_of(pages)["usage_events"]) == 5


def test_a_mapping_that_is_wrong_is_named_by_its_keys_all_at_once() -> None:
    with pytest.raises(ValueError, match=r"integrations.shop.tables: map at least one") as empty:
        from_config("shop", {"url": "sqlite://"})
    assert "password" not in str(empty.value)
    with pytest.raises(ValueError, match=r"integrations.shop") as found:
        connected("sqlite://", clients={}, customers={"source": "c", "columns": {"nick": "n"}, "wher": 1}, invoices={})
    for said in (
        "integrations.shop.tables.clients: the books have no table clients",
        "integrations.shop.tables.customers.columns.nick: customers has no column nick",
        "integrations.shop.tables.customers.columns.customer_id: customers needs it",
        "integrations.shop.tables.customers.wher: there is no such setting",
        "integrations.shop.tables.invoices.source: name a table, or write a SELECT",
    ):
        assert said in str(found.value)


def test_a_column_or_table_that_is_not_there_is_named(url: str) -> None:
    wrong = CUSTOMERS | {"columns": CUSTOMERS["columns"] | {"email": "mail"}}  # type: ignore[operator]
    told = "integrations.shop.tables.customers.columns.email: the source has no column 'mail'; "
    told += "it has key, money, since, title"
    assert connected(url, customers=wrong).check() == told
    with pytest.raises(SourceError, match=r"columns.email"):
        pulled(connected(url, customers=wrong))
    gone = connected(url, customers=CUSTOMERS | {"source": "nowhere"})
    assert gone.check() == "integrations.shop.tables.customers: no such table: nowhere"
    assert connected(url, customers=CUSTOMERS, usage_events=EVENTS).check() is None
    assert connected(url, customers=CUSTOMERS, usage_events=EVENTS).counts() == {"customers": 1, "usage_events": 5}


def test_an_address_that_cannot_be_opened_never_shows_its_password() -> None:
    with pytest.raises(ValueError, match=r"integrations.shop.url_env") as found:
        connected("nosuchdb://user:hush@host/db", customers=CUSTOMERS)
    assert "hush" not in str(found.value)
    away = connected("postgresql+psycopg://user:hush@127.0.0.1:1/db", customers=CUSTOMERS)
    assert "hush" not in str(away.check())
    assert "hush" not in repr(away)
    assert cursors_of([]) == {}
