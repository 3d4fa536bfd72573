"""What people are told by mail and chat."""

from __future__ import annotations

from alembic.op import create_index, create_table, drop_table
from sqlalchemy import BigInteger, Column, DateTime, Integer, PrimaryKeyConstraint, Text, UniqueConstraint

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INSTANT = Text(), DateTime(timezone=True)


def upgrade() -> None:
    """A table of its own."""
    create_table(
        "tellings",
        Column("id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("person", "way", "kind", "about", "line", "link")),
        *(Column(name, INSTANT, nullable=False) for name in ("made_at", "due_at")),
        Column("status", TEXT, nullable=False),
        Column("attempts", Integer(), nullable=False),
        *(Column(name, INSTANT) for name in ("lease_until", "sent_at")),
        Column("error", TEXT),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("person", "way", "about", name="uq_tellings_about"),
    )
    create_index("ix_tellings_due", "tellings", ["status", "due_at"])


def downgrade() -> None:
    """Without the table nobody is told anything outside the console."""
    drop_table("tellings")
