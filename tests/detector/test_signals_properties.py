"""Whatever rules find and people do, in whatever order: nothing found is lost, nothing resolves without a reason."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Engine, func, select

from detector import triage
from detector.decisions import ENDED, QUIET
from detector.findings import EntityType, Finding, Reference
from store import operational
from store.operational_tables import Signal, SignalEntity, SignalEvent, SignalImpact, StoredFinding
from tests.detector.signal_stories import POLICY, a_finding, fold_run, reasons, signals
from tests.store import recounted

LINES = ("il_1", "il_2", "il_3", "il_4", "il_5", "il_6")
SYSTEM_MOVES = {
    "clearing": set(),
    "self_healed": {"resolved"},
    "reopened": {"in_progress"},
    "returned": {"unhandled"},
    "opened": {"unhandled"},
}
"""The statuses to which a run may move a signal, by its reason."""


def found_on(line: str, actual: int) -> Finding:
    """A finding on the line; lines share a cause in pairs."""
    cause = Reference(EntityType.PRICE, f"price_{(int(line[-1]) + 1) // 2}")
    return a_finding(line, cause=cause, actual=actual, currency="JPY" if line == "il_6" else "USD")


class Signals(RuleBasedStateMachine):
    """Runs and people take turns on one store."""

    template: Path | None = None

    @initialize()
    def open_store(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(_template(), self.folder / "s.sqlite")
        self.engine: Engine = operational.open(f"sqlite:///{self.folder}/s.sqlite")
        self.now = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
        self.found: list[Finding] = []
        self.changes: list[str] = []

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()
            shutil.rmtree(self.folder)

    @rule(
        found=st.dictionaries(st.sampled_from(LINES), st.integers(1, 3)),
        hours=st.integers(0, 24 * 20),
        stale=st.booleans(),
    )
    def run(self, found: dict[str, int], hours: int, stale: bool) -> None:
        """A complete run finds some lines, a while after the last."""
        before = {signal.id: signal for signal in signals(self.engine)}
        self.now += timedelta(hours=hours)
        self.found = [found_on(line, actual) for line, actual in found.items()]
        decided = fold_run(self.engine, self.now, self.found, stale=stale)
        self._every_finding_is_somewhere()
        self._moves_have_reasons(before, {d.signal: str(d.reason) for d in decided}, stale)

    @rule()
    def run_again(self) -> None:
        """The same run at the same instant finds nothing new."""
        fold_run(self.engine, self.now, self.found, stale=True)
        before = self._rows()
        decided = fold_run(self.engine, self.now, self.found, stale=True)
        assert {decision.reason for decision in decided} <= QUIET, reasons(decided)
        assert self._rows() == before

    @rule(hours=st.integers(1, 500))
    def run_as_of_earlier(self, hours: int) -> None:
        """A run that looks back changes no signal that was seen since."""
        before = {s.id: (s.status, s.digest, s.last_seen) for s in signals(self.engine)}
        earlier = self.now - timedelta(hours=hours)
        fold_run(self.engine, earlier, self.found[:1])
        seen_since = {id: state for id, state in before.items() if state[2] > earlier and state[0] not in ENDED}
        after = {s.id: (s.status, s.digest, s.last_seen) for s in signals(self.engine)}
        assert {id: after[id] for id in seen_since} == seen_since

    @precondition(lambda self: signals(self.engine))
    @rule(
        pick=st.integers(0, 100),
        deed=st.sampled_from(
            ["triaged", "in_progress", "awaiting_external", "unhandled", *triage.DISMISSALS, "verified", "waived"]
        ),
    )
    def somebody_acts(self, pick: int, deed: str) -> None:
        """A person changes a signal; what its state does not allow is refused and leaves it as it was."""
        every = signals(self.engine)
        signal = every[pick % len(every)]
        try:
            with operational.writing(self.engine) as session:
                change = self._act(session, signal.id, deed)
            self.changes.append(change.id)
        except triage.IllegalTransition:
            assert _state(self._signal(signal.id)) == _state(signal)
        else:
            assert self._signal(signal.id).status in triage.TRANSITIONS[signal.status]

    @precondition(lambda self: self.changes)
    @rule(pick=st.integers(0, 100))
    def somebody_takes_it_back(self, pick: int) -> None:
        """Undo restores exactly what was, or refuses."""
        change_id = self.changes[pick % len(self.changes)]
        try:
            with operational.writing(self.engine) as session:
                change = triage.undo(session, change_id, actor="ana", now=self.now)
        except triage.IllegalTransition:
            return
        event = change.events[0]
        assert event.after is not None
        assert self._signal(event.signal_id).status == event.after["status"]

    @invariant()
    def one_live_signal_per_defect(self) -> None:
        if not hasattr(self, "engine"):
            return
        live = [signal.fingerprint for signal in signals(self.engine) if signal.status not in ENDED]
        assert len(live) == len(set(live))

    @invariant()
    def money_and_records_are_those_of_the_current_findings(self) -> None:
        if not hasattr(self, "engine"):
            return
        with operational.reading(self.engine) as session:
            current = StoredFinding.gone_since.is_(None)
            under = func.sum(StoredFinding.under)
            group = (StoredFinding.signal_id, StoredFinding.currency)
            findings = session.execute(select(*group, under).where(current).group_by(*group)).all()
            impact = (SignalImpact.signal_id, SignalImpact.currency, SignalImpact.under)
            assert sorted(tuple(row) for row in findings) == sorted(
                tuple(row) for row in session.execute(select(*impact))
            )
            listed = session.execute(
                select(SignalEntity.signal_id, SignalEntity.entity_id).where(
                    SignalEntity.gone_since.is_(None), SignalEntity.type == "invoice_line"
                )
            )
            subjects = session.execute(select(StoredFinding.signal_id, StoredFinding.subject_id).where(current))
            assert {tuple(row) for row in listed} == {tuple(row) for row in subjects}

    @invariant()
    def what_the_store_counts_is_what_is_there(self) -> None:
        if not hasattr(self, "engine"):
            return
        with operational.reading(self.engine) as session:
            assert recounted.groups(session) == recounted.regrouped(session)
            assert recounted.kept(session) == recounted.worked_out(session)
            assert recounted.named(session) == recounted.renamed(session)

    def _act(self, session: operational.Session, signal_id: int, deed: str) -> triage.Change:
        if deed in triage.DISMISSALS:
            return triage.dismiss(session, [signal_id], deed, actor="ana", now=self.now)
        if deed in ("verified", "waived"):
            waiver = "too small" if deed == "waived" else None
            return triage.resolve(session, [signal_id], "a typo", actor="ana", now=self.now, waiver=waiver)
        return triage.change_status(session, [signal_id], deed, actor="ana", now=self.now)

    def _every_finding_is_somewhere(self) -> None:
        """Current in a signal that stands for it, or known to one that somebody closed over it."""
        with operational.reading(self.engine) as session:
            rows = session.execute(
                select(StoredFinding.subject_id, Signal.status, Signal.status_reason, StoredFinding.gone_since).join(
                    Signal, Signal.id == StoredFinding.signal_id
                )
            ).all()
        shown = {line for line, status, _, gone in rows if status not in ENDED and gone is None}
        closed = {line for line, status, why, _ in rows if status == "false_positive" or why == "waived"}
        assert {finding.subject.id for finding in self.found} <= shown | closed

    def _moves_have_reasons(self, before: dict[int, Signal], decided: dict[str, str], stale: bool) -> None:
        for signal in signals(self.engine):
            former = before.get(signal.id)
            if former is not None and former.status == signal.status:
                continue
            reason = decided[signal.label]
            assert signal.status in SYSTEM_MOVES[reason]
            assert not (stale and signal.status == "resolved")
            with operational.reading(self.engine) as session:
                query = select(SignalEvent.reason).where(SignalEvent.signal_id == signal.id)
                assert session.scalars(query.order_by(SignalEvent.id.desc())).first() == reason

    def _signal(self, signal_id: int) -> Signal:
        return next(signal for signal in signals(self.engine) if signal.id == signal_id)

    def _rows(self) -> dict[str, int | None]:
        tables = (Signal, SignalEvent, SignalEntity, StoredFinding, SignalImpact)
        with operational.reading(self.engine) as session:
            return {t.__tablename__: session.scalar(select(func.count()).select_from(t)) for t in tables}


def _state(signal: Signal) -> tuple[str, str | None, int, Decimal | None]:
    return signal.status, signal.status_reason, signal.version, signal.snoozed_amount


def _template() -> Path:
    """A migrated store to copy, made once."""
    if Signals.template is None:
        Signals.template = Path(tempfile.mkdtemp()) / "template.sqlite"
        engine = operational.open(f"sqlite:///{Signals.template}")
        operational.migrate(engine)
        engine.dispose()
    return Signals.template


assert POLICY.clear_after == 2
TestSignals = Signals.TestCase
TestSignals.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
