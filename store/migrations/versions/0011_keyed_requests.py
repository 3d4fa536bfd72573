"""Requests of the API under an Idempotency-Key; indexes by which jobs and actions of a kind are found."""

from __future__ import annotations

from alembic.op import create_index, create_table, drop_index, drop_table
from sqlalchemy import Column, DateTime, Integer, PrimaryKeyConstraint, Text

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table of its own, and two indexes."""
    create_table(
        "keyed_requests",
        Column("owner", Text(), nullable=False),
        Column("key", Text(), nullable=False),
        Column("digest", Text(), nullable=False),
        Column("begun_at", DateTime(timezone=True), nullable=False),
        Column("status", Integer()),
        Column("body", Text()),
        Column("etag", Text()),
        PrimaryKeyConstraint("owner", "key"),
    )
    create_index("ix_keyed_requests_begun", "keyed_requests", ["begun_at"])
    for table in ("jobs", "actions"):
        create_index(f"ix_{table}_kind", table, ["kind", "id"])


def downgrade() -> None:
    """Without the table a request that is sent again is done again."""
    drop_table("keyed_requests")
    for table in ("jobs", "actions"):
        drop_index(f"ix_{table}_kind", table)
