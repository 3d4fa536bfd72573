"""The table of requests of the API that may be sent again: what was asked under which key, and what was answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Table


class KeyedRequest(Table):
    """One request with an Idempotency-Key. Kept for a day, without any secret that its answer showed."""

    __tablename__ = "keyed_requests"
    __table_args__ = (Index("ix_keyed_requests_begun", "begun_at"),)

    owner: Mapped[str] = mapped_column(Text, primary_key=True)  # whose key it is: `person:7`, or `local`
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[str]  # of address, If-Match and body
    begun_at: Mapped[datetime]
    status: Mapped[int | None] = mapped_column(Integer)  # null: it is not over
    body: Mapped[str | None]  # null once it is over: it showed a secret
    etag: Mapped[str | None]
