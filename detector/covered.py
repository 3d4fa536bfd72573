"""Keeps what signals explain of other rules' findings: whom a run's findings belong to, and what is listed where.

A covered finding is a row below the signal that explains it, and none of that signal's money. Who opens, closes or
brings back a signal is `detector.signals`; this module reads and writes the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from detector import audited, requests
from detector.covering import Explanations, Place, place, records
from detector.decisions import ENDED
from detector.findings import Finding
from detector.signal_content import content, fingerprint
from detector.signal_rows import Described, covers_text
from store.operational_tables import OPEN_STATUSES, CoveredFinding, Run, Signal, SignalEvent, StoredFinding

LIVE = Signal.status.not_in(ENDED)

Spoken = dict[str, list[tuple[Finding, int]]]
"""By fingerprint, findings that other signals explain, each with the id of that signal."""


def split(session: Session, rule: Described, findings: Sequence[Finding]) -> tuple[list[Finding], Spoken]:
    """The findings that speak for themselves, and those that a live signal of a covering rule explains.

    What a person took back from a covering signal speaks for itself from then on.
    """
    explained = _explanations(session, rule.code, rule.name) if findings else Explanations()
    if not explained:
        return list(findings), {}
    own = taken_back(session, rule.name)
    speaking: list[Finding] = []
    spoken: Spoken = {}
    for finding in findings:
        key = fingerprint(finding)
        by = None if key in own else explained.of(place(finding))
        if by is None:
            speaking.append(finding)
        else:
            spoken.setdefault(key, []).append((finding, by))
    return speaking, spoken


def keep(session: Session, run: Run, rule: Described, spoken: Spoken, own: Mapping[str, int]) -> set[int]:
    """List what a run of `rule` found and others explain; the ids of the signals for which some of it is new.

    `own`: the rule's own signal by fingerprint. What the run did not find any more stays, marked with since when.
    """
    query = select(CoveredFinding).where(CoveredFinding.rule == rule.name)
    known = {(row.fingerprint, row.key): row for row in session.scalars(query)}
    seen, told = set(), set()
    for key, pairs in spoken.items():
        by = {id(finding): signal for finding, signal in pairs}
        for item in content(finding for finding, _ in pairs).items:
            row = known.get((key, item.key)) or CoveredFinding(fingerprint=key, key=item.key)
            signal = by[id(item.finding)]
            if row.signal_id != signal or row.gone_since is not None:
                told.add(signal)
            row.signal_id, row.own_signal_id = signal, own.get(key, row.own_signal_id)
            _fill(row, item.finding, rule, run)
            session.add(row)
            seen.add((key, item.key))
    for identity, row in known.items():
        if identity not in seen:
            row.gone_since = row.gone_since or run.as_of
    session.flush()
    return told


def explained_of_others(session: Session, rule: Described) -> dict[Signal, list[tuple[StoredFinding, int | None]]]:
    """Open signals of the rules that `rule` covers with their current findings, and which of its signals explain each.

    Only signals of which at least one finding is explained; they are locked.
    """
    query = select(Signal).where(Signal.status.in_(OPEN_STATUSES), Signal.code.in_(rule.covers))
    others = session.scalars(query.where(Signal.rule != rule.name).order_by(Signal.id).with_for_update()).all()
    if not others:
        return {}
    explained = Explanations(_places(session, (Signal.rule == rule.name,)))
    own = {key for name in {other.rule for other in others} for key in taken_back(session, name)}
    found = {}
    for signal in others:
        rows = session.scalars(_current(signal.id)).all()
        pairs = [(row, explained.of(_place(row, signal.integration))) for row in rows]
        if signal.fingerprint not in own and any(by is not None for _, by in pairs):
            found[signal] = pairs
    return found


def keep_stored(session: Session, run: Run, signal: Signal, pairs: Iterable[tuple[StoredFinding, int]]) -> None:
    """List findings that a signal already had below the signals that explain them now."""
    for finding, by in pairs:
        query = select(CoveredFinding).where(
            CoveredFinding.fingerprint == signal.fingerprint, CoveredFinding.key == finding.key
        )
        row = session.scalars(query).first() or CoveredFinding(fingerprint=signal.fingerprint, key=finding.key)
        row.signal_id, row.own_signal_id, row.run_id, row.gone_since = by, signal.id, run.id, None
        row.rule, row.code, row.covers, row.integration = signal.rule, signal.code, signal.covers, signal.integration
        for name in ("subject_type", "subject_id", "period_start", "period_end", "currency", "under", "over",
                     "exposure", "title"):  # fmt: skip
            setattr(row, name, getattr(finding, name))
        row.records = finding.records or [f"{finding.subject_type}:{finding.subject_id}"]
        session.add(row)
    session.flush()


def before_covered(session: Session, signal: Signal) -> dict[str, str | None]:
    """What the signal was before another one closed it: status and snooze, as the timeline keeps them."""
    query = select(SignalEvent).where(SignalEvent.signal_id == signal.id, SignalEvent.reason == "covered")
    event = session.scalars(query.order_by(SignalEvent.id.desc())).first()
    return dict(event.before or {}) if event else {}


def bring_back(session: Session, ids: Sequence[int], *, actor: str, now: datetime) -> None:
    """Bring back what the signals `ids` explained, because they were false: closed signals as they were, at once;
    findings that never had a signal of their own with the next run of their rule, which is asked for.
    """
    query = select(CoveredFinding).where(CoveredFinding.signal_id.in_(ids), CoveredFinding.gone_since.is_(None))
    rows = session.scalars(query).all()
    for number in sorted({row.own_signal_id for row in rows if row.own_signal_id is not None}):
        signal = session.get_one(Signal, number, with_for_update=True)
        if signal.status_reason == "covered" and not _is_replaced(session, signal):
            by = sorted({f"SIG-{row.signal_id}" for row in rows if row.own_signal_id == number})
            restore(session, signal, now)
            detail = f"{', '.join(by)} explained it and was a false positive"
            event = _event(signal, actor, now, detail)
            session.add(event)
            audited.signal_event(session, event)
    for row in rows:
        row.gone_since = now
    for rule in sorted({row.rule for row in rows}):
        requests.request(session, "run", {"rules": [rule]}, actor=actor, now=now)


def restore(session: Session, signal: Signal, now: datetime) -> None:
    """Set the signal to what it was before it was covered: status, snooze; nothing that people set was touched."""
    before = before_covered(session, signal)
    signal.status, signal.status_reason, signal.status_at = before.get("status") or "unhandled", "uncovered", now
    signal.resolved_at, signal.clear_runs = None, 0
    until = before.get("snoozed_until")
    signal.snoozed_until = datetime.fromisoformat(until) if until else None


def taken_back(session: Session, rule: str) -> set[str]:
    """The fingerprints whose live signal a person reopened after it had been covered."""
    covered = select(SignalEvent.signal_id).where(SignalEvent.reason == "covered")
    query = select(Signal).where(Signal.rule == rule, LIVE, Signal.id.in_(covered))
    return {signal.fingerprint for signal in session.scalars(query) if _last_word_is_a_persons(session, signal)}


def _last_word_is_a_persons(session: Session, signal: Signal) -> bool:
    """Whether somebody reopened it after it was last covered."""
    query = select(SignalEvent).where(SignalEvent.signal_id == signal.id).order_by(SignalEvent.id.desc())
    for event in session.scalars(query):
        if event.reason == "covered":
            return False
        if event.kind == "status" and (event.before or {}).get("status") == "resolved":
            return True
    return False


def _is_replaced(session: Session, signal: Signal) -> bool:
    query = select(Signal.id).where(Signal.fingerprint == signal.fingerprint, LIVE, Signal.id != signal.id)
    return session.scalars(query).first() is not None


def _event(signal: Signal, actor: str, now: datetime, detail: str) -> SignalEvent:
    after = {"status": signal.status}
    told = {"kind": "found", "reason": "uncovered", "before": {"status": "resolved"}, "after": after}
    return SignalEvent(signal_id=signal.id, change_id=uuid4().hex, at=now, actor=actor, detail=detail, **told)


def _explanations(session: Session, code: str, rule: str) -> Explanations:
    """What live signals of rules that cover `code` are about, and what these explain themselves."""
    bars = f"|{code}|"
    where = (Signal.covers.is_not(None), Signal.covers.contains(bars), Signal.rule != rule)
    places = _places(session, where)
    query = select(CoveredFinding).join(Signal, Signal.id == CoveredFinding.signal_id)
    chained = query.where(LIVE, CoveredFinding.covers.contains(bars), CoveredFinding.gone_since.is_(None))
    places += [(_place(row, row.integration), row.signal_id) for row in session.scalars(chained)]
    return Explanations(places)


def _places(session: Session, where: Sequence[ColumnElement[bool]]) -> list[tuple[Place, int]]:
    query = (
        select(StoredFinding, Signal.integration)
        .join(Signal, Signal.id == StoredFinding.signal_id)
        .where(LIVE, StoredFinding.gone_since.is_(None), *where)
    )
    return [(_place(row, integration), row.signal_id) for row, integration in session.execute(query)]


def _place(row: StoredFinding | CoveredFinding, integration: str) -> Place:
    """Where a stored finding is; one stored before records were kept is about its subject only."""
    subject = f"{row.subject_type}:{row.subject_id}"
    return Place(integration, subject, frozenset(row.records or [subject]), row.period_start, row.period_end)


def _current(signal_id: int) -> Select[StoredFinding]:
    return select(StoredFinding).where(StoredFinding.signal_id == signal_id, StoredFinding.gone_since.is_(None))


def _fill(row: CoveredFinding, finding: Finding, rule: Described, run: Run) -> None:
    row.rule, row.code, row.covers, row.run_id = rule.name, rule.code, covers_text(rule.covers), run.id
    row.integration, row.gone_since, row.title = finding.integration, None, finding.title
    row.subject_type, row.subject_id = str(finding.subject.type), finding.subject.id
    row.records, row.period_start, row.period_end = records(finding), finding.period_start, finding.period_end
    row.currency, row.under, row.over, row.exposure = finding.currency, finding.under, finding.over, finding.exposure
