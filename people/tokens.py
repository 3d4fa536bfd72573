"""API tokens: shown once, kept as a hash, limited by scopes, an end, and what their owner may do."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from people import credentials, roles
from people.roles import Permission
from store import audit
from store.people_tables import ApiToken, Person

PREFIX = "trueup_"
LONGEST = timedelta(days=366)
_SEEN_EVERY = timedelta(minutes=5)


class BadToken(ValueError):  # noqa: N818 (named for what it is)
    """What a token cannot be; the message says why."""


def make(
    session: Session, person: Person, *, name: str, scopes: Collection[str], days: int, actor: str, now: datetime
) -> tuple[ApiToken, str]:
    """A token of the person for `days` days, and its secret, which is shown once. Raises BadToken."""
    called = " ".join(name.split())
    allowed = roles.permissions(person.roles)
    unknown = [scope for scope in scopes if scope not in set(Permission) or Permission(scope) not in allowed]
    if not 2 <= len(called) <= 60:
        raise BadToken("a token needs a name of 2 to 60 characters that says what uses it")
    if unknown or not scopes:
        said = f"{unknown[0]!r} is none" if unknown else "choose at least one"
        raise BadToken(f"{said} of the scopes that {person.name} can give: {', '.join(sorted(allowed))}")
    if not 1 <= days <= LONGEST.days:
        raise BadToken(f"a token lasts 1 to {LONGEST.days} days")
    secret = credentials.fresh(PREFIX)
    token = ApiToken(
        person_id=person.id,
        name=called,
        token_hash=credentials.fingerprint(secret),
        start=secret[: len(PREFIX) + 4],
        scopes=[scope for scope in Permission if scope in scopes],
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(token)
    session.flush()
    told = {"owner": person.email, "name": called, "scopes": token.scopes, "until": token.expires_at}
    audit.record(session, "token.made", ("token", str(token.id)), actor=actor, now=now, after=told)
    return token, secret


def of_secret(session: Session, secret: str, now: datetime) -> tuple[Person, ApiToken] | None:
    """Whose token it is; None when it is over, revoked, never was, or its owner is disabled."""
    found = session.scalars(select(ApiToken).where(ApiToken.token_hash == credentials.fingerprint(secret))).first()
    if found is None or found.revoked_at is not None or found.expires_at <= now:
        return None
    person = session.get_one(Person, found.person_id)
    return None if person.disabled_at is not None else (person, found)


def permits(person: Person, token: ApiToken) -> frozenset[Permission]:
    """What may be done with the token: what its scopes and its owner's roles both allow."""
    return roles.permissions(person.roles) & {Permission(scope) for scope in token.scopes if scope in set(Permission)}


def is_stale(token: ApiToken, now: datetime) -> bool:
    """Whether it is time to note again that the token is used."""
    return token.used_at is None or now - token.used_at >= _SEEN_EVERY


def used(session: Session, number: int, now: datetime) -> None:
    """Note that the token is used."""
    session.get_one(ApiToken, number).used_at = now


def listed(session: Session, now: datetime, person_id: int | None = None) -> list[ApiToken]:
    """The tokens that work, of one person or of all, the newest first."""
    query = select(ApiToken).where(ApiToken.revoked_at.is_(None), ApiToken.expires_at > now)
    if person_id is not None:
        query = query.where(ApiToken.person_id == person_id)
    return list(session.scalars(query.order_by(ApiToken.id.desc())))


def revoke(session: Session, token: ApiToken, *, actor: str, now: datetime) -> None:
    """Let the token work no more."""
    if token.revoked_at is None:
        token.revoked_at, token.revoked_by = now, actor
        audit.record(
            session, "token.revoked", ("token", str(token.id)), actor=actor, now=now, before={"name": token.name}
        )
