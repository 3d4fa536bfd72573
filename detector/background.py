"""What `trueup serve` does by itself: sync and run what is due, and do what a page asked for.

Each beat and each job is safe beside other processes that do the same: rows are claimed, never assumed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from detector import cycle, derived, overrides, reconcile, report, requests, schedule
from detector.arrivals import Window
from detector.cycle import RunResult, Setting
from detector.freshness import freshness
from detector.rules import Rule
from store import operational

log = logging.getLogger("trueup")

WORKED_OUT = frozenset({"usage_events", "expected_lines"})
"""What takes long to work out before a rule that needs it can run."""


@dataclass(frozen=True)
class Background:
    """The parts of a home that the loop works with; a sync takes whether it is a full one or of
    which window, and says what came of it."""

    setting: Setting
    rules: Callable[[], Sequence[Rule]]
    syncs: Mapping[str, Callable[[bool, Window | None], str]]
    every: Mapping[str, timedelta]  # how often each integration is synced by itself
    tests: Mapping[str, Callable[[], str]] = field(default_factory=dict)  # whether each can be read, raising why not
    compares: Mapping[str, Callable[[], str]] = field(default_factory=dict)  # each beside the books, row by row
    comparisons: Mapping[str, timedelta] = field(default_factory=dict)  # how often that is done by itself

    def beat(self) -> None:
        """Sync what is due, then run what is due by the clock; what a sync brings in runs its rules as an event."""
        for name in self._syncs_due():
            self._synced(name)
        now, rules = self.setting.clock(), self.rules()
        with operational.reading(self.setting.engine) as session:
            slots = schedule.due(session, rules, now)
        due = [rule for rule in rules if rule.name in slots]
        if due:
            cycle.run(self.setting, due, now, trigger="schedule", slots=slots, on_result=_tell)

    def react(self) -> None:
        """Run the rules of what has come in: drafts, finished syncs."""
        self._do({"event": self._event})

    def work(self) -> None:
        """Do what pages asked for, one after another, until nothing waits."""
        self._do({"run": self._run, "sync": self._sync, "test": self._test})

    def compare(self) -> None:
        """Ask for the reconciliations that are due and do all that are asked for: aside, for they may take hours."""
        now = self.setting.clock()
        with operational.writing(self.setting.engine) as session:
            for name in reconcile.due(session, self.comparisons, now):
                requests.request(session, "reconcile", {"integration": name}, actor="schedule", now=now)
        self._do({"reconcile": self._compare})

    def _do(self, handlers: Mapping[str, Callable[[Mapping[str, Any]], str]]) -> None:
        while requests.work(self.setting.engine, handlers, worker=self.setting.worker, clock=self.setting.clock):
            pass

    def _syncs_due(self) -> list[str]:
        now = self.setting.clock()
        with operational.reading(self.setting.engine) as session:
            latest = {each.integration: each.latest for each in freshness(session, self.setting.limits, now)}
        begun = {name: load.started_at for name, load in latest.items() if load is not None}
        return [name for name, gap in self.every.items() if name not in begun or now - begun[name] >= gap]

    def _synced(self, name: str) -> bool:
        """What goes wrong stands in the sync's row of loads; the loop goes on."""
        try:
            log.info("sync %s: %s", name, self.syncs[name](False, None))
        except Exception as error:  # whatever an outside system does, the others are still due
            log.warning("sync %s failed: %s", name, error)
            return False
        return True

    def _run(self, args: Mapping[str, Any]) -> str:
        names = set(args.get("rules") or ())
        with operational.reading(self.setting.engine) as session:
            off = overrides.off(session, self.setting.clock())
        rules = [rule for rule in self.rules() if rule.name in names or (not names and rule.name not in off)]
        results = cycle.run(self.setting, rules, self.setting.clock(), trigger="request", on_result=_tell)
        return report.runs_line(results)

    def _event(self, args: Mapping[str, Any]) -> str:
        """The rules of one event, once per event and rule; those that are running just now look again afterwards."""
        event, now = str(args["event"]), self.setting.clock()
        with operational.reading(self.setting.engine) as session:
            aside = schedule.paused(session, now)
        rules = [rule for rule in schedule.after(event, self.rules()) if rule.name not in aside]
        slots = {rule.name: schedule.Slot(f"{event}/{args['integration']}/{args['snapshot']}") for rule in rules}
        results = [
            result
            for group in quick_first(rules)
            for result in cycle.run(self.setting, group, now, trigger="event", slots=slots, on_result=_tell)
        ]
        if any(result.reason == "already_running" for result in results):
            raise requests.NotYet
        return report.runs_line(results) or f"no rule runs on {event}"

    def _sync(self, args: Mapping[str, Any]) -> str:
        names, full = args.get("integrations") or list(self.syncs), bool(args.get("full"))
        start, end = (datetime.fromisoformat(args[key]) if args.get(key) else None for key in ("from", "to"))
        window = Window(start, end) if start else None
        return "; ".join(f"{name}: {self.syncs[name](full, window)}" for name in names)

    def _test(self, args: Mapping[str, Any]) -> str:
        return self.tests[str(args["integration"])]()

    def _compare(self, args: Mapping[str, Any]) -> str:
        return self.compares[str(args["integration"])]()


def quick_first(rules: Sequence[Rule]) -> list[list[Rule]]:
    """The rules that read billing records alone, then those for which usage is counted and lines are rated first.

    So a draft's first signals need not wait for the dearest rule. A rule that one of the others covers comes with them.
    """
    slow = [rule for rule in rules if derived.needed(rule.relations) & WORKED_OUT]
    while more := [rule for rule in rules if rule not in slow and any(rule.code in other.covers for other in slow)]:
        slow += more
    quick = [rule for rule in rules if rule not in slow]
    return [group for group in (quick, slow) if group]


def _tell(result: RunResult) -> None:
    level = logging.WARNING if result.status == "failed" else logging.INFO
    log.log(level, "%s", report.run_line(result))
