"""Runs rules on the books: one snapshot, the derived relations once for all of them, then each rule by itself.

A rule is claimed before anything is worked out, so that any number of processes may want the same run. What a rule
found is folded into signals in one transaction with its run's row. A rule that fails is recorded as failed and the
others go on; it resolves nothing. Neither does a run while an integration's data is stale.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import uuid4

import duckdb
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from billing.books import BY_NAME
from billing.dialects import Dialects
from detector import bill_runs, covering, derived, overrides, records, sources, unchanged, usage_labels, versions
from detector.beside import Beside
from detector.bill_runs import NONE, BillRuns
from detector.claims import Cancelled, LeaseLost, Refused, Wanted, claim, owned, renew
from detector.decisions import Policy
from detector.evaluate import RuleFailed, bound, evaluate
from detector.findings import Finding
from detector.freshness import stale
from detector.horizon import Horizon
from detector.limits import USUAL, Limits, watched
from detector.ready import Ready, lock_down
from detector.rules import Rule
from detector.schedule import Slot
from detector.signals import fold
from store import operational
from store.operational_tables import RuleOverride, Run
from store.warehouse import Warehouse

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class RunResult:
    """How one run of one rule ended: `decisions` counts what it meant for signals, by reason."""

    rule: str
    code: str
    status: str  # ok | failed | skipped
    reason: str | None = None
    error: str | None = None
    run_id: int | None = None
    findings: int = 0
    decisions: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Setting:
    """Where a cycle runs and by which rules of patience; the same for every cycle of a process."""

    warehouse: Warehouse
    engine: Engine
    clock: Clock
    worker: str
    policy: Policy = field(default_factory=Policy)
    limits: Mapping[str, timedelta | None] = field(default_factory=dict)  # how old an integration's data may be
    allowed: Limits = field(default_factory=Limits)  # what one rule may take
    ready: Ready | None = None  # the books kept open for what must not wait


def run(
    setting: Setting,
    rules: Sequence[Rule],
    as_of: datetime,
    *,
    trigger: str = "manual",
    slots: Mapping[str, Slot] | None = None,
    on_result: Callable[[RunResult], None] = lambda result: None,
) -> list[RunResult]:
    """Run `rules` as of `as_of` and keep their signals; one result per rule, each given to `on_result` as it comes.

    `slots` names the slot of each rule that runs by schedule; without it the run is one of its own. A rule that cannot
    find anything else than last time is skipped as `unchanged`. Raises LakeError when the books cannot be opened.
    """
    snapshot = setting.warehouse.snapshot()
    claimed, results = _claim(setting, rules, as_of, trigger, slots or {}, snapshot)
    known = _beside(setting, as_of)
    claimed, same = _skip_unchanged(setting, claimed, as_of, known)
    results += same
    for result in results:
        on_result(result)
    if not claimed:
        return results
    try:
        with _books(setting, snapshot, at_once=trigger == "event") as (con, in_place):
            horizon, later = Horizon(con, as_of), dict[int, Rule]()
            read = frozenset[str]().union(*(rule.relations for rule, _ in claimed))
            lie = (derived.large(con) if in_place is None else set(in_place)) | _looked_up(read)
            broken = _derive(con, as_of, records.TABLES | read, setting.warehouse.dialects, known, lie)
            drafts = _Drafts(_drafts(con, as_of), bill_runs.read(con, as_of)) if broken is None else _Drafts({}, NONE)
            while claimed:
                rule, run_id = claimed[0]
                on_event = later if trigger == "event" else None
                results.append(_one(setting, horizon, rule, run_id, drafts, broken, known, on_event))
                on_result(results[-1])
                del claimed[0]
            _look_ahead(setting, horizon, later)
    finally:
        for rule, run_id in claimed:
            _fail(setting, rule, run_id, RuntimeError("the cycle ended before this rule's turn"), 0.0)
    return results


def _looked_up(read: frozenset[str]) -> set[str]:
    """Tables that no rule reads whole: single records are looked up in them, where they lie."""
    return set(records.TABLES - derived.needed({*read, "invoices", "bill_runs"}))


@contextmanager
def _books(
    setting: Setting, snapshot: int, *, at_once: bool
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Collection[str] | None]]:
    """The books at a snapshot, and which tables are read where they lie if that is known already.

    What must not wait reads those that are kept ready, unless they have moved on or are in use.
    """
    with ExitStack() as held:
        ready = held.enter_context(setting.ready.books(snapshot)) if setting.ready and at_once else None
        if ready is not None:
            yield ready.con, ready.large
        else:
            yield held.enter_context(books_at(setting.warehouse, snapshot, setting.allowed)), None


@contextmanager
def books_at(warehouse: Warehouse, snapshot: int, allowed: Limits = USUAL) -> Iterator[duckdb.DuckDBPyConnection]:
    """The books at a snapshot, read only, and nothing else of this machine: whatever a query tries, the files of the
    lake are all that it reaches.
    """
    with closing(warehouse.connect(snapshot=snapshot)) as con:
        lock_down(con, warehouse, allowed)
        yield con


def rows(con: duckdb.DuckDBPyConnection, relations: Collection[str]) -> int:
    """How many rows the books' tables among the relations hold."""
    counts = " UNION ALL ".join(f"SELECT count(*) FROM {table}" for table in BY_NAME if table in relations)
    return sum(int(count) for (count,) in con.execute(counts).fetchall()) if counts else 0


