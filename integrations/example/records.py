"""The example company's records while they are being made: one class per books table, fields named as its columns.

They may be changed until the files are written, because a planted fault is a change of a correct record. Usage events
are not here: there are millions of them, see `integrations.example.streams`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

ZERO = Decimal(0)


@dataclass
class Customer:
    """A row of `customers`."""

    customer_id: str
    name: str
    email: str
    currency: str
    country: str
    is_business: bool
    tax_ids: list[dict[str, str]]
    payment_method: dict[str, object] | None
    created_at: datetime
    credit_balance: Decimal | None = None
    status: str = "active"


@dataclass
class Subject:
    """A row of `subjects`: to whom an event's subject belonged, and when."""

    subject: str
    customer_id: str
    kind: str
    valid_from: datetime
    valid_to: datetime | None = None


@dataclass(frozen=True)
class Meter:
    """A row of `meters`."""

    meter_id: str
    name: str
    event_type: str
    aggregation: str
    value_property: str | None
    unit: str


@dataclass
class Plan:
    """A row of `plans`: one version of a plan in one currency and cadence."""

    plan_id: str
    plan_key: str
    version: int
    name: str
    currency: str
    cadence: str
    effective_from: datetime
    effective_to: datetime | None = None
    status: str = "active"


@dataclass
class PriceTier:
    """A row of `price_tiers`."""

    price_id: str
    tier: int
    up_to: Decimal | None
    unit_amount: Decimal
    flat_amount: Decimal | None = None
    percent_rate: Decimal | None = None


@dataclass
class PriceRecord:
    """A row of `prices`. `tiers` are its rows of `price_tiers`."""

    price_id: str
    plan_id: str
    meter_id: str | None
    name: str
    model: str
    currency: str
    cadence: str
    payment_term: str
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None
    percent_rate: Decimal | None = None
    package_size: Decimal | None = None
    free_units: Decimal | None = None
    convert: str | None = None
    convert_factor: Decimal | None = None
    convert_rounding: str | None = None
    minimum_amount: Decimal | None = None
    maximum_amount: Decimal | None = None
    proration: str | None = None
    tax_behavior: str | None = "exclusive"
    status: str = "active"
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    tiers: list[PriceTier] = field(default_factory=list)


@dataclass
class Subscription:
    """A row of `subscriptions`."""

    subscription_id: str
    customer_id: str
    plan_id: str
    status: str
    currency: str
    started_at: datetime
    billing_anchor: datetime
    cadence: str
    timezone: str
    collection_method: str
    trial_end: datetime | None = None
    cancel_at: datetime | None = None
    canceled_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass
class Item:
    """A row of `subscription_items`."""

    item_id: str
    subscription_id: str
    price_id: str
    quantity: Decimal | None
    active_from: datetime
    active_to: datetime | None = None


@dataclass
class Override:
    """A row of `price_overrides`: negotiated terms of one customer."""

    override_id: str
    customer_id: str
    price_id: str
    valid_from: datetime
    valid_to: datetime | None = None
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None
    tiers: list[dict[str, object]] | None = None
    minimum_amount: Decimal | None = None
    maximum_amount: Decimal | None = None


@dataclass
class Discount:
    """A row of `discounts`."""

    discount_id: str
    kind: str
    value: Decimal
    starts_at: datetime
    ends_at: datetime | None = None
    customer_id: str | None = None
    subscription_id: str | None = None
    item_id: str | None = None
    currency: str | None = None


@dataclass
class PlanMigration:
    """A row of `plan_migrations`."""

    migration_id: str
    plan_key: str
    from_version: int
    to_version: int
    customer_id: str
    effective_at: datetime


@dataclass
class Provisioned:
    """A row of `provisioned`: what the product says a customer has."""

    provision_id: str
    customer_id: str
    subscription_id: str
    as_of: datetime
    item_id: str | None = None
    feature: str | None = None
    quantity: Decimal | None = None
    access: bool | None = None
    plan_key: str | None = None


@dataclass
class ReportedUsage:
    """A row of `reported_usage`: what the billing system recorded."""

    record_id: str
    item_id: str
    period_start: datetime
    period_end: datetime
    quantity: Decimal
    recorded_at: datetime
    status: str = "processed"
    error: str | None = None


@dataclass
class BillRun:
    """A row of `bill_runs`."""

    bill_run_id: str
    target_date: datetime
    started_at: datetime
    completed_at: datetime
    invoices_ok: int = 0
    invoices_failed: int = 0
    status: str = "posted"


@dataclass
class Invoice:
    """A row of `invoices`."""

    invoice_id: str
    customer_id: str
    subscription_id: str
    currency: str
    created_at: datetime
    number: str | None = None
    bill_run_id: str | None = None
    status: str = "draft"
    period_start: datetime | None = None
    period_end: datetime | None = None
    finalizes_at: datetime | None = None
    issued_at: datetime | None = None
    due_at: datetime | None = None
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    subtotal: Decimal = ZERO
    discount_total: Decimal = ZERO
    tax_total: Decimal = ZERO
    credits_applied: Decimal = ZERO
    total: Decimal = ZERO
    amount_paid: Decimal = ZERO
    amount_due: Decimal = ZERO
    attempt_count: int = 0
    next_attempt_at: datetime | None = None
    auto_advance: bool = True
    tax_status: str = "complete"
    error: str | None = None


@dataclass
class Line:
    """A row of `invoice_lines`."""

    line_id: str
    invoice_id: str
    subscription_id: str
    item_id: str | None
    price_id: str | None
    kind: str
    description: str
    period_start: datetime
    period_end: datetime
    amount: Decimal
    raw_quantity: Decimal | None = None
    quantity: Decimal | None = None
    unit_amount: Decimal | None = None
    discount_amount: Decimal = ZERO
    tax_amount: Decimal = ZERO
    proration: bool = False

    @property
    def net(self) -> Decimal:
        """The amount after discount, before tax and credit notes."""
        return self.amount - self.discount_amount


@dataclass
class CreditNote:
    """A row of `credit_notes`."""

    credit_note_id: str
    invoice_id: str
    line_id: str | None
    customer_id: str
    currency: str
    amount: Decimal
    reason: str
    created_at: datetime
    status: str = "issued"


@dataclass
class Payment:
    """A row of `payments`."""

    payment_id: str
    invoice_id: str | None
    customer_id: str
    currency: str
    amount: Decimal
    status: str
    created_at: datetime
    purpose: str = "invoice"
    amount_refunded: Decimal = ZERO
    failure_code: str | None = None
    idempotency_key: str | None = None


@dataclass
class Entitlement:
    """A row of `entitlements`."""

    entitlement_id: str
    customer_id: str
    subscription_id: str
    feature: str
    kind: str
    active_from: datetime
    meter_id: str | None = None
    allowance: Decimal | None = None
    soft_limit: bool | None = None
    access: bool | None = True
    usage_period: str | None = None
    last_reset_at: datetime | None = None
    active_to: datetime | None = None
