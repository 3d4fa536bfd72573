"""The rules: what each one looks for, how it does, its versions, and dry runs that keep nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from flask import Blueprint, Response, abort, request
from sqlalchemy import Integer, func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from billing.periods import Duration
from detector import overrides, versions
from detector.inbox import BadFilter
from detector.rule_format import Schedule
from detector.rules import Rule
from store import operational
from store.operational_tables import OPEN_STATUSES, Job, RuleOverride, RuleVersion, Run
from store.signal_groups import SIGNAL_GROUPS
from web import freshness, jobs, rule_trials
from web.console import console, now
from web.moments import duration
from web.pages import done, refused, show
from web.preferences import preferences
from web.rule_fields import of_rule, schedule_text, sent
from web.signal import playbook

pages = Blueprint("rules", __name__)

RUNS = 15


@dataclass(frozen=True)
class Judged:
    """The signals of a rule: open ones, and of those that were judged, how many were right and how many false."""

    open: int = 0
    right: int = 0
    wrong: int = 0

    @property
    def share(self) -> Fraction | None:
        """The right ones of those judged; None while nobody judged any."""
        return Fraction(self.right, self.right + self.wrong) if self.right + self.wrong else None


SORTS: Mapping[str, str] = {"code": "By code", "precision": "Least precise first"}


@pages.get("/rules")
def listed() -> tuple[str, int]:
    """Every rule with its latest run and its signals, and the custom ones that do not run yet; `sort=precision` has
    first those whose signals were most often false.
    """
    sort = request.args.get("sort", "code")
    if sort not in SORTS:
        raise BadFilter(f"sort cannot be {sort[:40]!r}; use one of {', '.join(SORTS)}")
    with operational.reading(console().engine) as session:
        runs, judged = {run.rule: run for run in freshness.latest_runs(session)}, _judged(session)
        found = list(console().rules.values())
        if sort == "precision":
            found.sort(key=lambda rule: _precision(judged.get(rule.name, Judged())))
        return show(
            "rules.html",
            rules=found,
            sort=sort,
            sorts=SORTS,
            judged=judged,
            nobody=Judged(),
            files=console().live.files,
            drafts=versions.drafts(session),
            off=overrides.off(session, now()),
            runs=runs,
            schedule=schedule,
            asked=jobs.recent(session, "run"),
        )


@pages.get("/rules/<name>")
def shown(name: str) -> tuple[str, int] | AnyResponse:
    """One rule: what it looks for and why, its runs, and the form of the dry run."""
    if name not in console().rules and _draft(name) is not None:
        return Response(status=303, headers={"Location": f"/rules/{name}/edit"})
    return page(rule_of(name))


def page(
    rule: Rule, status: int = 200, given: Mapping[str, str] | None = None, trial: Job | None = None, failure: str = ""
) -> tuple[str, int]:
    """The page of a rule, with a trial and what a form said where there is one."""
    with operational.reading(console().engine) as session:
        runs = session.scalars(select(Run).where(Run.rule == rule.name).order_by(Run.id.desc()).limit(RUNS)).all()
        return show(
            "rule.html",
            status,
            rule=rule,
            custom=rule.name not in console().live.files,
            version=versions.of_hash(session, rule.name, rule.content_hash),
            numbers=_numbers(session, rule.name),
            override=session.get(RuleOverride, rule.name),
            off=rule.name in overrides.off(session, now()),
            runs=runs,
            asked=[job for job in jobs.recent(session, "run") if rule.name in (job.args.get("rules") or [rule.name])],
            opened=_judged(session).get(rule.name, Judged()).open,
            schedule=schedule,
            given=given or {},
            trial=rule_trials.view(trial) if trial is not None else None,
            failure=failure,
            playbook=playbook(rule),
        )


@pages.post("/rules/<name>/trials")
def ask(name: str) -> tuple[str, int] | AnyResponse:
    """Ask for a dry run of the rule as it runs, with the form's parameters and range."""
    rule = rule_of(name)
    given = {key: value for key, value in request.form.items() if value.strip()}
    try:
        wanted = rule_trials.wanted(rule.name, request.form, params=_params(rule))
        return page(rule, given=given, trial=rule_trials.ask(wanted))
    except ValueError as failure:
        return page(rule, 400, given, failure=str(failure))


