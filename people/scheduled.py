"""Scheduled exports: which list or report a person gets by mail, and at which instants.

A slot is an instant of the schedule, by the clocks of its timezone; people/posting.py sends each once.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from detector import views
from detector.near import meant
from detector.operator_settings import zones
from people import wishes
from people.roles import Permission, permissions
from store import audit
from store.export_tables import ScheduledExport
from store.notice_tables import Telling
from store.people_tables import Person
from store.view_tables import SavedView

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
RHYTHMS: Mapping[str, str] = {
    "daily": "Every day",
    "weekdays": "Every weekday",
    **{day: f"Every {day.capitalize()}" for day in WEEKDAYS},
    "monthly": "Every month",
}
"""How often, and how the pages call it."""

FORMATS = ("csv", "json")
PERIODS: Mapping[str, str] = {"last_month": "the month before", "this_month": "the month so far"}
"""Of which month the report is, seen from the instant at which it is sent."""

REPORT = "Manager's report"
FIELDS = ("format", "rhythm", "day", "at", "timezone", "paused")
"""What can be changed of a scheduled export."""

MOST = 20
"""Scheduled exports of one person."""


class BadExport(ValueError):  # noqa: N818 (what is bad is what a person asked for)
    """A scheduled export that cannot be; `problems` says of each field what is wrong with it."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = problems


def of(session: Session, who: str) -> Sequence[ScheduledExport]:
    """The scheduled exports of a person, the oldest first."""
    query = select(ScheduledExport).where(ScheduledExport.person == who).order_by(ScheduledExport.id)
    return session.scalars(query.limit(MOST)).all() if who else []


def one(session: Session, number: int, who: str) -> ScheduledExport:
    """The person's own scheduled export of that number. Raises LookupError where there is none."""
    found = session.get(ScheduledExport, number)
    if found is None or found.person != who:
        raise LookupError(f"{who or 'nobody'} has no scheduled export {number}")
    return found


def make(
    session: Session, who: str, what: Mapping[str, Any], given: Mapping[str, str], *, now: datetime
) -> ScheduledExport:
    """A new scheduled export: `what` names a `view` by its number, or the `period` of the report.

    Raises BadExport with everything that is wrong.
    """
    person = account(session, who)
    if person is None:
        raise BadExport({"who": f"{who or 'who has no name'} has no account, whose address mail could go to"})
    if len(of(session, person.name)) >= MOST:
        raise BadExport({"what": f"there are {MOST} scheduled exports already; end one first"})
    export = ScheduledExport(person=person.name, paused=False, made_at=now, **_chosen(session, person, what))
    _set(export, _read(export, {**usual(session, person.name), **given}), now)
    session.add(export)
    session.flush()
    _tell(session, "export.scheduled", export, now, after=facts(export))
    return export


def usual(session: Session, who: str) -> dict[str, str]:
    """What a new one is unless somebody says it otherwise."""
    zone = wishes.of(session, who).timezone
    return {"format": "csv", "rhythm": "weekdays", "day": "1", "at": "08:00", "timezone": zone, "paused": "no"}


def change(session: Session, export: ScheduledExport, given: Mapping[str, str], *, now: datetime) -> None:
    """Set some fields of a scheduled export; it goes on with the first slot after now. Raises BadExport."""
    before = fields(export)
    wanted = _read(export, {**before, **given})
    if wanted == before:
        return
    _set(export, wanted, now)
    changed = [name for name in FIELDS if wanted[name] != before[name]]
    _tell(session, "export.changed", export, now, before={name: before[name] for name in changed},
          after={name: wanted[name] for name in changed})  # fmt: skip


def end(session: Session, export: ScheduledExport, *, now: datetime) -> None:
    """Nothing is sent any more, also not what was due already."""
    _tell(session, "export.ended", export, now, before=facts(export))
    waiting = (
        (Telling.person == export.person) & Telling.about.startswith(about(export)) & (Telling.status == "waiting")
    )
    session.execute(update(Telling).where(waiting).values(status="dropped", error="ended meanwhile"))
    session.delete(export)
    session.flush()


def fields(export: ScheduledExport) -> dict[str, str]:
    """What can be changed, as forms, the API and the command line write it."""
    texts = {name: str(getattr(export, name)) for name in FIELDS}
    return {**texts, "paused": "yes" if export.paused else "no"}


def facts(export: ScheduledExport) -> dict[str, Any]:
    """A scheduled export as the audit and the command line tell it."""
    return {"person": export.person, "name": export.name, "view": export.view_id, "period": export.period,
            **fields(export)}  # fmt: skip


def words(export: ScheduledExport) -> str:
    """When it is sent: `every month on day 1 at 08:00, Europe/Berlin`."""
    day = f" on day {export.day}" if export.rhythm == "monthly" else ""
    said = RHYTHMS[export.rhythm]
    return f"{said[0].lower()}{said[1:]}{day} at {export.at}, {export.timezone}"


