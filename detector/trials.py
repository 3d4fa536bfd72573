"""Trying out a rule: what is asked for, how a worker does it, how far it is, and how it is cancelled.

A dry run or a calibration that a page asked for is a row of `jobs`, done by the loop of `trueup serve` that has
nothing else to do, so that it never holds up a run. Its answer is what the command line prints as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from billing.periods import parse_duration
from detector import requests, versions
from detector.backtest import backtest
from detector.calibration import calibrate
from detector.cycle import Setting
from detector.live_rules import LiveRules
from detector.parameters import settle
from detector.past import MOST, Span
from detector.replay import CANCELLED, Contender, Limits
from detector.report import count
from detector.requests import LEASE
from detector.rules import Rule
from detector.trial_report import backtest_json, calibration_json
from store import operational
from store.operational_tables import Job

KINDS = ("dry_run", "calibrate")

SECONDS = 120
"""How long a trial may take unless somebody asks for longer."""

OFTEN = timedelta(seconds=1)
"""How often at most the progress is written."""


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to try: a text that is saved nowhere, a version, or the rule as it runs."""

    rule: str
    text: str | None = None
    number: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None
    step: str | None = None
    most: int = MOST
    seconds: float = SECONDS
    parameter: str | None = None  # of a calibration


def contender(session: Session, live: LiveRules, wanted: Wanted) -> Contender:
    """The rule that is wanted, with its parameters. Raises Unsound, NoVersion."""
    if wanted.text is not None:
        rule, problems = versions.read(wanted.text, name=wanted.rule)
    elif wanted.number is not None:
        version = versions.numbered(session, wanted.rule, wanted.number)
        rule, problems = versions.read(version.text, name=wanted.rule)
    else:
        rule, problems = next((each for each in live() if each.name == wanted.rule), None), []
        if rule is None:
            raise versions.NoVersion(f"there is no rule {wanted.rule} that runs; name one of its versions")
    if rule is None:
        raise versions.Unsound(problems)
    return Contender(rule, dict(wanted.params))


def span(wanted: Wanted, now: datetime) -> Span:
    """The stretch of the past that is wanted. Raises BadDurationError."""
    step = parse_duration(wanted.step) if wanted.step else None
    return Span(wanted.end or now, wanted.start, step, wanted.most)


def ask(session: Session, live: LiveRules, wanted: Wanted, *, actor: str, now: datetime) -> Job:
    """Ask a worker for a trial. What cannot be tried is refused here.

    Raises Unsound, NoVersion, ValueError for a parameter, a step or a range that is none.
    """
    chosen = contender(session, live, wanted)
    stretch = span(wanted, now)
    if stretch.start is not None and stretch.start > stretch.end:
        raise ValueError(f"the range ends at {stretch.end:%Y-%m-%d %H:%M} UTC, before it starts")
    settle(chosen.rule.params, chosen.params)
    kind = "calibrate" if wanted.parameter else "dry_run"
    job = Job(
        kind=kind,
        args=_args(wanted, stretch.end),
        requested_by=actor,
        requested_at=now,
        status="queued",
        about=about(chosen),
    )
    session.add(job)
    session.flush()
    return job


def about(chosen: Contender) -> str | None:
    """The hash of the text that a trial is about; None where it was tried with other values than the text's."""
    return None if chosen.params else chosen.rule.content_hash


def note(
    session: Session, told: Mapping[str, Any], status: str, about: str | None, *, actor: str, now: datetime
) -> Job:
    """Note a dry run that was done at once, so that its version may be activated."""
    args = {"rule": told["rule"], "from": told["from"], "to": told["to"]}
    job = Job(kind="dry_run", args=args, requested_by=actor, requested_at=now, status=status, about=about)
    job.finished_at, job.result = now, summary(told)
    session.add(job)
    return job


