"""Sends scheduled exports by mail, each slot at most once: as what the person may see when it is sent.

`gather` writes one row of `tellings` for the latest slot that has passed, and moves the schedule on in the same
transaction; slots before it that nothing was sent for are counted and left out. `send` makes the file, claims the row
and hands it over. A row whose process ended while the mail server had it is not sent again: whether it came is unclear.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from detector import inbox, manager_report, operator_settings, report, sheets, view_query
from detector.cycle import Clock
from detector.outcomes import KINDS
from integrations.http import SourceError
from integrations.mail import Attached
from people import scheduled, telling
from people.telling import EXPORT, LEASE, Message, Way
from store import audit, operational
from store.export_tables import ScheduledExport
from store.notice_tables import Telling
from store.people_tables import Person

LARGEST = 5_000_000
"""Bytes that are attached; of what is larger the message has a link instead. Many mail servers take 10 MB, and what is
attached grows by a third on the way.
"""

LATE = timedelta(minutes=15)
"""From then on a message says that it is late."""

MOST = 100
"""Exports that one step sends."""

UNCLEAR = "the process ended while the mail server had it; whether it came is not known, so it is not sent again"


class Withheld(Exception):  # noqa: N818 (named for what happened)
    """Nothing is to be sent for this slot; the message says why."""


def gather(session: Session, now: datetime) -> int:
    """Write down what is due to be sent and was not; how much that is."""
    operational.alone(session, "tellings")
    due = select(ScheduledExport).where(ScheduledExport.paused.is_(False), ScheduledExport.next_at <= now)
    added = 0
    for export in session.scalars(due.order_by(ScheduledExport.id)).all():
        slot, missed = scheduled.passed(export, now)
        export.next_at = scheduled.following(export, now)
        if export.view_id is None and export.period is None:
            continue
        left_out = f"; {missed} before it left out" if missed else ""
        session.add(
            Telling(
                person=export.person, way="mail", kind=EXPORT, about=scheduled.about(export, slot),
                line=f"{export.name} of {_written(export, slot)}{left_out}", link="/notifications#exports",
                made_at=now, due_at=now, status="waiting", attempts=0,
            )
        )  # fmt: skip
        added += 1
    session.flush()
    return added


def send(engine: Engine, way: Way | None, base: str, clock: Clock) -> int:
    """Send what is due; how many messages went out. `base`: where the console answers, for links."""
    now, sent = clock(), 0
    with operational.writing(engine) as session:
        left = (Telling.kind == EXPORT) & (Telling.status == "sending") & (Telling.lease_until <= now)
        session.execute(update(Telling).where(left).values(status="failed", lease_until=None, error=UNCLEAR))
    with operational.reading(engine) as session:
        waiting = (Telling.kind == EXPORT) & (Telling.status == "waiting") & (Telling.due_at <= now)
        ids = session.scalars(select(Telling.id).where(waiting).order_by(Telling.id).limit(MOST)).all()
    for number in ids:
        sent += _send_one(engine, number, way, base, clock)
    return sent


def latest(session: Session, who: str) -> dict[int, Telling]:
    """What was last sent of each of the person's exports, or was to be, by the export's number."""
    query = select(Telling).where(Telling.person == who, Telling.way == "mail", Telling.about.startswith("export:"))
    found: dict[int, Telling] = {}
    for row in session.scalars(query.order_by(Telling.id.desc()).limit(20 * scheduled.MOST)):
        found.setdefault(_number(row), row)
    return {
        export.id: found[export.id]
        for export in scheduled.of(session, who)
        if export.id in found and found[export.id].made_at >= export.made_at
    }


def _send_one(engine: Engine, number: int, way: Way | None, base: str, clock: Clock) -> bool:
    """Make the file, then claim the row, then hand it over: who is killed before that sends it after the next start."""
    try:
        with operational.reading(engine) as session:
            message = _message(session, session.get_one(Telling, number), base, clock())
    except Withheld as why:
        _drop(engine, number, str(why))
        return False
    if not _claim(engine, number, clock()):
        return False
    problem = telling.handed(way, message, "mail", clock())
    with operational.writing(engine) as session:
        telling.note(session, [number], problem, clock())
        _tell(session, number, message, problem, clock())
    return problem is None


def _claim(engine: Engine, number: int, now: datetime) -> bool:
    """Whether the row is now this process's to hand over: nobody else has it, and nothing was ended meanwhile."""
    with operational.writing(engine) as session:
        operational.alone(session, "tellings")
        row = session.get_one(Telling, number)
        if row.status != "waiting" or _export(session, row) is None:
            return False
        row.status, row.lease_until, row.attempts = "sending", now + LEASE, row.attempts + 1
        return True


