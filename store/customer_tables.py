"""The tables of what people write down about customers: notes, and contacts beside those of the books."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class CustomerNote(Table):
    """What somebody wrote about a customer. One that is removed keeps its number and loses its text."""

    __tablename__ = "customer_notes"
    __table_args__ = (Index("ix_customer_notes_customer", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str]
    text: Mapped[str]
    author: Mapped[str]
    at: Mapped[datetime]
    changed_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class CustomerContact(Table):
    """Whom people reach at a customer. Nothing is sent there by itself."""

    __tablename__ = "customer_contacts"
    __table_args__ = (Index("ix_customer_contacts_customer", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    address: Mapped[str]
    phone: Mapped[str]
    added_by: Mapped[str]
    added_at: Mapped[datetime]
