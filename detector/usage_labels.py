"""What people say of unusual usage, kept and read again: a fault, not a fault, or planned.

A label is about the series and days that a signal's findings name. It teaches (`detector.learned`), and it moves the
signal: what is no fault is dismissed, so that the rule's figures count it, and what is one is taken up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from detector import triage, usage_calendar
from detector.learned import OF_HOURS, Learned, UsageLabel, Verdict
from store.operational_tables import Signal, SignalEvent, StoredFinding
from store.usage_tables import UsageLabelRow, UsageModel

NAMED = ("series", "oddness", "score", "first_day")
"""What a finding's evidence says when it is about unusual usage."""


WORDS = {Verdict.FAULT: "a fault", Verdict.NO_FAULT: "not a fault", Verdict.PLANNED: "planned"}


class NothingToLabel(ValueError):  # noqa: N818 (named for what happened)
    """The signal names no series of usage, so there is nothing to say of one."""


def can_be_labelled(finding: StoredFinding) -> bool:
    """Whether the finding names a series of usage and days of it, or hours within them."""
    return all(finding.evidence.get(name) is not None for name in NAMED)


def is_of_hours(finding: StoredFinding) -> bool:
    """Whether it is about hours within a day rather than whole days."""
    return finding.evidence.get("oddness") in OF_HOURS


def label(session: Session, signal_id: int, verdict: Verdict, *, actor: str, now: datetime) -> triage.Change:
    """Keep a verdict on all that a signal names, and move the signal. Raises NothingToLabel, IllegalTransition."""
    query = select(StoredFinding).where(StoredFinding.signal_id == signal_id, StoredFinding.gone_since.is_(None))
    named = [finding for finding in session.scalars(query) if can_be_labelled(finding)]
    if not named:
        raise NothingToLabel(f"SIG-{signal_id} names no series of usage; dismiss it or take it up instead")
    change = _move(session, signal_id, verdict, actor, now)
    session.add_all(_row(finding, verdict, change) for finding in named)
    return change


def verdict_of(session: Session, signal_id: int) -> Verdict | None:
    """The last thing that was said of a signal's usage."""
    mine = select(UsageLabelRow.verdict).where(UsageLabelRow.signal_id == signal_id, _stands())
    found = session.scalar(mine.order_by(UsageLabelRow.id.desc()).limit(1))
    return Verdict(found) if found else None


def learned(session: Session, as_of: datetime) -> Learned:
    """What was known at `as_of`: the newest accepted model, the newest label of each signal's series, the calendar."""
    accepted = select(UsageModel).where(UsageModel.accepted, UsageModel.finished_at <= as_of)
    model = session.scalar(accepted.order_by(UsageModel.id.desc()).limit(1))
    labels = tuple(_labels(session, as_of))
    announced = usage_calendar.announced(session, as_of)
    if model is None:
        return Learned(labels=labels, announced=announced)
    return Learned(model.path, model.sha256 or "", labels, announced)


def _labels(session: Session, as_of: datetime) -> Iterator[UsageLabel]:
    newest = (
        select(func.max(UsageLabelRow.id))
        .where(UsageLabelRow.at <= as_of, _stands())
        .group_by(UsageLabelRow.signal_id, UsageLabelRow.series, UsageLabelRow.oddness, UsageLabelRow.first_day)
    )
    for row in session.scalars(select(UsageLabelRow).where(UsageLabelRow.id.in_(newest)).order_by(UsageLabelRow.id)):
        yield UsageLabel(row.series, row.oddness, row.first_day, row.last_day, row.score, Verdict(row.verdict), row.at)


def _stands() -> ColumnElement[bool]:
    """Whether the change that brought a label was not undone."""
    undone = select(SignalEvent.id).where(
        SignalEvent.change_id == UsageLabelRow.change_id, SignalEvent.undone_by.is_not(None)
    )
    return ~undone.exists()


def _row(finding: StoredFinding, verdict: Verdict, change: triage.Change) -> UsageLabelRow:
    said = finding.evidence
    first = _day(said["first_day"])
    return UsageLabelRow(
        signal_id=finding.signal_id,
        series=str(said["series"]),
        oddness=str(said["oddness"]),
        first_day=first,
        last_day=_day(said["last_day"]) if said.get("last_day") else first,
        score=float(said["score"]),
        verdict=str(verdict),
        change_id=change.id,
        actor=change.events[0].actor,
        at=change.events[0].at,
    )


def _day(value: object) -> date:
    return date.fromisoformat(str(value)[:10])


def _move(session: Session, signal_id: int, verdict: Verdict, actor: str, now: datetime) -> triage.Change:
    """A fault is taken up; what is none is dismissed: as a wrong signal, or as handled where it was planned."""
    said = f"labelled {WORDS[verdict]}"
    if verdict is Verdict.FAULT:
        if session.get_one(Signal, signal_id).status == "in_progress":
            return triage.comment(session, [signal_id], said, actor=actor, now=now)
        return triage.change_status(session, [signal_id], "in_progress", actor=actor, now=now, detail=said)
    reason = "false_positive" if verdict is Verdict.NO_FAULT else "handled_elsewhere"
    return triage.dismiss(session, [signal_id], reason, actor=actor, now=now, detail=said)
