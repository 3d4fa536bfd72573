"""Accounts: who there is, what they may do, and up to which amount they approve alone. Each change is audited.

An account is disabled, never deleted: what somebody did names them. There is always an admin who can sign in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from people import credentials
from people import roles as known
from people.roles import ADMIN, Permission
from store import audit, operational
from store.people_tables import ApiToken, Person, PersonSession

_EMAIL = re.compile(r"[^\s@<>\"',;]{1,120}@[^\s@<>\"',;]{1,120}")
_RESERVED = ("trueup", "console", "cli", "nobody", "system")
_CURRENCY = re.compile(r"[A-Z]{3}")


class BadAccount(ValueError):  # noqa: N818 (named for what it is)
    """What an account cannot be, or be made to be; the message says why and what to do instead."""


class UnknownPerson(LookupError):  # noqa: N818
    """Nobody has that email address or name."""

    def __init__(self, who: str) -> None:
        super().__init__(f"there is nobody {who!r}; `trueup people list` shows who there is")


def exist(session: Session) -> bool:
    """Whether anybody has an account."""
    return session.scalar(select(Person.id).limit(1)) is not None


def listed(session: Session) -> list[Person]:
    """Everybody, by name; those who are disabled last."""
    return list(session.scalars(select(Person).order_by(Person.disabled_at.is_not(None), Person.name_key)))


def find(session: Session, who: str) -> Person:
    """The person with that email address or name. Raises UnknownPerson."""
    key = " ".join(who.split()).casefold()
    found = session.scalars(select(Person).where((Person.email == key) | (Person.name_key == key))).first()
    if found is None:
        raise UnknownPerson(who[:80])
    return found


def add(
    session: Session,
    *,
    email: str,
    name: str,
    roles: Collection[str],
    limits: Mapping[str, str],
    actor: str,
    now: datetime,
    password: str | None = None,
    subject: str | None = None,
) -> Person:
    """A new account; with a `password`, or for the `subject` of an OpenID provider.

    Raises BadAccount when the address or name is taken or none, UnknownRole, BadPassword.
    """
    operational.alone(session, "people")
    person = Person(
        email=checked_email(email),
        name=_name(name),
        name_key=_name(name).casefold(),
        roles=known.checked(roles),
        limits=checked_limits(limits),
        password_hash=None if password is None else credentials.hashed(credentials.checked(password, name, email)),
        subject=subject,
        created_at=now,
        created_by=actor,
    )
    _check_free(session, person)
    session.add(person)
    session.flush()
    _told(session, "person.added", person, actor, now, after=facts(person))
    return person


def change(
    session: Session, person: Person, *, roles: Collection[str], limits: Mapping[str, str], actor: str, now: datetime
) -> None:
    """Set what the person may do. Who may do less signs in again, and their tokens that ask for more are revoked.

    Raises UnknownRole, BadAccount; also where nobody would be left as an admin.
    """
    _lock(session, person)
    before, could = facts(person), known.permissions(person.roles)
    wanted = known.checked(roles)
    if ADMIN in person.roles and ADMIN not in wanted:
        _check_not_last(session, person)
    person.roles, person.limits = wanted, checked_limits(limits)
    if facts(person) != before:
        _told(session, "person.changed", person, actor, now, before=before, after=facts(person))
    if lost := could - known.permissions(wanted):
        _end_sessions(session, person, now)
        _revoke_tokens(session, person, actor, now, lost)


def disable(session: Session, person: Person, *, actor: str, now: datetime) -> None:
    """Shut the person out: their sessions end, their tokens are revoked. Raises BadAccount for the last admin."""
    _lock(session, person)
    if person.disabled_at is not None:
        return
    if ADMIN in person.roles:
        _check_not_last(session, person)
    person.disabled_at, person.disabled_by = now, actor
    _end_sessions(session, person, now)
    _revoke_tokens(session, person, actor, now, frozenset(Permission))
    _told(session, "person.disabled", person, actor, now)


def enable(session: Session, person: Person, *, actor: str, now: datetime) -> None:
    """Let the person sign in again. Their tokens stay revoked."""
    if person.disabled_at is None:
        return
    person.disabled_at, person.disabled_by = None, None
    _told(session, "person.enabled", person, actor, now)


def set_password(session: Session, person: Person, password: str, *, actor: str, now: datetime) -> None:
    """Give the person another password. Raises BadPassword."""
    person.password_hash = credentials.hashed(credentials.checked(password, person.name, person.email))
    _told(session, "person.password_changed", person, actor, now)


def limits_of(session: Session, name: str) -> Mapping[str, Decimal] | None:
    """What the person with that name may approve alone, by currency; None when nobody has an account of that name."""
    found = session.scalars(select(Person).where(Person.name_key == name.casefold())).first()
    return None if found is None else {currency: Decimal(amount) for currency, amount in found.limits.items()}


def facts(person: Person) -> dict[str, Any]:
    """What the audit says of an account."""
    return {"email": person.email, "name": person.name, "roles": list(person.roles), "limits": dict(person.limits)}


def is_free(session: Session, name: str) -> bool:
    """Whether somebody new can be called that."""
    try:
        key = _name(name).casefold()
    except BadAccount:
        return False
    return session.scalars(select(Person).where(Person.name_key == key)).first() is None


def checked_email(text: str) -> str:
    """The address as it is kept. Raises BadAccount."""
    email = text.strip().casefold()
    if not _EMAIL.fullmatch(email):
        raise BadAccount(f"{text.strip()[:80]!r} is no email address")
    return email


def checked_limits(limits: Mapping[str, str]) -> dict[str, str]:
    """Amounts by currency as they are kept, in major units. Raises BadAccount."""
    return {currency.strip().upper(): _amount(currency.strip().upper(), text) for currency, text in limits.items()}


def read_limits(text: str) -> dict[str, str]:
    """Limits as people write them: `USD 500, EUR 400`. Raises BadAccount."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        currency, _, amount = part.replace("=", " ").partition(" ")
        found[currency] = amount.strip()
    return checked_limits(found)


