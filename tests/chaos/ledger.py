"""Schedules under fire: a process killed at random moments and started again, and what its ledger has to say then."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select

from detector import rules, schedule
from detector.rules import Rule
from store import operational
from store.operational_tables import Run
from store.warehouse import Warehouse

ROOT = Path(__file__).parents[2]
START = datetime(2026, 10, 24, 0, 1, tzinfo=UTC)
"""A day before the clocks of Berlin go back."""
STEP = 20
SCHEDULES = {
    "hourly_one": "{hourly: 5}",
    "hourly_two": "{hourly: 40}",
    "every_hour": "{every: PT60M}",
    "daily_berlin": '{daily: "02:30", timezone: Europe/Berlin}',
    "cron_quarters": '{cron: "0,30 * * * *", timezone: Europe/Berlin}',
}


@dataclass
class Fire:
    """A home whose worker is killed; `kills` that landed while it ran."""

    home: Path
    chance: random.Random
    until: datetime
    kills: int = 0

    def make(self) -> None:
        """Empty books, five small rules, a clock."""
        (self.home / "rules" / "cases").mkdir(parents=True)
        company = ROOT / "rules" / "cases" / "company.yaml"
        (self.home / "rules" / "cases" / "company.yaml").write_text(company.read_text())
        source = (ROOT / "rules" / "collection" / "payment_retries_exhausted.yaml").read_text()
        for name, when in SCHEDULES.items():
            text = source.replace("payment_retries_exhausted", name).replace("{every: PT60M}", when)
            (self.home / "rules" / f"{name}.yaml").write_text(text)
        Warehouse(f"sqlite:{self.home}/lake/catalog.sqlite", self.home / "lake" / "files").create()
        operational.migrate(operational.open(f"sqlite:///{self.home}/operational.sqlite"))
        (self.home / "clock").write_text(START.isoformat())

    def burn(self, kills: int, longest: float) -> None:
        """Start, kill after up to `longest` seconds, let up to six hours pass in between; then let it end in peace."""
        while self.kills < kills and self._now() < self.until:
            worker = self._start()
            self._wait_for_a_beat()
            time.sleep(self.chance.uniform(0, 1) * longest)
            worker.send_signal(signal.SIGKILL)
            self.kills += worker.wait() == -signal.SIGKILL
            gap = timedelta(minutes=self.chance.choice((0, 0, 0, 10, 95, 360)))
            (self.home / "clock").write_text((self._now() + gap).isoformat())
        (self.home / "clock").write_text(min(self._now(), self.until).isoformat())  # one beat at least, in peace
        assert self._start().wait(timeout=600) == 0

    def _wait_for_a_beat(self) -> None:
        """The process is up, and has moved the clock once."""
        before, until = self._now(), time.monotonic() + 60
        while self._now() == before and time.monotonic() < until:
            time.sleep(0.01)

    def _start(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "tests.chaos.schedule_worker", str(self.home), str(STEP), self.until.isoformat()]
        return subprocess.Popen(words, cwd=ROOT)

    def _now(self) -> datetime:
        return datetime.fromisoformat((self.home / "clock").read_text())

    def rules(self) -> list[Rule]:
        """The five."""
        loaded, problems = rules.load(self.home / "rules")
        assert not problems
        return loaded

    def runs(self, rule: str) -> list[Run]:
        """Its runs in the order in which they were begun."""
        engine = operational.open(f"sqlite:///{self.home}/operational.sqlite")
        with operational.reading(engine) as session:
            found = list(session.scalars(select(Run).where(Run.rule == rule).order_by(Run.as_of, Run.id)))
        engine.dispose()
        return found


def slots(fire: Fire, rule: Rule) -> tuple[int, int]:
    """How many slots the rule had, and how many of them a catch-up covered; every one is told exactly once."""
    runs = fire.runs(rule.name)
    assert {run.status for run in runs} <= {"ok", "skipped", "failed"}
    left = [run for run in runs if run.status == "failed"]
    assert {run.reason for run in left} <= {"abandoned"}
    done = [run for run in runs if run.status != "failed"]
    assert all(run.status == "ok" or run.reason == "unchanged" for run in done)
    return _by_interval(done) if rule.schedule.every else _by_the_clock(rule, done)


def _by_the_clock(rule: Rule, done: list[Run]) -> tuple[int, int]:
    told: list[datetime] = []
    for run in done:
        own = datetime.strptime(run.slot, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if run.missed:
            assert run.missed_from is not None
            before = run.missed_from - timedelta(seconds=1)
            covered = list(schedule.instants(rule.schedule, before, own - timedelta(seconds=1)))
            assert len(covered) == run.missed
            told += covered
        told.append(own)
    first = told[0] - timedelta(seconds=1)
    assert told == list(schedule.instants(rule.schedule, first, done[-1].as_of))
    return len(told), sum(run.missed or 0 for run in done)


def _by_interval(done: list[Run]) -> tuple[int, int]:
    hour = timedelta(hours=1)
    for earlier, later in pairwise(done):
        passed = (later.as_of - earlier.as_of) // hour
        assert passed >= 1
        assert later.slot == f"every/{earlier.id}"
        assert (later.missed or 0) == passed - 1
        assert later.missed_from == (earlier.as_of + hour if passed > 1 else None)
    covered = sum(run.missed or 0 for run in done)
    return len(done) + covered, covered
