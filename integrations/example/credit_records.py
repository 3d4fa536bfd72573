"""The records of prepaid credit: one class per books table, fields named as its columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass
class Grant:
    """A row of `credit_grants`."""

    grant_id: str
    customer_id: str
    currency: str
    amount: Decimal
    created_at: datetime
    effective_at: datetime
    expires_at: datetime | None
    funding: str = "external"
    payment_id: str | None = None
    package_amount: Decimal | None = None
    priority: int = 1
    voided_at: datetime | None = None
    features: list[str] | None = None
    status: str = "active"
    idempotency_key: str | None = None


@dataclass
class Movement:
    """A row of `credit_movements`: one booking of a customer's credit ledger."""

    movement_id: str
    customer_id: str
    currency: str
    grant_id: str | None
    kind: str
    amount: Decimal
    balance_before: Decimal
    balance_after: Decimal
    sequence: int
    actor: str
    booked_at: datetime
    line_id: str | None = None


@dataclass
class TopupRule:
    """A row of `topup_rules`."""

    topup_rule_id: str
    customer_id: str
    currency: str
    threshold: Decimal
    amount: Decimal
    mode: str = "fixed"
    enabled: bool = True
    max_per_day: int = 2


@dataclass
class AlertSent:
    """A row of `alerts_sent`."""

    alert_id: str
    customer_id: str
    kind: str
    sent_at: datetime
    threshold: Decimal | None = None
    status: str = "delivered"
