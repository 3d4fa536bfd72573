"""Folds what a rule found into signals: opens, widens, resolves and reopens them, each time for a named reason.

A signal is what findings share that have one cause (`signal_content.fingerprint`). Folding is one transaction per run
of a rule, together with the run's own row, so that a process that is killed has folded all of it or nothing. A run
that failed never gets here; a run on stale data, or as of an instant before the signal was last seen, resolves
nothing. A run on unchanged data writes when the signal was last seen, and nothing else (features.md A1.06,
states.md B6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from detector import covered, merged, team
from detector.bill_runs import NONE, BillRuns
from detector.decisions import ENDED, QUIET, Decision, Policy, Reason
from detector.findings import Finding
from detector.signal_content import Content, Money, content, fingerprint, ranked
from detector.signal_rows import Described, describe, write_content, write_point, write_remaining
from store import operational
from store.operational_tables import Run, Signal, SignalEvent, SignalImpact, StoredFinding
from store.usage_tables import UsageLabelRow


def fold(
    session: Session,
    run: Run,
    rule: Described,
    findings: Sequence[Finding],
    *,
    now: datetime,
    policy: Policy,
    drafts: Mapping[str, datetime] | None = None,
    bill_runs: BillRuns = NONE,
    stale: bool = False,
) -> list[Decision]:
    """Fold everything a run of `rule` found into its signals; `findings` is all of it, so what is not there is gone.

    `drafts` says when each draft invoice becomes final, `bill_runs` which run it is of. With `stale` nothing clears.
    Call it inside the transaction that also writes the run's row.
    """
    operational.alone(session, "fold")
    folding = _Folding(session, run, rule, now, policy, drafts or {}, bill_runs, stale, uuid4().hex)
    speaking, spoken = covered.split(session, rule, findings)
    by_fingerprint: dict[str, list[Finding]] = {}
    for finding in speaking:
        by_fingerprint.setdefault(fingerprint(finding), []).append(finding)
    live = _live(session, rule.name)
    ended = _ended(session, by_fingerprint)
    aside = _aside(session, ended, run.as_of)
    found = [
        folding.found(key, some, live.get(key), ended.get(key, ()), aside.get(key, {}))
        for key, some in by_fingerprint.items()
    ]
    explained = folding.explained(spoken, by_fingerprint, live)
    absent = [folding.absent(signal) for key, signal in live.items() if key not in by_fingerprint and key not in spoken]
    decided = found + explained + absent + (folding.explaining() if rule.covers else [])
    merged.settle_rule(session, rule.name)
    team.assign_new(session, [_number(each) for each in decided if each.reason == Reason.OPENED], now=now)
    return decided


@dataclass(frozen=True)
class _Folding:
    """One run being folded."""

    session: Session
    run: Run
    rule: Described
    now: datetime
    policy: Policy
    drafts: Mapping[str, datetime]
    bill_runs: BillRuns
    stale: bool
    change_id: str

    def found(
        self,
        key: str,
        findings: Sequence[Finding],
        live: Signal | None,
        ended: Sequence[Signal],
        aside: Mapping[str, Reason],
    ) -> Decision:
        """What the findings of one fingerprint mean: for the signal that stands for them, or for a new one."""
        everything = content(findings)
        rest = Content(tuple(item for item in everything.items if item.key not in aside))
        if live is not None:
            return self._seen(live, rest) if rest.items else self.absent(live)
        if not rest.items:
            return Decision(ended[-1].label, aside[everything.items[-1].key])
        resolved = next((signal for signal in reversed(ended) if _can_reopen(signal)), None)
        if resolved is not None and resolved.status_reason == Reason.COVERED:
            return self._uncover(resolved, rest)
        if resolved is not None:
            since = self.run.as_of - _moment(resolved.resolved_at)
            if since < timedelta(0):
                return Decision(resolved.label, Reason.OLDER_RUN)
            if since <= self.policy.cooldown:
                return self._reopen(resolved, rest)
        return self._open(key, rest)

    def absent(self, signal: Signal) -> Decision:
        """What it means for a signal that the run did not find it."""
        if signal.status == "suppressed":
            return Decision(signal.label, Reason.KEPT_SUPPRESSED)
        if self.stale:
            return Decision(signal.label, Reason.KEPT_STALE)
        if self.run.as_of < signal.last_seen:
            return Decision(signal.label, Reason.OLDER_RUN)
        signal.clear_runs += 1
        if signal.clear_runs < self.policy.clear_after:
            return self._note(signal, Reason.CLEARING, {}, {})
        before = {"status": signal.status}
        self._move(signal, "resolved", Reason.SELF_HEALED)
        signal.resolved_at = self.run.as_of
        write_point(self.session, signal, self.run, Decimal(0), 0)
        return self._note(signal, Reason.SELF_HEALED, before, {"status": "resolved"})

    def explained(
        self, spoken: covered.Spoken, speaking: Mapping[str, Sequence[Finding]], live: Mapping[str, Signal]
    ) -> list[Decision]:
        """What it means that signals of other rules explain some of what was found; listed there, closed here."""
        own = {key: live[key].id for key in spoken if key in live}
        new = covered.keep(self.session, self.run, self.rule, spoken, own)
        for number in sorted(new):
            told = [finding for pairs in spoken.values() for finding, by in pairs if by == number]
            self._tell_explains(self.session.get_one(Signal, number), len(told), self.rule)
        decided = []
        for key, pairs in spoken.items():
            by = sorted({number for _, number in pairs})
            if key in live and key not in speaking:
                decided.append(self._cover(live[key], by))
            else:
                reason = Reason.COVERED if new.intersection(by) else Reason.KEPT_COVERED
                decided += [Decision(f"SIG-{number}", reason) for number in by]
        return decided

    def explaining(self) -> list[Decision]:
        """What the rule's signals, as they are now, explain of open signals of the rules that it covers."""
        decided = []
        for signal, pairs in covered.explained_of_others(self.session, self.rule).items():
            spoken = [(finding, by) for finding, by in pairs if by is not None]
            covered.keep_stored(self.session, self.run, signal, spoken)
            by = sorted({number for _, number in spoken})
            for number in by:
                told = sum(1 for _, one in spoken if one == number)
                self._tell_explains(self.session.get_one(Signal, number), told, signal)
            rest = [finding for finding, number in pairs if number is None]
            decided.append(self._cover_partly(signal, rest, spoken, by) if rest else self._cover(signal, by))
        return decided

    def _cover(self, signal: Signal, by: Sequence[int]) -> Decision:
        """Close a signal that others explain whole. Whoever has it, its priority and its remarks stay with it."""
        if signal.status == "suppressed":
            return Decision(signal.label, Reason.KEPT_SUPPRESSED)
        if self.run.as_of < signal.last_seen:
            return Decision(signal.label, Reason.OLDER_RUN)
        asleep = signal.snoozed_until.isoformat() if signal.snoozed_until else None
        before = {"status": signal.status, "snoozed_until": asleep}
        self._move(signal, "resolved", Reason.COVERED)
        signal.resolved_at = self.run.as_of
        write_point(self.session, signal, self.run, Decimal(0), 0)
        return self._note(signal, Reason.COVERED, before, {"status": "resolved"}, _better(by))

    def _cover_partly(
        self,
        signal: Signal,
        rest: Sequence[StoredFinding],
        spoken: Sequence[tuple[StoredFinding, int]],
        by: Sequence[int],
    ) -> Decision:
        """Take what others explain out of a signal's findings and money."""
        before = self._figures(signal)
        for finding, _ in spoken:
            finding.gone_since = self.run.as_of
        remaining: dict[str, Money] = {}
        for finding in (each for each in rest if each.currency):
            sums = remaining.get(finding.currency or "", (Decimal(0), Decimal(0), Decimal(0)))
            added = zip(sums, (finding.under, finding.over, finding.exposure), strict=True)
            under, over, exposure = (one + other for one, other in added)
            remaining[finding.currency or ""] = (under, over, exposure)
        write_remaining(self.session, signal, remaining, len(rest))
        signal.rank_amount = ranked(remaining, self.policy.rates)
        self.session.flush()
        write_point(self.session, signal, self.run, signal.rank_amount, signal.finding_count)
        return self._note(signal, Reason.COVERED_PARTLY, before, self._figures(signal), _better(by))

    def _uncover(self, signal: Signal, current: Content) -> Decision:
        """What explained the signal is gone: it is again what it was before."""
        covered.restore(self.session, signal, self.now)
        return self._refresh(signal, current, Reason.UNCOVERED)

    def _tell_explains(self, signal: Signal, count: int, rule: Described | Signal) -> None:
        name = rule.rule if isinstance(rule, Signal) else rule.name
        detail = f"{count} {'finding' if count == 1 else 'findings'} of {name} ({rule.code})"
        figures = {"status": signal.status}
        self._note(signal, Reason.EXPLAINS, figures, figures, detail)

    def _seen(self, signal: Signal, current: Content) -> Decision:
        """A signal that stands for the defect was found again."""
        if self.run.as_of < signal.last_seen:
            return Decision(signal.label, Reason.OLDER_RUN)
        if signal.status != "suppressed":
            return self._refresh(signal, current, self._difference(signal, current))
        if signal.suppressed_until is None:
            return self._refresh(signal, current, Reason.SUPPRESSED_EXPECTED)
        if self.run.as_of < signal.suppressed_until and not self._is_labelled(signal):
            return self._refresh(signal, current, Reason.SUPPRESSED_DISMISSED)
        self._move(signal, "unhandled", Reason.RETURNED)
        return self._refresh(signal, current, Reason.RETURNED)

    def _is_labelled(self, signal: Signal) -> bool:
        """Whether somebody labelled its usage: the run lets the same pass, so what it found is something else."""
        query = select(Signal.id).where(Signal.id == signal.id, labelled(self.run.as_of))
        return self.session.scalar(query) is not None

    def _open(self, key: str, current: Content) -> Decision:
        signal = Signal(fingerprint=key, status="unhandled", version=1, occurrences=0, clear_runs=0)
        signal.priority = self.rule.priority
        signal.first_seen = signal.last_seen = self.run.as_of
        signal.first_run_id = signal.last_run_id = self.run.id
        self._move(signal, "unhandled", Reason.OPENED)
        describe(signal, self.rule, current, self.policy.rates, self.drafts, self.bill_runs.of)
        self.session.add(signal)
        self.session.flush()
        return self._refresh(signal, current, Reason.OPENED)

    def _reopen(self, signal: Signal, current: Content) -> Decision:
        self._move(signal, "in_progress", Reason.REOPENED)
        signal.resolved_at = None
        return self._refresh(signal, current, Reason.REOPENED)

    def _refresh(self, signal: Signal, current: Content, reason: Reason) -> Decision:
        """Bring the signal up to what the run found; on unchanged data only when it was last seen."""
        changed = reason == Reason.OPENED or signal.digest != current.digest
        before = self._figures(signal) if changed and reason != Reason.OPENED else {"status": signal.status}
        if changed:
            write_content(self.session, signal, current, self.run)
        if changed or self._outdated(signal, current):
            describe(signal, self.rule, current, self.policy.rates, self.drafts, self.bill_runs.of)
        if changed or reason in (Reason.REOPENED, Reason.UNCOVERED):
            write_point(self.session, signal, self.run, signal.rank_amount, signal.finding_count)
        if reason in (Reason.OPENED, Reason.WIDENED, Reason.REOPENED):
            signal.occurrences += 1
        self._wake(signal)
        signal.last_seen, signal.last_run_id, signal.clear_runs = self.run.as_of, self.run.id, 0
        after = self._figures(signal) if changed else {"status": signal.status}
        return self._note(signal, reason, {} if reason == Reason.OPENED else before, after)

    def _difference(self, signal: Signal, current: Content) -> Reason:
        if signal.digest == current.digest:
            return Reason.UNCHANGED
        known = set(self.session.scalars(_current_keys(signal.id)))
        keys = {item.key for item in current.items}
        if keys - known:
            return Reason.WIDENED
        return Reason.NARROWED if known - keys else Reason.CHANGED

    def _outdated(self, signal: Signal, current: Content) -> bool:
        """Whether the rule's words or a draft's date changed since, with the findings as they were."""
        words = (signal.rule_hash, signal.severity) == (self.rule.content_hash, str(self.rule.severity))
        moved = signal.finalizes_at != current.finalizes_at(self.drafts)
        return not words or moved or signal.bill_run_id != current.bill_run(self.bill_runs.of)

    def _wake(self, signal: Signal) -> None:
        """What was snoozed up to an amount, a recurrence or a bill run is back in the inbox once that is there."""
        worth, times, since = signal.snoozed_amount, signal.snoozed_recurrences, signal.snoozed_run
        is_over = (
            (worth is not None and signal.rank_amount > worth)
            or (times is not None and signal.occurrences >= times)
            or (since is not None and self.bill_runs.latest is not None and self.bill_runs.latest > since)
        )
        if is_over:
            _awake(signal)

    def _move(self, signal: Signal, status: str, reason: Reason) -> None:
        signal.status, signal.status_reason, signal.status_at = status, reason, self.now
        signal.suppressed_until = None
        _awake(signal)

    def _note(
        self, signal: Signal, reason: Reason, before: dict[str, Any], after: dict[str, Any], detail: str | None = None
    ) -> Decision:
        if reason in QUIET:
            return Decision(signal.label, reason)
        event = self._same_again(signal, reason)
        if event is None:
            event = SignalEvent(signal_id=signal.id, actor=f"rule:{self.rule.name}", kind="found", reason=str(reason))
            event.before, event.detail = before, detail
            self.session.add(event)
        event.change_id, event.at, event.run_id, event.after = self.change_id, self.now, self.run.id, after
        return Decision(signal.label, reason)

    def _same_again(self, signal: Signal, reason: Reason) -> SignalEvent | None:
        """The timeline's last row when it says the same: money that grows from run to run is one row that grows."""
        if reason != Reason.CHANGED:
            return None
        query = select(SignalEvent).where(SignalEvent.signal_id == signal.id).order_by(SignalEvent.id.desc())
        last = self.session.scalars(query).first()
        return last if last is not None and last.kind == "found" and last.reason == reason else None

    def _figures(self, signal: Signal) -> dict[str, Any]:
        """What the timeline shows of a signal before and after a run that changed it."""
        query = select(SignalImpact).where(SignalImpact.signal_id == signal.id).order_by(SignalImpact.currency)
        return {
            "status": signal.status,
            "findings": signal.finding_count,
            "entities": signal.entity_count,
            "title": signal.title,
            "impact": [
                {
                    "currency": row.currency,
                    "under": f"{row.under:f}",
                    "over": f"{row.over:f}",
                    "exposure": f"{row.exposure:f}",
                }
                for row in self.session.scalars(query)
            ],
        }


