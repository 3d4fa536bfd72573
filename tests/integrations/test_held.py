"""Usage that stays in the company's own warehouse is read there as one with the books, and is never taken for zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Engine

from detector import case_rows, checkup, cycle, derived
from detector.cycle import Setting
from detector.rule_format import Case
from detector.rules import load
from integrations.sql import Sql, from_config
from store.held import Held
from store.lake import LakeError
from store.lake import load as load_extension
from store.rows import arrow
from store.warehouse import Warehouse
from tests.lakes import lake
from tests.operational_stores import fresh_database

RULES = Path(__file__).parents[2] / "rules"
LOADED = {rule.name: rule for rule in load(RULES)[0]}
NOW = datetime(2026, 11, 3, tzinfo=UTC)
MAPPED = {
    "in_place": True,
    "source": "raw_events",
    "columns": {
        "event_id": "id",
        "source": "source",
        "event_type": "kind",
        "subject": "account",
        "time": "happened_at",
        "value": "amount",
        "received_at": "loaded_at",
    },
    "values": {"status": "accepted"},
}
GIVEN = (
    "SELECT event_id AS id, source, event_type AS kind, subject AS account, time AS happened_at, value AS amount, "
    "received_at AS loaded_at FROM events"
)


def company() -> dict[str, list[dict[str, Any]]]:
    return case_rows.rows(Case(name="as it is", expect=()), case_rows.company(RULES / "cases" / "company.yaml"))


@pytest.fixture
def events() -> Iterator[duckdb.DuckDBPyConnection]:
    """The events of the rules' company as a table of DuckDB, and one of them twice."""
    with closing(duckdb.connect(config={"python_enable_replacements": False})) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("given", arrow("usage_events", company()["usage_events"], "product"))
        con.execute("CREATE TABLE events AS FROM given")
        con.execute(
            "INSERT INTO events SELECT * REPLACE (received_at + INTERVAL 1 HOUR AS received_at) FROM events LIMIT 1"
        )
        yield con


Placed = Callable[[str], str]


@pytest.fixture
def placed(events: duckdb.DuckDBPyConnection, tmp_path: Path, request: pytest.FixtureRequest) -> Placed:
    """Puts the events where the company has them; the address."""

    def put(kind: str) -> str:
        if kind == "parquet":
            (tmp_path / "usage").mkdir()
            events.execute(f"COPY ({GIVEN}) TO '{tmp_path}/usage/raw_events' (FORMAT parquet)")
            return f"parquet:{tmp_path}/usage"
        if kind == "postgres":
            url = fresh_database(request.getfixturevalue("postgres_url"))
            load_extension(events, "postgres_scanner")
            events.execute(f"ATTACH '{url}' AS theirs (TYPE postgres)")
        elif kind == "sqlite":
            url = f"sqlite:///{tmp_path}/theirs.sqlite"
            load_extension(events, "sqlite_scanner")
            events.execute(f"ATTACH '{tmp_path}/theirs.sqlite' AS theirs (TYPE sqlite)")
        else:
            url = f"duckdb:{tmp_path}/theirs.duckdb"
            events.execute(f"ATTACH '{tmp_path}/theirs.duckdb' AS theirs")
        events.execute(f"CREATE TABLE theirs.raw_events AS {GIVEN}; DETACH theirs")
        return url

    return put


def held(url: str, **mapped: object) -> Held:
    source = from_config("product", {"url": url, "tables": {"usage_events": MAPPED | mapped}})
    assert source.in_place is not None
    kind, address = source.place
    own = source.in_place
    return Held("product", kind, address, own.source, own.columns, own.values, own.unique)


def beside(folder: Path, *sources: Held) -> Warehouse:
    """The company's books without its usage, and the sources beside them."""
    made = lake(folder)
    made.upsert_rows({**company(), "usage_events": []}, integration="billing", version_at=NOW)
    return Warehouse(f"sqlite:{folder}/catalog.sqlite", folder / "files", held=sources)


