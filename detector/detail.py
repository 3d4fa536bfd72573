"""Reads one signal whole: its records, findings, timeline, course, and what is like it; and writes signals as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, selectinload

from billing.money import MINOR_DIGITS
from detector.signal_content import digits
from detector.similar import Issue, Recurrence, Similar, issue, recurrence, similar
from store.operational_tables import (
    CoveredFinding,
    Run,
    Signal,
    SignalEntity,
    SignalEvent,
    SignalImpact,
    SignalPoint,
    StoredFinding,
)

SPARK_RUNS = 14
"""How many runs a signal's line through time covers."""


@dataclass(frozen=True)
class EntityPage:
    """Some records of a signal, how many match, how many there are of each type, and where the next page starts."""

    items: tuple[SignalEntity, ...]
    total: int
    by_type: dict[str, int]
    next: str | None


@dataclass(frozen=True)
class SignalDetail:
    """Everything the store knows about one signal; `run` is the one that last found it."""

    signal: Signal
    impacts: tuple[SignalImpact, ...]
    entities: EntityPage
    findings: tuple[StoredFinding, ...]
    timeline: tuple[SignalEvent, ...]
    points: tuple[SignalPoint, ...]
    similar: tuple[Similar, ...]
    issue: Issue | None  # the signals that the same repair would settle
    recurrence: Recurrence
    also_seen: tuple[CoveredFinding, ...]  # what other rules found that this signal explains
    covered_by: tuple[int, ...]  # the signals that explain what this one had found
    run: Run


