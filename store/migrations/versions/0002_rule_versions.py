"""Versions of rules, and what a job that tries one out tells while it runs and when it is done."""

from __future__ import annotations

from alembic.op import add_column, create_index, create_table
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INSTANT = Text(), DateTime(timezone=True)
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add the table and the columns; what is there stays as it is."""
    _rule_versions()
    for column in (
        Column("about", TEXT),
        Column("done", Integer()),
        Column("total", Integer()),
        Column("answer", DOCUMENT),
    ):
        add_column("jobs", column)
    create_index("ix_jobs_about", "jobs", ["about", "kind", "id"])


def _rule_versions() -> None:
    create_table(
        "rule_versions",
        Column("id", ID, nullable=False),
        Column("rule", TEXT, nullable=False),
        Column("number", Integer(), nullable=False),
        Column("content_hash", TEXT, nullable=False),
        Column("text", TEXT, nullable=False),
        Column("origin", TEXT, nullable=False),
        Column("author", TEXT, nullable=False),
        Column("note", TEXT, nullable=False),
        Column("saved_at", INSTANT, nullable=False),
        Column("live", Boolean(), nullable=False),
        Column("activated_by", TEXT),
        Column("activated_at", INSTANT),
        Column("activation_note", TEXT),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("rule", "number", name="uq_rule_versions_number"),
    )
    create_index("ix_rule_versions_hash", "rule_versions", ["content_hash"])
    create_index(
        "uq_rule_versions_live",
        "rule_versions",
        ["rule"],
        unique=True,
        sqlite_where=text("live = 1"),
        postgresql_where=text("live"),
    )
