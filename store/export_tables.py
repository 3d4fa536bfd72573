"""The table of scheduled exports: what is sent to whom by mail, and when. Each sending is a row of `tellings`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class ScheduledExport(Table):
    """A saved view, or the report of a month, that one person gets again and again. Without either its view is gone."""

    __tablename__ = "scheduled_exports"
    __table_args__ = (
        Index("ix_scheduled_exports_next", "paused", "next_at"),
        Index("ix_scheduled_exports_person", "person"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person: Mapped[str]
    name: Mapped[str]  # what it is called: the view's name when it was chosen, or the report
    view_id: Mapped[int | None] = mapped_column(Id, ForeignKey("saved_views.id", ondelete="SET NULL"))
    period: Mapped[str | None]  # this_month | last_month: of which the report is
    format: Mapped[str]  # csv | json
    rhythm: Mapped[str]  # daily | weekdays | monday ... sunday | monthly
    day: Mapped[int] = mapped_column(Integer)  # of the month, where it is monthly; later than its last: its last
    at: Mapped[str]  # 08:00, by the clocks of the timezone
    timezone: Mapped[str]
    paused: Mapped[bool]
    next_at: Mapped[datetime]  # the first slot that nothing was sent for yet
    made_at: Mapped[datetime]