@pages.post("/rules/<name>/set")
def set_rule(name: str) -> AnyResponse:
    """Set parameters, severity, schedule and off for a rule without touching its text."""
    rule = rule_of(name)
    try:
        with operational.writing(console().engine) as session:
            kept = overrides.change(session, _plain(rule), _wanted(session, rule), actor=preferences().actor, now=now())
    except overrides.BadOverride as error:
        return refused(f"Not set: {error}", to=f"/rules/{name}/edit")
    said = "It runs as its text says." if kept is None else "Set. Its next run goes by it."
    if kept is not None and kept.state == "paused":
        said = "It is off: it runs only when somebody asks for it by name."
    return done(said, to=f"/rules/{name}/edit")


def rule_of(name: str) -> Rule:
    """The rule of that name that runs; 404 when none does."""
    rule = console().rules.get(name)
    if rule is None:
        abort(404, description=f"There is no rule {name[:60]}.")
    return rule


def _draft(name: str) -> RuleVersion | None:
    with operational.reading(console().engine) as session:
        version = versions.newest(session, name)
        return version if version is not None and version.origin == "custom" else None


def _plain(rule: Rule) -> Rule:
    return console().live.plain(rule.name) or rule


def _wanted(session: Session, rule: Rule) -> overrides.Change:
    """What the form wants: all fields where it has them, else only on or off."""
    before = session.get(RuleOverride, rule.name)
    off = request.form.get("off") == "yes"
    if "severity" not in request.form:
        if before is None:
            return overrides.Change(off=off)
        return overrides.Change(before.severity, before.schedule, before.params or {}, off)
    if request.form.get("deed") == "reset":
        return overrides.Change()
    values = sent(request.form)
    params = {key.removeprefix("param-"): value for key, value in values.items() if key.startswith("param-")}
    plan = schedule_text(values)
    return overrides.Change(values["severity"], plan, {k: v for k, v in params.items() if k in rule.params}, off)


def _params(rule: Rule) -> dict[str, str]:
    """The form's parameters that are not as the rule runs."""
    usual = of_rule(rule, rule).values
    given = {key: request.form.get(f"param-{key}", "").strip() for key in rule.params}
    return {key: value for key, value in given.items() if value and value != usual[f"param-{key}"]}


def _numbers(session: Session, name: str) -> dict[str, int]:
    """The number of the version that each content hash names, for the runs of a rule."""
    return {version.content_hash: version.number for version in reversed(versions.listed(session, name))}


def _precision(judged: Judged) -> Fraction:
    """What to sort by: rules that nobody judged come after those that are always right."""
    return Fraction(2) if judged.share is None else judged.share


def _judged(session: Session) -> dict[str, Judged]:
    """By rule, as the store has counted its signals."""
    by = (SIGNAL_GROUPS.c.rule, SIGNAL_GROUPS.c.status)
    query = select(*by, func.sum(SIGNAL_GROUPS.c.signals).cast(Integer)).group_by(*by)
    counts: dict[str, dict[str, int]] = {}
    for rule, status, count in session.execute(query):
        counts.setdefault(rule, {})[status] = count
    return {
        rule: Judged(
            sum(own.get(each, 0) for each in OPEN_STATUSES), own.get("resolved", 0), own.get("false_positive", 0)
        )
        for rule, own in counts.items()
    }


def schedule(wanted: Schedule) -> str:
    """When a rule runs, in words."""
    said = []
    if wanted.every is not None:
        said.append(f"every {_length(wanted.every)}")
    if wanted.hourly is not None:
        said.append(f"every hour at :{wanted.hourly:02}")
    if wanted.daily is not None:
        said.append(f"daily at {wanted.daily:%H:%M} {wanted.timezone}")
    if wanted.cron is not None:
        said.append(f"cron {wanted.cron} {wanted.timezone}")
    said += [_ON[event] for event in wanted.on]
    return ", ".join(said)


_ON = {
    "invoice.draft": "when drafts come in",
    "integration.synced": "after each sync",
    "integration.reconciled": "after each reconciliation",
}


def _length(every: Duration) -> str:
    """A duration in words: `hour`, `15 min`, `2 d`, `3 months`."""
    if every.months:
        return "month" if every.months == 1 else f"{every.months} months"
    span = timedelta(days=every.days, seconds=every.seconds)
    return {timedelta(hours=1): "hour", timedelta(days=1): "day"}.get(span) or duration(span)
