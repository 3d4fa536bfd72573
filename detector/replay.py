"""Replays rules on the past: evaluates and folds them exactly as runs do, into a store that is thrown away.

Every contender (a rule with parameters) is evaluated at the same points, on the same derived relations, and its
findings are folded by `signals.fold` into a store in memory of its own. So a replay raises what the runs at those
instants would have raised, and nothing of it is kept. It stops at a limit or when it is told to; what it has by then
says that it is partial.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby

import duckdb
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import selectinload

from detector import covered, cycle, derived, records
from detector.decisions import ENDED, Policy
from detector.evaluate import RuleFailed, evaluate
from detector.findings import Finding
from detector.past import Point
from detector.rules import Rule
from detector.signals import fold
from store import operational
from store.operational_tables import Run, Signal, SignalEntity
from store.warehouse import Warehouse

LOOK = 0.25
"""Seconds between two looks at whether to stop."""

CANCELLED = "cancelled"

INTERRUPTED = "Query interrupted"
"""What DuckDB raises, as a RuntimeError, when Ctrl-C is pressed while a query runs."""

Tell = Callable[[int, int], None]
"""Told how many points are done, and of how many."""


@dataclass(frozen=True)
class Contender:
    """A rule with values for some of its parameters."""

    rule: Rule
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """How long a replay may take, and how many findings it may look at in all."""

    seconds: float = 120
    findings: int = 200_000


@dataclass(frozen=True)
class Money:
    """The money of a signal in one currency, never netted."""

    currency: str
    under: Decimal
    over: Decimal
    exposure: Decimal


@dataclass(frozen=True)
class Raised:
    """A signal that would have been raised, as it would stand after the last point."""

    fingerprint: str
    digest: str
    title: str
    integration: str
    cause: str
    group: str
    status: str
    first_seen: datetime
    last_seen: datetime
    findings: int
    records: int
    customer: str | None
    impacts: tuple[Money, ...]
    weight: Decimal  # for order only

    @property
    def key(self) -> tuple[str, str, str]:
        """What two rules' signals share when they stand for one defect."""
        return self.integration, self.cause, self.group

    @property
    def is_open(self) -> bool:
        """Whether it would still stand for its defect."""
        return self.status not in ENDED


@dataclass(frozen=True)
class Outcome:
    """What one contender came to: the signals, how many records they name, and what the last point found.

    `failed` says why it could not be evaluated; then the others are empty.
    """

    raised: tuple[Raised, ...] = ()
    records: int = 0
    findings: tuple[Finding, ...] = ()
    failed: str | None = None


@dataclass(frozen=True)
class Replay:
    """What came of each contender, at which points; `stopped` says why that is not all of them."""

    points: tuple[Point, ...]
    asked: int
    rows: int
    seconds: float
    stopped: str | None
    outcomes: tuple[Outcome, ...]


