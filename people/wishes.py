"""How one person wants to be told of things outside the console: what, by which way, at once or gathered, and when not.

Everything stands on the page of notifications whatever is chosen here; by mail and chat nothing goes to anybody who
did not ask for it. Kept as one row of `operator_settings` per person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector.near import meant
from detector.operator_settings import zones
from store import audit
from store.team_tables import OperatorSetting

KINDS: Mapping[str, str] = {
    "assigned": "A signal is given to you",
    "mentioned": "A remark or a note names you",
    "overdue": "A signal of yours is overdue",
    "approval": "Somebody's action needs a second person",
    "source": "A source broke",
}
"""What one can be told of, and how the page calls it."""

WAYS: Mapping[str, str] = {"mail": "Mail", "chat": "Chat"}
"""How one can be told of it, besides the page of notifications."""

WHEN: Mapping[str, str] = {"never": "never", "once": "at once", "digest": "in digest"}

TIMES = ("quiet_from", "quiet_to", "digest_at")
ROW = "told:"


class BadWishes(ValueError):  # noqa: N818 (what is bad is what a person typed)
    """Wishes that cannot be kept; `problems` says of each field what is wrong with it."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = problems


@dataclass(frozen=True)
class Wishes:
    """`when` by (kind, way), what is not in it is `never`; times of day are those of `timezone`."""

    when: Mapping[tuple[str, str], str] = field(default_factory=dict)
    quiet_from: time | None = None
    quiet_to: time | None = None
    digest_at: time = time(8)
    timezone: str = "UTC"
    since: datetime | None = None  # nothing older than this is told

    def of(self, kind: str, way: str) -> str:
        """When to tell of a kind of thing by a way."""
        return self.when.get((kind, way), "never")

    @property
    def wants_any(self) -> bool:
        """Whether anything at all is to be told outside the console."""
        return any(when != "never" for when in self.when.values())

    def next_time(self, when: str, now: datetime) -> datetime:
        """The first instant from now on at which something may be told: never in the quiet hours."""
        local = now.astimezone(ZoneInfo(self.timezone))
        if when == "digest":
            today = local.replace(hour=self.digest_at.hour, minute=self.digest_at.minute, second=0, microsecond=0)
            local = today if today >= local else today + timedelta(days=1)
        return self._awake(local).astimezone(UTC)

    def _awake(self, local: datetime) -> datetime:
        """The instant, or the end of the quiet hours that it falls into; they may go past midnight."""
        begin, end = self.quiet_from, self.quiet_to
        if begin is None or end is None:
            return local
        at = local.time()
        inside = begin <= at < end if begin < end else at >= begin or at < end
        if not inside:
            return local
        over = local.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
        return over if over > local else over + timedelta(days=1)


def of(session: Session, who: str) -> Wishes:
    """What the person wants; nothing until they said so."""
    row = session.get(OperatorSetting, ROW + who) if who else None
    return _wishes(row.value) if row else Wishes()


def everybody(session: Session) -> dict[str, Wishes]:
    """The wishes of everybody who wants to be told anything outside the console, by name."""
    rows = session.scalars(select(OperatorSetting).where(OperatorSetting.name.startswith(ROW, autoescape=True)))
    found = {row.name.removeprefix(ROW): _wishes(row.value) for row in rows}
    return {who: wishes for who, wishes in found.items() if wishes.wants_any}


def fields(wishes: Wishes) -> dict[str, str]:
    """The wishes as a form, the API and the command line write them: `mentioned.mail`, `quiet_from` ..."""
    told = {f"{kind}.{way}": wishes.of(kind, way) for kind in KINDS for way in WAYS}
    times = {name: _clock(getattr(wishes, name)) for name in TIMES}
    return {**told, **times, "timezone": wishes.timezone}


def read(before: Wishes, given: Mapping[str, str]) -> Wishes:
    """The wishes with some fields as given, the others as before. Raises BadWishes with everything that is wrong."""
    known = fields(before)
    problems = {name: f"there is no setting {name[:60]!r}; {meant(name, known)}" for name in given if name not in known}
    wanted = {**known, **{name: text.strip() for name, text in given.items() if name in known}}
    when = {(kind, way): wanted[f"{kind}.{way}"] for kind in KINDS for way in WAYS}
    for (kind, way), word in when.items():
        if word not in WHEN:
            problems[f"{kind}.{way}"] = f"{kind}.{way} is one of {', '.join(WHEN)}, not {word[:40]!r}"
    times = {name: _time(name, wanted[name], problems) for name in TIMES}
    if (times["quiet_from"] is None) != (times["quiet_to"] is None):
        problems["quiet_to"] = "quiet hours need both a beginning and an end; leave both empty for none"
    if times["quiet_from"] is not None and times["quiet_from"] == times["quiet_to"]:
        problems["quiet_to"] = "quiet hours that end when they begin would last all day or not at all"
    if times["digest_at"] is None:
        problems.setdefault("digest_at", "say at what time the digest comes, as 08:00")
    if wanted["timezone"] not in zones():
        problems["timezone"] = f"there is no time zone {wanted['timezone'][:40]!r}; write it like Europe/Berlin"
    if problems:
        raise BadWishes(problems)
    return Wishes(
        when, times["quiet_from"], times["quiet_to"], times["digest_at"] or time(8), wanted["timezone"], before.since
    )


def keep(session: Session, who: str, wishes: Wishes, *, now: datetime) -> None:
    """Keep what the person wants. Who was told nothing before is told only of what happens from now on."""
    if not who:
        raise BadWishes({"who": "say who you are first; wishes are somebody's"})
    before = of(session, who)
    since = before.since if before.wants_any and before.since else now
    row = session.get(OperatorSetting, ROW + who) or OperatorSetting(name=ROW + who)
    row.value = {**fields(wishes), "since": since.isoformat()}
    row.changed_by, row.changed_at = who, now
    session.add(row)
    was, is_now = fields(before), fields(wishes)
    changed = [name for name in is_now if was[name] != is_now[name]]
    told = {"before": {name: was[name] for name in changed}, "after": {name: is_now[name] for name in changed}}
    if changed:
        audit.record(session, "notices.wishes", ("person", who), actor=who, now=now, **told)  # type: ignore[arg-type]


def _wishes(value: Mapping[str, Any]) -> Wishes:
    known = fields(Wishes())
    kept = read(Wishes(), {name: text for name, text in value.items() if name in known})
    since = datetime.fromisoformat(value["since"])
    return Wishes(kept.when, kept.quiet_from, kept.quiet_to, kept.digest_at, kept.timezone, since)


def _time(name: str, text: str, problems: dict[str, str]) -> time | None:
    if not text:
        return None
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        problems[name] = f"{name} is a time of day such as 08:00, not {text[:40]!r}"
        return None
    return found.replace(second=0, microsecond=0)


def _clock(at: time | None) -> str:
    return "" if at is None else f"{at:%H:%M}"
