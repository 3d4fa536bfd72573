"""The tables of the operational store: runs, signals and what they consist of, loads, requests, rules' versions.

A signal is one row of `signals` plus its impact per currency, its affected records, its findings (current and
former), its timeline and the points at which its money changed. What the inbox sorts and filters by stands on the
signal itself, so that one page costs one index walk however many signals there are.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Boolean, Computed, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from store.operational_types import Document, Exact, Instant, Money

OPEN_STATUSES = ("unhandled", "triaged", "in_progress", "awaiting_external")
"""The statuses of a signal that somebody still has to do something about."""

Id = BigInteger().with_variant(Integer, "sqlite")
_IS_OPEN = f"status IN ({', '.join(repr(status) for status in OPEN_STATUSES)})"
_LIVE = "status NOT IN ('resolved', 'false_positive')"
_GIVEN, _REMARK = "kind = 'assign'", "kind = 'comment'"
_SNOOZED = "snoozed_until IS NOT NULL"
_COVERING = "covers IS NOT NULL"
SEVERITY_RANK = (
    "CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END"
)
"""How grave a severity is, as SQL."""


class Table(DeclarativeBase):
    """What every operational table is declared with."""

    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it as a plain attribute)
        str: Text,
        datetime: Instant,
        Decimal: Money,
        dict[str, Any]: Document,
        list[str]: Document,
        bool: Boolean,
    }


class Run(Table):
    """One evaluation of one rule: the claim (`rule`, `slot`), what it saw and how it ended."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("rule", "slot", name="uq_runs_rule_slot"),
        Index("ix_runs_rule", "rule", "id"),
        Index("ix_runs_status", "status", "lease_until"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    rule: Mapped[str]
    rule_hash: Mapped[str]
    trigger: Mapped[str]  # manual | schedule | event | request | verify
    slot: Mapped[str]  # one run per rule and slot, however many workers there are
    missed_from: Mapped[datetime | None]  # a catch-up: the first slot that passed without a run, which this one covers
    missed: Mapped[int | None] = mapped_column(Integer)  # how many such slots, besides its own
    as_of: Mapped[datetime]
    snapshot: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str]  # running | ok | failed | skipped
    reason: Mapped[str | None]  # why it resolves nothing, why it was skipped
    error: Mapped[str | None]
    claimed_by: Mapped[str]
    lease_until: Mapped[datetime]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    findings: Mapped[int | None] = mapped_column(Integer)
    milliseconds: Mapped[int | None] = mapped_column(Integer)  # its own work, without waiting for its turn
    inputs: Mapped[str | None]  # digest of the rule's text, parameters and everything else but the books
    holds_until: Mapped[datetime | None]  # on the same books, no later instant before this one finds anything else
    cancelled_by: Mapped[str | None]


_GROUPED = ("status", "severity", "rank_amount", "snoozed_until", "merged_into")
"""What is counted of a group of signals and ranks it."""


