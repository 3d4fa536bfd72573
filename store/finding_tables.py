"""Which invoices the findings of open signals name, with their money: kept by triggers, and never written.

The triggers are on `findings` and on the status of `signals` (migration 0021).
"""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class FindingInvoice(Table):
    """A current finding of an open signal, with money, and one of the invoices among its records."""

    __tablename__ = "finding_invoices"
    __table_args__ = (
        Index("ix_finding_invoices_finding", "finding_id"),
        Index("ix_finding_invoices_signal", "signal_id"),
        {"sqlite_with_rowid": False},  # the rows of an invoice lie together
    )

    invoice_id: Mapped[str] = mapped_column(Text, primary_key=True)
    finding_id: Mapped[int] = mapped_column(Id, ForeignKey("findings.id", ondelete="CASCADE"), primary_key=True)
    signal_id: Mapped[int] = mapped_column(Id)
    currency: Mapped[str]
    under: Mapped[Decimal]
    over: Mapped[Decimal]
    exposure: Mapped[Decimal]
