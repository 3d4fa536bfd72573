"""Findings and runs as the tests of signals tell them: small, literal, folded the way a cycle folds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Engine, select

from detector.bill_runs import NONE, BillRuns
from detector.decisions import Decision, Policy
from detector.findings import Entity, EntityType, Finding, Reference, Role
from detector.signals import fold
from store import operational
from store.operational_tables import Run, Signal, SignalEntity, SignalEvent, StoredFinding

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
POLICY = Policy(
    clear_after=2,
    cooldown=timedelta(days=14),
    rates={"USD": Decimal(1), "EUR": Decimal("1.1"), "JPY": Decimal("0.0065")},
)


@dataclass(frozen=True)
class Told:
    """What a signal takes over from its rule."""

    name: str = "wrong_tier_mode"
    code: str = "TU-19"
    severity: str = "critical"
    category: str = "pricing"
    priority: str = "P1"
    confidence: str = "exact"
    gate: str = "hold"
    content_hash: str = "hash-1"
    covers: tuple[str, ...] = ()


TIER_MODE = Told()


def a_finding(line: str = "il_1", **told: object) -> Finding:
    """A line that was rated by the wrong tier mode: 120.00 USD expected, 100.00 billed, unless told otherwise."""
    customer = str(told.pop("customer", "c_1"))
    expected, actual = Decimal(str(told.pop("expected", "120.00"))), Decimal(str(told.pop("actual", "100.00")))
    currency = str(told.pop("currency", "USD"))
    invoice = str(told.pop("invoice", f"in_{line}"))
    plain = Finding(
        rule="wrong_tier_mode",
        rule_hash="hash-1",
        subject=Reference(EntityType.INVOICE_LINE, line),
        integration="stripe",
        cause=Reference(EntityType.PRICE, "price_1"),
        group="",
        period_start=datetime(2026, 2, 1, tzinfo=UTC),
        period_end=datetime(2026, 3, 1, tzinfo=UTC),
        currency=currency,
        under=max(expected - actual, Decimal(0)),
        over=max(actual - expected, Decimal(0)),
        exposure=Decimal(0),
        title=f"Line {line} is rated by the wrong tier mode",
        entities=(
            Entity(EntityType.CUSTOMER, customer, Role.AFFECTED, customer, f"Customer {customer}"),
            Entity(EntityType.PRICE, "price_1", Role.CAUSE, None, "API calls"),
            Entity(EntityType.INVOICE, invoice, Role.AFFECTED, customer, status="draft"),
            Entity(
                EntityType.INVOICE_LINE,
                line,
                Role.AFFECTED,
                customer,
                expected=expected,
                actual=actual,
                unit=currency,
            ),
        ),
        evidence={"billed": actual, "expected": expected},
    )
    return replace(plain, **told)  # type: ignore[arg-type]


def day(number: float) -> datetime:
    """The instant of a run, in days after the first."""
    return START + timedelta(days=number)


def fold_run(
    engine: Engine,
    as_of: datetime,
    findings: Sequence[Finding] = (),
    *,
    rule: Told = TIER_MODE,
    policy: Policy = POLICY,
    stale: bool = False,
    drafts: dict[str, datetime] | None = None,
    bill_runs: BillRuns = NONE,
) -> list[Decision]:
    """One complete run of the rule at `as_of` that found exactly `findings`."""
    with operational.writing(engine) as session:
        run = Run(
            rule=rule.name,
            rule_hash=rule.content_hash,
            trigger="manual",
            slot=f"{as_of.isoformat()}/{_count(session)}",
            as_of=as_of,
            status="ok",
            claimed_by="test",
            lease_until=as_of,
            started_at=as_of,
        )
        session.add(run)
        session.flush()
        return fold(
            session, run, rule, findings, now=as_of, policy=policy, drafts=drafts, bill_runs=bill_runs, stale=stale
        )


def reasons(decisions: Sequence[Decision]) -> list[str]:
    """The named reasons, in the order of the decisions."""
    return [str(decision.reason) for decision in decisions]


def signals(engine: Engine) -> list[Signal]:
    """Every signal, oldest first."""
    with operational.reading(engine) as session:
        return list(session.scalars(select(Signal).order_by(Signal.id)))


def only_signal(engine: Engine) -> Signal:
    """The one signal that there is."""
    (found,) = signals(engine)
    return found


def timeline(engine: Engine, signal_id: int) -> list[str]:
    """The reasons in a signal's timeline, oldest first."""
    with operational.reading(engine) as session:
        query = select(SignalEvent.reason).where(SignalEvent.signal_id == signal_id).order_by(SignalEvent.id)
        return list(session.scalars(query))


def records(engine: Engine, signal_id: int) -> dict[tuple[str, str], SignalEntity]:
    """The records of a signal by type and id."""
    with operational.reading(engine) as session:
        query = select(SignalEntity).where(SignalEntity.signal_id == signal_id)
        return {(row.type, row.entity_id): row for row in session.scalars(query)}


def findings(engine: Engine, signal_id: int) -> dict[str, StoredFinding]:
    """The findings of a signal by the id of their subject."""
    with operational.reading(engine) as session:
        query = select(StoredFinding).where(StoredFinding.signal_id == signal_id)
        return {row.subject_id: row for row in session.scalars(query)}


def _count(session: operational.Session) -> int:
    return len(session.scalars(select(Run.id)).all())
