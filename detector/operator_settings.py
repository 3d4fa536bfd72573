"""What people set in the console rather than in config.yaml: how it holds now, what a change would be, and the change.

Each group is one row of `operator_settings`, its value a flat map. What is not in the row is as in `usual`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector import due
from detector.near import meant
from store import audit
from store.team_tables import OperatorSetting

Values = Mapping[str, Mapping[str, Any]]
"""By group and key, as they are kept."""

LONGEST_WORD = 24
LONGEST_MEANING = 160

MEANINGS: Mapping[str, str] = {
    "critical": "A wrong invoice goes out soon, or much money is lost: today.",
    "high": "Money is lost or charged wrongly in this period: this week.",
    "medium": "Wrong, but of little money or with time left: this bill run.",
    "low": "Untidy, and wrong later if nobody looks.",
    "info": "Worth knowing; nothing has to be done.",
}
"""What each severity means until somebody says it otherwise, the worst first."""


class BadSettings(ValueError):  # noqa: N818 (what is bad is what a person typed)
    """Settings that cannot be used; `problems` says of each field what is wrong with it."""

    def __init__(self, problems: Mapping[tuple[str, str], str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = problems


class ChangedMeanwhile(RuntimeError):  # noqa: N818 (named for what happened)
    """Somebody else changed a setting since the form was opened; the message says who and when."""


@dataclass(frozen=True)
class Group:
    """One group of settings: what its keys are usually, how the text of one is read, and its name in the audit."""

    name: str
    title: str
    usual: Mapping[str, Any]
    read: Callable[[str, str], Any]  # key and text -> value; raises ValueError with what is wrong
    action: str


@dataclass(frozen=True)
class Stated:
    """One setting that only the configuration has: its key, its value as text, and where that comes from."""

    key: str
    value: str
    source: str  # the file, the name of a variable, or "" for what is built in

    @property
    def section(self) -> str:
        """The part of the key before the first point."""
        return self.key.partition(".")[0]


@dataclass(frozen=True)
class Change:
    """One value that would be another one."""

    group: Group
    key: str
    before: Any
    after: Any


def _hours(severity: str, text: str) -> int:
    return due.checked_hours(severity, text)


def _word(severity: str, text: str) -> str:
    word = _line(text)
    if not 1 <= len(word) <= LONGEST_WORD:
        raise ValueError(f"the word for {severity} has 1 to {LONGEST_WORD} letters")
    return word


def _meaning(severity: str, text: str) -> str:
    said = _line(text)
    if not 1 <= len(said) <= LONGEST_MEANING:
        raise ValueError(f"say in 1 to {LONGEST_MEANING} letters what {severity} means")
    return said


def _calendar(key: str, text: str) -> str | int:
    if key == "timezone":
        if text not in zones():
            raise ValueError(f"there is no time zone {text[:40]!r}; write it like Europe/Berlin")
        return text
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 12):
        raise ValueError("the year begins in a month from 1 to 12")
    return int(text)


GROUPS: tuple[Group, ...] = (
    Group(due.NAME, "Deadline in hours", due.HOURS, _hours, "team.hours"),
    Group("severity_words", "Word", {name: name.capitalize() for name in due.HOURS}, _word, "settings.severities"),
    Group("severity_meanings", "Meaning", MEANINGS, _meaning, "settings.severities"),
    Group("calendar", "Calendar of reports", {"timezone": "UTC", "year_begins": 1}, _calendar, "settings.calendar"),
)
"""Every group, in the order of the page."""

BY_NAME: Mapping[str, Group] = {group.name: group for group in GROUPS}


@cache
def zones() -> frozenset[str]:
    """The time zones that there are."""
    return frozenset(available_timezones())


def read(session: Session, *names: str) -> Values:
    """The groups of these names, or all, as they hold now."""
    wanted = names or tuple(BY_NAME)
    rows = session.scalars(select(OperatorSetting).where(OperatorSetting.name.in_(wanted)))
    kept = {row.name: row.value for row in rows}
    return {name: {**BY_NAME[name].usual, **kept.get(name, {})} for name in wanted}


def typed(form: Mapping[str, str]) -> Values:
    """The values of a form whose fields are called `group.key`. Raises BadSettings with everything that is wrong."""
    problems: dict[tuple[str, str], str] = {}
    found: dict[str, dict[str, Any]] = {}
    for group in GROUPS:
        found[group.name] = {}
        for key in group.usual:
            try:
                found[group.name][key] = group.read(key, form.get(f"{group.name}.{key}", "").strip())
            except ValueError as wrong:
                problems[group.name, key] = str(wrong)
    _tell_alike(found["severity_words"], problems)
    if problems:
        raise BadSettings(problems)
    return found


def changed(before: Values, wanted: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """The fields of a form in which some values are other ones. Raises BadSettings for one that there is not."""
    known = {(group.name, key) for group in GROUPS for key in group.usual}
    given = {(name, key): str(value) for name, own in wanted.items() for key, value in own.items()}
    names = sorted(".".join(place) for place in known)
    unknown = {place: ".".join(place) for place in given if place not in known}
    if unknown:
        raise BadSettings(
            {place: f"there is no setting {name[:60]}; {meant(name, names)}" for place, name in unknown.items()}
        )
    return {f"{name}.{key}": given.get((name, key), str(before[name][key])) for name, key in known}


def changes(before: Values, after: Values) -> list[Change]:
    """What differs, in the order of the groups."""
    return [
        Change(group, key, before[group.name][key], after[group.name][key])
        for group in GROUPS
        for key in group.usual
        if before[group.name][key] != after[group.name][key]
    ]


def stamp(values: Values) -> str:
    """What tells two states of the settings apart, for a form to carry."""
    told = json.dumps({name: dict(value) for name, value in values.items()}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def keep(
    session: Session, after: Values, *, seen: str, actor: str, now: datetime, reason: str | None = None
) -> list[Change]:
    """Keep the values; what changed by it. Raises ChangedMeanwhile where `seen` is not how they stand."""
    before = read(session)
    if stamp(before) != seen:
        raise ChangedMeanwhile(_who_was_faster(session))
    found = changes(before, after)
    for group in {change.group.name: change.group for change in found}.values():
        _keep(session, group, before[group.name], after[group.name], actor=actor, now=now, reason=reason)
    return found


def zone(session: Session) -> ZoneInfo:
    """The time zone that reports count their days and months in."""
    return ZoneInfo(read(session, "calendar")["calendar"]["timezone"])


def _keep(
    session: Session,
    group: Group,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    actor: str,
    now: datetime,
    reason: str | None,
) -> None:
    if group.name == due.NAME:
        due.set_hours(session, {key: str(value) for key, value in after.items()}, actor=actor, now=now, reason=reason)
        return
    row = session.get(OperatorSetting, group.name) or OperatorSetting(name=group.name)
    row.value, row.changed_by, row.changed_at = dict(after), actor, now
    session.add(row)
    told = {"before": dict(before), "after": dict(after), "reason": reason}
    audit.record(session, group.action, ("setting", group.name), actor=actor, now=now, **told)  # type: ignore[arg-type]


def _who_was_faster(session: Session) -> str:
    query = select(OperatorSetting).where(OperatorSetting.name.in_(BY_NAME)).order_by(OperatorSetting.changed_at.desc())
    last = session.scalars(query.limit(1)).first()
    return f"{last.changed_by} changed {last.name.replace('_', ' ')} at {last.changed_at:%H:%M} UTC" if last else ""


def _tell_alike(words: Mapping[str, str], problems: dict[tuple[str, str], str]) -> None:
    """Two severities with one word could not be told apart."""
    seen: dict[str, str] = {}
    for severity, word in words.items():
        if word.casefold() in seen:
            told = f"{seen[word.casefold()]} and {severity} cannot both be called {word!r}"
            problems["severity_words", severity] = told
        seen.setdefault(word.casefold(), severity)


def _line(text: str) -> str:
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
