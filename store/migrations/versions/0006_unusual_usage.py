"""Models of unusual usage, and what people said of it."""

from __future__ import annotations

from alembic.op import create_index, create_table
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INT, INSTANT = Text(), Integer(), DateTime(timezone=True)


def upgrade() -> None:
    """Two new tables; what is there stays as it is."""
    create_table(
        "usage_models",
        Column("id", ID, nullable=False),
        Column("slot", TEXT, nullable=False),
        Column("begun_at", INSTANT, nullable=False),
        Column("finished_at", INSTANT),
        Column("as_of", INSTANT, nullable=False),
        Column("snapshot", INT, nullable=False),
        *(Column(name, INT) for name in ("series", "labels")),
        *(Column(name, Float()) for name in ("quality", "quality_before")),
        Column("accepted", Boolean(), nullable=False),
        Column("reason", TEXT, nullable=False),
        *(Column(name, TEXT) for name in ("path", "sha256")),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("slot", name="uq_usage_models_slot"),
    )
    create_table(
        "usage_labels",
        Column("id", ID, nullable=False),
        Column("signal_id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("series", "oddness")),
        *(Column(name, Date(), nullable=False) for name in ("first_day", "last_day")),
        Column("score", Float(), nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("verdict", "change_id", "actor")),
        Column("at", INSTANT, nullable=False),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_usage_labels_signal", "usage_labels", ["signal_id"])
