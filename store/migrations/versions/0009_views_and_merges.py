"""Merged signals, snoozes that a recurrence or a bill run ends, saved views, and what the team needs."""

from __future__ import annotations

from alembic.op import add_column, create_index, create_table, drop_index
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, PrimaryKeyConstraint, Text, UniqueConstraint

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
INSTANT = DateTime(timezone=True)
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


def downgrade() -> None:
    """There is no way back: a merge that nobody made again would be lost."""
    raise NotImplementedError("restore a copy of the store instead of downgrading")
