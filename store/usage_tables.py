"""The tables of unusual usage: models that were taught, what people said of days that signals named, a calendar.

All are only ever added to: the model in force is the newest accepted one, the verdict on a series the newest label, and
what is taken out of the calendar says so.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, Float, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class UsageModel(Table):
    """One model that was taught, whether it is in force, and why; `finished_at` is null while it is being taught."""

    __tablename__ = "usage_models"
    __table_args__ = (UniqueConstraint("slot", name="uq_usage_models_slot"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    slot: Mapped[str]  # the week it was due in, so that one worker teaches it; manual/... when somebody asked
    begun_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    as_of: Mapped[datetime]  # the books that it was taught from
    snapshot: Mapped[int] = mapped_column(Integer)
    series: Mapped[int | None] = mapped_column(Integer)
    labels: Mapped[int | None] = mapped_column(Integer)  # labelled days among its lesson
    quality: Mapped[float | None] = mapped_column(Float)  # average precision on held-out series with injected faults
    quality_before: Mapped[float | None] = mapped_column(Float)  # that of the model then in force, on the same
    accepted: Mapped[bool]
    reason: Mapped[str]
    path: Mapped[str | None]
    sha256: Mapped[str | None]


class UsageLabelRow(Table):
    """What a person said of the days that a signal named in one series."""

    __tablename__ = "usage_labels"
    __table_args__ = (Index("ix_usage_labels_signal", "signal_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"))
    series: Mapped[str]
    oddness: Mapped[str]
    first_day: Mapped[date] = mapped_column(Date)
    last_day: Mapped[date] = mapped_column(Date)
    score: Mapped[float] = mapped_column(Float)
    verdict: Mapped[str]  # fault | no_fault | planned
    change_id: Mapped[str]  # the change in the signal's timeline; where that was undone the label is void
    actor: Mapped[str]
    at: Mapped[datetime]


class AnnouncedDays(Table):
    """Days on which usage is known to be other than usual: an event or an outage; `withdrawn_at` takes it back."""

    __tablename__ = "announced_days"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]  # event | outage
    first_day: Mapped[date] = mapped_column(Date)
    last_day: Mapped[date] = mapped_column(Date)  # part of it
    meter_id: Mapped[str | None]  # null: every meter
    customer_id: Mapped[str | None]  # null: every customer, and the totals
    said_by: Mapped[str]
    said_at: Mapped[datetime]
    withdrawn_by: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]
