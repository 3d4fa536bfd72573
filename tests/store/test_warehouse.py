"""The books keep what sources say: by key, the newest version, in one transaction over all tables."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from billing.books import BY_NAME, TABLES
from billing.model import Column, Kind
from store import schema
from store.lake import LakeError
from store.warehouse import Counts, Warehouse
from tests.operational_stores import fresh_database

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
CUSTOMER = {"customer_id": "c1", "name": "Acme", "status": "active", "created_at": MARCH, "currency": "EUR"}
METER = {"meter_id": "m1", "name": "Requests", "event_type": "api", "aggregation": "sum"}
EVENT = {
    "source": "app",
    "event_id": "e1",
    "event_type": "api",
    "subject": "s1",
    "time": MARCH,
    "value": Decimal("1.5"),
    "received_at": MARCH,
    "status": "accepted",
}


def day(number: int) -> datetime:
    return MARCH + timedelta(days=number)


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    catalog = f"sqlite:{tmp_path}/catalog.sqlite"
    if request.param == "postgresql":
        catalog = fresh_database(request.getfixturevalue("postgres_url"))
    yield from opened(Warehouse(catalog, tmp_path / "data"))


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Warehouse]:
    yield from opened(Warehouse(f"sqlite:{tmp_path}/catalog.sqlite", tmp_path / "data"))


def opened(warehouse: Warehouse) -> Iterator[Warehouse]:
    warehouse.create()
    yield warehouse
    warehouse.close()


def values(warehouse: Warehouse, sql: str, snapshot: int | None = None) -> list[tuple[object, ...]]:
    with closing(warehouse.connect(snapshot=snapshot)) as con:
        return con.execute(sql).fetchall()


def put(warehouse: Warehouse, version_at: datetime = MARCH, **rows: list[dict[str, object]]) -> dict[str, Counts]:
    return warehouse.upsert_rows(rows, integration="stripe", version_at=version_at)


def test_rows_come_back_as_they_were_put(warehouse: Warehouse) -> None:
    counts = warehouse.upsert_rows(
        {
            "customers": [
                {**CUSTOMER, "credit_balance": Decimal("-99999999999999.9999"), "tax_ids": [{"type": "eu_vat"}]}
            ]
        },
        integration="stripe",
        version_at=day(1),
        cursors={("stripe", "customers"): "evt_1"},
    )
    assert counts == {"customers": Counts(inserted=1)}
    assert values(
        warehouse,
        "SELECT customer_id, credit_balance, tax_ids, created_at, email, integration, version_at FROM books.customers",
    ) == [
        (
            "c1",
            Decimal("-99999999999999.9999"),
            '[{"type":"eu_vat"}]',
            MARCH.replace(tzinfo=None),
            None,
            "stripe",
            day(1).replace(tzinfo=None),
        )
    ]
    assert warehouse.cursor("stripe", "customers") == "evt_1"
    assert warehouse.cursor("stripe", "invoices") is None
    assert warehouse.counts() == {table.name: int(table.name == "customers") for table in TABLES}


def test_the_same_data_again_changes_nothing_and_makes_no_snapshot(warehouse: Warehouse) -> None:
    cursors = {("stripe", "all"): "1"}
    rows = {"customers": [CUSTOMER], "usage_events": [EVENT]}
    warehouse.upsert_rows(rows, integration="stripe", version_at=day(1), cursors=cursors)
    before = warehouse.snapshot()
    again = warehouse.upsert_rows(rows, integration="stripe", version_at=day(2), cursors=cursors, load="again")
    assert again == {"customers": Counts(unchanged=1), "usage_events": Counts(unchanged=1)}
    assert warehouse.snapshot() == before
    warehouse.create()
    assert warehouse.snapshot() == before


def test_newer_content_replaces_and_older_content_does_not(warehouse: Warehouse) -> None:
    put(warehouse, day(2), customers=[CUSTOMER, {**CUSTOMER, "customer_id": "c2"}])
    late = put(warehouse, day(1), customers=[{**CUSTOMER, "name": "Older"}])
    newer = {**CUSTOMER, "name": "Newer", "version_at": day(3)}
    older = {**CUSTOMER, "customer_id": "c2", "name": "Older", "version_at": day(1)}
    mixed = put(warehouse, customers=[newer, older, {**CUSTOMER, "customer_id": "c3"}])
    assert late == {"customers": Counts(older=1)}
    assert mixed == {"customers": Counts(updated=1, inserted=1, older=1)}
    assert values(warehouse, "SELECT customer_id, name FROM books.customers ORDER BY 1") == [
        ("c1", "Newer"),
        ("c2", "Acme"),
        ("c3", "Acme"),
    ]


def test_a_version_of_the_source_itself_counts_even_where_nothing_else_changed(on_sqlite: Warehouse) -> None:
    put(on_sqlite, customers=[{**CUSTOMER, "version_at": day(1)}])
    assert put(on_sqlite, customers=[{**CUSTOMER, "version_at": day(3)}]) == {"customers": Counts(unchanged=1)}
    assert put(on_sqlite, customers=[{**CUSTOMER, "name": "Between", "version_at": day(2)}]) == {
        "customers": Counts(older=1)
    }


def test_of_one_key_twice_in_a_batch_the_newest_version_stays_and_of_equal_ones_the_last(on_sqlite: Warehouse) -> None:
    newest, older = {**CUSTOMER, "name": "B", "version_at": day(2)}, {**CUSTOMER, "name": "A", "version_at": day(1)}
    put(on_sqlite, customers=[newest, older], meters=[METER, {**METER, "name": "Last"}])
    assert values(on_sqlite, "SELECT name FROM books.customers UNION ALL SELECT name FROM books.meters") == [
        ("B",),
        ("Last",),
    ]


def test_the_same_id_in_two_integrations_is_two_records(on_sqlite: Warehouse) -> None:
    put(on_sqlite, customers=[CUSTOMER, {**CUSTOMER, "integration": "zuora"}])
    assert on_sqlite.counts()["customers"] == 2


def test_an_event_never_changes_once_it_is_stored(warehouse: Warehouse) -> None:
    put(warehouse, usage_events=[EVENT])
    again = {**EVENT, "received_at": day(1)}
    changed = {**EVENT, "value": Decimal(9)}
    assert put(warehouse, day(1), usage_events=[again]) == {"usage_events": Counts(unchanged=1)}
    counts = put(warehouse, day(2), usage_events=[changed, {**EVENT, "event_id": "e2"}])
    assert counts == {"usage_events": Counts(inserted=1, conflicts=1, conflict_ids=("app/e1",))}
    assert values(warehouse, "SELECT event_id, value FROM books.usage_events ORDER BY 1") == [
        ("e1", Decimal("1.500000000")),
        ("e2", Decimal("1.500000000")),
    ]


def test_of_one_event_twice_in_a_batch_the_first_received_stays(on_sqlite: Warehouse) -> None:
    first = {**EVENT, "value": Decimal(1)}
    later = [
        {**EVENT, "value": Decimal(2), "received_at": day(2)},
        {**EVENT, "value": Decimal(1), "received_at": day(1)},
    ]
    assert put(on_sqlite, usage_events=[*later, first]) == {
        "usage_events": Counts(inserted=1, unchanged=1, conflicts=1, conflict_ids=("app/e1",))
    }
    assert values(on_sqlite, "SELECT value FROM books.usage_events") == [(Decimal("1.000000000"),)]


def test_all_tables_and_cursors_move_together_or_not_at_all(warehouse: Warehouse) -> None:
    before = warehouse.snapshot()
    with pytest.raises(ValueError, match=r"A row lacks a value that the books need.*meters.name"):
        warehouse.upsert_rows(
            {"customers": [CUSTOMER], "meters": [{**METER, "name": None}]},
            integration="stripe",
            version_at=MARCH,
            cursors={("stripe", "all"): "1"},
        )
    assert warehouse.snapshot() == before
    assert (warehouse.counts()["customers"], warehouse.cursor("stripe", "all")) == (0, None)
    put(warehouse, customers=[CUSTOMER])  # and the next one goes through


def test_an_old_snapshot_stays_readable_and_tells_what_changed_since(warehouse: Warehouse) -> None:
    put(warehouse, day(1), customers=[CUSTOMER], meters=[METER])
    first = warehouse.snapshot()
    put(warehouse, day(2), customers=[{**CUSTOMER, "name": "New"}])
    assert warehouse.changes_since(first) == {"customers"}
    assert warehouse.changes_since(first - 1) == {"customers", "meters"}
    assert warehouse.changes_since(warehouse.snapshot()) == set()
    assert values(warehouse, "SELECT name FROM books.customers", snapshot=first) == [("Acme",)]
    with closing(warehouse.connect(snapshot=first)) as con, pytest.raises(duckdb.Error):
        con.execute("DELETE FROM books.customers")
    with closing(warehouse.connect(read_only=True)) as con, pytest.raises(duckdb.Error):
        con.execute("DELETE FROM books.customers")


def test_many_small_files_are_joined_and_every_snapshot_stays(on_sqlite: Warehouse) -> None:
    seen = {}
    for number in range(4):
        new = [{**CUSTOMER, "customer_id": f"c{number}-{i}"} for i in range(20)]
        put(on_sqlite, day(number), customers=[*new, {**CUSTOMER, "name": f"{number}"}])
        seen[on_sqlite.snapshot()] = values(on_sqlite, "SELECT customer_id, name FROM books.customers ORDER BY ALL")
    last = on_sqlite.snapshot()
    on_sqlite.compact(day(9), files=1)
    files = "SELECT file_count FROM ducklake_table_info('books') WHERE table_name = 'customers'"
    assert values(on_sqlite, files) < [(4,)]
    for snapshot, rows in seen.items():
        assert values(on_sqlite, "SELECT customer_id, name FROM books.customers ORDER BY ALL", snapshot) == rows
    assert on_sqlite.changes_since(last) == set()


def test_every_connection_speaks_utc_wherever_the_machine_is(on_sqlite: Warehouse) -> None:
    on_sqlite.close()
    with zone("America/New_York"):
        for con in (on_sqlite.connect(), on_sqlite.connect(read_only=True), on_sqlite.connect(snapshot=1)):
            assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
            con.close()


@contextmanager
def zone(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


BAD_ROWS = [
    ({"nmae": "x"}, "customers has no column 'nmae'"),
    ({"credit_balance": 1.5}, "customers.credit_balance cannot hold 1.5: a Decimal is needed, never a float"),
    ({"credit_balance": Decimal("1.00001")}, "at most 14 digits before and 4 after the point"),
    ({"credit_balance": Decimal("1e14")}, "at most 14 digits before and 4 after the point"),
    ({"credit_balance": Decimal("NaN")}, "a finite number is needed"),
    ({"created_at": MARCH.replace(tzinfo=None)}, "has no timezone"),
    ({"created_at": "2026-03-01"}, "an aware datetime is needed"),
    ({"is_business": 1}, "True or False is needed"),
    ({"name": 5}, "text is needed"),
    ({"tax_ids": [{"rate": float("nan")}]}, "customers.tax_ids cannot hold"),
]


@pytest.mark.parametrize(("change", "reason"), BAD_ROWS)
def test_a_value_that_a_column_cannot_hold_exactly_is_refused(
    change: dict[str, object], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason.replace("(", r"\(")):
        put(Warehouse(f"sqlite:{tmp_path}/never-made", tmp_path), customers=[{**CUSTOMER, **change}])


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("'c1' AS customer_id", "has no column 'integration'"),
        ("'s' AS integration, 'c1' AS id", "customers has no column 'id'"),
        ("'s' AS integration, 1.5::DOUBLE AS credit_balance", r"credit_balance must be DECIMAL\(18,4\)"),
        ("'s' AS integration, 1.5::DECIMAL(18,5) AS credit_balance", r"credit_balance must be DECIMAL\(18,4\)"),
    ],
)
def test_a_staged_relation_of_another_shape_is_refused(columns: str, reason: str, on_sqlite: Warehouse) -> None:
    with closing(on_sqlite.connect()) as con:
        con.execute(f"CREATE TEMP TABLE staged AS SELECT {columns}")
        with pytest.raises(ValueError, match=reason):
            on_sqlite.upsert(con, {"customers": "staged"}, version_at=MARCH)


def test_a_column_described_later_is_added_to_a_lake_that_is_there(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(warehouse, customers=[CUSTOMER])
    customers = BY_NAME["customers"]
    grown = replace(customers, columns=(*customers.columns, Column("segment", Kind.TEXT)))
    monkeypatch.setattr(schema, "TABLES", (grown,))
    warehouse.create()
    assert values(warehouse, "SELECT name, segment FROM books.customers") == [("Acme", None)]
    before = warehouse.snapshot()
    warehouse.create()
    assert warehouse.snapshot() == before


def test_the_home_may_move_to_another_folder(tmp_path: Path) -> None:
    old = Warehouse(f"sqlite:{tmp_path}/old/catalog.sqlite", tmp_path / "old" / "data")
    old.create()
    put(old, customers=[{**CUSTOMER, "customer_id": f"c{i}"} for i in range(100)])
    old.close()
    shutil.move(tmp_path / "old", tmp_path / "new")
    moved = Warehouse(f"sqlite:{tmp_path}/new/catalog.sqlite", tmp_path / "new" / "data")
    assert values(moved, "SELECT count(name) FROM books.customers") == [(100,)]


def test_a_lake_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_text("no database at all, whatever its name says")
    with pytest.raises(LakeError, match=r"The warehouse catalog cannot be opened at .*catalog.sqlite"):
        Warehouse(f"sqlite:{tmp_path}/catalog.sqlite", tmp_path).connect()
    with pytest.raises(LakeError, match="PostgreSQL database of the configuration") as error:
        Warehouse("postgres:host=127.0.0.1 port=1 password=secret", tmp_path).connect()
    assert "secret" not in str(error.value)
    with pytest.raises(ValueError, match="must be 'sqlite:PATH' or 'postgres:CONNECTION STRING'"):
        Warehouse("mysql:x", tmp_path)


def test_a_snapshot_that_never_was_is_named(on_sqlite: Warehouse) -> None:
    with pytest.raises(LakeError, match="Snapshot 999 of the warehouse does not exist"):
        on_sqlite.connect(snapshot=999)
