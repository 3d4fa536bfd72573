"""The first schema: runs, signals and what they consist of, loads, rule overrides, jobs."""

from __future__ import annotations

from alembic.op import create_index, create_table
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INT, BOOL, MONEY, INSTANT = Text(), Integer(), Boolean(), BigInteger(), DateTime(timezone=True)
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


SEVERITY_RANK = (
    "CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END"
)


def upgrade() -> None:
    """Create everything. There is no way back: a store is restored from its backup instead."""
    _jobs()
    _loads()
    _rule_overrides()
    _runs()
    _signals()
    _findings()
    _signal_events()
    _signal_impacts()
    _signal_points()
    _signal_texts()
    _signal_entities()


def _jobs() -> None:
    create_table(
        "jobs",
        Column("id", ID, nullable=False),
        Column("kind", TEXT, nullable=False),
        Column("args", DOCUMENT, nullable=False),
        Column("requested_by", TEXT, nullable=False),
        Column("requested_at", INSTANT, nullable=False),
        Column("status", TEXT, nullable=False),
        Column("claimed_by", TEXT),
        Column("lease_until", INSTANT),
        Column("finished_at", INSTANT),
        Column("result", TEXT),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_jobs_status", "jobs", ["status", "id"])


def _loads() -> None:
    create_table(
        "loads",
        Column("id", ID, nullable=False),
        Column("kind", TEXT, nullable=False),
        Column("integration", TEXT, nullable=False),
        Column("source", TEXT),
        Column("started_at", INSTANT, nullable=False),
        Column("finished_at", INSTANT),
        Column("status", TEXT, nullable=False),
        Column("rows", DOCUMENT),
        Column("error", TEXT),
        Column("report", TEXT),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_loads_integration", "loads", ["integration", "id"])


def _rule_overrides() -> None:
    create_table(
        "rule_overrides",
        Column("rule", TEXT, nullable=False),
        Column("state", TEXT, nullable=False),
        Column("paused_until", INSTANT),
        Column("severity", TEXT),
        Column("schedule", TEXT),
        Column("params", DOCUMENT),
        Column("changed_by", TEXT, nullable=False),
        Column("changed_at", INSTANT, nullable=False),
        PrimaryKeyConstraint("rule"),
    )


def _runs() -> None:
    create_table(
        "runs",
        Column("id", ID, nullable=False),
        Column("rule", TEXT, nullable=False),
        Column("rule_hash", TEXT, nullable=False),
        Column("trigger", TEXT, nullable=False),
        Column("slot", TEXT, nullable=False),
        Column("as_of", INSTANT, nullable=False),
        Column("snapshot", BigInteger()),
        Column("status", TEXT, nullable=False),
        Column("reason", TEXT),
        Column("error", TEXT),
        Column("claimed_by", TEXT, nullable=False),
        Column("lease_until", INSTANT, nullable=False),
        Column("started_at", INSTANT, nullable=False),
        Column("finished_at", INSTANT),
        Column("findings", INT),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("rule", "slot", name="uq_runs_rule_slot"),
    )
    create_index("ix_runs_rule", "runs", ["rule", "id"])
    create_index("ix_runs_status", "runs", ["status", "lease_until"])


def _signals() -> None:
    create_table(
        "signals",
        Column("id", ID, nullable=False),
        Column("fingerprint", TEXT, nullable=False),
        Column("rule", TEXT, nullable=False),
        Column("rule_hash", TEXT, nullable=False),
        Column("code", TEXT, nullable=False),
        Column("title", TEXT, nullable=False),
        Column("severity", TEXT, nullable=False),
        Column("category", TEXT, nullable=False),
        Column("confidence", TEXT, nullable=False),
        Column("gate", TEXT, nullable=False),
        Column("integration", TEXT, nullable=False),
        Column("cause_type", TEXT, nullable=False),
        Column("cause_id", TEXT, nullable=False),
        Column("group_key", TEXT, nullable=False),
        Column("status", TEXT, nullable=False),
        Column(
            "is_open",
            BOOL,
            Computed("status IN ('unhandled', 'triaged', 'in_progress', 'awaiting_external')", persisted=True),
            nullable=False,
        ),
        Column("severity_rank", INT, Computed(SEVERITY_RANK, persisted=True), nullable=False),
        Column("status_at", INSTANT, nullable=False),
        Column("status_reason", TEXT),
        Column("priority", TEXT, nullable=False),
        Column("assignee", TEXT),
        Column("snoozed_until", INSTANT),
        Column("snoozed_amount", MONEY),
        Column("suppressed_until", INSTANT),
        Column("resolved_at", INSTANT),
        Column("version", INT, nullable=False),
        Column("period_start", INSTANT),
        Column("period_end", INSTANT),
        Column("first_seen", INSTANT, nullable=False),
        Column("last_seen", INSTANT, nullable=False),
        Column("first_run_id", ID, nullable=False),
        Column("last_run_id", ID, nullable=False),
        Column("clear_runs", INT, nullable=False),
        Column("digest", TEXT, nullable=False),
        Column("occurrences", INT, nullable=False),
        Column("finding_count", INT, nullable=False),
        Column("entity_count", INT, nullable=False),
        Column("customer_count", INT, nullable=False),
        Column("customer_id", TEXT),
        Column("customer_name", TEXT),
        Column("finalizes_at", INSTANT),
        Column("money_in", TEXT),
        Column("under", MONEY, nullable=False),
        Column("over", MONEY, nullable=False),
        Column("exposure", MONEY, nullable=False),
        Column("rank_amount", MONEY, nullable=False),
        ForeignKeyConstraint(
            ["first_run_id"],
            ["runs.id"],
        ),
        ForeignKeyConstraint(
            ["last_run_id"],
            ["runs.id"],
        ),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_signals_cause", "signals", ["cause_type", "cause_id"])
    create_index("ix_signals_customer", "signals", ["customer_id", "is_open", "rank_amount", "id"])
    create_index("ix_signals_final", "signals", ["is_open", "finalizes_at"])
    create_index("ix_signals_fingerprint", "signals", ["fingerprint", "id"])
    create_index("ix_signals_new", "signals", ["is_open", "first_seen", "id"])
    create_index(
        "ix_signals_overview",
        "signals",
        [
            "status",
            "severity",
            "category",
            "integration",
            "rule",
            "assignee",
            "money_in",
            "snoozed_until",
            "finalizes_at",
            "under",
            "over",
            "exposure",
            "is_open",
        ],
    )
    create_index("ix_signals_rank", "signals", ["is_open", "rank_amount", "id"])
    create_index("ix_signals_rule", "signals", ["rule", "is_open", "rank_amount", "id"])
    create_index("ix_signals_seen", "signals", ["is_open", "last_seen", "id"])
    create_index("ix_signals_severity", "signals", ["is_open", "severity_rank", "rank_amount", "id"])
    create_index(
        "uq_signals_live",
        "signals",
        ["fingerprint"],
        unique=True,
        sqlite_where=text("status NOT IN ('resolved', 'false_positive')"),
        postgresql_where=text("status NOT IN ('resolved', 'false_positive')"),
    )


def _findings() -> None:
    create_table(
        "findings",
        Column("id", ID, nullable=False),
        Column("signal_id", ID, nullable=False),
        Column("run_id", ID, nullable=False),
        Column("key", TEXT, nullable=False),
        Column("digest", TEXT, nullable=False),
        Column("rule_hash", TEXT, nullable=False),
        Column("subject_type", TEXT, nullable=False),
        Column("subject_id", TEXT, nullable=False),
        Column("period_start", INSTANT),
        Column("period_end", INSTANT),
        Column("currency", TEXT),
        Column("under", MONEY, nullable=False),
        Column("over", MONEY, nullable=False),
        Column("exposure", MONEY, nullable=False),
        Column("title", TEXT, nullable=False),
        Column("evidence", DOCUMENT, nullable=False),
        Column("gone_since", INSTANT),
        ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("signal_id", "key", name="uq_findings"),
    )


def _signal_events() -> None:
    create_table(
        "signal_events",
        Column("id", ID, nullable=False),
        Column("signal_id", ID, nullable=False),
        Column("change_id", TEXT, nullable=False),
        Column("at", INSTANT, nullable=False),
        Column("actor", TEXT, nullable=False),
        Column("kind", TEXT, nullable=False),
        Column("reason", TEXT, nullable=False),
        Column("detail", TEXT),
        Column("before", DOCUMENT),
        Column("after", DOCUMENT),
        Column("run_id", ID),
        Column("undone_by", ID),
        ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["undone_by"],
            ["signal_events.id"],
        ),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_signal_events_change", "signal_events", ["change_id"])
    create_index("ix_signal_events_signal", "signal_events", ["signal_id", "id"])


def _signal_impacts() -> None:
    create_table(
        "signal_impacts",
        Column("signal_id", ID, nullable=False),
        Column("currency", TEXT, nullable=False),
        Column("under", MONEY, nullable=False),
        Column("over", MONEY, nullable=False),
        Column("exposure", MONEY, nullable=False),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        PrimaryKeyConstraint("signal_id", "currency"),
    )


def _signal_points() -> None:
    create_table(
        "signal_points",
        Column("signal_id", ID, nullable=False),
        Column("run_id", ID, nullable=False),
        Column("at", INSTANT, nullable=False),
        Column("rank_amount", MONEY, nullable=False),
        Column("findings", INT, nullable=False),
        ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        PrimaryKeyConstraint("signal_id", "run_id"),
    )


def _signal_texts() -> None:
    create_table(
        "signal_texts",
        Column("signal_id", ID, nullable=False),
        Column("text", TEXT, nullable=False),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        PrimaryKeyConstraint("signal_id"),
    )


def _signal_entities() -> None:
    create_table(
        "signal_entities",
        Column("id", ID, nullable=False),
        Column("signal_id", ID, nullable=False),
        Column("finding_id", ID, nullable=False),
        Column("type", TEXT, nullable=False),
        Column("entity_id", TEXT, nullable=False),
        Column("role", TEXT, nullable=False),
        Column("customer_id", TEXT),
        Column("name", TEXT),
        Column("target_date", INSTANT),
        Column("execution_date", INSTANT),
        Column("status", TEXT),
        Column("expected", TEXT),
        Column("actual", TEXT),
        Column("unit", TEXT),
        Column("position", INT, nullable=False),
        Column("gone_since", INSTANT),
        ForeignKeyConstraint(
            ["finding_id"],
            ["findings.id"],
        ),
        ForeignKeyConstraint(["signal_id"], ["signals.id"], ondelete="CASCADE"),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("signal_id", "type", "entity_id", "role", name="uq_signal_entities"),
    )
    create_index("ix_signal_entities_customer", "signal_entities", ["customer_id", "signal_id"])
    create_index("ix_signal_entities_entity", "signal_entities", ["entity_id", "type", "signal_id"])