def cancel(session: Session, job_id: int, now: datetime) -> bool:
    """Ask the worker of a trial to stop, or take one that waits out of the queue; whether there was one to stop."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.kind not in KINDS or job.status not in ("queued", "running"):
        return False
    if job.status == "queued":
        job.status, job.finished_at, job.result = CANCELLED, now, CANCELLED
    else:
        job.status = "cancelling"
    return True


def work(setting: Setting, live: LiveRules) -> Job | None:
    """Do the oldest trial that waits; the job when there was one."""
    job = requests.take(setting.engine, KINDS, worker=setting.worker, clock=setting.clock)
    if job is None:
        return None
    told: dict[str, Any] | None = None
    try:
        told = _try(setting, live, job)
        stopped = str(told["partial"] or "")
        status = CANCELLED if stopped.startswith(CANCELLED) else "partial" if stopped else "ok"
        result = summary(told)
    except Exception as error:  # whatever happens is told to who asked
        status, result = "failed", str(error)
    return requests.close(
        setting.engine, job.id, status, result, worker=setting.worker, clock=setting.clock, answer=told
    )


def summary(told: Mapping[str, Any]) -> str:
    """In a few words, what a trial came to."""
    if "values" in told:
        return f"{count(len(told['values']), 'value')} of {told['parameter']}"
    return f"{count(told['signals'], 'signal')}, {count(told['records'], 'record')}"


def _try(setting: Setting, live: LiveRules, job: Job) -> dict[str, Any]:
    wanted = _wanted(job.args)
    progress = _Progress(setting, job.id)
    with operational.reading(setting.engine) as session:
        chosen = contender(session, live, wanted)
    limits = Limits(seconds=wanted.seconds)
    stretch = span(wanted, setting.clock())
    if wanted.parameter:
        found = calibrate(
            setting.warehouse,
            setting.engine,
            chosen.rule,
            wanted.parameter,
            setting.policy,
            stretch.end,
            limits=limits,
            tell=progress.tell,
            stop=progress.stop,
        )
        return calibration_json(found)
    tried = backtest(
        setting.warehouse,
        setting.engine,
        chosen,
        stretch,
        setting.policy,
        live=_running(live, chosen.rule),
        limits=limits,
        tell=progress.tell,
        stop=progress.stop,
    )
    return backtest_json(tried)


def _running(live: LiveRules, rule: Rule) -> Rule | None:
    return next((each for each in live() if each.name == rule.name), None)


class _Progress:
    """Writes how far a trial is into its row, and reads from there whether somebody wants it to stop."""

    def __init__(self, setting: Setting, job_id: int) -> None:
        self._setting, self._job = setting, job_id
        self._told: datetime | None = None

    def tell(self, done: int, total: int) -> None:
        """Keep how far it is, seldom enough to cost nothing."""
        now = self._setting.clock()
        if self._told is not None and now - self._told < OFTEN and done < total:
            return
        self._told = now
        with operational.writing(self._setting.engine) as session:
            job = session.get_one(Job, self._job)
            job.done, job.total, job.lease_until = done, total, now + LEASE

    def stop(self) -> bool:
        """Whether somebody asked for the trial to be stopped."""
        with operational.reading(self._setting.engine) as session:
            return session.get_one(Job, self._job).status == "cancelling"


def _args(wanted: Wanted, end: datetime) -> dict[str, Any]:
    return {
        "rule": wanted.rule,
        "text": wanted.text,
        "number": wanted.number,
        "params": dict(wanted.params),
        "from": wanted.start.isoformat() if wanted.start else None,
        "to": end.isoformat(),
        "step": wanted.step,
        "most": wanted.most,
        "seconds": wanted.seconds,
        "parameter": wanted.parameter,
    }


def _wanted(args: Mapping[str, Any]) -> Wanted:
    return Wanted(
        rule=args["rule"],
        text=args["text"],
        number=args["number"],
        params=args["params"],
        start=datetime.fromisoformat(args["from"]) if args["from"] else None,
        end=datetime.fromisoformat(args["to"]) if args["to"] else None,
        step=args["step"],
        most=args["most"],
        seconds=args["seconds"],
        parameter=args["parameter"],
    )
