"""What syncs, webhooks and reconciliations tell of a source becomes signals, and goes when the source is well again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from detector import case_rows, cycle, reconcile
from detector.background import Background
from detector.cycle import Setting
from detector.decisions import Policy
from detector.rule_format import Case
from detector.rules import load
from integrations.http import SourceError
from integrations.pages import Page
from store import operational
from store.delivery_tables import Delivery
from store.operational_tables import Job, Load, Signal, SignalEntity
from store.reconcile_tables import Reconciliation
from tests.lakes import lake

RULES = Path(__file__).parents[2] / "rules"
LOADED = {rule.name: rule for rule in load(RULES)[0]}
APART = [LOADED["records_out_of_step"], LOADED["subscription_out_of_step"]]
TABLES = ("customers", "invoices", "subscriptions", "subscription_items")
HOUR = timedelta(hours=1)

Rows = Mapping[str, list[dict[str, Any]]]


def company() -> Rows:
    """What the billing system of the rules' company has."""
    rows = case_rows.rows(Case(name="as it is", expect=()), case_rows.company(RULES / "cases" / "company.yaml"))
    return {table: [row for row in held if row["integration"] == "billing"] for table, held in rows.items()}


@dataclass
class Vendor:
    """A billing system that gives all that it has, or answers nothing."""

    rows: Rows
    name: str = "billing"
    is_down: bool = False

    def pull(self, cursor: object, *, full: bool, now: datetime) -> Iterator[Page]:
        if self.is_down:
            raise SourceError("billing did not answer", permanent=False)
        yield Page("all", self.rows, now)

    def check(self) -> str | None:
        return None

    def without(self, table: str, **key: str) -> Vendor:
        """The same without one record."""
        left = [row for row in self.rows[table] if not key.items() <= row.items()]
        return Vendor({**self.rows, table: left})

    def having(self, table: str, key: Mapping[str, str], **values: Any) -> Vendor:
        """The same with other values in one record."""
        changed = [row | values if key.items() <= row.items() else row for row in self.rows[table]]
        return Vendor({**self.rows, table: changed})


@pytest.fixture
def setting(tmp_path: Path, sqlite_engine: Engine) -> Iterator[Setting]:
    """Books without the fee's rules of time: what counts here is when a thing was read, by the present clock."""
    warehouse = lake(tmp_path / "lake")
    yield Setting(warehouse, sqlite_engine, lambda: datetime.now(UTC), "tests", Policy(clear_after=1))
    warehouse.close()


def store(setting: Setting, rows: Rows) -> None:
    setting.warehouse.upsert_rows(rows, integration="billing", version_at=datetime.now(UTC))


def synced(setting: Setting, status: str = "ok", error: str | None = None, **values: Any) -> None:
    """A sync that was just now."""
    now = datetime.now(UTC)
    with operational.writing(setting.engine) as session:
        load = Load(kind="sync", integration="billing", started_at=now, finished_at=now, status=status, error=error)
        for name, value in values.items():
            setattr(load, name, value)
        session.add(load)


def decided(setting: Setting, rules: Sequence[Any] = APART) -> list[str]:
    """The reasons of one run of the rules, in the order of the rules."""
    results = cycle.run(setting, rules, datetime.now(UTC))
    assert [result.error for result in results if result.error] == []
    return [reason for result in results for reason in result.decisions]


def signals(setting: Setting) -> dict[str, Signal]:
    with operational.reading(setting.engine) as session:
        return {signal.rule: signal for signal in session.scalars(select(Signal))}


def records(setting: Setting) -> set[str]:
    with operational.reading(setting.engine) as session:
        return {f"{each.type}:{each.entity_id}" for each in session.scalars(select(SignalEntity))}


def test_what_the_books_lack_is_a_signal_until_it_came_in(setting: Setting) -> None:
    vendor = Vendor(company())
    store(setting, vendor.without("invoices", invoice_id="inv_acme_nov").rows)
    reconcile.reconcile(setting, vendor, TABLES)
    assert decided(setting) == ["opened"]
    (signal,) = signals(setting).values()
    assert (signal.code, signal.cause, signal.money_in, str(signal.exposure)) == (
        "TU-64", "integration:billing", "USD", "161.0000",
    )  # fmt: skip
    assert {"invoice:inv_acme_nov", "customer:acme", "integration:billing"} <= records(setting)

    vendor.is_down = True
    with pytest.raises(SourceError):
        reconcile.reconcile(setting, vendor, TABLES)
    assert decided(setting) == ["unchanged"], "a reconciliation that failed says nothing"
    vendor.is_down = False
    store(setting, vendor.rows)
    stale = replace(setting, limits={"billing": HOUR})
    assert decided(stale) == ["kept_stale"], "nothing is gone while the source is stale"
    assert decided(setting) == ["self_healed"], "it came in"

    lost = Vendor(company()).having("invoices", {"invoice_id": "inv_acme_nov"}, total=200)
    reconcile.reconcile(setting, lost, TABLES)
    assert decided(setting) == ["reopened"]
    reconcile.reconcile(setting, vendor, TABLES)
    assert decided(setting) == ["self_healed"], "the next reconciliation is clean"


