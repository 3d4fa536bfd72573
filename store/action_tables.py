"""The tables of remediation: actions on outside systems with their approvals, and the journal of every call.

An action is one deed on one record, planned by code. The journal is only ever added to: a row before and after each
outside call, and a row for each thing that people decided.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table

PENDING = ("proposed", "approved", "executing", "failed", "parked")
"""The statuses of an action that somebody or something still has to do something about."""

DONE = ("succeeded", "verified")

_PENDING = f"status IN ({', '.join(repr(status) for status in PENDING)})"


class Action(Table):
    """One deed for one signal on one record: what exactly, who decided, and what came of it."""

    __tablename__ = "actions"
    __table_args__ = (
        Index(
            "uq_actions_pending",
            "signal_id",
            "kind",
            "object_type",
            "object_id",
            unique=True,
            sqlite_where=text(_PENDING),
            postgresql_where=text(_PENDING),
        ),
        Index("ix_actions_signal", "signal_id", "position"),
        Index("ix_actions_object", "object_id", "kind"),
        Index("ix_actions_status", "status", "lease_until"),
        Index("ix_actions_kind", "kind", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"))
    kind: Mapped[str]  # the file in remediation/actions
    phase: Mapped[str]  # contain | root_cause | downstream | verify
    position: Mapped[int] = mapped_column(Integer)  # its place in the advice
    integration: Mapped[str | None]  # where it writes; null: it only records
    object_type: Mapped[str]
    object_id: Mapped[str]
    customer_id: Mapped[str | None]
    change: Mapped[str]
    outcome: Mapped[str]
    risk: Mapped[str]
    reversible: Mapped[bool]
    currency: Mapped[str | None]
    amount: Mapped[Decimal | None]  # the money it moves, without sign
    plan: Mapped[dict[str, Any]]  # steps, and the record before and after, see remediation.plans
    signal_digest: Mapped[str]  # what the signal said when this was planned
    status: Mapped[str]  # proposed | approved | executing | succeeded | verified | failed | parked | rejected | waived
    # | rolled_back
    proposed_by: Mapped[str]
    proposed_at: Mapped[datetime]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    approval_reason: Mapped[str | None]
    closed_by: Mapped[str | None]  # who rejected or waived it
    closing_reason: Mapped[str | None]
    claimed_by: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str | None]  # why it failed, is parked, or went back to proposed
    verdict: Mapped[dict[str, Any] | None]  # what was promised, and what verification found
    applied_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]

    @property
    def label(self) -> str:
        """The id as people read it: `ACT-7`."""
        return f"ACT-{self.id}"


class ActionEntry(Table):
    """One line of an action's journal; never changed, never removed."""

    __tablename__ = "action_journal"
    __table_args__ = (Index("ix_action_journal_action", "action_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    action_id: Mapped[int] = mapped_column(Id, ForeignKey("actions.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    actor: Mapped[str]  # a person, a policy, or a worker
    kind: Mapped[str]  # proposed | approved | ... | calling | replied | refused | unclear | read_back | ...
    key: Mapped[str | None]  # of the call: action and step
    request: Mapped[dict[str, Any] | None]
    reply: Mapped[dict[str, Any] | None]
    detail: Mapped[str | None]
