"""Who comes from the company's OpenID provider: known by its subject, then by a confirmed address, else new by domain.

The provider vouches for them, so its own second factor is the one that counts. Nothing here speaks to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from people import accounts
from people.accounts import BadAccount
from store import audit
from store.people_tables import Person


@dataclass(frozen=True)
class Provider:
    """The provider, and whom it may bring in: people of these `domains`, who begin in the role `default_role`."""

    issuer: str
    client_id: str
    client_secret: str
    name: str
    domains: frozenset[str]
    default_role: str


class NotLetIn(ValueError):  # noqa: N818 (named for what happened)
    """Somebody whom the provider knows and we do not let in; the message says why, for the audit."""


def person_of(session: Session, provider: Provider, claims: Mapping[str, Any], *, now: datetime) -> Person:
    """The person that checked claims of an id token name; made where they are new and of a domain of ours.

    Raises NotLetIn.
    """
    subject, email = f"{provider.issuer} {claims.get('sub', '')}", str(claims.get("email", "")).strip().casefold()
    person = session.scalars(select(Person).where(Person.subject == subject)).first()
    if person is None:
        if claims.get("email_verified") is not True:
            raise NotLetIn("the provider has not confirmed the address")
        person = session.scalars(select(Person).where(Person.email == email)).first()
        if person is None:
            person = _new(session, provider, subject, email, str(claims.get("name") or ""), now)
        else:
            _link(session, person, subject, now)
    if person.disabled_at is not None:
        raise NotLetIn("disabled")
    return person


def _new(session: Session, provider: Provider, subject: str, email: str, name: str, now: datetime) -> Person:
    if email.rpartition("@")[2] not in provider.domains:
        raise NotLetIn("the address is of none of the domains that are let in")
    called = name if name and accounts.is_free(session, name) else email
    try:
        return accounts.add(
            session,
            email=email,
            name=called,
            roles=[provider.default_role],
            limits={},
            actor=provider.name,
            now=now,
            subject=subject,
        )
    except BadAccount as reason:
        raise NotLetIn(str(reason)) from None


def _link(session: Session, person: Person, subject: str, now: datetime) -> None:
    """From now on the account is theirs whatever their address becomes."""
    if person.subject is not None:
        raise NotLetIn("the address belongs to somebody else at the provider")
    person.subject = subject
    about, after = ("person", person.email), {"subject": subject}
    audit.record(session, "person.linked", about, actor=person.name, now=now, after=after)