def _drop(engine: Engine, number: int, why: str) -> None:
    with operational.writing(engine) as session:
        dropped = update(Telling).where(Telling.id == number, Telling.status == "waiting")
        session.execute(dropped.values(status="dropped", error=why[:500]))


def _tell(session: Session, number: int, message: Message, problem: SourceError | None, now: datetime) -> None:
    """The audit says what left for whom, and what did not."""
    row = session.get_one(Telling, number)
    size = len(message.file.body) if message.file else None
    told = {"person": row.person, "what": row.line, "to": message.address, "bytes": size}
    deed = "export.sent" if problem is None else "export.not_sent"
    audit.record(session, deed, ("export", str(_number(row))), actor="trueup", now=now, after=told, reason=row.error)


def _slot(row: Telling) -> datetime:
    return datetime.strptime(row.about.split(":", 2)[2], "%Y-%m-%dT%H:%M%z")


def _number(row: Telling) -> int:
    return int(row.about.split(":")[1])


def _export(session: Session, row: Telling) -> ScheduledExport | None:
    """The export of a row; None once it is ended or paused."""
    found = session.get(ScheduledExport, _number(row))
    return found if found is not None and not found.paused and found.person == row.person else None


def _message(session: Session, row: Telling, base: str, now: datetime) -> Message:
    """The message of one slot. Raises Withheld where the person is to get nothing."""
    export, person = _export(session, row), scheduled.account(session, row.person)
    if export is None:
        raise Withheld("ended or paused meanwhile")
    if person is None:
        raise Withheld(f"{row.person} has no account any more")
    if (problem := scheduled.refusal(person, export.period)) is not None:
        raise Withheld(problem)
    name, link, lines = _report(session, export, now) if export.period else _list(session, export, person, now)
    body = _bytes(lines)
    file = (
        None
        if body is None
        else Attached(f"{name}.{export.format}", "json" if export.format == "json" else "csv", body)
    )
    late = "Late: " if now - _slot(row) > LATE else ""
    said = [f"{row.line}."]
    if late:
        said.append(f"It could not be sent at its time, and holds what was there at {now:%Y-%m-%d %H:%M} UTC.")
    if file is None:
        said.append(f"It is larger than {LARGEST // 1_000_000} MB, so it is not attached; here it is:\n{base}{link}")
    else:
        said.append(f"It is attached as {file.name}. As it is when you look:\n{base}{link}")
    if export.period:
        said.append("\n".join(f"{kind.replace('_', ' ')}: {meaning}" for kind, meaning in KINDS.items()))
    said.append(f"Change, pause or end this: {base}{row.link}")
    key = f"trueup-{row.id}-{int(row.made_at.timestamp())}"
    return Message(person.name, person.email, f"Trueup: {late}{row.line}"[:150], "\n\n".join(said), key, file)


def _list(session: Session, export: ScheduledExport, person: Person, now: datetime) -> tuple[str, str, Iterable[str]]:
    view = scheduled.view_of(session, person, export.view_id or 0)
    if view is None:
        raise Withheld(f"the view {export.name} is gone, or no longer the team's")
    try:
        wanted = view_query.of_view(view.query, person.name)
    except inbox.BadFilter as bad:
        raise Withheld(f"the view {view.name} cannot be read any more: {bad}") from None
    signals = inbox.export(session, wanted, now)
    lines = report.json_rows(signals) if export.format == "json" else sheets.lines(report.csv_rows(signals))
    return f"signals-{now:%Y-%m-%d}", f"/signals.{export.format}{'?' if view.query else ''}{view.query}", lines


def _report(session: Session, export: ScheduledExport, now: datetime) -> tuple[str, str, Iterable[str]]:
    zone = operator_settings.zone(session)
    month = now.astimezone(zone).replace(day=1)
    if export.period == "last_month":
        month -= timedelta(days=1)
    name = f"{month:%Y-%m}"
    found = manager_report.report(session, *manager_report.span(name, zone))
    lines = sheets.lines([manager_report.COLUMNS, *manager_report.rows(found)])
    return f"report-{name}", f"/reports/manager.csv?period={name}", lines


def _bytes(lines: Iterable[str]) -> bytes | None:
    """The lines as one file; None as soon as they are too many."""
    found = bytearray()
    for line in lines:
        found += line.encode()
        if len(found) > LARGEST:
            return None
    return bytes(found)


def _written(export: ScheduledExport, slot: datetime) -> str:
    local = slot.astimezone(ZoneInfo(export.timezone))
    return f"{local:%a} {local.day} {local:%b %Y %H:%M} {export.timezone}"