def _claim(
    setting: Setting,
    rules: Sequence[Rule],
    as_of: datetime,
    trigger: str,
    slots: Mapping[str, Slot],
    snapshot: int,
) -> tuple[list[tuple[Rule, int]], list[RunResult]]:
    """The rules that this process may run with the ids of their runs, and results for the others."""
    claimed: list[tuple[Rule, int]] = []
    refused: list[RunResult] = []
    with operational.writing(setting.engine) as session:
        versions.keep(session, rules, setting.clock())
        for rule in covering.ordered(rules):
            slot = slots.get(rule.name) or Slot(f"{trigger}/{uuid4().hex}")
            missed = (slot.missed, slot.missed_from)
            wanted = Wanted(rule.name, rule.content_hash, slot.name, trigger, as_of, snapshot, setting.worker, *missed)
            answer = claim(session, wanted, setting.clock())
            if isinstance(answer, Refused):
                result = RunResult(rule.name, rule.code, "skipped", answer.reason, run_id=answer.run_id)
                refused.append(result)
            else:
                claimed.append((rule, answer.id))
    return claimed, refused


def _skip_unchanged(
    setting: Setting, claimed: Sequence[tuple[Rule, int]], as_of: datetime, known: Beside
) -> tuple[list[tuple[Rule, int]], list[RunResult]]:
    """Close the runs that cannot find anything else than last time; the others, and a result for each closed one."""
    changed = cache(setting.warehouse.changes_since)
    left: list[tuple[Rule, int]] = []
    same: list[RunResult] = []
    with operational.writing(setting.engine) as session:
        for rule, run_id in claimed:
            override = session.get(RuleOverride, rule.name)
            last = unchanged.last_answer(session, rule, as_of, _inputs(setting, rule, override, known), changed)
            if last is None:
                left.append((rule, run_id))
                continue
            row = session.get_one(Run, run_id)
            seen = unchanged.carry_on(session, row, last)
            row.finished_at, found = setting.clock(), last.findings or 0
            decided = {unchanged.UNCHANGED: seen} if seen else {}
            same.append(RunResult(rule.name, rule.code, "skipped", row.reason, None, run_id, found, decided))
    return left, same


def known_at(session: Session, policy: Policy, as_of: datetime) -> Beside:
    """What was known besides the books at an instant."""
    return Beside(usage_labels.learned(session, as_of), sources.known(session, policy.rhythms, as_of))


def _beside(setting: Setting, as_of: datetime) -> Beside:
    with operational.reading(setting.engine) as session:
        return known_at(session, setting.policy, as_of)


def _inputs(setting: Setting, rule: Rule, override: RuleOverride | None, known: Beside) -> str:
    params, severity = (override.params or {}, override.severity) if override else ({}, None)
    return unchanged.inputs(rule, params, severity, setting.warehouse.dialects, known)


def _derive(
    con: duckdb.DuckDBPyConnection,
    as_of: datetime,
    needed: Collection[str],
    dialects: Dialects,
    known: Beside,
    in_place: Collection[str] | None,
) -> str | None:
    """Build what the rules need, once; the error when that fails, so that each rule is then tried by itself."""
    try:
        derived.build(con, as_of, needed, dialects, beside=known, in_place=in_place)
    except Exception as error:  # whichever relation it is, rules that do not need it can still run
        return str(error)
    return None


@dataclass(frozen=True)
class _Drafts:
    """When each draft becomes final by itself, and which bill run it is of."""

    finalizes: Mapping[str, datetime]
    runs: BillRuns


def _drafts(con: duckdb.DuckDBPyConnection, as_of: datetime) -> dict[str, datetime]:
    """When each draft invoice becomes final by itself."""
    instant = as_of.astimezone(UTC).replace(tzinfo=None)
    rows = con.execute(
        "SELECT invoice_id, finalizes_at FROM invoices WHERE status = 'draft' AND finalizes_at > ?", [instant]
    ).fetchall()
    return {str(invoice): moment.replace(tzinfo=UTC) for invoice, moment in rows}


def _look_ahead(setting: Setting, horizon: Horizon, answered: Mapping[int, Rule]) -> None:
    """Until when each answer holds, worked out once the signals of all are there."""
    turns = {number: horizon.until(rule, bound(rule, horizon.as_of, {})) for number, rule in answered.items()}
    with operational.writing(setting.engine) as session:
        for number, turn in turns.items():
            session.get_one(Run, number).holds_until = turn


