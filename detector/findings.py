"""What a rule found: one defect of one subject in one period, with every record involved.

Findings are values: a run makes them, `detector.signals` folds them into signals. Amounts are exact decimals in
the major units of the finding's currency; `under` and `over` are never netted, instants are UTC and aware.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

UNITS = "units"
"""The unit of an entity's expected and actual when they are quantities rather than money."""


class EntityType(StrEnum):
    """The kinds of record that a signal can name, as `spec/cli.md` lists them."""

    CUSTOMER = "customer"
    SUBSCRIPTION = "subscription"
    ITEM = "item"
    PRICE = "price"
    PLAN = "plan"
    METER = "meter"
    USAGE_EVENT = "usage_event"
    REPORTED_USAGE = "reported_usage"
    INVOICE = "invoice"
    INVOICE_LINE = "invoice_line"
    BILL_RUN = "bill_run"
    PAYMENT = "payment"
    CREDIT_NOTE = "credit_note"
    CREDIT_GRANT = "credit_grant"
    CREDIT_MOVEMENT = "credit_movement"
    TOPUP_RULE = "topup_rule"
    ENTITLEMENT = "entitlement"
    DISCOUNT = "discount"
    INTEGRATION = "integration"
    SUBJECT = "subject"
    SOURCE = "source"


class Role(StrEnum):
    """Why a record is listed: it has to change, it is wrong because of that, or it shows it."""

    CAUSE = "cause"
    AFFECTED = "affected"
    EVIDENCE = "evidence"


@dataclass(frozen=True)
class Reference:
    """One record by type and id; written `price:price_123`."""

    type: EntityType
    id: str

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


@dataclass(frozen=True)
class Entity:
    """One record of a finding.

    `target_date` is the date that the record is about (its period or due date), `execution_date` when it was
    carried out (issued, received, booked). `expected` and `actual` are in `unit`: a currency or `units`; for a
    state rather than a number they are None and `status` says what is.
    """

    type: EntityType
    id: str
    role: Role
    customer_id: str | None = None
    name: str | None = None
    target_date: datetime | None = None
    execution_date: datetime | None = None
    status: str | None = None
    expected: Decimal | None = None
    actual: Decimal | None = None
    unit: str | None = None

    @property
    def reference(self) -> Reference:
        """The record itself, without what this finding says about it."""
        return Reference(self.type, self.id)


@dataclass(frozen=True)
class Finding:
    """One row that a rule returned.

    `group` is what findings of one signal have in common (by default the cause); `evidence` holds the row as the
    query returned it and, where they exist, the four numbers `metered`, `recorded`, `billed`, `expected`.
    """

    rule: str
    rule_hash: str
    subject: Reference
    integration: str
    cause: Reference
    group: str
    period_start: datetime | None
    period_end: datetime | None
    currency: str | None
    under: Decimal
    over: Decimal
    exposure: Decimal
    title: str
    entities: tuple[Entity, ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)