def following(export: ScheduledExport, after: datetime) -> datetime:
    """The first slot after an instant. An hour that a clock skips is the one after it; one that it has twice is the
    first.
    """
    zone, at = ZoneInfo(export.timezone), time.fromisoformat(export.at)
    day = after.astimezone(zone).date()
    while True:
        slot = datetime.combine(day, at, zone).astimezone(UTC)
        if slot > after and _is_on(export, day):
            return slot
        day += timedelta(days=1)


def passed(export: ScheduledExport, now: datetime) -> tuple[datetime, int]:
    """The latest slot that has passed, and how many before it did without anything being sent."""
    slot, missed = export.next_at, 0
    while (then := following(export, slot)) <= now:
        slot, missed = then, missed + 1
    return slot, missed


def about(export: ScheduledExport, slot: datetime | None = None) -> str:
    """What a row of `tellings` is about that sends one slot; without a slot, how all of this export begin."""
    return f"export:{export.id}:{f'{slot:%Y-%m-%dT%H:%MZ}' if slot else ''}"


def account(session: Session, who: str) -> Person | None:
    """The account of that name, unless it is disabled."""
    found = session.scalars(select(Person).where(Person.name_key == who.casefold())).first()
    return found if found is not None and found.disabled_at is None else None


def refusal(person: Person, period: str | None) -> str | None:
    """Why the person may not have the report of a period, or a list of signals, by their roles now."""
    needs = Permission.BULK if period else Permission.READ
    if needs in permissions(person.roles):
        return None
    return f"{person.name} may not read {'the report' if period else 'signals'}: it needs the permission {needs}"


def view_of(session: Session, person: Person, number: int) -> SavedView | None:
    """The saved view of that number, where the person sees it."""
    view = session.get(SavedView, number)
    return view if view is not None and (view.shared or view.owner == person.name) else None


def _chosen(session: Session, person: Person, what: Mapping[str, Any]) -> dict[str, Any]:
    period, number = what.get("period"), what.get("view")
    if period is not None and period not in PERIODS:
        raise BadExport({"period": f"period cannot be {str(period)[:40]!r}; {meant(str(period), PERIODS)}"})
    if (problem := refusal(person, period)) is not None:
        raise BadExport({"what": problem})
    if period is not None:
        return {"name": REPORT, "view_id": None, "period": period}
    view = view_of(session, person, int(number)) if number is not None else None
    if view is None:
        known = ", ".join(f"{each.id} {each.name}" for each in views.seen_by(session, person.name)) or "none yet"
        raise BadExport({"view": f"choose a saved view by its number; there are {known}"})
    return {"name": view.name, "view_id": view.id, "period": None}


def _read(export: ScheduledExport, given: Mapping[str, str]) -> dict[str, str]:
    """The fields as they are to be. Raises BadExport with everything that is wrong."""
    problems = {
        name: f"there is no setting {name[:60]!r}; {meant(name, FIELDS)}" for name in given if name not in FIELDS
    }
    wanted = {name: given[name].strip() for name in FIELDS}
    formats = FORMATS[:1] if export.period else FORMATS
    for name, known in (("format", formats), ("rhythm", tuple(RHYTHMS)), ("paused", ("yes", "no"))):
        if wanted[name] not in known:
            problems[name] = f"{name} is one of {', '.join(known)}, not {wanted[name][:40]!r}"
    if not (
        wanted["day"].isascii() and wanted["day"].isdigit() and len(wanted["day"]) < 3 and 1 <= int(wanted["day"]) <= 31
    ):
        problems["day"] = f"day is a day of the month from 1 to 31, not {wanted['day'][:40]!r}"
    else:
        wanted["day"] = str(int(wanted["day"]))
    at = _clock(wanted["at"])
    if at is None:
        problems["at"] = f"at is a time of day such as 08:00, not {wanted['at'][:40]!r}"
    else:
        wanted["at"] = at
    if wanted["timezone"] not in zones():
        problems["timezone"] = f"there is no time zone {wanted['timezone'][:40]!r}; write it like Europe/Berlin"
    if problems:
        raise BadExport(problems)
    return wanted


def _clock(text: str) -> str | None:
    try:
        at = time.fromisoformat(text)
    except ValueError:
        return None
    return f"{at:%H:%M}" if at.tzinfo is None else None


def _set(export: ScheduledExport, wanted: Mapping[str, str], now: datetime) -> None:
    for name in ("format", "rhythm", "at", "timezone"):
        setattr(export, name, wanted[name])
    export.day, export.paused = int(wanted["day"]), wanted["paused"] == "yes"
    export.next_at = following(export, now)


def _is_on(export: ScheduledExport, day: date) -> bool:
    match export.rhythm:
        case "daily":
            return True
        case "weekdays":
            return day.weekday() < 5
        case "monthly":
            return day.day == min(export.day, monthrange(day.year, day.month)[1])
    return WEEKDAYS[day.weekday()] == export.rhythm


def _tell(session: Session, deed: str, export: ScheduledExport, now: datetime, **more: Any) -> None:
    audit.record(session, deed, ("export", str(export.id)), actor=export.person, now=now, **more)
