"""The table of what people are told outside the console: the row is the queue, and afterwards the proof."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class Telling(Table):
    """One thing that one person is told in one way, once."""

    __tablename__ = "tellings"
    __table_args__ = (
        UniqueConstraint("person", "way", "about", name="uq_tellings_about"),
        Index("ix_tellings_due", "status", "due_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person: Mapped[str]
    way: Mapped[str]  # mail | chat
    kind: Mapped[str]  # assigned | mentioned | overdue | approval | source | test | export
    about: Mapped[str]  # what it is about, such as event:17, so that nobody is told twice
    line: Mapped[str]  # what is said
    link: Mapped[str]  # the page that shows it
    made_at: Mapped[datetime]
    due_at: Mapped[datetime]  # not before then: quiet hours, the digest, another attempt
    status: Mapped[str]  # waiting | sending | sent | failed | dropped
    attempts: Mapped[int] = mapped_column(Integer)
    lease_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]  # why it failed, or why it was dropped
