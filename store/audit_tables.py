"""The table of the audit: what was changed, by whom, from what to what, each row chained to the one before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class AuditEntry(Table):
    """One change or attempt. Only ever added to: the database refuses to change or remove a row."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_actor", "actor", "id"),
        Index("ix_audit_action", "action", "id"),
        Index("ix_audit_object", "object_id", "object_type", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str]  # person | local | token | cli | rule | model | system
    actor: Mapped[str]
    via: Mapped[str | None]  # the token's name, where one was used
    action: Mapped[str]  # signal.status | rule.activated | action.approved | person.invited | access.denied | ...
    object_type: Mapped[str]
    object_id: Mapped[str]
    before: Mapped[str | None]  # canonical JSON, as text: what was hashed stays what it was in every database
    after: Mapped[str | None]
    reason: Mapped[str | None]
    request_id: Mapped[str | None]
    previous: Mapped[str]  # the hash of the row before
    hash: Mapped[str]  # sha256 of `previous` and this row's canonical JSON
