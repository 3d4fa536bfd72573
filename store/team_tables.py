"""The tables of the team: who is away, who stands in, whose new signals are, and settings that people change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table


class TeamMember(Table):
    """A person by the name that signals are assigned to."""

    __tablename__ = "team_members"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    away_until: Mapped[datetime | None]
    cover: Mapped[str | None]  # who gets what would be theirs while they are away


class AssignRule(Table):
    """What new signals somebody gets without being asked; the first rule that fits decides."""

    __tablename__ = "assign_rules"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    field: Mapped[str]  # category | rule | integration | customer_id | severity
    value: Mapped[str]
    assignee: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]


class OperatorSetting(Table):
    """One setting that people change in the console rather than in config.yaml."""

    __tablename__ = "operator_settings"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[dict[str, Any]]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class ReadMark(Table):
    """How far a person has read what was done to signals, and the notes on customers that name them."""

    __tablename__ = "read_marks"

    person: Mapped[str] = mapped_column(Text, primary_key=True)
    event_id: Mapped[int] = mapped_column(Id)
    note_id: Mapped[int] = mapped_column(Id, server_default="0")
