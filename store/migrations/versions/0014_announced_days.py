"""A calendar of days on which usage is known to be other than usual."""

from __future__ import annotations

from alembic.op import create_table, drop_table
from sqlalchemy import BigInteger, Column, Date, DateTime, Integer, PrimaryKeyConstraint, Text

revision = "0014"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INSTANT = Text(), DateTime(timezone=True)


def upgrade() -> None:
    """A table of its own."""
    create_table(
        "announced_days",
        Column("id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("name", "kind")),
        *(Column(name, Date(), nullable=False) for name in ("first_day", "last_day")),
        *(Column(name, TEXT) for name in ("meter_id", "customer_id")),
        Column("said_by", TEXT, nullable=False),
        Column("said_at", INSTANT, nullable=False),
        Column("withdrawn_by", TEXT),
        Column("withdrawn_at", INSTANT),
        PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Without the table nothing is known beforehand."""
    drop_table("announced_days")
