"""Invitations: a link that makes one account, once, within a few days. `trueup serve` prints the first admin's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from people import accounts, credentials, roles
from people.accounts import BadAccount
from people.roles import ADMIN
from store import audit, operational
from store.people_tables import Invitation, Person

LASTS = timedelta(days=7)
FIRST = "trueup"
"""Who invites the first admin."""


class NoInvitation(LookupError):  # noqa: N818 (named for what is not there)
    """A link that leads to no account: it never did, was used, withdrawn, or is too old."""


def invite(
    session: Session, email: str, *, roles: Collection[str], limits: Mapping[str, str], actor: str, now: datetime
) -> tuple[Invitation, str]:
    """An invitation and the secret of its link, which is shown once; an earlier one of the same address is withdrawn.

    Raises BadAccount, UnknownRole.
    """
    address = accounts.checked_email(email)
    if ADMIN not in roles and not accounts.exist(session):
        raise BadAccount("nobody has an account yet, so invite an admin first")
    if session.scalars(select(Person).where(Person.email == address)).first():
        raise BadAccount(f"{address} has an account already")
    for earlier in pending(session, now):
        if earlier.email == address:
            earlier.withdrawn_at = now
    invitation, secret = _new(session, address, roles, accounts.checked_limits(limits), actor, now)
    _told(session, "person.invited", invitation, actor, now)
    return invitation, secret


def first_run(session: Session, *, now: datetime) -> str | None:
    """The secret of the link that makes the first admin, in place of any earlier one; None once there is an account."""
    operational.alone(session, "people")
    if accounts.exist(session):
        return None
    for earlier in session.scalars(select(Invitation).where(Invitation.email.is_(None), Invitation.used_at.is_(None))):
        earlier.withdrawn_at = now
    _, secret = _new(session, None, [ADMIN], {}, FIRST, now)
    return secret


def pending(session: Session, now: datetime) -> list[Invitation]:
    """The invitations of people that can still be used, the newest first."""
    query = select(Invitation).where(
        Invitation.email.is_not(None),
        Invitation.used_at.is_(None),
        Invitation.withdrawn_at.is_(None),
        Invitation.expires_at > now,
    )
    return list(session.scalars(query.order_by(Invitation.id.desc())))


def of_link(session: Session, secret: str, now: datetime) -> Invitation:
    """The invitation that a link names. Raises NoInvitation."""
    query = select(Invitation).where(Invitation.token_hash == credentials.fingerprint(secret)).with_for_update()
    found = session.scalars(query).first()
    if found is None or found.used_at or found.withdrawn_at or found.expires_at <= now:
        raise NoInvitation("this link was used already, was withdrawn, or is too old; ask for a new one")
    if found.email is None and accounts.exist(session):
        raise NoInvitation("there is an account already; ask its admin for an invitation")
    return found


def accept(session: Session, secret: str, *, name: str, password: str, now: datetime, email: str = "") -> Person:
    """The account that the link makes. `email` counts for the first admin only; others were invited at theirs.

    Raises NoInvitation, BadAccount, BadPassword.
    """
    invitation = of_link(session, secret, now)
    person = accounts.add(
        session,
        email=invitation.email or email,
        name=name,
        roles=invitation.roles,
        limits=invitation.limits,
        actor=" ".join(name.split()) if invitation.email is None else invitation.invited_by,
        now=now,
        password=password,
    )
    invitation.used_at = now
    return person


def withdraw(session: Session, invitation: Invitation, *, actor: str, now: datetime) -> None:
    """Make the link lead nowhere."""
    invitation.withdrawn_at = now
    _told(session, "person.invitation_withdrawn", invitation, actor, now)


def _new(
    session: Session,
    email: str | None,
    wanted: Collection[str],
    limits: Mapping[str, str],
    actor: str,
    now: datetime,
) -> tuple[Invitation, str]:
    secret = credentials.fresh()
    invitation = Invitation(
        token_hash=credentials.fingerprint(secret),
        email=email,
        roles=roles.checked(wanted),
        limits=dict(limits),
        invited_by=actor,
        created_at=now,
        expires_at=now + LASTS,
    )
    session.add(invitation)
    session.flush()
    return invitation, secret


def _told(session: Session, action: str, invitation: Invitation, actor: str, now: datetime) -> None:
    after = {"roles": invitation.roles, "limits": invitation.limits, "until": invitation.expires_at}
    audit.record(session, action, ("person", invitation.email or ""), actor=actor, now=now, after=after)
