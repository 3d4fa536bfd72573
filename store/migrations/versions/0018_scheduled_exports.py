"""What is sent to people by mail on a schedule."""

from __future__ import annotations

from alembic.op import create_index, create_table, drop_table
from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INSTANT = Text(), DateTime(timezone=True)


def upgrade() -> None:
    """A table of its own; what was sent stands among the tellings."""
    create_table(
        "scheduled_exports",
        Column("id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("person", "name")),
        Column("view_id", ID),
        Column("period", TEXT),
        *(Column(name, TEXT, nullable=False) for name in ("format", "rhythm")),
        Column("day", Integer(), nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("at", "timezone")),
        Column("paused", Boolean(), nullable=False),
        *(Column(name, INSTANT, nullable=False) for name in ("next_at", "made_at")),
        PrimaryKeyConstraint("id"),
        ForeignKeyConstraint(["view_id"], ["saved_views.id"], ondelete="SET NULL"),
    )
    create_index("ix_scheduled_exports_next", "scheduled_exports", ["paused", "next_at"])
    create_index("ix_scheduled_exports_person", "scheduled_exports", ["person"])


def downgrade() -> None:
    """Without the table nothing is sent on a schedule."""
    drop_table("scheduled_exports")
