"""The tables of webhooks: every delivery that was taken, each once, and how many were refused for which reason.

The row of a delivery is the queue that a worker applies to the books, and the memory by which one that is sent again
is known. Nothing of a refused delivery is kept but its count.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class Delivery(Table):
    """One webhook, as it was proven and stored before it was answered."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("integration", "delivery_id", name="uq_deliveries_delivery"),
        Index("ix_deliveries_status", "integration", "status", "id"),
        Index("ix_deliveries_received", "received_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    integration: Mapped[str]
    delivery_id: Mapped[str]  # the vendor's own, or a digest of what it signed
    kind: Mapped[str]  # what happened, in the vendor's words
    body: Mapped[bytes | None] = mapped_column(LargeBinary)  # as received; null once it is applied
    received_at: Mapped[datetime]
    status: Mapped[str]  # queued | applying | applied | failed
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[datetime]  # not before then
    claimed_by: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]
    error: Mapped[str | None]  # why it failed last, or what of it could not be read


class DeliveryRefusal(Table):
    """How many deliveries to an integration were refused for a reason, and the last of them."""

    __tablename__ = "delivery_refusals"

    integration: Mapped[str] = mapped_column(Text, primary_key=True)
    reason: Mapped[str] = mapped_column(Text, primary_key=True)  # forged | stale | replayed | unreadable | ...
    count: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime]
    detail: Mapped[str]

    @property
    def summary(self) -> str:
        """As people say it: `3 forged`."""
        return f"{self.count:,} {self.reason.replace('_', ' ')}"


class Rejection(Table):
    """A record of an outside system that could not be taken over into the books, until it can."""

    __tablename__ = "rejections"

    integration: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)  # the vendor's list, such as invoices
    record_id: Mapped[str] = mapped_column(Text, primary_key=True)
    reason: Mapped[str]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
