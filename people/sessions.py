"""Signing in, and the sessions that it opens: rows that the person or an admin can end at any time.

Who fails is told the same whatever was wrong. A browser holds the random secret of its session and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from people import credentials, second_factor
from store import audit
from store.people_tables import Person, PersonSession

IDLE = timedelta(hours=12)
"""A session that nobody used for so long is over."""

LONGEST = timedelta(days=7)
CODE_WITHIN = timedelta(minutes=5)
CODES = 5
"""Wrong second factors until the password has to be given again."""

_SEEN_EVERY = timedelta(minutes=5)
"""How exactly it is known when a session was used last; each note of it is a write."""


@dataclass(frozen=True)
class Browser:
    """Where somebody signs in: what the browser calls itself, and its address."""

    name: str = ""
    address: str = ""


def recognised(session: Session, email: str, password: str) -> Person | None:
    """Whose address and password these are; None where anything is wrong, after as much time.

    It takes a tenth of a second by design, so it is done before anything is written.
    """
    person = session.scalars(select(Person).where(Person.email == email.strip().casefold())).first()
    right = credentials.matches(password, person.password_hash if person else None)
    return person if right else None


def sign_in(session: Session, email: str, who: Person | None, browser: Browser, *, now: datetime) -> str | None:
    """The secret of a new session of the person who was recognised; it may still wait for the second factor.

    None when nobody was, or they are disabled, which is audited.
    """
    person = session.get(Person, who.id) if who is not None else None
    if person is None or person.disabled_at is not None:
        fail(session, email, now=now, why="disabled" if person else None)
        return None
    return open_for(session, person, browser, now=now, by="password", needs_code=person.totp_since is not None)


def open_for(
    session: Session, person: Person, browser: Browser, *, now: datetime, by: str, needs_code: bool = False
) -> str:
    """The secret of a new session of the person, who showed who they are `by` a password, a link or a provider."""
    secret = credentials.fresh()
    session.add(
        PersonSession(
            person_id=person.id,
            token_hash=credentials.fingerprint(secret),
            waits_for_code=needs_code,
            attempts=0,
            browser=browser.name[:200],
            address=browser.address[:60],
            created_at=now,
            seen_at=now,
            expires_at=now + (CODE_WITHIN if needs_code else LONGEST),
        )
    )
    if not needs_code:
        _welcome(session, person, now, by)
    return secret


def give_code(session: Session, secret: str, code: str, browser: Browser, *, now: datetime) -> str | None:
    """The secret of a whole session in place of one that waited for the second factor; None when the code is wrong."""
    waiting = _open(session, secret, now, lock=True)
    if waiting is None or not waiting.waits_for_code:
        return None
    person = session.get_one(Person, waiting.person_id, with_for_update=True)
    if second_factor.check(session, person, code, now=now):
        waiting.ended_at = now
        return open_for(session, person, browser, now=now, by="password and second factor")
    waiting.attempts += 1
    if waiting.attempts >= CODES:
        waiting.ended_at = now
    fail(session, person.email, now=now, why="second factor")
    return None


def waits(session: Session, secret: str, now: datetime) -> bool:
    """Whether the session is there and waits for the second factor."""
    found = _open(session, secret, now)
    return found is not None and found.waits_for_code


def of_secret(session: Session, secret: str, now: datetime) -> tuple[Person, PersonSession] | None:
    """Whose session it is; None when it is over, never was, or its person is disabled."""
    found = _open(session, secret, now)
    if found is None:
        return None
    person = session.get_one(Person, found.person_id)
    return None if person.disabled_at is not None else (person, found)


def is_stale(found: PersonSession, now: datetime) -> bool:
    """Whether it is time to note again that the session is used."""
    return now - found.seen_at >= _SEEN_EVERY


def seen(session: Session, number: int, now: datetime) -> None:
    """Note that the session is used."""
    found = session.get_one(PersonSession, number)
    found.seen_at = now
    session.get_one(Person, found.person_id).seen_at = now


def listed(session: Session, person_id: int, now: datetime) -> list[PersonSession]:
    """The person's open sessions, the one used last first."""
    query = select(PersonSession).where(PersonSession.person_id == person_id, PersonSession.ended_at.is_(None))
    query = query.where(PersonSession.expires_at > now, PersonSession.seen_at > now - IDLE)
    return list(session.scalars(query.order_by(PersonSession.seen_at.desc(), PersonSession.id.desc())))


def end(session: Session, person: Person, *, actor: str, now: datetime, only: int | None = None, but: int = 0) -> int:
    """End the person's sessions, or `only` one, or all `but` one; how many that were."""
    ended = [each for each in listed(session, person.id, now) if only in (None, each.id) and each.id != but]
    for each in ended:
        each.ended_at = now
    if ended:
        about, told = ("person", person.email), {"sessions": len(ended)}
        audit.record(session, "session.ended", about, actor=actor, now=now, after=told)
    return len(ended)


def fail(session: Session, email: str, *, now: datetime, why: str | None = None) -> None:
    """Audit that somebody could not sign in as `email`."""
    audit.record(session, "session.refused", ("person", email.strip()[:200]), actor="nobody", now=now, reason=why)


def _open(session: Session, secret: str, now: datetime, *, lock: bool = False) -> PersonSession | None:
    query = select(PersonSession).where(PersonSession.token_hash == credentials.fingerprint(secret))
    query = query.with_for_update() if lock else query
    found = session.scalars(query).first()
    if found is None or found.ended_at is not None or found.expires_at <= now or found.seen_at + IDLE <= now:
        return None
    return found


def _welcome(session: Session, person: Person, now: datetime, by: str) -> None:
    person.seen_at = now
    audit.record(session, "session.opened", ("person", person.email), actor=person.name, now=now, after={"by": by})
