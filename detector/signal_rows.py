"""Writes what a signal consists of: its findings, records, money and line through time, touching only what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from detector.covering import records
from detector.findings import Entity, Finding
from detector.signal_content import Content, Item, Money, money_of, plain, position
from store.operational_tables import Run, Signal, SignalEntity, SignalImpact, SignalPoint, SignalText, StoredFinding


class Described(Protocol):
    """What a signal takes over from its rule."""

    @property
    def name(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def priority(self) -> str: ...
    @property
    def confidence(self) -> str: ...
    @property
    def gate(self) -> str: ...
    @property
    def content_hash(self) -> str: ...
    @property
    def covers(self) -> tuple[str, ...]: ...


def describe(
    signal: Signal,
    rule: Described,
    current: Content,
    rates: Mapping[str, Decimal],
    drafts: Mapping[str, datetime],
    bill_runs: Mapping[str, str],
) -> None:
    """Set what the inbox shows and sorts by: the rule's words, the content's figures."""
    largest = current.largest
    customer = next(iter(current.customers.items()), (None, None))
    signal.rule, signal.code, signal.rule_hash = rule.name, rule.code, rule.content_hash
    signal.severity, signal.category = str(rule.severity), str(rule.category)
    signal.confidence, signal.gate = str(rule.confidence), str(rule.gate)
    signal.covers = covers_text(rule.covers)
    signal.integration, signal.group_key = largest.integration, largest.group
    signal.cause_type, signal.cause_id = str(largest.cause.type), largest.cause.id
    signal.title = current.title
    signal.period_start, signal.period_end = current.period
    signal.digest = current.digest
    signal.finding_count, signal.entity_count = len(current.items), len(current.entities)
    signal.customer_count = len(current.customers)
    signal.customer_id, signal.customer_name = customer
    signal.finalizes_at = current.finalizes_at(drafts)
    signal.bill_run_id = current.bill_run(bill_runs)
    signal.rank_amount = current.rank_amount(rates)
    signal.money_in, (signal.under, signal.over, signal.exposure) = current.money


def covers_text(codes: tuple[str, ...]) -> str | None:
    """The codes as a row keeps them, so that one is found between its bars: `|TU-06|TU-02|`."""
    return f"|{'|'.join(codes)}|" if codes else None


def write_content(session: Session, signal: Signal, current: Content, run: Run) -> None:
    """Bring the rows below the signal up to `current`; what is no longer found stays, marked with when it was."""
    findings = _write_findings(session, signal, current, run)
    signal.found_after = _found_after(signal, findings.values())
    ids = {item.key: findings[item.key].id for item in current.items}
    signal.invoice_state = _invoice_state(_write_entities(session, signal, current, ids))
    session.execute(delete(SignalImpact).where(SignalImpact.signal_id == signal.id))
    rows = [
        {"signal_id": signal.id, "currency": currency, "under": under, "over": over, "exposure": exposure}
        for currency, (under, over, exposure) in sorted(current.impacts.items())
    ]
    if rows:
        session.execute(insert(SignalImpact), rows)
    words = (signal.rule, signal.code, signal.cause)
    session.merge(SignalText(signal_id=signal.id, text=current.search_text(*words)))


def write_point(session: Session, signal: Signal, run: Run, amount: Decimal, findings: int) -> None:
    """Add a step to the signal's line through time; one per run."""
    point = SignalPoint(signal_id=signal.id, run_id=run.id, at=run.as_of, rank_amount=amount, findings=findings)
    session.merge(point)


def write_remaining(session: Session, signal: Signal, remaining: Mapping[str, Money], count: int) -> None:
    """Leave only this money and so many findings; the next run of its rule writes the rest anew."""
    session.execute(delete(SignalImpact).where(SignalImpact.signal_id == signal.id))
    for currency, (under, over, exposure) in sorted(remaining.items()):
        row = SignalImpact(signal_id=signal.id, currency=currency, under=under, over=over, exposure=exposure)
        session.add(row)
    signal.money_in, (signal.under, signal.over, signal.exposure) = money_of(remaining)
    signal.finding_count, signal.digest = count, ""


