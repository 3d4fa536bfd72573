"""Merged signals, snoozes that a recurrence or a bill run ends, saved views, and what the team needs."""

from __future__ import annotations

from alembic.op import add_column, create_index, create_table, drop_index
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
INSTANT = DateTime(timezone=True)
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
OVERVIEW = ("status", "severity", "category", "integration", "rule", "assignee", "money_in", "snoozed_until",
            "finalizes_at", "under", "over", "exposure", "is_open")  # fmt: skip


def upgrade() -> None:
    """New columns of signals that are null for what is there, and new tables."""
    add_column("signals", Column("bill_run_id", Text()))
    add_column("signals", Column("merged_into", ID))
    add_column("signals", Column("snoozed_recurrences", Integer()))
    add_column("signals", Column("snoozed_run", INSTANT))
    create_index("ix_signals_bill_run", "signals", ["bill_run_id", "is_open", "rank_amount", "id"])
    create_index("ix_signals_merged", "signals", ["merged_into"])
    drop_index("ix_signals_overview", "signals")
    create_index("ix_signals_overview", "signals", [*OVERVIEW, "merged_into"])
    create_table(
        "merged_causes",
        Column("fingerprint", Text(), nullable=False),
        Column("case_id", Text(), nullable=False),
        Column("position", Integer(), nullable=False),
        Column("change_id", Text(), nullable=False),
        Column("merged_by", Text(), nullable=False),
        Column("merged_at", INSTANT, nullable=False),
        PrimaryKeyConstraint("fingerprint"),
    )
    create_index("ix_merged_causes_case", "merged_causes", ["case_id", "position"])
    create_index("ix_merged_causes_change", "merged_causes", ["change_id"])
    create_table(
        "saved_views",
        Column("id", ID, nullable=False),
        Column("name", Text(), nullable=False),
        Column("owner", Text(), nullable=False),
        Column("shared", Boolean(), nullable=False),
        Column("is_default", Boolean(), nullable=False),
        Column("query", Text(), nullable=False),
        Column("saved_at", INSTANT, nullable=False),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("owner", "name", name="uq_saved_views"),
    )
    create_index("ix_saved_views_shared", "saved_views", ["shared"])
    _team()


def _team() -> None:
    create_index("ix_signals_assignee", "signals", ["assignee", "is_open", "severity", "first_seen", "status_at"])
    create_index("ix_signals_closed", "signals", ["is_open", "status_at"])
    create_table(
        "team_members",
        Column("name", Text(), nullable=False),
        Column("away_until", INSTANT),
        Column("cover", Text()),
        PrimaryKeyConstraint("name"),
    )
    create_table(
        "assign_rules",
        Column("id", ID, nullable=False),
        *(Column(name, Text(), nullable=False) for name in ("field", "value", "assignee", "made_by")),
        Column("made_at", INSTANT, nullable=False),
        PrimaryKeyConstraint("id"),
    )
    for name, columns, kind in (("assigned", ["detail", "id"], "assign"), ("remarks", ["id"], "comment")):
        only = text(f"kind = '{kind}'")
        index = f"ix_signal_events_{name}"
        create_index(index, "signal_events", columns, sqlite_where=only, postgresql_where=only)
    create_table(
        "read_marks",
        Column("person", Text(), nullable=False),
        Column("event_id", ID, nullable=False),
        PrimaryKeyConstraint("person"),
    )
    create_table(
        "operator_settings",
        Column("name", Text(), nullable=False),
        Column("value", DOCUMENT, nullable=False),
        Column("changed_by", Text(), nullable=False),
        Column("changed_at", INSTANT, nullable=False),
        PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    """There is no way back: a merge that nobody made again would be lost."""
    raise NotImplementedError("restore a copy of the store instead of downgrading")
