"""The table of merged signals: which causes people said are one case, whatever signals stand for them by now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Table


class MergedCause(Table):
    """One fingerprint of a case. Its signals come and go with the runs; the case stays until somebody splits it."""

    __tablename__ = "merged_causes"
    __table_args__ = (
        Index("ix_merged_causes_case", "case_id", "position"),
        Index("ix_merged_causes_change", "change_id"),
    )

    fingerprint: Mapped[str] = mapped_column(Text, primary_key=True)
    case_id: Mapped[str]
    position: Mapped[int] = mapped_column(Integer)  # the first whose signal is open speaks for the case
    change_id: Mapped[str]  # the deed that put it there
    merged_by: Mapped[str]
    merged_at: Mapped[datetime]