def _amount(currency: str, text: str) -> str:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not _CURRENCY.fullmatch(currency) or not amount.is_finite() or not 0 <= amount < Decimal(10) ** 12:
        told = f"{currency} {text}".strip()
        raise BadAccount(f"write a limit as a currency and an amount, as USD 500, several with commas; not {told!r}")
    return f"{amount:f}"


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not 2 <= len(name) <= 60 or not name.isprintable() or ":" in name or name.casefold() in _RESERVED:
        raise BadAccount("a name has 2 to 60 characters, no colon, and is none of Trueup's own")
    return name


def _check_free(session: Session, person: Person) -> None:
    if ADMIN not in person.roles and not exist(session):
        raise BadAccount("the first account is an admin's, for nobody else could invite the others")
    if session.scalars(select(Person).where(Person.email == person.email)).first():
        raise BadAccount(f"{person.email} has an account already")
    if session.scalars(select(Person).where(Person.name_key == person.name_key)).first():
        raise BadAccount(f"somebody is called {person.name} already; timelines need another name")


def _lock(session: Session, person: Person) -> None:
    """Change people one after another, each as they are then: of two admins who disable each other one stays."""
    operational.alone(session, "people")
    session.refresh(person)


def _end_sessions(session: Session, person: Person, now: datetime) -> None:
    still = (PersonSession.person_id == person.id, PersonSession.ended_at.is_(None))
    for each in session.scalars(select(PersonSession).where(*still)):
        each.ended_at = now


def _revoke_tokens(session: Session, person: Person, actor: str, now: datetime, which: Collection[Permission]) -> None:
    """Revoke the tokens that have one of these scopes."""
    still = (ApiToken.person_id == person.id, ApiToken.revoked_at.is_(None))
    for token in session.scalars(select(ApiToken).where(*still)):
        if set(token.scopes) & set(which):
            token.revoked_at, token.revoked_by = now, actor


def _check_not_last(session: Session, person: Person) -> None:
    others = select(Person.roles).where(Person.disabled_at.is_(None), Person.id != person.id)
    if not any(ADMIN in roles for roles in session.scalars(others)):
        raise BadAccount(f"{person.name} is the last admin; make somebody else one first")


def _told(session: Session, action: str, person: Person, actor: str, now: datetime, **more: Any) -> None:
    audit.record(session, action, ("person", person.email), actor=actor, now=now, **more)
