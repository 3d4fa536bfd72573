"""The tables of reconciliations: each comparison of a source with the books, and the records that were apart.

They hold no content of records but what tells whose and how much: ids, statuses, amounts and dates.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table
from store.operational_types import Document


class Reconciliation(Table):
    """One reading of everything that a source has, beside the books."""

    __tablename__ = "reconciliations"
    __table_args__ = (Index("ix_reconciliations_integration", "integration", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    integration: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    status: Mapped[str]  # running | ok | failed
    error: Mapped[str | None]
    tables: Mapped[list[Any] | None] = mapped_column(Document)  # each with its counts


class RecordDifference(Table):
    """One record that a source and the books do not have alike."""

    __tablename__ = "record_differences"
    __table_args__ = (Index("ix_record_differences_reconciliation", "reconciliation_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    reconciliation_id: Mapped[int] = mapped_column(Id, ForeignKey("reconciliations.id", ondelete="CASCADE"))
    record_table: Mapped[str]  # the table of the books
    record_id: Mapped[str]  # its key without the integration, the parts joined by /
    way: Mapped[str]  # missing | different | only_here
    changed: Mapped[list[str]]  # the columns that differ
    there: Mapped[dict[str, Any] | None]  # what the source says, as far as it tells whose and how much
    here: Mapped[dict[str, Any] | None]  # what the books say
    found_at: Mapped[datetime]  # when a reconciliation first found it so
