"""What reconciliations found, so that rules can tell it."""

from __future__ import annotations

from alembic.op import create_index, create_table, drop_table
from sqlalchemy import JSON, BigInteger, Column, DateTime, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INSTANT = Text(), DateTime(timezone=True)
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Two tables of their own."""
    create_table(
        "reconciliations",
        Column("id", ID, nullable=False),
        Column("integration", TEXT, nullable=False),
        Column("started_at", INSTANT, nullable=False),
        Column("finished_at", INSTANT),
        Column("status", TEXT, nullable=False),
        Column("error", TEXT),
        Column("tables", DOCUMENT),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_reconciliations_integration", "reconciliations", ["integration", "id"])
    create_table(
        "record_differences",
        Column("id", ID, nullable=False),
        Column("reconciliation_id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("record_table", "record_id", "way")),
        Column("changed", DOCUMENT, nullable=False),
        *(Column(name, DOCUMENT) for name in ("there", "here")),
        Column("found_at", INSTANT, nullable=False),
        PrimaryKeyConstraint("id"),
        ForeignKeyConstraint(["reconciliation_id"], ["reconciliations.id"], ondelete="CASCADE"),
    )
    create_index("ix_record_differences_reconciliation", "record_differences", ["reconciliation_id", "id"])


def downgrade() -> None:
    """Without the tables the next reconciliation finds it again."""
    drop_table("record_differences")
    drop_table("reconciliations")
