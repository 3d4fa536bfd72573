"""Notes and contacts that people write down about customers, and how far somebody has read the notes that name them."""

from __future__ import annotations

from alembic.op import add_column, create_index, create_table, drop_column, drop_table
from sqlalchemy import BigInteger, Column, DateTime, Integer, PrimaryKeyConstraint, Text

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INSTANT = Text(), DateTime(timezone=True)


def upgrade() -> None:
    """Two tables, and a second mark beside the one of what was done to signals."""
    create_table(
        "customer_notes",
        Column("id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("customer_id", "text", "author")),
        Column("at", INSTANT, nullable=False),
        *(Column(name, INSTANT) for name in ("changed_at", "removed_at")),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_customer_notes_customer", "customer_notes", ["customer_id", "id"])
    create_table(
        "customer_contacts",
        Column("id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("customer_id", "name", "role", "address", "phone")),
        Column("added_by", TEXT, nullable=False),
        Column("added_at", INSTANT, nullable=False),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_customer_contacts_customer", "customer_contacts", ["customer_id", "id"])
    add_column("read_marks", Column("note_id", ID, nullable=False, server_default="0"))


def downgrade() -> None:
    """Nobody remembers what was written."""
    drop_column("read_marks", "note_id")
    drop_table("customer_contacts")
    drop_table("customer_notes")
