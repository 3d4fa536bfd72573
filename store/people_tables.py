"""The tables of people: who may sign in and as what, their sessions, invitations and API tokens.

Every secret that a person or a program shows (a session's, an invitation's, a token's) is kept as its hash only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class Person(Table):
    """Somebody who may sign in. Never deleted, because what they did names them; `disabled_at` shuts them out."""

    __tablename__ = "people"
    __table_args__ = (
        Index("uq_people_email", "email", unique=True),
        Index("uq_people_name_key", "name_key", unique=True),
        Index("uq_people_subject", "subject", unique=True),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    email: Mapped[str]  # lower case; what they sign in with
    name: Mapped[str]  # what timelines, assignments and approvals call them
    name_key: Mapped[str]  # the name without case, so that nobody can pass for another
    roles: Mapped[list[str]]
    limits: Mapped[dict[str, Any]]  # currency -> what they may approve alone, in major units
    password_hash: Mapped[str | None]  # argon2id; null: only by OpenID Connect
    subject: Mapped[str | None]  # "<issuer> <sub>" of the OpenID provider that they once came from
    totp_secret: Mapped[str | None]  # base32
    totp_since: Mapped[datetime | None]  # when the second factor was confirmed; null: it does not count yet
    totp_step: Mapped[int | None] = mapped_column(Integer)  # the last 30 seconds whose code was used
    recovery_hashes: Mapped[list[str] | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    seen_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_by: Mapped[str | None]


class PersonSession(Table):
    """One browser in which somebody signed in, or has yet to show the second factor."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("uq_sessions_token", "token_hash", unique=True),
        Index("ix_sessions_person", "person_id", "ended_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person_id: Mapped[int] = mapped_column(Id, ForeignKey("people.id"))
    token_hash: Mapped[str]
    waits_for_code: Mapped[bool]  # the password was right, the second factor is still to come
    attempts: Mapped[int] = mapped_column(Integer)  # wrong codes
    browser: Mapped[str]
    address: Mapped[str]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Invitation(Table):
    """A link that makes one account, once."""

    __tablename__ = "invitations"
    __table_args__ = (Index("uq_invitations_token", "token_hash", unique=True),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str]
    email: Mapped[str | None]  # null: the first admin's, who names their own
    roles: Mapped[list[str]]
    limits: Mapped[dict[str, Any]]
    invited_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]


class ApiToken(Table):
    """What a program shows instead of a password: it may do what its scopes and its owner's roles both allow."""

    __tablename__ = "tokens"
    __table_args__ = (
        Index("uq_tokens_token", "token_hash", unique=True),
        Index("ix_tokens_person", "person_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person_id: Mapped[int] = mapped_column(Id, ForeignKey("people.id"))
    name: Mapped[str]
    token_hash: Mapped[str]
    start: Mapped[str]  # its first characters, to tell it from others
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]