def replay(
    warehouse: Warehouse,
    engine: Engine,
    contenders: Sequence[Contender],
    points: Sequence[Point],
    policy: Policy,
    *,
    limits: Limits = Limits(),
    tell: Tell = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> Replay:
    """Evaluate the contenders at each point in turn. What live signals of other rules in `engine` explain is theirs, as
    in a run. Nothing is written there. Raises LakeError, and RuleFailed where the first one fails."""
    began = time.perf_counter()
    watch = _Watch(limits, stop, began)
    racers = [_Racer(each, operational.scratch()) for each in contenders]
    done: list[Point] = []
    rows = 0
    try:
        for snapshot, group in groupby(points, lambda point: point.snapshot):
            with cycle.books_at(warehouse, snapshot) as con, watch.over(con):
                for point in group:
                    if watch.reason():
                        break
                    rows += _try(con, racers, point, policy, watch, warehouse, engine)
                    done.append(point)
                    tell(len(done), len(points))
    except KeyboardInterrupt:
        watch.why = CANCELLED
    except (RuleFailed, duckdb.Error):
        if not watch.why:
            raise
    except RuntimeError as error:
        if str(error) != INTERRUPTED:
            raise
        watch.why = CANCELLED
    finally:
        outcomes = tuple(racer.outcome() for racer in racers)
    stopped = f"{watch.why} after {len(done)} of {len(points)} instants" if len(done) < len(points) else None
    return Replay(tuple(done), len(points), rows, time.perf_counter() - began, stopped, outcomes)


def _try(
    con: duckdb.DuckDBPyConnection,
    racers: list[_Racer],
    point: Point,
    policy: Policy,
    watch: _Watch,
    warehouse: Warehouse,
    engine: Engine,
) -> int:
    """Every contender at one point, or none of them: a point that is interrupted counts for nobody."""
    running = [racer for racer in racers if not racer.failed]
    relations = records.TABLES.union(*(racer.contender.rule.relations for racer in running))
    with operational.reading(engine) as session:
        known = cycle.known_at(session, policy, point.as_of)
    derived.build(con, point.as_of, relations, warehouse.dialects, beside=known)
    found = []
    for racer in running:
        try:
            found.append((racer, evaluate(con, racer.contender.rule, point.as_of, racer.contender.params)))
        except RuleFailed as error:
            if racer is racers[0] or watch.why:
                raise
            racer.failed = error.reason
    for racer, findings in found:
        racer.fold(point, _speaking(engine, racer.contender.rule, findings), policy)
        watch.findings += len(findings)
    return cycle.rows(con, derived.needed(relations))


def _speaking(engine: Engine, rule: Rule, findings: Sequence[Finding]) -> list[Finding]:
    """The findings that no live signal of a covering rule explains."""
    with operational.reading(engine) as session:
        return covered.split(session, rule, findings)[0]


class _Racer:
    """One contender and the store that its findings are folded into."""

    def __init__(self, contender: Contender, engine: Engine) -> None:
        self.contender = contender
        self.engine = engine
        self.failed: str | None = None
        self.latest: tuple[Finding, ...] = ()

    def fold(self, point: Point, findings: Sequence[Finding], policy: Policy) -> None:
        """As a run at the point's instant keeps what it found."""
        rule = self.contender.rule
        with operational.writing(self.engine) as session:
            run = Run(
                rule=rule.name,
                rule_hash=rule.content_hash,
                trigger="manual",
                slot=point.as_of.isoformat(),
                as_of=point.as_of,
                snapshot=point.snapshot,
                status="ok",
                claimed_by="replay",
                lease_until=point.as_of,
                started_at=point.as_of,
            )
            session.add(run)
            session.flush()
            fold(session, run, rule, findings, now=point.as_of, policy=policy)
        self.latest = tuple(findings)

    def outcome(self) -> Outcome:
        """What stands in the store, which is then let go."""
        with operational.reading(self.engine) as session:
            listed = select(Signal).options(selectinload(Signal.impacts)).order_by(Signal.rank_amount.desc(), Signal.id)
            raised = tuple(_raised(signal) for signal in session.scalars(listed))
            named = select(SignalEntity.type, SignalEntity.entity_id).distinct().subquery()
            records = session.scalar(select(func.count()).select_from(named)) or 0
        self.engine.dispose()
        return Outcome((), failed=self.failed) if self.failed else Outcome(raised, records, self.latest)


def _raised(signal: Signal) -> Raised:
    impacts = (Money(each.currency, each.under, each.over, each.exposure) for each in signal.impacts)
    return Raised(
        fingerprint=signal.fingerprint,
        digest=signal.digest,
        title=signal.title,
        integration=signal.integration,
        cause=signal.cause,
        group=signal.group_key,
        status=signal.status,
        first_seen=signal.first_seen,
        last_seen=signal.last_seen,
        findings=signal.finding_count,
        records=signal.entity_count,
        customer=signal.customer_name or signal.customer_id,
        impacts=tuple(impacts),
        weight=signal.rank_amount,
    )


class _Watch:
    """Interrupts the query that runs when the time is over, or when it is told to stop."""

    def __init__(self, limits: Limits, stop: Callable[[], bool], began: float) -> None:
        self._limits, self._stop, self._began = limits, stop, began
        self.findings = 0
        self.why = ""

    def reason(self) -> str:
        """Why to go no further; empty while there is no reason."""
        if not self.why and self.findings > self._limits.findings:
            self.why = f"stopped at the limit of {self._limits.findings:,} findings"
        return self.why or self._urgent()

    def _urgent(self) -> str:
        """Why to leave off in the middle; findings that are there already are taken in first."""
        if not self.why and time.perf_counter() - self._began > self._limits.seconds:
            self.why = f"stopped at the limit of {self._limits.seconds:g} s"
        if not self.why and self._stop():
            self.why = CANCELLED
        return self.why

    @contextmanager
    def over(self, con: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Looks after a connection for as long as the block lasts.

        What is left by Ctrl-C is interrupted: DuckDB gives up the query in one thread (as a RuntimeError), another may
        still work at it, and to close the connection would wait for that without end.
        """
        over = threading.Event()
        thread = threading.Thread(target=self._look, args=(con, over), daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            con.interrupt()
            raise
        finally:
            over.set()
            thread.join()

    def _look(self, con: duckdb.DuckDBPyConnection, over: threading.Event) -> None:
        while not over.wait(LOOK):
            if self._urgent():
                con.interrupt()
