"""A company of 24 customers on one plan, by days or by hours, of whom one has stopped: for tests of unusual usage."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from detector import case_rows, cycle
from detector.cycle import Setting
from detector.rule_format import Case
from detector.rules import Rule, read
from store import operational
from store.operational_tables import Load
from tests.web.company import Home

RULES = Path(__file__).parents[1] / "rules"
CUSTOMERS, DAYS = 24, 77
FIRST = datetime(2026, 9, 7, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
STOPPED = "customer/billing/c07/meter_api"
SILENT_DAYS = 4
HOURS = 24 * 17
SILENT_HOURS = timedelta(hours=7)
WEEK = np.array([1, 1.05, 1.1, 1.05, 1, 0.6, 0.5])

Rows = dict[str, list[dict[str, Any]]]


def rows(until: datetime = NOW, back: Collection[int] = ()) -> Rows:
    """The books: one event a day, none of the one who has stopped from four days before NOW on but on days `back`."""
    given: Mapping[str, list[dict[str, Any]]] = {
        "customers": [{"customer_id": name, "name": f"Customer {name}", "status": "active"} for name in _names()],
        "subjects": [{"subject": f"{name}-prod", "customer_id": name} for name in _names()],
        "subscriptions": [
            {"subscription_id": f"sub_{name}", "customer_id": name, "started_at": FIRST, "billing_anchor": FIRST}
            for name in _names()
        ],
        "subscription_items": [
            {
                "item_id": f"item_{name}",
                "subscription_id": f"sub_{name}",
                "price_id": "price_usage",
                "active_from": FIRST,
            }
            for name in _names()
        ],
        "usage_events": list(_events(until, back)),
    }
    base = case_rows.company(RULES / "cases" / "company.yaml")
    catalogue = {name: base.rows[name] for name in ("meters", "plans", "prices", "price_tiers")}
    return case_rows.rows(Case(name="calm", given=given, expect="quiet"), replace(base, rows=catalogue))


def _names() -> list[str]:
    return [f"c{number:02}" for number in range(CUSTOMERS)]


def _events(until: datetime, back: Collection[int]) -> Any:
    noise = np.random.default_rng(5)
    last = int((NOW - FIRST) / timedelta(days=1))
    for number, name in enumerate(_names()):
        for day in range(int((until - FIRST) / timedelta(days=1))):
            used = round(200 * (1 + number) * WEEK[day % 7] * float(np.exp(noise.normal(0, 0.06))))
            at = FIRST + timedelta(days=day, hours=12)
            if f"/{name}/" in STOPPED and day >= last - SILENT_DAYS and at.day not in back:
                continue
            yield {
                "event_id": f"{name}_{day}", "subject": f"{name}-prod", "value": used, "time": at,
                "received_at": at + timedelta(seconds=5),
            }  # fmt: skip


def rule(name: str) -> Rule:
    """One rule of the catalogue."""
    found, problems = read(RULES / "usage" / f"{name}.yaml")
    assert found is not None, problems
    return found


def setting(home: Home) -> Setting:
    """Where its rules run."""
    return Setting(home.warehouse, home.engine(), lambda: NOW, "tests")


def hourly(until: Mapping[str, datetime], high: Mapping[str, int] | None = None, more: int = 0) -> Rows:
    """The company, of whom these customers send 40 an hour, each up to an instant, at most `more` hours after NOW.

    `high`: so much in the newest hour before NOW.
    """
    given = rows()
    begin = NOW.replace(minute=0) - timedelta(hours=HOURS)
    model = given["usage_events"][0]
    events = [
        {**model, "event_id": f"{name}-{hour}", "subject": f"{name}-prod", "time": at, "received_at": at,
         "value": (high or {}).get(name, 40) if hour == HOURS - 1 else 40}
        for name, end in until.items()
        for hour in range(HOURS + more)
        if (at := begin + timedelta(hours=hour, minutes=5)) < end
    ]  # fmt: skip
    return {**given, "usage_events": events}


def make(folder: Path) -> Home:
    """The company in a home, with the signal of the one who has stopped."""
    return _made(folder, rows(), "usage_stopped")


def make_hourly(folder: Path) -> Home:
    """The company by hours: SIG-1 says that c01 fell silent seven hours ago, SIG-2 that c02 sent 9000 in an hour."""
    until = {"c00": NOW, "c01": NOW - SILENT_HOURS, "c02": NOW}
    return _made(folder, hourly(until, {"c02": 9000}), "stopped_today", "spike_today")


def _made(folder: Path, given: Rows, *names: str) -> Home:
    home = Home(folder)
    home.warehouse.create()
    home.warehouse.upsert_rows(given, integration="billing", version_at=NOW)
    with operational.writing(home.engine()) as session:
        session.add(Load(integration="billing", kind="import", status="ok", started_at=NOW, finished_at=NOW,
                         rows={}, source="tests"))  # fmt: skip
    results = cycle.run(setting(home), [rule(name) for name in names], NOW)
    assert [(result.status, result.findings) for result in results] == [("ok", 1)] * len(names), results
    return home
