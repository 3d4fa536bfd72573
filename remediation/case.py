"""Everything that code knows about one signal when it advises: the signal, its findings, and the records as they are.

Read once, from the operational store and the books; what is worked out from it is pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
from sqlalchemy import select
from sqlalchemy.orm import Session

from detector.rules import Rule
from remediation.plans import digest
from store.action_tables import Action
from store.operational_tables import CoveredFinding, Signal, SignalEntity, StoredFinding
from store.warehouse import Warehouse

Row = Mapping[str, Any]

MOST = 2000
"""Records and findings of one signal that are looked at, the largest first."""

KEYS = {"invoices": "invoice_id", "invoice_lines": "line_id", "subscriptions": "subscription_id"}
TYPES = {"invoices": "invoice", "invoice_lines": "invoice_line", "subscriptions": "subscription"}


@dataclass(frozen=True)
class Case:
    """One signal with its current findings and records, and rows of the books by id."""

    signal: Signal
    rule: Rule | None
    findings: tuple[StoredFinding, ...]
    entities: tuple[SignalEntity, ...]
    also_seen: tuple[CoveredFinding, ...]
    actions: tuple[Action, ...]  # what was done for it, or is to be
    can: Mapping[str, frozenset[str]]  # the verbs of each connected integration
    invoices: Mapping[str, Row] = field(default_factory=dict)
    lines: Mapping[str, Row] = field(default_factory=dict)
    subscriptions: Mapping[str, Row] = field(default_factory=dict)  # every subscription of the customers concerned
    payable: frozenset[str] = frozenset()  # customers with a payment method
    items: Mapping[str, Row] = field(default_factory=dict)
    prices: Mapping[str, Row] = field(default_factory=dict)  # of the items, and of the plan that a finding names
    events: Mapping[str, Row] = field(default_factory=dict)  # usage events
    meters: Mapping[str, Row] = field(default_factory=dict)  # that findings name
    discounts: Mapping[str, Row] = field(default_factory=dict)  # every discount of the customers concerned
    subjects: Mapping[str, Sequence[str]] = field(default_factory=dict)  # whose usage is a customer's now

    def able(self, verb: str) -> bool:
        """Whether the signal's integration is connected and can do it."""
        return verb in self.can.get(self.signal.integration, frozenset())

    @property
    def customers(self) -> list[str]:
        """The customers concerned, by id."""
        return sorted({each.customer_id for each in self.entities if each.customer_id})

    def affected(self, type: str) -> list[SignalEntity]:
        """The records of a type that are wrong, or have to change."""
        return [each for each in self.entities if each.type == type and each.role != "evidence"]

    def about(self, type: str, id: str) -> list[StoredFinding]:
        """The findings that name the record as wrong."""
        return [each for each in self.findings if f"{type}:{id}" in (each.records or ())]

    def line_of(self, finding: StoredFinding) -> Row | None:
        """The one invoice line that the finding is about; None when there is none, or several."""
        if finding.subject_type == "invoice_line":
            return self.lines.get(finding.subject_id)
        named = [each.partition(":") for each in finding.records or ()]
        found = [self.lines[id] for type, _, id in named if type == "invoice_line" and id in self.lines]
        return found[0] if len(found) == 1 else None


def said(findings: Iterable[StoredFinding], type: str, id: str) -> str:
    """What the findings say about a record, as a digest: which they are, and their money."""
    about = sorted(
        [each.key, str(each.currency), *(format(amount, "f") for amount in (each.under, each.over, each.exposure))]
        for each in findings
        if f"{type}:{id}" in (each.records or ())
    )
    return digest(about)


def current(session: Session, signal_id: int) -> tuple[StoredFinding, ...]:
    """The findings that a signal has now, the largest first."""
    size = StoredFinding.under + StoredFinding.over + StoredFinding.exposure
    query = select(StoredFinding).where(StoredFinding.signal_id == signal_id, StoredFinding.gone_since.is_(None))
    return tuple(session.scalars(query.order_by(size.desc(), StoredFinding.id).limit(MOST)))