def number(text: str | int) -> int | None:
    """The number in `SIG-12` or `12`; None when the text is neither."""
    digits = str(text).strip().upper().removeprefix("SIG-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def signal(session: Session, signal_id: int, findings: int = 50) -> SignalDetail | None:
    """One signal with the first 50 records and its largest findings, current ones first; None when there is none."""
    found = session.get(Signal, signal_id, options=[selectinload(Signal.impacts)])
    if found is None:
        return None
    run = session.get_one(Run, found.last_run_id)
    return SignalDetail(
        signal=found,
        impacts=tuple(found.impacts),
        entities=entities(session, signal_id),
        findings=_findings(session, signal_id, findings),
        timeline=_timeline(session, signal_id),
        points=_points(session, signal_id),
        similar=similar(session, found),
        issue=issue(session, found),
        recurrence=recurrence(session, found),
        also_seen=_also_seen(session, signal_id),
        covered_by=_covered_by(session, found),
        run=run,
    )


def entities(
    session: Session, signal_id: int, *, type: str = "", role: str = "", q: str = "", after: str = "", limit: int = 50
) -> EntityPage:
    """Records of a signal, causes first, by type, role and text in id or name; `after` is the `next` before."""
    where = [SignalEntity.signal_id == signal_id]
    counts = select(SignalEntity.type, func.count()).where(*where).group_by(SignalEntity.type)
    by_type = {row[0]: row[1] for row in session.execute(counts)}
    where += [column == value for column, value in ((SignalEntity.type, type), (SignalEntity.role, role)) if value]
    if q:
        columns = (SignalEntity.entity_id, SignalEntity.name)
        where.append(or_(*(func.lower(column).contains(q.lower(), autoescape=True) for column in columns)))
    total = session.scalar(select(func.count()).select_from(SignalEntity).where(*where)) or 0
    place = after.split("-")
    if len(place) == 2 and all(part.isdigit() for part in place):
        where.append(_after(int(place[0]), int(place[1])))
    query = select(SignalEntity).where(*where).order_by(SignalEntity.position, SignalEntity.id).limit(limit + 1)
    items = session.scalars(query).all()
    following = f"{items[limit - 1].position}-{items[limit - 1].id}" if len(items) > limit else None
    return EntityPage(tuple(items[:limit]), total, by_type, following)


def sparklines(session: Session, signals: Sequence[Signal]) -> dict[int, list[Decimal]]:
    """For each signal, what it ranked at after each of the last 14 complete runs of its rule; oldest first."""
    steps: dict[int, list[tuple[int, Decimal]]] = {item.id: [] for item in signals}
    query = select(SignalPoint).where(SignalPoint.signal_id.in_(steps)).order_by(SignalPoint.run_id)
    for point in session.scalars(query):
        steps[point.signal_id].append((point.run_id, point.rank_amount))
    runs = {rule: _last_runs(session, rule) for rule in {item.rule for item in signals}}
    return {item.id: [_step(steps[item.id], run) for run in runs[item.rule]] for item in signals}


def as_json(found: Signal, records: Iterable[SignalEntity]) -> dict[str, Any]:
    """The signal as `spec/cli.md` describes it; amounts are decimal strings with their currency's digits."""
    return {
        "id": found.label,
        "rule": found.rule,
        "code": found.code,
        "severity": found.severity,
        "category": found.category,
        "status": found.status,
        "priority": found.priority,
        "title": found.title,
        "integration": found.integration,
        "cause": found.cause,
        "period_start": instant(found.period_start),
        "period_end": instant(found.period_end),
        "impact": [_impact_json(impact) for impact in found.impacts],
        "first_seen": instant(found.first_seen),
        "last_seen": instant(found.last_seen),
        "confidence": found.confidence,
        "assignee": found.assignee,
        "occurrences": found.occurrences,
        "entities": [_entity_json(entity) for entity in records],
    }


def amount(value: Decimal | None, unit: str | None) -> str | None:
    """The decimal as text: with the currency's own digits, or more where it has them; quantities without zeros."""
    if value is None:
        return None
    whole, _, part = digits(value).partition(".")
    part = part.ljust(MINOR_DIGITS.get(unit or "", 0), "0")
    return f"{whole}.{part}" if part else whole


def instant(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, with a Z."""
    return value.isoformat().replace("+00:00", "Z") if value else None


def _impact_json(impact: SignalImpact) -> dict[str, str | None]:
    money = {name: amount(getattr(impact, name), impact.currency) for name in ("under", "over", "exposure")}
    return {"currency": impact.currency, **money}


def _entity_json(entity: SignalEntity) -> dict[str, Any]:
    return {
        "type": entity.type,
        "id": entity.entity_id,
        "role": entity.role,
        "customer_id": entity.customer_id,
        "name": entity.name,
        "target_date": instant(entity.target_date),
        "execution_date": instant(entity.execution_date),
        "status": entity.status,
        "expected": amount(entity.expected, entity.unit),
        "actual": amount(entity.actual, entity.unit),
        "unit": entity.unit,
        "gone_since": instant(entity.gone_since),
    }


def _after(position: int, key: int) -> ColumnElement[bool]:
    return or_(SignalEntity.position > position, and_(SignalEntity.position == position, SignalEntity.id > key))


def _findings(session: Session, signal_id: int, limit: int) -> tuple[StoredFinding, ...]:
    size = StoredFinding.under + StoredFinding.over + StoredFinding.exposure
    order = (StoredFinding.gone_since.is_not(None), size.desc(), StoredFinding.id)
    query = select(StoredFinding).where(StoredFinding.signal_id == signal_id).order_by(*order).limit(limit)
    return tuple(session.scalars(query))


def _also_seen(session: Session, signal_id: int, limit: int = 200) -> tuple[CoveredFinding, ...]:
    query = select(CoveredFinding).where(CoveredFinding.signal_id == signal_id, CoveredFinding.gone_since.is_(None))
    return tuple(session.scalars(query.order_by(CoveredFinding.rule, CoveredFinding.id).limit(limit)))


def _covered_by(session: Session, found: Signal) -> tuple[int, ...]:
    query = select(CoveredFinding.signal_id).where(
        CoveredFinding.own_signal_id == found.id, CoveredFinding.gone_since.is_(None)
    )
    return tuple(session.scalars(query.distinct().order_by(CoveredFinding.signal_id)))


def _timeline(session: Session, signal_id: int) -> tuple[SignalEvent, ...]:
    """The latest 200 rows, newest first."""
    query = select(SignalEvent).where(SignalEvent.signal_id == signal_id).order_by(SignalEvent.id.desc())
    return tuple(session.scalars(query.limit(200)))


def _points(session: Session, signal_id: int) -> tuple[SignalPoint, ...]:
    query = select(SignalPoint).where(SignalPoint.signal_id == signal_id).order_by(SignalPoint.run_id)
    return tuple(session.scalars(query))


def _last_runs(session: Session, rule: str) -> list[int]:
    query = select(Run.id).where(Run.rule == rule, Run.status == "ok").order_by(Run.id.desc()).limit(SPARK_RUNS)
    return sorted(session.scalars(query))


def _step(steps: Sequence[tuple[int, Decimal]], run: int) -> Decimal:
    """What the latest step at or before the run says; nothing before the first."""
    return next((value for at, value in reversed(steps) if at <= run), Decimal(0))
