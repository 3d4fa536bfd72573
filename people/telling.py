"""Tells people by mail and chat what the page of notifications shows, as each of them wants it, each thing once.

Two steps: `gather` writes a row per thing, person and way, due at once, after the quiet hours or with the digest;
`send` claims what is due and hands it over, all that one person is to be told by one way as one message. What was
read in the console meanwhile is dropped. A message whose process ended half way is sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from urllib.parse import quote

from sqlalchemy import Engine, func, or_, select
from sqlalchemy.orm import Session

from detector import due, mutes, notices
from detector.cycle import Clock
from detector.detail import amount
from integrations.chat import Chat
from integrations.http import SourceError
from integrations.mail import Attached, Mail
from people import wishes
from people.roles import Permission, permissions
from people.wishes import WAYS, Wishes
from store import operational
from store.action_tables import Action
from store.customer_tables import CustomerNote
from store.notice_tables import Telling
from store.operational_tables import Load
from store.people_tables import Person

LINES = 20
"""Lines of one message; of more it says how many."""

MOST = 500
"""Rows that one step sends."""

LEASE = timedelta(minutes=5)
ATTEMPTS = 6
BETWEEN_TESTS = timedelta(minutes=1)
NOTICES = "/notifications"
PLANNED = "trueup"
"""Who proposes what code has planned (remediation.life): nobody needs to be told of every plan."""


@dataclass(frozen=True)
class Message:
    """What one person is told by one way."""

    to: str  # the name
    address: str | None  # their mail, where they have an account
    subject: str
    text: str
    key: str
    file: Attached | None = None


class Way(Protocol):
    """How a message is handed over. Raises SourceError, `permanent` where another attempt would not help."""

    def __call__(self, message: Message, at: datetime) -> None: ...


def by_mail(mail: Mail) -> Way:
    """Messages as mail, each to the address of its person's account."""

    def hand(message: Message, at: datetime) -> None:
        """Send it to the person's own address."""
        if message.address is None:
            told = f"{message.to} has no account whose address could be written to; trueup people list shows who has"
            raise SourceError(told, permanent=True)
        mail.send(message.address, message.subject, message.text, key=message.key, at=at, file=message.file)

    return hand


def by_chat(chat: Chat) -> Way:
    """Messages in the company's chat, each beginning with whom it is for."""

    def hand(message: Message, at: datetime) -> None:
        """Post it under the person's name."""
        chat.send(f"For {message.to}:\n\n{message.text}")

    return hand


EXPORT = "export"
"""The kind of what people/posting.py sends; it claims these by itself, each a message of its own."""


class TooSoon(ValueError):  # noqa: N818 (named for what it is)
    """A test that is asked for again at once."""


def gather(session: Session, now: datetime) -> int:
    """Write down what everybody is to be told that they were not told yet; how much that is."""
    operational.alone(session, "tellings")
    wanted = wishes.everybody(session)
    if not wanted:
        return 0
    accounts = {person.name: person for person in session.scalars(select(Person))}
    broken = _broken(session)
    added = 0
    for who, wish in wanted.items():
        person = accounts.get(who)
        if accounts and (person is None or person.disabled_at is not None):
            continue
        things = [*_of_signals(session, who, now), *_approvals(session, who, person), *broken]
        added += _write(session, who, wish, [each for each in things if each.at >= (wish.since or now)], now)
    return added


def send(engine: Engine, ways: Mapping[str, Way], base: str, clock: Clock) -> int:
    """Hand over what is due; how many messages went out. `base`: where the console answers, for links."""
    sent = 0
    for (who, way), ids in _claimed(engine, clock()).items():
        with operational.reading(engine) as session:
            rows = session.scalars(select(Telling).where(Telling.id.in_(ids)).order_by(Telling.id)).all()
            message = _message(session, who, rows, base)
        problem = handed(ways.get(way), message, way, clock())
        with operational.writing(engine) as session:
            note(session, ids, problem, clock())
        sent += problem is None
    return sent