def read(
    session: Session,
    warehouse: Warehouse,
    signal: Signal,
    rule: Rule | None,
    can: Mapping[str, frozenset[str]],
) -> Case:
    """The case of a signal. Raises LakeError when the books cannot be read."""
    entities = session.scalars(
        select(SignalEntity)
        .where(SignalEntity.signal_id == signal.id, SignalEntity.gone_since.is_(None))
        .order_by(SignalEntity.position, SignalEntity.id)
        .limit(MOST)
    ).all()
    covered = select(CoveredFinding).where(CoveredFinding.signal_id == signal.id, CoveredFinding.gone_since.is_(None))
    done = select(Action).where(Action.signal_id == signal.id).order_by(Action.id)
    case = Case(
        signal=signal,
        rule=rule,
        findings=current(session, signal.id),
        entities=tuple(entities),
        also_seen=tuple(session.scalars(covered.order_by(CoveredFinding.id).limit(MOST))),
        actions=tuple(session.scalars(done)),
        can=can,
    )
    with closing(warehouse.connect(read_only=True)) as con:
        return _with_books(case, con)


def _with_books(case: Case, con: duckdb.DuckDBPyConnection) -> Case:
    integration = case.signal.integration
    ids = {table: [each.entity_id for each in case.entities if each.type == type] for table, type in TYPES.items()}
    lines = _rows(con, integration, "invoice_lines", "line_id", ids["invoice_lines"])
    of_lines = [row["invoice_id"] for row in lines]
    written = [deed["id"] for each in case.actions for deed in each.plan["deeds"] if deed["type"] == "invoice"]
    invoices = _rows(con, integration, "invoices", "invoice_id", [*ids["invoices"], *of_lines, *written])
    subscriptions = _rows(con, integration, "subscriptions", "customer_id", case.customers)
    holders = _rows(con, integration, "customers", "customer_id", case.customers)
    named = {type: [each.entity_id for each in case.entities if each.type == type] for type in ("item", "usage_event")}
    items = _rows(con, integration, "subscription_items", "item_id", named["item"])
    plans = sorted({str(found) for each in case.findings if (found := each.evidence.get("other_plan_id"))})
    prices = [
        *_rows(con, integration, "prices", "price_id", [row["price_id"] for row in items]),
        *_rows(con, integration, "prices", "plan_id", plans),
    ]
    meters = sorted({str(found) for each in case.findings if (found := each.evidence.get("meter_id"))})
    of = [row["subscription_id"] for row in subscriptions]
    discounts = [
        *_rows(con, integration, "discounts", "customer_id", case.customers),
        *_rows(con, integration, "discounts", "subscription_id", of),
    ]
    return replace(
        case,
        meters={row["meter_id"]: row for row in _rows(con, integration, "meters", "meter_id", meters)},
        discounts={row["discount_id"]: row for row in discounts},
        subjects=_subjects(con, case.customers),
        invoices={row["invoice_id"]: row for row in invoices},
        lines={row["line_id"]: row for row in lines},
        subscriptions={row["subscription_id"]: row for row in subscriptions},
        payable=frozenset(row["customer_id"] for row in holders if row["payment_method"] is not None),
        items={row["item_id"]: row for row in items},
        prices={row["price_id"]: row for row in prices},
        events={row["event_id"]: row for row in _events(con, named["usage_event"])},
    )


def _events(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Usage events by id, whichever source they came from; two sources with one id give neither."""
    found = _selected(con, "SELECT * FROM books.usage_events WHERE event_id IN (SELECT unnest(?))", [sorted(set(ids))])
    times = Counter(row["event_id"] for row in found)
    return [row for row in found if times[row["event_id"]] == 1]


def _subjects(con: duckdb.DuckDBPyConnection, customers: Sequence[str]) -> dict[str, list[str]]:
    query = (
        "SELECT customer_id, subject FROM books.subjects WHERE valid_to IS NULL AND customer_id IN (SELECT unnest(?))"
    )
    found: dict[str, list[str]] = {}
    for row in _selected(con, f"{query} ORDER BY subject", [sorted(customers)]):
        found.setdefault(row["customer_id"], []).append(row["subject"])
    return found


def _rows(
    con: duckdb.DuckDBPyConnection, integration: str, table: str, column: str, ids: Sequence[str]
) -> list[dict[str, Any]]:
    if not ids:
        return []
    query = f"SELECT * FROM books.{table} WHERE integration = ? AND {column} IN (SELECT unnest(?))"
    return _selected(con, query, [integration, sorted(set(ids))])


def _selected(con: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    result = con.execute(query, values)
    names = [each[0] for each in result.description or ()]
    return [dict(zip(names, map(_aware, row), strict=True)) for row in result.fetchall()]


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def net(finding: StoredFinding) -> Decimal:
    """What the finding's record is short of: positive is underbilled."""
    return finding.under - finding.over
