"""The table of saved views: queries of the inbox under a name, one's own or the team's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class SavedView(Table):
    """A query of the inbox as its address says it."""

    __tablename__ = "saved_views"
    __table_args__ = (
        UniqueConstraint("owner", "name", name="uq_saved_views"),
        Index("ix_saved_views_shared", "shared"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str]
    owner: Mapped[str]  # who saved it
    shared: Mapped[bool]  # the whole team sees it
    is_default: Mapped[
        bool
    ]  # the inbox opens on it: for its owner, or where it is shared for everybody without an own one
    query: Mapped[str]  # the address after the question mark
    saved_at: Mapped[datetime]