def _number(decision: Decision) -> int:
    return int(decision.signal.removeprefix("SIG-"))


def _awake(signal: Signal) -> None:
    signal.snoozed_until = signal.snoozed_amount = signal.snoozed_recurrences = signal.snoozed_run = None


def _live(session: Session, rule: str) -> dict[str, Signal]:
    """The signals of the rule that stand for a defect now, by fingerprint, locked."""
    query = select(Signal).where(Signal.rule == rule, Signal.status.not_in(ENDED)).order_by(Signal.id)
    return {signal.fingerprint: signal for signal in session.scalars(query.with_for_update())}


def _ended(session: Session, fingerprints: Iterable[str]) -> dict[str, list[Signal]]:
    """The resolved and false-positive signals of the fingerprints, oldest first."""
    ended: dict[str, list[Signal]] = {}
    wanted = list(fingerprints)
    for start in range(0, len(wanted), 500):
        query = select(Signal).where(Signal.fingerprint.in_(wanted[start : start + 500]), Signal.status.in_(ENDED))
        for signal in session.scalars(query.order_by(Signal.id)):
            ended.setdefault(signal.fingerprint, []).append(signal)
    return ended


def labelled(as_of: datetime) -> ColumnElement[bool]:
    """Whether the usage of a Signal was labelled by then: its labels say what is let pass, not its dismissal."""
    undone = select(SignalEvent.id).where(
        SignalEvent.change_id == UsageLabelRow.change_id, SignalEvent.undone_by.is_not(None)
    )
    said = select(UsageLabelRow.id).where(UsageLabelRow.signal_id == Signal.id, UsageLabelRow.at <= as_of)
    return said.where(~undone.exists()).exists()


