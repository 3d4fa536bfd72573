"""What is known of the outside systems besides the books: their syncs, their webhooks, their reconciliations.

Rules read it as the derived relations `sources`, `source_tables` and `record_differences`, as it was known at the
instant of the run. A value, so that the same run on the same value finds the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import duckdb
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.books import BY_NAME
from billing.model import Table, described
from store.compare import key_shown
from store.delivery_tables import Delivery, DeliveryRefusal
from store.lake import name, text
from store.operational_tables import Load
from store.reconcile_tables import Reconciliation, RecordDifference
from store.schema import sql_type

Row = Mapping[str, Any]

TOLD_BY_WEBHOOK = frozenset({"invoices", "subscriptions"})
"""Tables whose changes every vendor with webhooks tells of."""

TABLES: tuple[Table, ...] = (
    described(
        "told_sources",
        """
        integration: id
        state: enum[ok, running, failed]
        every_seconds: int?
        good_at: ts?
        good_from: ts?
        late_at: ts?
        failing_since: ts?
        failures: int
        is_refused: bool
        error: text?
        delivered_at: ts?
        failed_deliveries: int
        failed_since: ts?
        delivery_error: text?
        refusals: int
        refused_at: ts?
        untold_syncs: int
        untold_rows: int
        untold_since: ts?
        """,
    ),
    described(
        "told_tables",
        """
        integration: id
        record_table: text
        read_at: ts
        there: int
        here: int
        missing: int
        different: int
        only_here: int
        """,
        key=("record_table",),
    ),
    described(
        "told_differences",
        """
        integration: id
        record_table: text
        record_id: text
        way: enum[missing, different, only_here]
        read_at: ts
        found_at: ts
        changed: text?
        customer_id: id?
        subscription_id: id?
        price_id: id?
        quantity: qty?
        currency: currency?
        amount: money?
        status_there: text?
        status_here: text?
        plan_there: id?
        plan_here: id?
        started_there: ts?
        ended_there: ts?
        ended_here: ts?
        """,
        key=("record_table", "record_id", "way"),
    ),
)
"""The rows that the relations are made from, described as tables of the books are."""

TOLD: Mapping[str, Table] = {table.name: table for table in TABLES}
RELATIONS: Mapping[str, str] = {
    "sources": "told_sources",
    "source_tables": "told_tables",
    "record_differences": "told_differences",
}
"""By the name under which rules read it: the table that it is made from."""


@dataclass(frozen=True)
class Sources:
    """The rows of each told table."""

    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What tells this from anything else that could be known."""
        said = {table: sorted(map(repr, rows)) for table, rows in self.rows.items()}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


NOTHING = Sources()
"""No source was ever read."""


def known(session: Session, every: Mapping[str, timedelta], as_of: datetime) -> Sources:
    """What was known at `as_of`. `every`: how often each integration is synced by itself."""
    found = list(_reconciled(session, as_of))
    tables = [row for each in found for row in _tables(each)]
    differences = [row for each in found for row in _differences(session, each)]
    states = list(_states(session, every, as_of))
    return Sources({"told_sources": states, "told_tables": tables, "told_differences": differences})


def put(con: duckdb.DuckDBPyConnection, sources: Sources, wanted: Iterable[str]) -> None:
    """Makes the told tables that are wanted, as temporary tables; of differences, those that still are.

    A record that was missing and is in the books by now, or that was written since it was compared, is no difference
    any more, whatever the reconciliation said. `books.<table>` has to resolve.
    """
    for table in TABLES:
        if table.name in wanted:
            columns = {column.name: sql_type(column.kind) for column in table.by_name.values()}
            columns.pop("external_url")
            shape = json.dumps([columns])
            rows = json.dumps(
                [{each: _plain(row.get(each)) for each in columns} for row in sources.rows.get(table.name, ())]
            )
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE {table.name} AS "
                f"SELECT unnest(from_json({text(rows)}, {text(shape)}), recursive := true)"
            )
    if "told_differences" in wanted:
        _settle(con, sources.rows.get("told_differences", ()))


def _settle(con: duckdb.DuckDBPyConnection, differences: Sequence[Row]) -> None:
    for table in sorted({str(row["record_table"]) for row in differences} & BY_NAME.keys()):
        held = f"SELECT integration, {key_shown(table)} AS record_id, synced_at FROM books.{name(table)}"
        con.execute(
            f"""DELETE FROM told_differences AS d WHERE record_table = {text(table)} AND EXISTS (
                    SELECT 1 FROM ({held}) AS b WHERE b.integration = d.integration AND b.record_id = d.record_id
                        AND (d.way = 'missing' OR b.synced_at > d.read_at))"""
        )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    return str(value) if isinstance(value, Decimal) else value


def _states(session: Session, every: Mapping[str, timedelta], as_of: datetime) -> Iterator[Row]:
    """One row per integration that was ever synced."""
    webhooks = _webhooks(session, as_of)
    synced = select(Load.integration).where(Load.kind == "sync", Load.started_at <= as_of).distinct()
    for integration in session.scalars(synced.order_by(Load.integration)).all():
        loads = _loads(session, integration, as_of)
        told = webhooks.get(integration, {})
        yield {
            "integration": integration,
            **_synced(loads, every.get(integration)),
            **_NO_WEBHOOKS,
            **told,
            **_untold(loads, told.get("delivered_at")),
        }


