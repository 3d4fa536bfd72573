"""What an operator set for a rule without touching its text: off, a severity, a schedule, parameters.

Overrides live apart from the rules, by name, so an upgrade of the system pack keeps them. What of an override a newer
text no longer takes (a parameter that is gone, a value out of its bounds) is left out and said, and the rule runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.periods import Duration
from detector import audited, rule_text
from detector.parameters import settle
from detector.rule_format import Schedule, Severity
from detector.rules import Rule
from store.operational_tables import RuleOverride


class BadOverride(ValueError):  # noqa: N818 (named for what it is)
    """A value that the rule does not take; `field` is the one, the message says what it would take."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


@dataclass(frozen=True)
class Change:
    """What an operator wants of a rule: None and what is not named leave it as its text says."""

    severity: str | None = None
    schedule: str | None = None  # as in a rule's text: {daily: "06:00"}
    params: Mapping[str, str] = field(default_factory=dict)
    off: bool = False
    until: datetime | None = None  # when off: until then, None for good


def applied(rule: Rule, override: RuleOverride | None) -> Rule:
    """The rule as it runs: its text with what an operator set for it. The text and its hash stay the same."""
    if override is None:
        return rule
    changes: dict[str, Any] = {}
    if override.severity in set(Severity):
        changes["severity"] = Severity(override.severity)
    if override.schedule and (plan := _schedule_or_none(override.schedule)):
        changes["schedule"] = plan
    fitting = {name: value for name, value in (override.params or {}).items() if _misfit(rule, name, value) is None}
    if fitting:
        changes["params"] = {
            name: each.model_copy(update={"default": fitting[name]}) if name in fitting else each
            for name, each in rule.params.items()
        }
    return rule.model_copy(update=changes)


def remarks(rule: Rule, override: RuleOverride | None) -> list[str]:
    """What of the override the rule's present text does not take, each with why."""
    if override is None:
        return []
    misfits = ((name, _misfit(rule, name, value)) for name, value in (override.params or {}).items())
    said = [f"{name}: {why}" for name, why in misfits if why]
    if override.schedule and _schedule_or_none(override.schedule) is None:
        said.append(f"schedule: {override.schedule} is not understood any more")
    return said


def off(session: Session, now: datetime) -> set[str]:
    """The names of the rules that are off at `now`."""
    paused = session.scalars(select(RuleOverride).where(RuleOverride.state == "paused"))
    return {each.rule for each in paused if each.paused_until is None or each.paused_until > now}


def change(session: Session, rule: Rule, wanted: Change, *, actor: str, now: datetime) -> RuleOverride | None:
    """Set what differs from the rule's own text; the override, or None when nothing does any more.

    `rule` is as its text says, without an override. Raises BadOverride.
    """
    kept = RuleOverride(
        rule=rule.name,
        state="paused" if wanted.off else "active",
        paused_until=wanted.until if wanted.off else None,
        severity=_severity(rule, wanted.severity),
        schedule=_schedule(rule, wanted.schedule),
        params=_params(rule, wanted.params),
        changed_by=actor,
        changed_at=now,
    )
    before = session.get(RuleOverride, rule.name)
    if not (wanted.off or kept.severity or kept.schedule or kept.params):
        if before is not None:
            audited.override(session, rule.name, audited.set_of(before), {}, actor, now)
            session.delete(before)
        return None
    audited.override(session, rule.name, audited.set_of(before), audited.set_of(kept), actor, now)
    return session.merge(kept)


def written(schedule: Schedule) -> str:
    """A schedule as a rule's text has it, on one line: `{daily: "06:00", timezone: Europe/Berlin}`."""
    parts = []
    for name in Schedule.model_fields:
        value = getattr(schedule, name)
        if value == Schedule.model_fields[name].default:
            continue
        if name == "daily":
            parts.append(f'daily: "{value:%H:%M}"')
        elif name == "every":
            parts.append(f"every: {iso(value)}")
        elif name == "on":
            parts.append(f"on: [{', '.join(value)}]")
        else:
            parts.append(f"{name}: {json.dumps(value) if name == 'cron' else value}")
    return "{" + ", ".join(parts) + "}"


def iso(duration: Duration) -> str:
    """A duration as ISO 8601: `PT1H`, `P2D`."""
    date = "".join(f"{count}{unit}" for count, unit in ((duration.months, "M"), (duration.days, "D")) if count)
    hours, rest = divmod(duration.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
    return "P" + date + (f"T{time}" if time else "")


def schedule_of(text: str) -> Schedule:
    """The schedule that a text says. Raises ValueError in a rule author's words."""
    content = rule_text.read(text)
    if content.problems or not isinstance(content.values, dict):
        raise ValueError('write a schedule as in a rule: {daily: "06:00", timezone: UTC}')
    try:
        return Schedule.model_validate(content.values)
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(part) for part in found["loc"] if str(part).isidentifier())
        said = str(found["msg"]).removeprefix("Value error, ")
        raise ValueError(f"{place}: {said}" if place else said) from None


def _schedule_or_none(text: str) -> Schedule | None:
    try:
        return schedule_of(text)
    except ValueError:
        return None


def _misfit(rule: Rule, name: str, value: object) -> str | None:
    """Why the rule does not take the value; None when it does."""
    if name not in rule.params:
        return f"the rule has no such parameter any more; {value} is left out"
    try:
        rule.params[name].parse(value)
    except ValueError as error:
        return f"{error}; the rule's own {rule.params[name].default} holds"
    return None


def _severity(rule: Rule, wanted: str | None) -> str | None:
    if wanted is None or wanted == rule.severity:
        return None
    if wanted not in set(Severity):
        raise BadOverride("severity", f"{wanted!r} is none of {', '.join(Severity)}")
    return str(wanted)


def _schedule(rule: Rule, wanted: str | None) -> str | None:
    if wanted is None:
        return None
    try:
        plan = schedule_of(wanted)
    except ValueError as error:
        raise BadOverride("schedule", str(error)) from None
    return None if plan == rule.schedule else written(plan)


def _params(rule: Rule, wanted: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        settled = settle(rule.params, wanted)
    except ValueError as error:
        raise BadOverride("params", str(error)) from None
    usual = settle(rule.params, {})
    return {name: wanted[name] for name in wanted if settled[name] != usual[name]} or None
