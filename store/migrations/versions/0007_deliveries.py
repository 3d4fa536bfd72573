"""Webhooks that were taken or refused, records that cannot be taken over, and files that were picked up."""

from __future__ import annotations

from alembic.op import create_index, create_table
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INT, INSTANT = Text(), Integer(), DateTime(timezone=True)


def upgrade() -> None:
    """New tables; what is there stays as it is."""
    create_table(
        "deliveries",
        Column("id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("integration", "delivery_id", "kind")),
        Column("body", LargeBinary()),
        Column("received_at", INSTANT, nullable=False),
        Column("status", TEXT, nullable=False),
        Column("attempts", INT, nullable=False),
        Column("due_at", INSTANT, nullable=False),
        Column("claimed_by", TEXT),
        Column("lease_until", INSTANT),
        Column("applied_at", INSTANT),
        Column("error", TEXT),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("integration", "delivery_id", name="uq_deliveries_delivery"),
    )
    create_index("ix_deliveries_status", "deliveries", ["integration", "status", "id"])
    create_index("ix_deliveries_received", "deliveries", ["received_at"])
    create_table(
        "delivery_refusals",
        *(Column(name, TEXT, nullable=False) for name in ("integration", "reason")),
        Column("count", INT, nullable=False),
        Column("last_at", INSTANT, nullable=False),
        Column("detail", TEXT, nullable=False),
        PrimaryKeyConstraint("integration", "reason"),
    )
    create_table(
        "rejections",
        *(Column(name, TEXT, nullable=False) for name in ("integration", "kind", "record_id", "reason")),
        *(Column(name, INSTANT, nullable=False) for name in ("first_at", "last_at")),
        PrimaryKeyConstraint("integration", "kind", "record_id"),
    )