def metered(warehouse: Warehouse) -> list[tuple[object, ...]]:
    with cycle.books_at(warehouse, warehouse.snapshot()) as con:
        derived.build(con, NOW, {"three_way"})
        return con.execute(
            "SELECT item_id, period_start, metered, expected_amount FROM three_way ORDER BY ALL"
        ).fetchall()


@pytest.mark.parametrize("kind", ["duckdb", "parquet", "sqlite", "postgres"])
def test_usage_is_metered_and_rated_as_if_it_were_copied(kind: str, placed: Placed, tmp_path: Path) -> None:
    whole = lake(tmp_path / "whole")
    whole.upsert_rows(company(), integration="billing", version_at=NOW)
    away = beside(tmp_path / "away", held(placed(kind)))
    assert metered(away) == metered(whole)
    assert any(row[2] for row in metered(away))
    counted = "SELECT count(*), min(received_at), max(value) FROM books.usage_events"
    with closing(away.near.connect()) as near, closing(whole.near.connect()) as copied:
        assert near.execute(counted).fetchall() == copied.execute(counted).fetchall()
    assert away.counts()["usage_events"] == 0, "no copy is kept"
    with closing(away.near.connect()) as near, pytest.raises(duckdb.Error):
        near.execute("DELETE FROM held_product.raw_events" if kind != "parquet" else "DELETE FROM books.usage_events")
    away.close()
    whole.close()


def test_a_rule_over_usage_is_never_skipped_as_unchanged(placed: Placed, tmp_path: Path) -> None:
    away = beside(tmp_path / "away", held(placed("duckdb")))
    assert away.changes_since(away.snapshot()) == {"usage_events"}
    away.close()


def test_usage_that_cannot_be_reached_is_told_and_not_taken_for_zero(
    sqlite_engine: Engine, placed: Placed, tmp_path: Path
) -> None:
    gone = held(placed("duckdb"), source="elsewhere")
    away = beside(tmp_path / "away", gone)
    setting = Setting(away, sqlite_engine, lambda: NOW, "tests")
    results = {each.rule: each for each in cycle.run(setting, [LOADED["zero_usage"], LOADED["ledger_imbalance"]], NOW)}
    assert (results["zero_usage"].status, results["ledger_imbalance"].status) == ("failed", "ok")
    assert "the usage of product cannot be read where it lies (duckdb, elsewhere)" in (
        results["zero_usage"].error or ""
    )
    looked_at = checkup.guarded("usage of product", lambda: checkup.usage(gone))
    assert not looked_at.well
    away.close()


def test_a_column_that_is_not_there_and_an_address_are_told_without_secrets(tmp_path: Path) -> None:
    with pytest.raises(LakeError) as told:
        held("postgresql://reader:hush@127.0.0.1:1/none").try_out()
    assert "hush" not in str(told.value)
    with duckdb.connect(f"{tmp_path}/theirs.duckdb") as con:
        con.execute("CREATE TABLE raw_events (id VARCHAR)")
    with pytest.raises(LakeError, match="it has no column 'source'; it has id"):
        held(f"duckdb:{tmp_path}/theirs.duckdb").try_out()


def connected(url: str, mapped: Mapping[str, object], table: str = "usage_events") -> Sql:
    return from_config("product", {"url": url, "tables": {table: mapped}})


@pytest.mark.parametrize(
    ("url", "mapped", "table", "said"),
    [
        ("s3://bucket/events", MAPPED, "usage_events", "not from s3://"),
        ("duckdb:/x.duckdb", MAPPED | {"source": "SELECT 1"}, "usage_events", "make a view of this SELECT there"),
        ("sqlite:///x", {**MAPPED, "columns": {}, "values": {}}, "meters", "only usage_events are read in place"),
        ("duckdb:/x.duckdb", MAPPED | {"in_place": False}, "usage_events", "in_place: true"),
    ],
)
def test_what_cannot_be_read_in_place_is_named_by_its_key(
    url: str, mapped: Mapping[str, object], table: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        connected(url, mapped, table)
