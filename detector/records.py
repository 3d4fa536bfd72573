"""What the books say about a record that a finding names: what it is called, its dates, its status, whose it is.

So a rule only has to return ids; what it returns itself wins.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from detector.findings import EntityType, Reference

DESCRIPTIONS: Mapping[EntityType, str] = {
    EntityType.CUSTOMER: "SELECT integration, customer_id AS id, customer_id, name, status FROM customers",
    EntityType.SUBSCRIPTION: """
        SELECT s.integration, s.subscription_id AS id, s.customer_id, p.name,
            s.started_at AS target_date, s.ended_at AS execution_date, s.status
        FROM subscriptions AS s
        LEFT JOIN plans AS p ON (p.integration, p.plan_id) = (s.integration, s.plan_id)""",
    EntityType.ITEM: """
        SELECT i.integration, i.item_id AS id, s.customer_id, p.name,
            i.active_from AS target_date, i.active_to AS execution_date, s.status
        FROM subscription_items AS i
        LEFT JOIN subscriptions AS s
            ON (s.integration, s.subscription_id) = (i.integration, i.subscription_id)
        LEFT JOIN prices AS p ON (p.integration, p.price_id) = (i.integration, i.price_id)""",
    EntityType.PRICE: """
        SELECT integration, price_id AS id, name, effective_from AS target_date, status FROM prices""",
    EntityType.PLAN: """
        SELECT integration, plan_id AS id, name, effective_from AS target_date, status FROM plans""",
    EntityType.METER: "SELECT integration, meter_id AS id, name FROM meters",
    EntityType.USAGE_EVENT: """
        SELECT integration, event_id AS id, event_type AS name, time AS target_date,
            received_at AS execution_date, status
        FROM usage_events""",
    EntityType.REPORTED_USAGE: """
        SELECT integration, record_id AS id, item_id AS name, period_start AS target_date,
            recorded_at AS execution_date, status
        FROM reported_usage""",
    EntityType.INVOICE: """
        SELECT integration, invoice_id AS id, customer_id, number AS name,
            coalesce(period_end, created_at) AS target_date, issued_at AS execution_date, status
        FROM invoices""",
    EntityType.INVOICE_LINE: """
        SELECT l.integration, l.line_id AS id, i.customer_id, l.description AS name,
            coalesce(l.period_start, i.created_at) AS target_date, i.issued_at AS execution_date, i.status
        FROM invoice_lines AS l
        LEFT JOIN invoices AS i ON (i.integration, i.invoice_id) = (l.integration, l.invoice_id)""",
    EntityType.BILL_RUN: """
        SELECT integration, bill_run_id AS id, target_date, completed_at AS execution_date, status
        FROM bill_runs""",
    EntityType.PAYMENT: """
        SELECT integration, payment_id AS id, customer_id, coalesce(failure_code, purpose) AS name,
            created_at AS target_date, created_at AS execution_date, status
        FROM payments""",
    EntityType.CREDIT_NOTE: """
        SELECT integration, credit_note_id AS id, customer_id, reason AS name, created_at AS target_date,
            created_at AS execution_date, status
        FROM credit_notes""",
    EntityType.CREDIT_GRANT: """
        SELECT integration, grant_id AS id, customer_id, effective_at AS target_date,
            created_at AS execution_date, status
        FROM credit_grants""",
    EntityType.CREDIT_MOVEMENT: """
        SELECT integration, movement_id AS id, customer_id, kind AS name, booked_at AS target_date,
            booked_at AS execution_date
        FROM credit_movements""",
    EntityType.TOPUP_RULE: "SELECT integration, topup_rule_id AS id, customer_id, mode AS name FROM topup_rules",
    EntityType.ENTITLEMENT: """
        SELECT integration, entitlement_id AS id, customer_id, feature AS name, active_from AS target_date
        FROM entitlements""",
    EntityType.DISCOUNT: """
        SELECT integration, discount_id AS id, customer_id, kind AS name, starts_at AS target_date,
            ends_at AS execution_date
        FROM discounts""",
}
"""Per type: the id, and as much of customer_id, name, target_date, execution_date and status as there is."""

READ = {kind: frozenset(re.findall(r"(?:FROM|JOIN) (\w+)", sql)) for kind, sql in DESCRIPTIONS.items()}
"""Per type: the tables of the books that its description reads, as they were known at the instant of the run."""

TABLES = frozenset[str]().union(*READ.values())
"""All of these tables."""


@dataclass(frozen=True)
class Description:
    """What the books say about one record; None where they say nothing."""

    customer_id: str | None = None
    name: str | None = None
    target_date: datetime | None = None
    execution_date: datetime | None = None
    status: str | None = None


NOTHING = Description()


class Descriptions:
    """The descriptions of the records of one run; a record that the books do not hold has an empty one."""

    def __init__(self, found: Mapping[tuple[EntityType, str], Mapping[str, Description]]) -> None:
        self._found = found

    def of(self, record: Reference, integration: str) -> Description:
        """The record as `integration` has it, else as any other source has it."""
        by_source = self._found.get((record.type, record.id), {})
        return by_source.get(integration) or next(iter(by_source.values()), NOTHING)


def describe(con: duckdb.DuckDBPyConnection, records: Iterable[Reference]) -> Descriptions:
    """Look the records up, one query per type that occurs."""
    wanted: dict[EntityType, set[str]] = defaultdict(set)
    for record in records:
        wanted[record.type].add(record.id)
    found: dict[tuple[EntityType, str], dict[str, Description]] = defaultdict(dict)
    for kind in sorted(wanted.keys() & DESCRIPTIONS.keys()):
        for integration, id_, description in _of_type(con, kind, wanted[kind]):
            found[kind, id_][integration] = description
    return Descriptions(found)


def _of_type(con: duckdb.DuckDBPyConnection, kind: EntityType, ids: set[str]) -> Iterator[tuple[str, str, Description]]:
    sql = f"SELECT * FROM ({DESCRIPTIONS[kind]}) WHERE id IN (SELECT unnest($ids)) ORDER BY integration, id"
    rows = con.execute(sql, {"ids": sorted(ids)})
    names = [column[0] for column in rows.description]
    for row in rows.fetchall():
        values = dict(zip(names, row, strict=True))
        integration, id_ = values.pop("integration"), values.pop("id")
        yield integration, id_, Description(**{name: _aware(value) for name, value in values.items()})


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