def _synced(loads: Sequence[Load], gap: timedelta | None) -> Row:
    """How the syncs of one integration stand; `loads`: the latest first."""
    latest, good = loads[0], next((load for load in loads if load.status in ("ok", "partial")), None)
    failed = [load for load in (loads[: loads.index(good)] if good else loads) if load.status == "failed"]
    begun = good.finished_at if good and good.finished_at else loads[-1].started_at
    return {
        "state": latest.status if latest.status in ("failed", "running") else "ok",
        "every_seconds": int(gap.total_seconds()) if gap else None,
        "good_at": good.finished_at if good else None,
        "good_from": good.started_at if good else None,
        "late_at": begun + 2 * gap if gap else None,
        "failing_since": failed[-1].started_at if failed else None,
        "failures": len(failed),
        "is_refused": latest.status == "failed" and bool(_REFUSED.search(latest.error or "")),
        "error": failed[0].error if failed else None,
    }


_REFUSED = re.compile(r"refused the key|[Tt]he key may not")
"""How integrations say that a key was revoked, or a right of it."""

MOST_LOADS = 500
"""The latest syncs that are looked at; a source that failed more often in a row has failed for long enough."""

_NO_WEBHOOKS: Row = {"failed_deliveries": 0, "refusals": 0}


def _loads(session: Session, integration: str, as_of: datetime) -> Sequence[Load]:
    """Its syncs, the latest first."""
    query = select(Load).where(Load.integration == integration, Load.kind == "sync", Load.started_at <= as_of)
    return session.scalars(query.order_by(Load.id.desc()).limit(MOST_LOADS)).all()


def _untold(loads: Sequence[Load], delivered_at: datetime | None) -> Row:
    """What syncs brought of invoices and subscriptions since the last webhook."""
    found = []
    for load in loads:
        if delivered_at is None or load.started_at <= delivered_at:
            break
        counts = [counts for table, counts in (load.rows or {}).items() if table in TOLD_BY_WEBHOOK]
        written = sum(int(each.get(way, 0)) for each in counts for way in ("inserted", "updated"))
        if written:
            found.append((load.started_at, written))
    return {
        "untold_syncs": len(found),
        "untold_rows": sum(written for _, written in found),
        "untold_since": found[-1][0] if found else None,
    }


def _webhooks(session: Session, as_of: datetime) -> dict[str, dict[str, Any]]:
    """How the webhooks of each integration stand."""
    found: dict[str, dict[str, Any]] = {}
    taken = select(Delivery.integration, func.max(Delivery.received_at)).where(Delivery.received_at <= as_of)
    for integration, last in session.execute(taken.group_by(Delivery.integration)):
        found[integration] = {"delivered_at": last}
    failed = select(Delivery).where(Delivery.status == "failed", Delivery.received_at <= as_of)
    for row in session.scalars(failed.order_by(Delivery.id)):
        told = found[row.integration]
        told["failed_deliveries"] = told.get("failed_deliveries", 0) + 1
        told.setdefault("failed_since", row.received_at)
        told["delivery_error"] = row.error
    refused = select(DeliveryRefusal).where(DeliveryRefusal.reason.in_(("forged", "stale")))
    for refusal in session.scalars(refused):
        told = found.setdefault(refusal.integration, {})
        told["refusals"] = told.get("refusals", 0) + refusal.count
        told["refused_at"] = max(refusal.last_at, told.get("refused_at", refusal.last_at))
    return found


def _reconciled(session: Session, as_of: datetime) -> Sequence[Reconciliation]:
    """The latest complete reconciliation of each integration."""
    done = select(func.max(Reconciliation.id)).where(Reconciliation.status == "ok", Reconciliation.finished_at <= as_of)
    query = select(Reconciliation).where(Reconciliation.id.in_(done.group_by(Reconciliation.integration)))
    return session.scalars(query.order_by(Reconciliation.integration)).all()


def _tables(found: Reconciliation) -> Iterator[Row]:
    for each in found.tables or ():
        counts = {way: each[way] for way in ("there", "here", "missing", "different", "only_here")}
        yield {
            "integration": found.integration,
            "record_table": each["table"],
            "read_at": found.started_at,
            **counts,
        }


def _differences(session: Session, found: Reconciliation) -> Iterator[Row]:
    query = select(RecordDifference).where(RecordDifference.reconciliation_id == found.id)
    for each in session.scalars(query.order_by(RecordDifference.id)):
        there, here = each.there or {}, each.here or {}
        said = here | there
        own = each.record_id if each.record_table in ("customers", "subscriptions") else None
        yield {
            "integration": found.integration,
            "record_table": each.record_table,
            "record_id": each.record_id,
            "way": each.way,
            "read_at": found.started_at,
            "found_at": each.found_at,
            "changed": ", ".join(each.changed) or None,
            "customer_id": own if each.record_table == "customers" else said.get("customer_id"),
            "subscription_id": own if each.record_table == "subscriptions" else said.get("subscription_id"),
            "price_id": said.get("price_id"),
            "quantity": _number(said.get("quantity")),
            "currency": said.get("currency"),
            "amount": _amount(there, here),
            "status_there": there.get("status"),
            "status_here": here.get("status"),
            "plan_there": there.get("plan_id"),
            "plan_here": here.get("plan_id"),
            "started_there": there.get("started_at", there.get("active_from")),
            "ended_there": _ended(there),
            "ended_here": _ended(here),
        }


def _ended(facts: Row) -> Any:
    return next((facts[each] for each in ("ended_at", "cancel_at", "active_to") if facts.get(each)), None)


def _amount(there: Row, here: Row) -> Decimal | None:
    """What the record is about; of one that both have, by how much they differ."""
    said, held = (_number(facts.get("total", facts.get("amount"))) for facts in (there, here))
    return abs(said - held) if said is not None and held is not None else said if said is not None else held


def _number(value: str | None) -> Decimal | None:
    try:
        return Decimal(value) if value is not None else None
    except InvalidOperation:
        return None
