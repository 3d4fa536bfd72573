"""Actions on outside systems, and the journal of what was decided and called."""

from __future__ import annotations

from alembic.op import create_index, create_table
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INT, MONEY, INSTANT = Text(), Integer(), BigInteger(), DateTime(timezone=True)
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Two new tables; what is there stays as it is."""
    create_table(
        "actions",
        Column("id", ID, nullable=False),
        Column("signal_id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("kind", "phase")),
        Column("position", INT, nullable=False),
        Column("integration", TEXT),
        *(Column(name, TEXT, nullable=False) for name in ("object_type", "object_id")),
        Column("customer_id", TEXT),
        *(Column(name, TEXT, nullable=False) for name in ("change", "outcome", "risk")),
        Column("reversible", Boolean(), nullable=False),
        Column("currency", TEXT),
        Column("amount", MONEY),
        Column("plan", DOCUMENT, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("signal_digest", "status", "proposed_by")),
        Column("proposed_at", INSTANT, nullable=False),
        Column("approved_by", TEXT),
        Column("approved_at", INSTANT),
        *(Column(name, TEXT) for name in ("approval_reason", "closed_by", "closing_reason", "claimed_by")),
        Column("lease_until", INSTANT),
        Column("attempts", INT, nullable=False),
        Column("error", TEXT),
        Column("verdict", DOCUMENT),
        Column("applied_at", INSTANT),
        Column("verified_at", INSTANT),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        PrimaryKeyConstraint("id"),
    )
    is_pending = text("status IN ('proposed', 'approved', 'executing', 'failed', 'parked')")
    create_index(
        "uq_actions_pending",
        "actions",
        ["signal_id", "kind", "object_type", "object_id"],
        unique=True,
        sqlite_where=is_pending,
        postgresql_where=is_pending,
    )
    create_index("ix_actions_signal", "actions", ["signal_id", "position"])
    create_index("ix_actions_object", "actions", ["object_id", "kind"])
    create_index("ix_actions_status", "actions", ["status", "lease_until"])
    create_table(
        "action_journal",
        Column("id", ID, nullable=False),
        Column("action_id", ID, nullable=False),
        Column("at", INSTANT, nullable=False),
        Column("actor", TEXT, nullable=False),
        Column("kind", TEXT, nullable=False),
        Column("key", TEXT),
        Column("request", DOCUMENT),
        Column("reply", DOCUMENT),
        Column("detail", TEXT),
        ForeignKeyConstraint(["action_id"], ["actions.id"], ondelete="CASCADE"),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_action_journal_action", "action_journal", ["action_id", "id"])