def _found_after(signal: Signal, findings: Iterable[StoredFinding]) -> int | None:
    """The seconds from the end of the first period that was wrong until it was seen; what was seen before took none."""
    ends = [row.period_end for row in findings if row.period_end is not None]
    return max(int((signal.first_seen - min(ends)).total_seconds()), 0) if ends else None


def _invoice_state(entities: Iterable[Mapping[str, Any]]) -> str | None:
    """Whether a draft is among the invoices that the signal ever named, or only issued ones; evidence is neither."""
    states = {each["status"] for each in entities if each["type"] == "invoice" and each["role"] != "evidence"}
    return "draft" if "draft" in states else "issued" if states else None


def _write_findings(session: Session, signal: Signal, current: Content, run: Run) -> dict[str, StoredFinding]:
    """Each finding that the signal has or had, by its key."""
    known = {row.key: row for row in session.scalars(_findings_of(signal))}
    for item in current.items:
        row = known.get(item.key)
        if row is None:
            row = known[item.key] = StoredFinding(signal_id=signal.id, key=item.key)
            session.add(row)
        if row.digest != item.digest or row.gone_since is not None:
            _fill(row, item, run)
    _mark_gone(signal, [row for key, row in known.items() if key not in {item.key for item in current.items}])
    session.flush()
    return known


def _fill(row: StoredFinding, item: Item, run: Run) -> None:
    finding = item.finding
    row.digest, row.run_id, row.gone_since, row.rule_hash = item.digest, run.id, None, finding.rule_hash
    row.subject_type, row.subject_id = str(finding.subject.type), finding.subject.id
    row.period_start, row.period_end = finding.period_start, finding.period_end
    row.currency, row.under, row.over, row.exposure = _money(finding)
    row.title, row.evidence, row.records = finding.title, plain(finding.evidence), records(finding)


def _money(finding: Finding) -> tuple[str | None, Decimal, Decimal, Decimal]:
    return finding.currency, finding.under, finding.over, finding.exposure


def _write_entities(
    session: Session, signal: Signal, current: Content, ids: Mapping[str, int]
) -> list[Mapping[str, Any]]:
    """The type, role and status of every record that the signal names or named."""
    query = select(SignalEntity).where(SignalEntity.signal_id == signal.id)
    known = {(row.type, row.entity_id, row.role): row for row in session.scalars(query)}
    fresh = []
    for key, (entity, finding_key) in current.entities.items():
        values = _values(entity, ids[finding_key])
        row = known.get(key)
        if row is None:
            fresh.append({"signal_id": signal.id, "gone_since": None, **values})
        else:
            _update(row, values)
    _mark_gone(signal, [row for key, row in known.items() if key not in current.entities])
    if fresh:
        session.execute(insert(SignalEntity), fresh)
    return [*fresh, *({"type": row.type, "role": row.role, "status": row.status} for row in known.values())]


def _values(entity: Entity, finding_id: int) -> dict[str, Any]:
    return {
        "finding_id": finding_id,
        "type": str(entity.type),
        "entity_id": entity.id,
        "role": str(entity.role),
        "customer_id": entity.customer_id,
        "name": entity.name,
        "target_date": entity.target_date,
        "execution_date": entity.execution_date,
        "status": entity.status,
        "expected": entity.expected,
        "actual": entity.actual,
        "unit": entity.unit,
        "position": position(entity),
    }


def _update(row: SignalEntity, values: Mapping[str, Any]) -> None:
    row.gone_since = None
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)


def _mark_gone(signal: Signal, rows: list[StoredFinding] | list[SignalEntity]) -> None:
    for row in rows:
        row.gone_since = row.gone_since or signal.last_seen


def _findings_of(signal: Signal) -> Any:
    return select(StoredFinding).where(StoredFinding.signal_id == signal.id)