def test_a_subscription_in_another_state_is_drift_with_its_fees(setting: Setting) -> None:
    ended = datetime.now(UTC) - timedelta(days=10)
    vendor = Vendor(company())
    store(setting, vendor.rows)
    changed = vendor.having("subscriptions", {"subscription_id": "sub_acme"}, status="ended", ended_at=ended)
    reconcile.reconcile(setting, changed, TABLES)
    assert decided(setting) == ["opened"]
    (signal,) = signals(setting).values()
    assert (signal.code, signal.cause, str(signal.exposure)) == ("TU-38", "subscription:sub_acme", "16.1000")
    assert signal.title.startswith(
        "Acme Corp: billing and the books do not agree on subscription sub_acme: there it is ended"
    )


def test_what_the_next_sync_brings_is_no_drift(setting: Setting) -> None:
    vendor = Vendor(company())
    store(setting, vendor.without("invoices", invoice_id="inv_acme_nov").rows)
    scheduled = replace(setting, policy=replace(setting.policy, rhythms={"billing": HOUR}))
    synced(setting)
    reconcile.reconcile(setting, vendor, TABLES)
    assert decided(scheduled) == [], "it may have been made since the last sync"
    synced(setting)
    assert decided(scheduled) == ["opened"], "a sync that began later did not bring it either"


def test_a_source_whose_key_is_refused_is_a_signal_until_it_is_read_again(setting: Setting) -> None:
    rules = [LOADED["source_failing"]]
    synced(setting)
    assert decided(setting, rules) == []
    synced(setting, "failed", "Stripe refused the key; set a valid api_key for this integration.")
    assert decided(setting, rules) == ["opened"]
    assert signals(setting)["source_failing"].title == "billing: the key is refused"
    synced(setting)
    assert decided(setting, rules) == ["self_healed"]


def test_a_source_is_late_after_twice_its_rhythm(setting: Setting) -> None:
    rules = [LOADED["source_failing"]]
    hourly = replace(setting, policy=replace(setting.policy, rhythms={"billing": HOUR}))
    ago = datetime.now(UTC) - timedelta(minutes=115)
    synced(setting, started_at=ago, finished_at=ago)
    assert decided(hourly, rules) == []
    with operational.writing(setting.engine) as session:
        session.scalars(select(Load)).one().finished_at = ago - timedelta(minutes=10)
    assert decided(hourly, rules) == ["opened"]


def test_webhooks_that_stop_while_syncs_go_on_are_a_signal(setting: Setting) -> None:
    rules, now = [LOADED["webhooks_failing"]], datetime.now(UTC)
    with operational.writing(setting.engine) as session:
        told = Delivery(integration="billing", delivery_id="evt_1", kind="invoice.paid", status="applied", attempts=1)
        told.received_at = told.due_at = told.applied_at = now - timedelta(hours=8)
        session.add(told)
    brought = {"invoices": {"inserted": 2, "updated": 1}, "reported_usage": {"inserted": 900}}
    for hours in (6, 4):
        synced(setting, started_at=now - hours * HOUR, rows=brought)
    assert decided(setting, rules) == []
    synced(setting, started_at=now - 2 * HOUR, rows=brought)
    assert decided(setting, rules) == ["opened"]
    with operational.writing(setting.engine) as session:
        session.scalars(select(Delivery)).one().received_at = now
    assert decided(setting, rules) == ["self_healed"]


def test_sources_are_compared_by_themselves_once_a_week_and_sooner_after_a_failure(setting: Setting) -> None:
    moment, week = [datetime(2026, 11, 1, tzinfo=UTC)], timedelta(days=7)
    vendor = Vendor(company())
    clocked = replace(setting, clock=lambda: moment[0])

    def compared() -> str:
        reconcile.reconcile(clocked, vendor, TABLES)
        return "agrees"

    background = Background(clocked, list, {}, {}, {}, {"billing": compared}, {"billing": week})

    def done() -> list[str]:
        with operational.reading(setting.engine) as session:
            return [row.status for row in session.scalars(select(Reconciliation).order_by(Reconciliation.id))]

    background.compare()
    assert done() == [], "it was never synced"
    synced(setting, started_at=moment[0], finished_at=moment[0])
    moment[0] += week - HOUR
    background.compare()
    assert done() == []
    moment[0] += HOUR
    vendor.is_down = True
    background.compare()
    background.compare()
    assert done() == ["failed"]
    vendor.is_down = False
    moment[0] += HOUR
    background.compare()
    background.compare()
    assert done() == ["failed", "ok"]
    with operational.reading(setting.engine) as session:
        assert {job.args["event"] for job in session.scalars(select(Job).where(Job.kind == "event"))} == {
            "integration.reconciled"
        }
