"""What one rule explains of another, and what a run says about its slot, its inputs and its time."""

from __future__ import annotations

from alembic.op import add_column, create_index, create_table
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INT, MONEY, INSTANT = Text(), Integer(), BigInteger(), DateTime(timezone=True)
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add columns that may be null, and one table; what is there stays as it is."""
    add_column("signals", Column("covers", TEXT))
    is_covering = text("covers IS NOT NULL")
    create_index("ix_signals_covering", "signals", ["covers"], sqlite_where=is_covering, postgresql_where=is_covering)
    add_column("findings", Column("records", DOCUMENT))
    for column in (
        Column("missed_from", INSTANT),
        Column("missed", INT),
        Column("inputs", TEXT),
        Column("holds_until", INSTANT),
        Column("milliseconds", INT),
        Column("cancelled_by", TEXT),
    ):
        add_column("runs", column)
    _covered_findings()


def _covered_findings() -> None:
    create_table(
        "covered_findings",
        Column("id", ID, nullable=False),
        Column("signal_id", ID, nullable=False),
        Column("own_signal_id", ID),
        Column("run_id", ID, nullable=False),
        Column("rule", TEXT, nullable=False),
        Column("code", TEXT, nullable=False),
        Column("covers", TEXT),
        Column("integration", TEXT, nullable=False),
        Column("fingerprint", TEXT, nullable=False),
        Column("key", TEXT, nullable=False),
        Column("subject_type", TEXT, nullable=False),
        Column("subject_id", TEXT, nullable=False),
        Column("records", DOCUMENT, nullable=False),
        Column("period_start", INSTANT),
        Column("period_end", INSTANT),
        Column("currency", TEXT),
        Column("under", MONEY, nullable=False),
        Column("over", MONEY, nullable=False),
        Column("exposure", MONEY, nullable=False),
        Column("title", TEXT, nullable=False),
        Column("gone_since", INSTANT),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["own_signal_id"], ["signals.id"]),
        ForeignKeyConstraint(["run_id"], ["runs.id"]),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("fingerprint", "key", name="uq_covered_findings"),
    )
    create_index("ix_covered_findings_signal", "covered_findings", ["signal_id"])
    create_index("ix_covered_findings_rule", "covered_findings", ["rule"])
