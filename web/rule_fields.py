"""The form beside a rule's text: severity, schedule and parameters, read from the text and written back into it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from detector import rule_text
from detector.overrides import iso, schedule_of, written
from detector.rule_edits import edited, scalar
from detector.rule_format import Schedule
from detector.rules import Rule

RHYTHMS = (
    ("every", "Every", "PT60M"),
    ("hourly", "Every hour, at minute", "5"),
    ("daily", "Every day, at", "06:00"),
    ("cron", "By cron", "0 6 * * 1"),
    ("", "Only on events", ""),
)
EVENTS = (
    ("invoice.draft", "a draft invoice comes in"),
    ("integration.synced", "a source was synced"),
    ("integration.reconciled", "a source was compared with the books"),
)


@dataclass(frozen=True)
class Parameter:
    """One parameter as the form shows it."""

    name: str
    value: str
    usual: str
    why: str
    bounds: str


@dataclass(frozen=True)
class Fields:
    """What the form shows of a rule."""

    severity: str
    rhythm: str
    at: str
    timezone: str
    on: tuple[str, ...]
    params: tuple[Parameter, ...]

    @property
    def values(self) -> dict[str, str]:
        """The fields as a browser sends them, by their names."""
        return {
            "severity": self.severity,
            "rhythm": self.rhythm,
            "at": self.at,
            "timezone": self.timezone,
            "on": " ".join(self.on),
            **{f"param-{each.name}": each.value for each in self.params},
        }

    @property
    def shown(self) -> str:
        """The same for a hidden field, so that what a person changed is told from what the text changed."""
        return json.dumps(self.values, sort_keys=True)


def of_text(text: str) -> Fields:
    """The fields of a text, as far as it has them: a draft may be wrong in other places."""
    values = rule_text.read(text).values
    values = values if isinstance(values, dict) else {}
    raw = values.get("schedule")
    try:
        plan = Schedule.model_validate(raw)
    except ValueError:
        plan = None
    params = values.get("params")
    listed = params.items() if isinstance(params, dict) else ()
    return _fields(
        str(values.get("severity") or ""),
        plan,
        [_parameter(name, told, told.get("default")) for name, told in listed if isinstance(told, dict)],
    )


def of_rule(rule: Rule, plain: Rule) -> Fields:
    """The fields of a rule as it runs; `plain` is what its text says, for what is usual."""
    params = [_parameter(name, plain.params[name].model_dump(), each.default) for name, each in rule.params.items()]
    return _fields(str(rule.severity), rule.schedule, params)


def sent(form: MultiDict[str, str]) -> dict[str, str]:
    """The fields as a form sent them."""
    values = {name: form.get(name, "").strip() for name in ("severity", "rhythm", "at", "timezone")}
    values["on"] = " ".join(event for event, _ in EVENTS if event in form.getlist("on"))
    return values | {name: value.strip() for name, value in form.items() if name.startswith("param-")}


def schedule_text(values: Mapping[str, str]) -> str:
    """The schedule that the fields say, as a rule's text has it; sound or not."""
    parts = []
    if values["rhythm"]:
        quoted = values["rhythm"] in ("daily", "cron")
        at = values["at"]
        parts.append(f"{values['rhythm']}: {json.dumps(at) if quoted or not at else scalar(at)}")
    if values["timezone"] not in ("", "UTC"):
        parts.append(f"timezone: {values['timezone'] if '/' in values['timezone'] else scalar(values['timezone'])}")
    if values["on"]:
        parts.append(f"on: [{', '.join(values['on'].split())}]")
    text = "{" + ", ".join(parts) + "}"
    try:
        return written(schedule_of(text))
    except ValueError:
        return text


def into_text(text: str, shown: str, values: Mapping[str, str]) -> str:
    """The text with every field that was changed since `shown`; what was not stays as the text has it."""
    before = _shown(shown)
    changed = {name for name, value in values.items() if name in before and before[name] != value}
    changes: dict[rule_text.Path, str] = {
        ("params", name.removeprefix("param-"), "default"): scalar(values[name])
        for name in changed
        if name.startswith("param-")
    }
    if "severity" in changed:
        changes["severity",] = scalar(values["severity"])
    if changed & {"rhythm", "at", "timezone", "on"}:
        changes["schedule",] = schedule_text(values)
    return edited(text, changes) if changes else text


def _shown(text: str) -> dict[str, str]:
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _fields(severity: str, plan: Schedule | None, params: Sequence[Parameter]) -> Fields:
    rhythm, at = "", ""
    if plan is not None and plan.every is not None:
        rhythm, at = "every", iso(plan.every)
    elif plan is not None and plan.hourly is not None:
        rhythm, at = "hourly", str(plan.hourly)
    elif plan is not None and plan.daily is not None:
        rhythm, at = "daily", f"{plan.daily:%H:%M}"
    elif plan is not None and plan.cron is not None:
        rhythm, at = "cron", plan.cron
    timezone, on = (plan.timezone, tuple(plan.on)) if plan else ("UTC", ())
    return Fields(severity, rhythm, at, timezone, on, tuple(params))


def _parameter(name: str, told: Mapping[str, Any], value: object) -> Parameter:
    low, high = told.get("min"), told.get("max")
    bounds = f"{low} to {high}" if low is not None and high is not None else ""
    return Parameter(str(name), _text(value), _text(told.get("default")), str(told.get("why") or ""), bounds)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