def test(session: Session, who: str, way: str, *, now: datetime) -> Telling:
    """Write down a test message, due at once, quiet hours or not. Raises TooSoon, LookupError for another way."""
    if way not in WAYS:
        raise LookupError(f"there is no way {way[:40]!r}; there are {', '.join(WAYS)}")
    last = select(func.max(Telling.made_at)).where(
        Telling.person == who, Telling.way == way, Telling.kind == "test", Telling.made_at > now - BETWEEN_TESTS
    )
    if session.scalar(last):
        raise TooSoon("a test is on its way already; look whether it came before another one")
    line = "This is the test that you asked for. What asks for you will come the same way."
    row = _row(who, way, Thing("test", f"test:{now.isoformat()}", line, NOTICES, now), now, now)
    session.add(row)
    session.flush()
    return row


def latest(session: Session, who: str) -> dict[str, Telling]:
    """What was last told the person by each way, or was to be."""
    last = select(func.max(Telling.id)).where(Telling.person == who, Telling.status != "dropped").group_by(Telling.way)
    return {row.way: row for row in session.scalars(select(Telling).where(Telling.id.in_(last)))}


@dataclass(frozen=True)
class Thing:
    """What somebody may be told of, and when it happened."""

    kind: str
    about: str
    line: str
    link: str
    at: datetime


def _of_signals(session: Session, who: str, now: datetime) -> Iterator[Thing]:
    """What was given to the person, said to them, or is overdue, unless they muted it."""
    muted, hours = mutes.mutes(session, who, now), due.hours(session)
    for each in notices.notices(session, who):
        if each.is_read or (each.kind != "mentioned" and mutes.silenced(muted, each.signal)):
            continue
        label, event = each.signal.label, each.event
        said = f"gave you {label}" if each.kind == "assigned" else f"mentioned you on {label}"
        line = f"{event.actor} {said}: {each.signal.title}"
        if each.kind == "mentioned" and event.detail:
            line += f"\n  {' '.join(event.detail.split())[:300]}"
        yield Thing(each.kind, f"event:{event.id}", line, f"/signals/{label}", event.at)
    for named in notices.in_notes(session, who):
        if not named.is_read:
            note = named.note
            said = f"{note.author} mentioned you in a note on {note.customer_id}\n  {' '.join(note.text.split())[:300]}"
            link = f"/customers/{quote(note.customer_id, safe='')}#notes"
            yield Thing("mentioned", f"note:{note.id}", said, link, note.at)
    for signal in notices.late(session, who, hours, now):
        if not mutes.silenced(muted, signal):
            at = due.due_at(signal.severity, signal.first_seen, hours)
            yield Thing("overdue", f"overdue:{signal.id}:{at:%Y%m%d%H}", f"{signal.label} is overdue: {signal.title}",
                        f"/signals/{signal.label}", at)  # fmt: skip


def _approvals(session: Session, who: str, person: Person | None) -> Iterator[Thing]:
    """Actions that somebody else proposed and this person may approve."""
    if person is not None and Permission.ACT not in permissions(person.roles):
        return
    own = {currency: Decimal(limit) for currency, limit in person.limits.items()} if person else {}
    query = select(Action).where(Action.status == "proposed", Action.proposed_by.not_in((PLANNED, who)))
    for action in session.scalars(query.order_by(Action.id.desc()).limit(notices.MOST)):
        if action.currency in own and (action.amount or 0) > own[action.currency]:
            continue
        money = "" if action.amount is None else f" ({amount(action.amount, action.currency)} {action.currency})"
        yield Thing(
            "approval", f"approval:{action.id}:{action.proposed_by}",
            f"{action.proposed_by} asks for your approval of {action.label}{money}: {action.change}",
            f"/signals/SIG-{action.signal_id}#repair", action.proposed_at,
        )  # fmt: skip


def _broken(session: Session) -> list[Thing]:
    """Sources whose latest load failed: each failure once, however often it is tried again."""
    good = select(Load.integration, func.max(Load.id)).where(Load.status == "ok").group_by(Load.integration)
    since = {row[0]: row[1] for row in session.execute(good)}
    found: dict[str, Load] = {}
    query = select(Load).where(Load.status == "failed").order_by(Load.id.desc()).limit(MOST)
    for load in session.scalars(query):
        if load.id > since.get(load.integration, 0):
            found[load.integration] = load  # the first failure after the last success
    return [
        Thing("source", f"source:{load.integration}:{load.id}",
              f"{load.integration} could not be read: {' '.join((load.error or 'no reason given').split())[:300]}",
              "/integrations", load.started_at)
        for load in found.values()
    ]  # fmt: skip


