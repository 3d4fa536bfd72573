"""Stored webhooks are applied once each, together where they can be, and none that fails keeps the others waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from detector import arrivals, deliveries
from detector.cycle import Setting
from detector.deliveries import Refusal
from detector.delivering import WAITS, Applying
from integrations.http import SourceError, UnreachableError
from integrations.objects import Object
from integrations.pages import Page, Remark
from integrations.webhooks import Delivery as Proven
from integrations.webhooks import content
from store import operational
from store.delivery_tables import Delivery
from store.lake import LakeError
from store.operational_tables import Job
from store.warehouse import Warehouse

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
CUSTOMER = {"currency": "USD", "status": "active", "created_at": NOW}


@dataclass
class Vendor:
    """Answers what its customers are called now, or fails; remembers how many deliveries came together."""

    names: dict[str, str] = field(default_factory=dict)
    at: datetime = NOW
    broken: dict[str, Exception] = field(default_factory=dict)
    together: list[int] = field(default_factory=list)

    def receive(self, told: Sequence[Object]) -> Iterator[Page]:
        self.together.append(len(told))
        ids = list(dict.fromkeys(str(one["customer"]) for one in told))
        for id in ids:
            if id in self.broken:
                raise self.broken[id]
        rows = [{**CUSTOMER, "customer_id": id, "name": self.names[id]} for id in ids if id in self.names]
        remarks = tuple(Remark("customers", id, "it has no name") for id in ids if id not in self.names)
        yield Page("customers", {"customers": rows}, self.at, remarks=remarks)


@dataclass
class Home:
    """Both stores, a clock, and a vendor."""

    setting: Setting
    vendor: Vendor
    now: datetime = NOW

    def send(self, id: str, customer: str) -> deliveries.Outcome:
        body = json.dumps({"customer": customer}).encode()
        return deliveries.take(
            self.setting.engine, "acme", lambda b, h, n: Proven(id, "customer.updated", content(b)), body, {}, self.now
        )

    def work(self) -> None:
        Applying(self.setting, "acme", self.vendor.receive).work()

    def rows(self) -> list[Delivery]:
        with operational.reading(self.setting.engine) as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.id)))

    def names(self) -> dict[str, str]:
        with self.setting.warehouse.connect() as con:
            return dict(con.execute("SELECT customer_id, name FROM books.customers").fetchall())


@contextmanager
def opened(store: Engine, folder: Path) -> Iterator[Home]:
    warehouse = Warehouse(f"sqlite:{folder / 'catalog.sqlite'}", folder / "files")
    warehouse.create()
    made = Home(Setting(warehouse, store, lambda: made.now, "tests"), Vendor())
    yield made
    warehouse.close()


@pytest.fixture
def home(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Home]:
    with opened(sqlite_engine, tmp_path) as made:
        yield made


def test_on_either_store_a_delivery_is_taken_once_and_applied(engine: Engine, tmp_path: Path) -> None:
    with opened(engine, tmp_path) as home:
        home.vendor.names = {"c1": "A"}
        assert [home.send("e1", "c1").refusal for _ in range(3)] == [None, Refusal.REPLAYED, Refusal.REPLAYED]
        home.work()
        assert (home.names(), [row.status for row in home.rows()]) == ({"c1": "A"}, ["applied"])
        with operational.reading(engine) as session:
            assert [(each.reason, each.count) for each in deliveries.refusals(session)] == [("replayed", 2)]


def test_deliveries_in_any_order_and_twice_bring_what_is_true_now_once(home: Home) -> None:
    home.vendor.names = {"c1": "New name", "c2": "Other"}
    assert [home.send(id, c).refusal for id, c in (("e2", "c1"), ("e1", "c1"), ("e3", "c2"), ("e2", "c1"))] == [
        None, None, None, Refusal.REPLAYED
    ]  # fmt: skip
    home.work()
    assert home.vendor.together == [3]
    assert home.names() == {"c1": "New name", "c2": "Other"}
    assert [(row.status, row.body, row.applied_at) for row in home.rows()] == [("applied", None, NOW)] * 3
    with operational.reading(home.setting.engine) as session:
        told = {job.args["event"] for job in session.scalars(select(Job))}
    assert told == {"integration.synced"}
    home.work()
    assert home.vendor.together == [3]
    assert home.send("e1", "c1").refusal is Refusal.REPLAYED  # also after it was applied


def test_what_is_known_from_an_earlier_answer_never_replaces_a_later_one(home: Home) -> None:
    home.vendor.names = {"c1": "Newer"}
    home.send("e1", "c1")
    home.work()
    home.vendor.names, home.vendor.at = {"c1": "Older"}, NOW - timedelta(seconds=5)
    home.send("e2", "c1")
    home.work()
    assert home.names() == {"c1": "Newer"}


def test_a_vendor_that_does_not_answer_is_asked_later_until_it_is_given_up_and_retried_by_hand(home: Home) -> None:
    home.vendor.names, home.vendor.broken = {"c1": "A"}, {"c1": UnreachableError("acme did not answer")}
    home.send("e1", "c1")
    for wait in WAITS:
        home.work()
        (row,) = home.rows()
        assert (row.status, row.error, row.due_at) == ("queued", "acme did not answer", home.now + wait)
        home.work()  # not before it is due
        home.now += wait
    home.work()
    (row,) = home.rows()
    assert (row.status, row.attempts) == ("failed", len(WAITS) + 1)
    home.vendor.broken = {}
    home.work()
    assert home.names() == {}
    with operational.writing(home.setting.engine) as session:
        assert deliveries.retry(session, "acme", home.now) == 1
    home.work()
    assert (home.names(), home.rows()[0].status) == ({"c1": "A"}, "applied")


def test_a_store_that_is_away_keeps_every_delivery_for_later(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*given: object, **more: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    home.vendor.names = {"c1": "A", "c2": "B"}
    home.send("e1", "c1")
    home.send("e2", "c2")
    with monkeypatch.context() as patched:
        patched.setattr(home.setting.warehouse, "upsert_rows", away)
        home.work()
    assert {(row.status, row.error) for row in home.rows()} == {
        ("queued", "the store could not be reached: the server closed the connection")
    }
    home.now += WAITS[0]
    home.work()
    assert home.names() == {"c1": "A", "c2": "B"}


def test_books_that_cannot_be_written_keep_every_delivery_for_later(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*given: object, **more: object) -> None:
        raise LakeError("the catalog does not answer")

    home.vendor.names = {"c1": "A", "c2": "B"}
    home.send("e1", "c1")
    home.send("e2", "c2")
    with monkeypatch.context() as patched:
        patched.setattr(home.setting.warehouse, "upsert_rows", away)
        home.work()
    assert {(row.status, row.error) for row in home.rows()} == {
        ("queued", "the books could not be written: the catalog does not answer")
    }
    home.now += WAITS[0]
    home.work()
    assert home.names() == {"c1": "A", "c2": "B"}


def test_one_that_cannot_be_applied_fails_with_its_cause_and_the_others_are_applied(home: Home) -> None:
    home.vendor.names = {"c1": "A", "c3": "C"}
    home.vendor.broken = {"c2": SourceError("The key may not read customers.", permanent=True)}
    for id in ("c1", "c2", "c3"):
        home.send(f"e-{id}", id)
    home.work()
    assert home.names() == {"c1": "A", "c3": "C"}
    assert [(row.status, row.error) for row in home.rows()] == [
        ("applied", None), ("failed", "The key may not read customers."), ("applied", None)
    ]  # fmt: skip
    with operational.reading(home.setting.engine) as session:
        assert [each.delivery_id for each in deliveries.failures(session)] == ["e-c2"]
        tally = deliveries.tallies(session)["acme"]
    assert (tally.applied, tally.waiting, tally.failed) == (2, 0, 1)


def test_a_record_that_cannot_be_read_is_listed_until_it_can(home: Home) -> None:
    home.send("e1", "c1")
    home.work()
    assert home.rows()[0].error == "customers c1: it has no name"
    with operational.reading(home.setting.engine) as session:
        (rejected,) = arrivals.rejections(session)
    assert (rejected.kind, rejected.record_id, rejected.reason) == ("customers", "c1", "it has no name")
    home.vendor.names = {"c1": "Named"}
    home.send("e2", "c1")
    home.work()
    with operational.reading(home.setting.engine) as session:
        assert arrivals.rejections(session) == []


def test_what_a_worker_left_behind_is_taken_over_and_what_one_holds_is_not(home: Home) -> None:
    home.vendor.names = {"c1": "A"}
    home.send("e1", "c1")
    for lease, applied in ((timedelta(minutes=1), 0), (timedelta(minutes=-1), 1)):
        with operational.writing(home.setting.engine) as session:
            row = session.scalars(select(Delivery)).one()
            row.status, row.claimed_by, row.lease_until = "applying", "elsewhere/x/1/2", NOW + lease
        home.work()
        assert len(home.names()) == applied


def test_what_was_applied_long_ago_is_forgotten_and_what_failed_is_not(home: Home) -> None:
    home.vendor.names, home.vendor.broken = {"c1": "A"}, {"c2": SourceError("no", permanent=True)}
    home.send("e1", "c1")
    home.send("e2", "c2")
    home.work()
    with operational.writing(home.setting.engine) as session:
        deliveries.forget(session, NOW + timedelta(days=34))
        assert len(session.scalars(select(Delivery)).all()) == 2
        deliveries.forget(session, NOW + timedelta(days=36))
        assert [each.delivery_id for each in session.scalars(select(Delivery))] == ["e2"]