def _one(
    setting: Setting,
    horizon: Horizon,
    rule: Rule,
    run_id: int,
    drafts: _Drafts,
    broken: str | None,
    known: Beside,
    later: dict[int, Rule] | None,
) -> RunResult:
    """One rule: evaluate, fold, and whatever happens say so in its run's row.

    Until when the answer holds is worked out at once, so that a killed run goes on where it stood; with `later`, where
    somebody waits for the signals, the rule is put there instead.
    """
    began, con, as_of = time.perf_counter(), horizon.con, horizon.as_of
    try:
        ruling, digest = _overridden(setting, rule, run_id, known)
        if broken is not None:
            derived.build(con, as_of, rule.relations, setting.warehouse.dialects, beside=known)
        with watched(con, setting.allowed.time, lambda: _cancelled(setting, run_id)) as watch:
            findings = evaluate(con, ruling, as_of, max_rows=setting.allowed.rows, watch=watch)
        until = horizon.until(ruling, bound(ruling, as_of, {})) if later is None else None
        kept = _keep(setting, ruling, run_id, _Answer(findings, digest, until), drafts, time.perf_counter() - began)
        if later is not None:
            later[run_id] = ruling
        return kept
    except LeaseLost as lost:
        return RunResult(rule.name, rule.code, "skipped", "taken_over", str(lost), run_id)
    except Exception as error:  # a rule that breaks is recorded, and the others go on
        return _fail(setting, rule, run_id, error, time.perf_counter() - began)


@dataclass(frozen=True)
class _Answer:
    """What a rule found, by which inputs, and until when that holds on the same books (None: not known yet)."""

    findings: Sequence[Finding]
    inputs: str
    holds_until: datetime | None


def _cancelled(setting: Setting, run_id: int) -> str | None:
    with operational.reading(setting.engine) as session:
        return session.scalar(select(Run.cancelled_by).where(Run.id == run_id))


def _overridden(setting: Setting, rule: Rule, run_id: int, known: Beside) -> tuple[Rule, str]:
    """The rule with what an operator set for it, and the digest of both; renews the run's lease."""
    with operational.writing(setting.engine) as session:
        renew(session, run_id, setting.worker, setting.clock())
        override = session.get(RuleOverride, rule.name)
        return overrides.applied(rule, override), _inputs(setting, rule, override, known)


def _keep(
    setting: Setting,
    rule: Rule,
    run_id: int,
    answer: _Answer,
    drafts: _Drafts,
    seconds: float,
) -> RunResult:
    """Fold the findings and close the run, in one transaction."""
    now, findings = setting.clock(), answer.findings
    with operational.writing(setting.engine) as session:
        row = owned(session, run_id, setting.worker)
        if row.cancelled_by:
            raise Cancelled(row.cancelled_by)
        behind = stale(session, setting.limits, now)
        decisions = fold(
            session, row, rule, findings, now=now, policy=_policy(setting, rule),
            drafts=drafts.finalizes, bill_runs=drafts.runs, stale=bool(behind),
        )  # fmt: skip
        row.status, row.finished_at, row.findings = "ok", now, len(findings)
        row.milliseconds, row.inputs, row.holds_until = round(seconds * 1000), answer.inputs, answer.holds_until
        row.reason = "stale: " + "; ".join(f"{name}: {why}" for name, why in behind.items()) if behind else row.reason
        counts = Counter(str(decision.reason) for decision in decisions)
        return RunResult(rule.name, rule.code, "ok", row.reason, None, run_id, len(findings), counts, seconds)


def _policy(setting: Setting, rule: Rule) -> Policy:
    """How patient folding is, by what the rule says for itself."""
    if rule.cooldown is None:
        return setting.policy
    return replace(setting.policy, cooldown=timedelta(seconds=rule.cooldown.mean_seconds))


def _fail(setting: Setting, rule: Rule, run_id: int, error: Exception, seconds: float) -> RunResult:
    """Say in the run's row why it kept nothing; one that somebody stopped is skipped rather than failed."""
    reason = "rule_failed" if isinstance(error, RuleFailed) else "unexpected"
    said = str(error) if isinstance(error, RuleFailed) else f"{type(error).__name__}: {error}"
    try:
        with operational.writing(setting.engine) as session:
            row = owned(session, run_id, setting.worker)
            status = "skipped" if row.cancelled_by else "failed"
            if row.cancelled_by:
                reason, said = "cancelled", f"cancelled by {row.cancelled_by}"
            row.status, row.reason, row.error, row.finished_at = status, reason, said, setting.clock()
            row.milliseconds = round(seconds * 1000)
    except LeaseLost as lost:
        return RunResult(rule.name, rule.code, "skipped", "taken_over", str(lost), run_id)
    return RunResult(rule.name, rule.code, status, reason, said, run_id, seconds=seconds)