def _write(session: Session, who: str, wish: Wishes, things: Sequence[Thing], now: datetime) -> int:
    abouts = {each.about for each in things}
    told = select(Telling.way, Telling.about).where(Telling.person == who, Telling.about.in_(abouts))
    known = {(row[0], row[1]) for row in session.execute(told)} if abouts else set()
    rows = [
        _row(who, way, each, wish.next_time(wish.of(each.kind, way), now), now)
        for each in sorted(things, key=lambda thing: thing.at)
        for way in WAYS
        if wish.of(each.kind, way) != "never" and (way, each.about) not in known
    ]
    session.add_all(rows)
    session.flush()
    return len(rows)


def _row(who: str, way: str, thing: Thing, due_at: datetime, now: datetime) -> Telling:
    return Telling(
        person=who, way=way, kind=thing.kind, about=thing.about, line=thing.line, link=thing.link, made_at=now,
        due_at=due_at, status="waiting", attempts=0,
    )  # fmt: skip


def _claimed(engine: Engine, now: datetime) -> dict[tuple[str, str], list[int]]:
    """The ids of what is due, by person and way, now claimed; what was read meanwhile is dropped on the way."""
    with operational.writing(engine) as session:
        operational.alone(session, "tellings")
        left = (Telling.status == "sending") & (Telling.lease_until <= now)
        waiting = or_((Telling.status == "waiting") & (Telling.due_at <= now), left)
        query = select(Telling).where(waiting, Telling.kind != EXPORT).limit(MOST)
        query = query.order_by(Telling.person, Telling.way, Telling.id)
        read: dict[str, tuple[int, int]] = {}
        found: dict[tuple[str, str], list[int]] = {}
        for row in session.scalars(query).all():
            seen = read.setdefault(row.person, notices.up_to(session, row.person))
            if (why := _needless(session, row, *seen)) is not None:
                row.status, row.error = "dropped", why
                continue
            row.status, row.lease_until, row.attempts = "sending", now + LEASE, row.attempts + 1
            found.setdefault((row.person, row.way), []).append(row.id)
        return found


def _needless(session: Session, row: Telling, events: int, notes: int) -> str | None:
    """Why what was to be told needs no telling any more; None where it does."""
    kind, _, number = row.about.partition(":")
    if kind == "note" and ((note := session.get(CustomerNote, int(number))) is None or note.removed_at is not None):
        return "the note was removed meanwhile"
    if (kind == "event" and int(number) <= events) or (kind == "note" and int(number) <= notes):
        return "read in the console meanwhile"
    return None


def _message(session: Session, who: str, rows: Sequence[Telling], base: str) -> Message:
    person = session.scalars(select(Person).where(Person.name_key == who.casefold())).first()
    shown = [f"{row.line}\n  {base}{row.link}" for row in rows[:LINES]]
    if len(rows) > LINES:
        shown.append(f"... and {len(rows) - LINES} more: {base}{NOTICES}")
    first = rows[0].line.partition("\n")[0]
    subject = f"Trueup: {first}" if len(rows) == 1 else f"Trueup: {len(rows)} things ask for you"
    foot = f"What you are told, and when: {base}{NOTICES}/wishes"
    address = person.email if person is not None and person.disabled_at is None else None
    return Message(
        who,
        address,
        subject[:150],
        "\n\n".join([*shown, foot]),
        f"trueup-{rows[0].id}-{int(rows[0].made_at.timestamp())}",
    )


def handed(way: Way | None, message: Message, name: str, at: datetime) -> SourceError | None:
    """Hand a message over; what came in the way, None where nothing did."""
    if way is None:
        return SourceError(f"no {name} is configured; notify in config.yaml names it", permanent=True)
    try:
        way(message, at)
    except SourceError as error:
        return error
    return None


def note(session: Session, ids: Sequence[int], problem: SourceError | None, now: datetime) -> None:
    """What came of it: sent, to be tried again, each time after twice as long, or failed for good."""
    for row in session.scalars(select(Telling).where(Telling.id.in_(ids))):
        row.lease_until, row.error = None, str(problem)[:500] if problem else None
        if problem is None:
            row.status, row.sent_at = "sent", now
        elif problem.permanent or row.attempts >= ATTEMPTS:
            row.status = "failed"
        else:
            row.status, row.due_at = "waiting", now + timedelta(minutes=2**row.attempts)