def _aside(session: Session, ended: Mapping[str, Sequence[Signal]], as_of: datetime) -> dict[str, dict[str, Reason]]:
    """By fingerprint, the findings that somebody said are none, or closed without verification, and which of both."""
    fingerprints = {signal.id: key for key, signals in ended.items() for signal in signals}
    waived = and_(Signal.status == "resolved", Signal.status_reason == "waived")
    query = (
        select(StoredFinding.signal_id, StoredFinding.key, Signal.status)
        .join(Signal, Signal.id == StoredFinding.signal_id)
        .where(or_(and_(Signal.status == "false_positive", ~labelled(as_of)), waived))
    )
    aside: dict[str, dict[str, Reason]] = {}
    ids = list(fingerprints)
    for start in range(0, len(ids), 500):
        for signal_id, key, status in session.execute(query.where(Signal.id.in_(ids[start : start + 500]))):
            reason = Reason.SUPPRESSED_WAIVED if status == "resolved" else Reason.SUPPRESSED_FALSE_POSITIVE
            aside.setdefault(fingerprints[signal_id], {})[key] = reason
    return aside


def _better(by: Sequence[int]) -> str:
    """Which signals explain it, for the timeline."""
    return f"{', '.join(f'SIG-{number}' for number in by)} explains it better"


def _can_reopen(signal: Signal) -> bool:
    return signal.status == "resolved" and signal.status_reason != "waived"


def _current_keys(signal_id: int) -> Any:
    return select(StoredFinding.key).where(StoredFinding.signal_id == signal_id, StoredFinding.gone_since.is_(None))


def _moment(value: datetime | None) -> datetime:
    if value is None:
        raise ValueError("a resolved signal has no instant at which it was resolved")
    return value
