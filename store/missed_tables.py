"""The table of faults that no rule found in time, as people labelled them later."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class MissedFault(Table):
    """One fault that a customer, an auditor or a colleague found first."""

    __tablename__ = "missed_faults"
    __table_args__ = (Index("ix_missed_faults_at", "happened_at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    happened_at: Mapped[datetime]  # when it went out wrong
    code: Mapped[str | None]  # the fault of the catalogue, where it is known
    record: Mapped[str | None]  # what was wrong, as type:id
    kind: Mapped[str]  # under | over
    currency: Mapped[str]
    amount: Mapped[Decimal]  # without sign
    note: Mapped[str]
    labelled_by: Mapped[str]
    labelled_at: Mapped[datetime]
    signal_id: Mapped[int | None] = mapped_column(Id, ForeignKey("signals.id", ondelete="SET NULL"))  # found since

    @property
    def label(self) -> str:
        """The id as people read it: `MISS-7`."""
        return f"MISS-{self.id}"
