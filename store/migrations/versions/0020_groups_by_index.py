"""Groups of signals are counted and ranked from an index alone, and the snoozed ones have one of their own."""

from __future__ import annotations

from alembic.op import create_index, drop_index
from sqlalchemy import text

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_GROUPED = ("status", "severity", "rank_amount", "snoozed_until", "merged_into")
_CAUSE = ("cause_type", "cause_id")
_OVERVIEW = ("status", "severity", "category", "integration", "rule", "assignee", "money_in", "snoozed_until",
             "finalizes_at", "under", "over", "exposure", "is_open", "merged_into")  # fmt: skip


def upgrade() -> None:
    """By cause, by customer, and for rules and bill runs what the inbox counts by already."""
    _replace("ix_signals_cause", _CAUSE, _GROUPED)
    create_index("ix_signals_customers", "signals", ["customer_id", *_GROUPED])
    _replace("ix_signals_overview", _OVERVIEW, ("rank_amount", "bill_run_id"))
    snoozed = text("snoozed_until IS NOT NULL")
    create_index("ix_signals_snoozed", "signals", ["snoozed_until"], sqlite_where=snoozed, postgresql_where=snoozed)


def downgrade() -> None:
    """As they were."""
    drop_index("ix_signals_snoozed", "signals")
    _replace("ix_signals_overview", _OVERVIEW)
    drop_index("ix_signals_customers", "signals")
    _replace("ix_signals_cause", _CAUSE)


def _replace(name: str, columns: tuple[str, ...], more: tuple[str, ...] = ()) -> None:
    drop_index(name, "signals")
    create_index(name, "signals", [*columns, *more])