class Signal(Table):
    """What stays the same while a defect lives: its cause, its state, who has it, and what the inbox sorts by."""

    __tablename__ = "signals"
    __table_args__ = (
        Index("uq_signals_live", "fingerprint", unique=True, sqlite_where=text(_LIVE), postgresql_where=text(_LIVE)),
        Index("ix_signals_fingerprint", "fingerprint", "id"),
        Index("ix_signals_rule", "rule", "is_open", "rank_amount", "id"),
        Index("ix_signals_customer", "customer_id", "is_open", "rank_amount", "id"),
        Index("ix_signals_cause", "cause_type", "cause_id", *_GROUPED),
        Index("ix_signals_customers", "customer_id", *_GROUPED),
        Index("ix_signals_bill_run", "bill_run_id", "is_open", "rank_amount", "id"),
        Index("ix_signals_merged", "merged_into"),
        Index("ix_signals_closed", "is_open", "status_at", "assignee", "severity", "first_seen"),
        Index("ix_signals_assignee", "assignee", "is_open", "severity", "first_seen", "status_at"),
        Index("ix_signals_rank", "is_open", "rank_amount", "id"),
        Index("ix_signals_severity", "is_open", "severity_rank", "rank_amount", "id"),
        Index("ix_signals_seen", "is_open", "last_seen", "id"),
        Index("ix_signals_new", "is_open", "first_seen", "id"),
        Index("ix_signals_final", "is_open", "finalizes_at"),
        Index("ix_signals_snoozed", "snoozed_until", sqlite_where=text(_SNOOZED), postgresql_where=text(_SNOOZED)),
        Index("ix_signals_covering", "covers", sqlite_where=text(_COVERING), postgresql_where=text(_COVERING)),
        Index(  # everything that the scoreboard counts and sums, so that it never reads the rows for that
            "ix_signals_found",
            "first_seen",
            "status",
            "status_reason",
            "finalizes_at",
            "invoice_state",
            "resolved_at",
            "money_in",
            "under",
            "over",
            "exposure",
            "found_after",
            "acted_after",
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    fingerprint: Mapped[str]  # sha256 of rule, integration, cause and group
    rule: Mapped[str]
    rule_hash: Mapped[str]
    code: Mapped[str]
    title: Mapped[str]
    severity: Mapped[str]  # critical | high | medium | low | info
    category: Mapped[str]
    confidence: Mapped[str]  # exact | statistical
    gate: Mapped[str]  # hold | warn | none
    integration: Mapped[str]
    cause_type: Mapped[str]
    cause_id: Mapped[str]
    group_key: Mapped[str]
    covers: Mapped[str | None]  # the codes that its rule explains better, each between bars: |TU-06|TU-02|

    status: Mapped[
        str
    ]  # unhandled | triaged | in_progress | awaiting_external | resolved | suppressed | false_positive
    is_open: Mapped[bool] = mapped_column(Boolean, Computed(_IS_OPEN, persisted=True))
    severity_rank: Mapped[int] = mapped_column(Integer, Computed(SEVERITY_RANK, persisted=True))
    status_at: Mapped[datetime]
    status_reason: Mapped[str | None]  # opened, reopened, self_healed, expected, waived: ... as the timeline names it
    priority: Mapped[str]  # P1 | P2 | P3 | P4
    assignee: Mapped[str | None]
    snoozed_until: Mapped[datetime | None]  # the far end of time where only an amount wakes it
    snoozed_amount: Mapped[Decimal | None]  # a run that ranks it above this wakes it
    snoozed_recurrences: Mapped[int | None] = mapped_column(Integer)  # as many occurrences wake it
    snoozed_run: Mapped[datetime | None]  # a bill run of a later date wakes it
    suppressed_until: Mapped[datetime | None]  # null while suppressed: for good
    resolved_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, default=1)  # counts what people changed

    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    first_run_id: Mapped[int] = mapped_column(Id, ForeignKey("runs.id"))
    last_run_id: Mapped[int] = mapped_column(Id, ForeignKey("runs.id"))
    clear_runs: Mapped[int] = mapped_column(Integer, default=0)  # complete runs since that did not find it
    digest: Mapped[str]  # of all current findings; equal means nothing changed

    invoice_state: Mapped[str | None]  # of the invoices that it ever named: draft (one is) | issued; not evidence
    found_after: Mapped[int | None] = mapped_column(Integer)  # seconds after the end of its first wrong period
    acted_after: Mapped[int | None] = mapped_column(Integer)  # seconds after first seen, when a person did something

    occurrences: Mapped[int] = mapped_column(Integer, default=1)  # runs that brought something new
    finding_count: Mapped[int] = mapped_column(Integer, default=0)
    entity_count: Mapped[int] = mapped_column(Integer, default=0)
    customer_count: Mapped[int] = mapped_column(Integer, default=0)
    customer_id: Mapped[str | None]  # the first affected customer
    customer_name: Mapped[str | None]
    finalizes_at: Mapped[datetime | None]  # when the first affected draft becomes final
    bill_run_id: Mapped[str | None]  # the run that made its affected drafts
    merged_into: Mapped[int | None] = mapped_column(Id)  # the signal that speaks for its case, see store.merge_tables
    money_in: Mapped[str | None]  # the one currency of its money, or "several"; its impacts are the whole story
    under: Mapped[Decimal]  # in that one currency; zero where there are several
    over: Mapped[Decimal]
    exposure: Mapped[Decimal]
    rank_amount: Mapped[Decimal]  # for order only: every currency at the configured ranking rate; never shown

    impacts: Mapped[list[SignalImpact]] = relationship(order_by="SignalImpact.currency", lazy="raise", viewonly=True)

    @property
    def label(self) -> str:
        """The id as people read it: `SIG-12`."""
        return f"SIG-{self.id}"

    @property
    def cause(self) -> str:
        """The record to change, as `type:id`."""
        return f"{self.cause_type}:{self.cause_id}"


class SignalText(Table):
    """What text search reads of a signal, apart from it, so that a search reads nothing else."""

    __tablename__ = "signal_texts"

    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"), primary_key=True)
    text: Mapped[str]  # lower case: title, rule, code, cause, customers by name and id


class SignalImpact(Table):
    """The money of a signal in one currency, never netted."""

    __tablename__ = "signal_impacts"

    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"), primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    under: Mapped[Decimal]
    over: Mapped[Decimal]
    exposure: Mapped[Decimal]


class SignalEntity(Table):
    """One record of a signal, with what its latest finding said about it."""

    __tablename__ = "signal_entities"
    __table_args__ = (
        UniqueConstraint("signal_id", "type", "entity_id", "role", name="uq_signal_entities"),
        Index("ix_signal_entities_entity", "entity_id", "type", "signal_id", "role", "gone_since"),
        Index("ix_signal_entities_customer", "customer_id", "signal_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"))
    finding_id: Mapped[int] = mapped_column(Id, ForeignKey("findings.id"))  # whose values these are
    type: Mapped[str]
    entity_id: Mapped[str]
    role: Mapped[str]  # cause | affected | evidence
    customer_id: Mapped[str | None]
    name: Mapped[str | None]
    target_date: Mapped[datetime | None]
    execution_date: Mapped[datetime | None]
    status: Mapped[str | None]
    expected: Mapped[Decimal | None] = mapped_column(Exact)
    actual: Mapped[Decimal | None] = mapped_column(Exact)
    unit: Mapped[str | None]  # a currency or "units"
    position: Mapped[int] = mapped_column(Integer)  # cause, affected, evidence; then as the rule lists them
    gone_since: Mapped[datetime | None]  # null: seen when the signal was last seen


class StoredFinding(Table):
    """One finding of a signal: current while `gone_since` is null, kept afterwards as evidence."""

    __tablename__ = "findings"
    __table_args__ = (UniqueConstraint("signal_id", "key", name="uq_findings"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"))
    run_id: Mapped[int] = mapped_column(Id, ForeignKey("runs.id"))  # the run that last changed it
    key: Mapped[str]  # sha256 of subject and period
    digest: Mapped[str]
    rule_hash: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[str]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    currency: Mapped[str | None]
    under: Mapped[Decimal]
    over: Mapped[Decimal]
    exposure: Mapped[Decimal]
    title: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    records: Mapped[list[str] | None]  # its subject and what it says is affected, as type:id
    gone_since: Mapped[datetime | None]


class CoveredFinding(Table):
    """A finding of another rule that a signal explains better: listed with it, and not among its money."""

    __tablename__ = "covered_findings"
    __table_args__ = (
        UniqueConstraint("fingerprint", "key", name="uq_covered_findings"),
        Index("ix_covered_findings_signal", "signal_id"),
        Index("ix_covered_findings_rule", "rule"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"))  # what explains it
    own_signal_id: Mapped[int | None] = mapped_column(Id, ForeignKey("signals.id"))  # what it had raised before
    run_id: Mapped[int] = mapped_column(Id, ForeignKey("runs.id"))  # the run that last said so
    rule: Mapped[str]
    code: Mapped[str]
    covers: Mapped[str | None]  # what its rule covers is explained by this signal too
    integration: Mapped[str]
    fingerprint: Mapped[str]  # of the signal that it would have been part of
    key: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[str]
    records: Mapped[list[str]]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    currency: Mapped[str | None]
    under: Mapped[Decimal]
    over: Mapped[Decimal]
    exposure: Mapped[Decimal]
    title: Mapped[str]
    gone_since: Mapped[datetime | None]


class SignalPoint(Table):
    """What a signal amounted to from one run on; written only when it changed, so a line through time is a step."""

    __tablename__ = "signal_points"

    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"), primary_key=True)
    run_id: Mapped[int] = mapped_column(Id, ForeignKey("runs.id"), primary_key=True)
    at: Mapped[datetime]
    rank_amount: Mapped[Decimal]
    findings: Mapped[int] = mapped_column(Integer)


class SignalEvent(Table):
    """One line of a signal's timeline: who did what, why, and what was before and after."""

    __tablename__ = "signal_events"
    __table_args__ = (
        Index("ix_signal_events_signal", "signal_id", "id"),
        Index("ix_signal_events_change", "change_id"),
        Index("ix_signal_events_assigned", "detail", "id", sqlite_where=text(_GIVEN), postgresql_where=text(_GIVEN)),
        Index("ix_signal_events_remarks", "id", sqlite_where=text(_REMARK), postgresql_where=text(_REMARK)),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"))
    change_id: Mapped[str]  # shared by all signals of one bulk change
    at: Mapped[datetime]
    actor: Mapped[str]  # a person, or "rule:<name>"
    kind: Mapped[str]  # found | status | assign | priority | snooze | comment | undo
    reason: Mapped[str]
    detail: Mapped[str | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    run_id: Mapped[int | None] = mapped_column(Id, ForeignKey("runs.id"))
    undone_by: Mapped[int | None] = mapped_column(Id, ForeignKey("signal_events.id"))


class Load(Table):
    """One import or sync: what came in, or why nothing did."""

    __tablename__ = "loads"
    __table_args__ = (Index("ix_loads_integration", "integration", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str]  # import | sync
    integration: Mapped[str]  # "files" for an import of a folder
    source: Mapped[str | None]  # the folder or the address
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    status: Mapped[str]  # running | ok | partial | failed
    rows: Mapped[dict[str, Any] | None]  # table -> {inserted, updated, unchanged, older, bad}
    error: Mapped[str | None]
    report: Mapped[str | None]  # where the rejected rows were saved


class RuleOverride(Table):
    """What an operator changed about a rule without editing its file; null keeps the file's value."""

    __tablename__ = "rule_overrides"

    rule: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str]  # active | paused
    paused_until: Mapped[datetime | None]
    severity: Mapped[str | None]
    schedule: Mapped[str | None]
    params: Mapped[dict[str, Any] | None]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class RuleVersion(Table):
    """One text of a rule: saved by a person, or of a system rule's file when it first ran."""

    __tablename__ = "rule_versions"
    __table_args__ = (
        UniqueConstraint("rule", "number", name="uq_rule_versions_number"),
        Index("ix_rule_versions_hash", "content_hash"),
        Index(
            "uq_rule_versions_live", "rule", unique=True, sqlite_where=text("live = 1"), postgresql_where=text("live")
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    rule: Mapped[str]
    number: Mapped[int] = mapped_column(Integer)  # from 1, by rule
    content_hash: Mapped[str]  # sha256 of the text; runs, signals and dry runs name it
    text: Mapped[str]
    origin: Mapped[str]  # custom | system
    author: Mapped[str]
    note: Mapped[str]
    saved_at: Mapped[datetime]
    live: Mapped[bool]  # the version of a custom rule that runs; a system rule runs by its file
    activated_by: Mapped[str | None]
    activated_at: Mapped[datetime | None]
    activation_note: Mapped[str | None]

    @property
    def label(self) -> str:
        """The version as people name it: `slow_payer@3`."""
        return f"{self.rule}@{self.number}"


class Job(Table):
    """Work that the console asked for and a worker does: the row is the queue."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_status", "status", "id"),
        Index("ix_jobs_about", "about", "kind", "id"),
        Index("ix_jobs_kind", "kind", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str]  # run | sync | event | dry_run | calibrate | advise | ask
    args: Mapped[dict[str, Any]]
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    status: Mapped[str]  # queued | running | cancelling | ok | partial | failed | cancelled
    claimed_by: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    result: Mapped[str | None]
    about: Mapped[str | None]  # the content hash of the rule that a dry run or a calibration tries out
    done: Mapped[int | None] = mapped_column(Integer)  # how far it is, of `total`
    total: Mapped[int | None] = mapped_column(Integer)
    answer: Mapped[dict[str, Any] | None]  # what came of it, as the command line prints it as JSON
