"""Which invoices the findings of signals name, with their money: kept by triggers on `findings`, and never written."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class FindingInvoice(Table):
    """A current finding with money, and one of the invoices among its records."""

    __tablename__ = "finding_invoices"
    __table_args__ = (Index("ix_finding_invoices_finding", "finding_id"),)

    invoice_id: Mapped[str] = mapped_column(Text, primary_key=True)
    finding_id: Mapped[int] = mapped_column(Id, ForeignKey("findings.id", ondelete="CASCADE"), primary_key=True)
    signal_id: Mapped[int] = mapped_column(Id)
    currency: Mapped[str]
    under: Mapped[Decimal]
    over: Mapped[Decimal]
    exposure: Mapped[Decimal]
