"""What was said with a language model about a signal, and faults that were labelled as missed."""

from __future__ import annotations

from alembic.op import create_index, create_table
from sqlalchemy import JSON, BigInteger, Column, DateTime, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INT, MONEY, INSTANT = Text(), Integer(), BigInteger(), DateTime(timezone=True)
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Two new tables; what is there stays as it is."""
    create_table(
        "advisor_exchanges",
        Column("id", ID, nullable=False),
        Column("signal_id", ID, nullable=False),
        Column("kind", TEXT, nullable=False),
        Column("question", TEXT),
        Column("asked_by", TEXT, nullable=False),
        Column("asked_at", INSTANT, nullable=False),
        Column("status", TEXT, nullable=False),
        Column("reason", TEXT),
        Column("prompt", TEXT, nullable=False),
        *(Column(name, TEXT) for name in ("model", "digest")),
        Column("cached_from", ID),
        *(Column(name, DOCUMENT) for name in ("sent", "replies", "answer")),
        *(Column(name, INT) for name in ("tokens_in", "tokens_out")),
        *(Column(name, TEXT) for name in ("currency", "cost")),
        Column("milliseconds", INT),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_advisor_exchanges_signal", "advisor_exchanges", ["signal_id", "id"])
    create_index("ix_advisor_exchanges_asked", "advisor_exchanges", ["asked_at"])
    create_index("ix_advisor_exchanges_digest", "advisor_exchanges", ["digest", "id"])
    create_table(
        "missed_faults",
        Column("id", ID, nullable=False),
        Column("happened_at", INSTANT, nullable=False),
        *(Column(name, TEXT) for name in ("code", "record")),
        *(Column(name, TEXT, nullable=False) for name in ("kind", "currency")),
        Column("amount", MONEY, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("note", "labelled_by")),
        Column("labelled_at", INSTANT, nullable=False),
        Column("signal_id", ID),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="SET NULL"),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_missed_faults_at", "missed_faults", ["happened_at"])
