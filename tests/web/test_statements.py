"""What a page may ask of the operational store, whatever it holds: so many statements, each along an index.

Pages are asked for with 130 signals and with ten times as many: the statements are the same ones, and where a page does
not depend on how many there are, SQLite does no more work (counted in its own steps: no clock is in it). Budgets:
spec/console.md, section 4.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from tests.web.company import Home, many_home
from web.console import KEY

STATEMENTS = {
    "/signals": 24,
    "/signals?sev=critical": 24,
    "/signals?sort=amount": 24,
    "/signals?view=snoozed": 22,
    "/signals?group=cause": 20,
    "/signals?group=customer": 20,
    "/signals?group=rule": 20,
    "/signals?group=bill_run": 20,
    "/signals/SIG-1": 45,
    "/signals/SIG-1/peek": 31,
    "/team": 16,
    "/reports/manager?period=2026-11": 20,
    "/notifications": 12,
    "/audit": 10,
    "/audit?about=SIG-1": 10,
    "/rules": 16,
    "/runs": 16,
    "/scoreboard": 16,
    "/integrations": 16,
    "/data": 12,
    "/bill-runs": 8,
    "/api/v1/signals": 11,
    "/api/v1/actions": 7,
    "/api/v1/jobs": 7,
    "/api/v1/audit": 7,
    "/api/v1/drafts": 12,
    "/api/v1/notifications": 8,
}
"""By address, how many statements one request may make of the operational store, whatever it holds."""

STEADY = ("/signals/SIG-1", "/signals/SIG-1/peek", "/notifications", "/audit", "/audit?about=SIG-1", "/runs",
          "/integrations", "/data", "/bill-runs", "/api/v1/actions", "/api/v1/jobs", "/api/v1/audit",
          "/api/v1/notifications")  # fmt: skip
"""What does not depend on how many signals there are: as much work with ten times as many."""

WHOLE = re.compile(r"SCAN (signals|signal_events|signal_entities|signal_impacts|findings|actions|action_journal)$")
"""A step of a plan that reads every row of a table that grows with the signals."""

RATIO = 1.5

WORK = {"/signals": 10, "/signals?sev=critical": 10, "/signals?view=snoozed": 10, "/signals?group=cause": 60,
        "/signals?group=customer": 60, "/signals?group=rule": 20, "/signals?group=bill_run": 20, "/team": 16,
        "/rules": 4, "/reports/manager?period=2026-11": 20, "/scoreboard": 95, "/api/v1/signals": 10}  # fmt: skip
"""For pages that count or rank every signal, how many steps of SQLite's machine each further one may cost."""


@dataclass
class Watched:
    """A browser, and what its requests ask of the store."""

    client: FlaskClient
    engine: Any
    asked: list[tuple[str, Any]] = field(default_factory=list)
    steps: int = 0

    def get(self, address: str) -> None:
        """One page, the second time that it is asked for: what is kept in memory is there by then."""
        for _ in range(2):
            self.asked.clear()
            self.steps = 0
            assert self.client.get(address).status_code == 200, address

    def plans(self) -> list[tuple[str, str]]:
        """Each step of the plan of each statement that reads."""
        found: list[tuple[str, str]] = []
        with self.engine.connect() as connection:
            for sql, values in [each for each in self.asked if each[0].lstrip().upper().startswith(("SELECT", "WITH"))]:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
                found += [(str(row[3]), " ".join(sql.split())[:300]) for row in plan.fetchall()]
        return found


def watched(home: Home) -> Watched:
    """A browser on a home whose store counts."""
    app = home.app()
    found = Watched(app.test_client(), app.extensions[KEY].engine)

    def count() -> int:
        found.steps += 1
        return 0

    def connected(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_progress_handler(count, 100)

    event.listen(found.engine, "checkout", lambda connection, *_: connected(connection))
    event.listen(found.engine, "before_cursor_execute", lambda *told: found.asked.append((told[2], told[3])))
    return found


@pytest.fixture(scope="module")
def few(many_signals: Home, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return watched(many_signals.copy(tmp_path_factory.mktemp("few") / "home"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return watched(many_home(tmp_path_factory.mktemp("thirteen-hundred"), signals=1_300))


@pytest.mark.parametrize("address", STATEMENTS)
def test_a_page_asks_as_little_of_many_signals_as_of_few(few: Watched, many: Watched, address: str) -> None:
    few.get(address)
    many.get(address)
    assert len(many.asked) <= STATEMENTS[address]
    assert len(many.asked) <= len(few.asked) + 3, "more signals make more statements"
    whole = [told for told in many.plans() if WHOLE.search(told[0])]
    assert whole == [], "every row is read"
    if address in STEADY:
        assert many.steps <= RATIO * few.steps + 20


@pytest.mark.parametrize("address", WORK)
def test_counting_and_ranking_costs_little_for_each_further_signal(few: Watched, many: Watched, address: str) -> None:
    few.get(address)
    many.get(address)
    assert 100 * (many.steps - few.steps) <= WORK[address] * (1_300 - 130)


def test_a_status_change_costs_the_same_with_many_signals(few: Watched, many: Watched) -> None:
    work = []
    for store in (few, many):
        store.client.application.config["WTF_CSRF_ENABLED"] = False
        store.steps = 0
        form = {"deed": "status", "status": "triaged", "id": "7", "back": "/signals"}
        assert store.client.post("/signals/act", data=form).status_code == 303
        work.append(store.steps)
    assert work[1] <= RATIO * work[0] + 5


def test_a_bulk_change_of_all_matches_and_its_undo_make_as_many_statements_for_ten_times_as_many(
    few: Watched, many: Watched
) -> None:
    asked = []
    for store in (few, many):
        store.client.application.config["WTF_CSRF_ENABLED"] = False
        for deed in ({"deed": "assign", "assignee": "Ana"}, {"deed": "dismiss", "reason": "false_positive"}):
            store.asked.clear()
            form = {**deed, "all": "1", "back": "/signals?q=charged"}
            assert store.client.post("/signals/act", data=form).status_code == 303
            asked.append(len(store.asked))
            with store.client.session_transaction() as session:
                (change, said) = session.pop("_flashes")[-1]
        store.asked.clear()
        assert store.client.post(f"/changes/{change}/undo", data={"back": "/signals"}).status_code == 303
        asked.append(len(store.asked))
    assert said.startswith("1,"), said
    for before, after in zip(asked[:3], asked[3:], strict=True):
        assert after <= before + 25, "a statement per 500 signals, not one per signal"
