"""When each rule is due, and the loop that runs what is due.

A rule that runs by the clock is due when an instant of its schedule has passed since the latest instant as of which it
was run, by whatever trigger. Several instants that passed meanwhile are one run, which says how many and since when.
A run that was left behind by a process that ended does not count: its slot is due again, and is taken over. Each
process has its own loop; the row of `runs`, unique by rule and slot, makes one run of it (design.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from billing import periods
from billing.periods import timezone_named
from detector import audited, cron
from detector.claims import holds
from detector.rule_format import Schedule
from detector.rules import Rule
from store.operational_tables import RuleOverride, Run

MOST_MISSED = 10_000
"""Slots that are counted as missed; a longer gap is covered by the one run all the same."""


@dataclass(frozen=True)
class Slot:
    """What one run is for: the name that claims it, and the slots before it that it covers because nothing ran then."""

    name: str
    missed: int = 0
    missed_from: datetime | None = None


def due(session: Session, rules: Sequence[Rule], now: datetime) -> dict[str, Slot]:
    """The rules that are due at `now`, each with the slot that claims its run; paused rules are never due."""
    last = {row[0]: (row[1], row[2]) for row in session.execute(_last_looks(session, now))}
    aside = paused(session, now)
    slots = {}
    for rule in rules:
        run_id, looked_at = last.get(rule.name, (0, None))
        slot = slot_due(rule.schedule, run_id, looked_at, now) if rule.name not in aside else None
        if slot:
            slots[rule.name] = slot
    return slots


def after(event: str, rules: Sequence[Rule]) -> list[Rule]:
    """The rules that an event runs at once: `invoice.draft`, `integration.synced` or `integration.reconciled`."""
    return [rule for rule in rules if event in rule.schedule.on]


def slot_due(schedule: Schedule, run_id: int, looked_at: datetime | None, now: datetime) -> Slot | None:
    """The slot that a rule with this schedule is due for; None when it is not.

    `run_id` is its last run, `looked_at` the latest instant as of which it was run. The slot of `every` is named after
    that run, so that two workers who both see it long ago want the same one; the others after the instant that passed.
    """
    if looked_at is None:
        instant = now if schedule.every is not None else latest(schedule, now)
        return Slot(_name(schedule, run_id, instant)) if instant else None
    passed = list(islice(instants(schedule, looked_at, now), MOST_MISSED + 1))
    if not passed:
        return None
    name = _name(schedule, run_id, latest(schedule, now) or passed[-1])
    return Slot(name, len(passed) - 1, passed[0]) if len(passed) > 1 else Slot(name)


def instants(schedule: Schedule, since: datetime, until: datetime) -> Iterator[datetime]:
    """The instants of a schedule by the clock after `since` up to `until`, in order; those of `every` count from it."""
    if schedule.every is not None:
        times = 1
        while (moment := periods.add(since, schedule.every, schedule.timezone, times)) <= until:
            yield moment
            times += 1
    elif schedule.hourly is not None:
        moment = since.astimezone(UTC).replace(minute=schedule.hourly, second=0, microsecond=0)
        moment += timedelta(hours=moment <= since)
        while moment <= until:
            yield moment
            moment += timedelta(hours=1)
    elif schedule.daily is not None:
        day = since.astimezone(timezone_named(schedule.timezone)).date()
        while (moment := _at(schedule, day)) <= until:
            if moment > since:
                yield moment
            day += timedelta(days=1)
    elif schedule.cron:
        yield from cron.between(schedule.cron, schedule.timezone, since, until)


def latest(schedule: Schedule, now: datetime) -> datetime | None:
    """The latest instant at or before `now` at which a schedule by the clock fires; None when it has none."""
    if schedule.hourly is not None:
        instant = now.astimezone(UTC).replace(minute=schedule.hourly, second=0, microsecond=0)
        return instant if instant <= now else instant - timedelta(hours=1)
    if schedule.daily is not None:
        today = now.astimezone(timezone_named(schedule.timezone)).date()
        moments = (_at(schedule, today - timedelta(days=back)) for back in (-1, 0, 1, 2))
        return next(moment for moment in moments if moment <= now)
    return cron.latest(schedule.cron, schedule.timezone, now) if schedule.cron else None


def paused(session: Session, now: datetime) -> dict[str, RuleOverride]:
    """The rules that the clock and events do not run now; somebody may still run them."""
    overrides = session.scalars(select(RuleOverride).where(RuleOverride.state == "paused"))
    return {each.rule: each for each in overrides if each.paused_until is None or each.paused_until > now}


def pause(session: Session, rule: str, until: datetime | None, *, actor: str, now: datetime) -> None:
    """Keep the clock and events from running the rule, until an instant or until it is resumed."""
    _set_state(session, rule, "paused", until, actor, now)


def resume(session: Session, rule: str, *, actor: str, now: datetime) -> None:
    """Let the rule run by its schedule again; what it missed meanwhile is one run."""
    _set_state(session, rule, "active", None, actor, now)


def loop(jobs: Mapping[str, tuple[float, Callable[[], Any]]]) -> BackgroundScheduler:
    """A scheduler, not yet started, that calls each job every so many seconds, never twice at once.

    What was missed while a job was running is one call afterwards. The rarer a job, the longer its first call waits:
    what is wanted at once comes first.
    """
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it warns of every call that waits for the one before
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(max(len(jobs), 1))}, timezone=UTC)
    for name, (seconds, job) in jobs.items():
        scheduler.add_job(job, "interval", seconds=seconds, id=name, coalesce=True, max_instances=1, next_run_time=None)
        scheduler.modify_job(name, next_run_time=datetime.now(UTC) + timedelta(seconds=seconds / 6))
    return scheduler


def _name(schedule: Schedule, run_id: int, instant: datetime) -> str:
    return f"every/{run_id}" if schedule.every is not None else f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _at(schedule: Schedule, day: date) -> datetime:
    """The instant of a daily schedule on a local day; a time that the clock leaves out is read as before the change."""
    clock = schedule.daily or datetime.min.time()
    return datetime.combine(day, clock, timezone_named(schedule.timezone)).astimezone(UTC)


def _last_looks(session: Session, now: datetime) -> Any:
    """By rule: its last run, and the latest instant that one of its runs looked at, none of them left behind."""
    running = session.scalars(select(Run).where(Run.status == "running"))
    left = [run.id for run in running if not holds(run, now)]
    counts = or_(Run.status != "failed", Run.reason.is_(None), Run.reason != "abandoned")
    looked_at = case((Run.as_of < Run.started_at, Run.as_of), else_=Run.started_at)
    query = select(Run.rule, func.max(Run.id), func.max(looked_at, type_=Run.as_of.type))
    return query.where(counts, Run.id.not_in(left)).group_by(Run.rule)


def _set_state(session: Session, rule: str, state: str, until: datetime | None, actor: str, now: datetime) -> None:
    override = session.get(RuleOverride, rule, with_for_update=True) or RuleOverride(rule=rule)
    before = audited.set_of(override)
    override.state, override.paused_until = state, until
    override.changed_by, override.changed_at = actor, now
    audited.override(session, rule, before, audited.set_of(override), actor, now)
    session.add(override)
