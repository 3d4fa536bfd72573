"""Several processes write one lake, races are lost, processes are killed: the books come out the same."""

from __future__ import annotations

import multiprocessing
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import duckdb
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from store.upsert import Counts
from store.warehouse import Warehouse
from store.writing import sole_writer
from tests.operational_stores import fresh_database
from tests.store import warehouse_writer as writer

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    catalog = f"sqlite:{tmp_path}/catalog.sqlite"
    if request.param == "postgresql":
        catalog = fresh_database(request.getfixturevalue("postgres_url"))
    made = Warehouse(catalog, tmp_path / "data")
    made.create()
    yield made
    made.close()


PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.store.warehouse_writer"])


def start(warehouse: Warehouse, name: int, pages: int, begun: Event | None = None) -> ForkServerProcess:
    catalog = warehouse.catalog
    address = f"sqlite:{catalog.place}" if catalog.scheme == "sqlite" else catalog.place
    process = PROCESSES.Process(target=writer.write, args=(address, warehouse.data_path, str(name), pages, begun))
    process.start()
    return process


def finish(process: ForkServerProcess) -> int | None:
    process.join(120)
    return process.exitcode


def customers(warehouse: Warehouse) -> list[tuple[str, str]]:
    with closing(warehouse.connect()) as con:
        return con.execute("SELECT customer_id, name FROM books.customers ORDER BY ALL").fetchall()


def test_processes_that_write_the_same_keys_at_once_lose_nothing_and_double_nothing(warehouse: Warehouse) -> None:
    writers, pages = 3, 5
    running = [start(warehouse, name, pages) for name in range(writers)]
    assert [finish(process) for process in running] == [0] * writers
    assert customers(warehouse) == writer.expected(writers, pages)
    assert warehouse.counts()["usage_events"] == writers * pages * writer.EVENTS


def test_a_writer_killed_at_any_moment_and_started_again_leaves_the_same_books(warehouse: Warehouse) -> None:
    pages, chance = 8, random.Random(1)
    for _ in range(2):
        begun = PROCESSES.Event()
        process = start(warehouse, 0, pages, begun)
        assert begun.wait(60)
        process.join(chance.uniform(0, 0.2))
        process.kill()
        process.join()
        whole = warehouse.counts()["usage_events"]
        assert whole % writer.EVENTS == 0  # pages are there whole or not at all
        assert whole // writer.EVENTS == int(warehouse.cursor("test", "0") or -1) + 1
    assert finish(start(warehouse, 0, pages)) == 0
    assert customers(warehouse) == writer.expected(1, pages)
    assert warehouse.counts()["usage_events"] == pages * writer.EVENTS


def row(number: int, **values: object) -> dict[str, object]:
    return {"customer_id": f"c{number}", "name": "Acme", "status": "active", "created_at": MARCH, **values}


def test_a_lost_commit_race_is_tried_again(warehouse: Warehouse) -> None:
    warehouse.upsert_rows({"customers": [row(i) for i in range(20)]}, integration="files", version_at=MARCH)
    tries: list[int] = []

    def interfere(key: str) -> str:
        """What somebody with their own DuckDB does, once, after our transaction has begun."""
        tries.append(1)
        if len(tries) == 1:
            with closing(warehouse.connect(read_only=False)) as other:
                other.execute("UPDATE books.customers SET name = 'Theirs' WHERE customer_id = 'c1'")
        return key

    with closing(warehouse.connect()) as con:
        con.create_function("interfere", interfere, ["VARCHAR"], "VARCHAR", side_effects=True)  # type: ignore[list-item]
        con.execute(
            """CREATE TEMP VIEW staged AS
               SELECT interfere(customer_id) AS customer_id, 'Ours' AS name, status, created_at, integration
               FROM (SELECT 'c1' AS customer_id, 'active' AS status, TIMESTAMP '2026-03-01' AS created_at,
                            'files' AS integration)"""
        )
        counts = warehouse.upsert(con, {"customers": "staged"}, version_at=MARCH + timedelta(1), distinct=True)
    assert counts == {"customers": Counts(updated=1)}
    assert len(tries) > 2  # read to count and to merge, then again
    assert dict(customers(warehouse))["c1"] == "Ours"


def test_a_writer_waits_for_the_one_before_it(warehouse: Warehouse) -> None:
    written = threading.Event()

    def write() -> None:
        warehouse.upsert_rows({"customers": [row(1)]}, integration="files", version_at=MARCH)
        written.set()

    with sole_writer(warehouse.catalog, warehouse.data_path):
        second = threading.Thread(target=write)
        second.start()
        assert not written.wait(0.5)
    second.join(30)
    assert customers(warehouse) == [("c1", "Acme")]


KEYS = st.integers(0, 12)
ROWS = st.dictionaries(KEYS, st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=13)


class Books(RuleBasedStateMachine):
    """Upserts in any order of versions, with every snapshot compared to a dictionary that does the same."""

    @initialize(folder=st.builds(lambda: None))
    def make(self, folder: None) -> None:
        self.folder = _folder()
        self.warehouse = Warehouse(f"sqlite:{self.folder}/catalog.sqlite", self.folder / "data")
        self.warehouse.create()
        self.held: dict[int, tuple[str, int]] = {}
        self.seen = {self.warehouse.snapshot(): dict(self.held)}

    @rule(rows=ROWS)
    def upsert(self, rows: dict[int, tuple[str, int]]) -> None:
        before, snapshot = dict(self.held), self.warehouse.snapshot()
        batch = [row(key, name=name, version_at=MARCH + timedelta(day)) for key, (name, day) in rows.items()]
        self.warehouse.upsert_rows({"customers": batch}, integration="files", version_at=MARCH)
        for key, (name, day) in rows.items():
            if key not in self.held or day >= self.held[key][1]:
                self.held[key] = (name, day)
        assert (self.warehouse.snapshot() == snapshot) is (self.held == before)
        self.seen[self.warehouse.snapshot()] = dict(self.held)

    @rule()
    def compact(self) -> None:
        self.warehouse.compact(MARCH, files=0)

    @invariant()
    def every_snapshot_is_as_it_was(self) -> None:
        with closing(self.warehouse.connect()) as con:
            for snapshot, held in self.seen.items():
                assert _at(con, snapshot) == held

    def teardown(self) -> None:
        if hasattr(self, "warehouse"):
            self.warehouse.close()


def _at(con: duckdb.DuckDBPyConnection, snapshot: int) -> dict[int, tuple[str, int]]:
    found = con.execute(
        f"""SELECT customer_id[2:]::INT, name, date_diff('day', TIMESTAMP '2026-03-01', version_at)
            FROM books.customers AT (VERSION => {snapshot})"""
    ).fetchall()
    assert len({key for key, _, _ in found}) == len(found)
    return {key: (name, day) for key, name, day in found}


_FOLDERS: list[Path] = []


def _folder() -> Path:
    _FOLDERS.append(_FOLDERS[0] / f"run{len(_FOLDERS)}")
    return _FOLDERS[-1]


def test_whatever_the_order_the_newest_content_stays_and_snapshots_never_change(tmp_path: Path) -> None:
    _FOLDERS[:] = [tmp_path]
    Books.TestCase.settings = settings(max_examples=5, stateful_step_count=6, deadline=None)
    Books.TestCase().runTest()
