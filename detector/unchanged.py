"""Whether a rule can find anything else than last time: on the same books, by the same words, while its answer holds.

A run is left out, for the named reason `unchanged`, only where evaluating and folding would change no signal: no table
that it needs was written since, its text and parameters are the same, time has passed no turn (`detector.horizon`),
and nothing waits for another run: no signal that is clearing, no dismissal that ends, nothing that people did since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import duckdb
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from billing.books import BY_NAME
from billing.dialects import NAMED, Dialects
from detector import derived, records
from detector.beside import NOTHING, Beside
from detector.decisions import ENDED
from detector.rules import Rule
from detector.sources import TOLD
from store.operational_tables import Run, Signal, SignalEvent

UNCHANGED = "unchanged"
LEARNED = {"unusual_scores", "announced_days", "labelled_hours"}
"""What is made from labels, the model and the calendar, which are no books."""


def inputs(
    rule: Rule,
    params: Mapping[str, Any],
    severity: str | None,
    dialects: Dialects = NAMED,
    beside: Beside = NOTHING,
) -> str:
    """A digest of everything but books and time that decides what a run finds and what its signals say."""
    said = {
        "rule": rule.content_hash,
        "query": rule.query,
        "params": dict(params),
        "severity": severity,
        "dialects": {name: str(dialect) for name, dialect in dialects.items()},
        "engine": _engine(),
    }
    needed = derived.needed(rule.relations)
    if LEARNED & needed:
        said["learned"] = beside.learned.digest
    if needed & TOLD.keys():
        said["sources"] = beside.sources.digest
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def last_answer(
    session: Session, rule: Rule, as_of: datetime, wanted: str, changed: Callable[[int], set[str]]
) -> Run | None:
    """The run whose answer still is the rule's answer at `as_of`; None when the rule has to be evaluated.

    `wanted` is the digest of its `inputs` now; `changed` gives the tables written after a snapshot.
    """
    query = select(Run).where(Run.rule == rule.name, Run.inputs.is_not(None)).order_by(Run.id.desc())
    last = session.scalars(query).first()
    if last is None or last.inputs != wanted or last.snapshot is None or last.holds_until is None:
        return None
    if as_of < last.as_of or (as_of > last.as_of and as_of >= last.holds_until):
        return None
    if (last.reason or "").startswith("stale") or changed(last.snapshot) & tables(rule) or _waits(session, last, as_of):
        return None
    return last


def carry_on(session: Session, run: Run, last: Run) -> int:
    """Let `run` stand for `last` again: the signals that it saw are there now as well, and how many these are."""
    seen = and_(Signal.rule == run.rule, Signal.last_run_id == last.id, Signal.status.not_in(ENDED))
    signals = session.scalars(select(Signal.id).where(seen)).all()
    session.execute(update(Signal).where(seen).values(last_seen=run.as_of, last_run_id=run.id))
    run.status, run.reason, run.findings, run.milliseconds = "skipped", UNCHANGED, last.findings, 0
    run.inputs, run.holds_until = last.inputs, last.holds_until
    return len(signals)


def tables(rule: Rule) -> set[str]:
    """The tables of the books that a run of the rule reads, those that only describe its records included."""
    relations = derived.needed({*rule.relations, "invoices"})
    needed = relations & BY_NAME.keys() if "told_differences" not in relations else set(BY_NAME)
    parents = {BY_NAME[name].known_with[0] for name in needed if BY_NAME[name].known_with}  # type: ignore[index]
    kinds = {rule.subject.type, rule.cause.type, *(entity.type for entity in rule.entities)}
    return needed | parents | {table for kind in kinds for table in records.READ.get(kind, ())}


def _waits(session: Session, last: Run, as_of: datetime) -> bool:
    """Whether a signal of the rule, or one that explains its findings, would be moved by a run without new findings."""
    live = Signal.status.not_in(ENDED)
    own = and_(Signal.rule == last.rule, live)
    ends = and_(Signal.status == "suppressed", Signal.suppressed_until <= as_of)
    due = or_(Signal.clear_runs > 0, ends, and_(Signal.finalizes_at.is_not(None), Signal.finalizes_at <= as_of))
    if session.scalars(select(Signal.id).where(own, due).limit(1)).first() is not None:
        return True
    code = select(Signal.code).where(Signal.rule == last.rule).limit(1).scalar_subquery()
    explains = and_(Signal.covers.is_not(None), Signal.covers.contains("|" + code + "|"))
    later = or_(SignalEvent.run_id.is_(None), SignalEvent.run_id > last.id)
    since = select(SignalEvent.id).join(Signal, Signal.id == SignalEvent.signal_id)
    since = since.where(SignalEvent.at >= last.started_at, later, or_(Signal.rule == last.rule, explains))
    return session.scalars(since.limit(1)).first() is not None


@cache
def _engine() -> str:
    """What works findings out besides the rule's own text: the SQL of derived relations, and DuckDB."""
    parts = [duckdb.__version__, *(each.sql for each in derived.derivations())]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
