"""Which table of the books holds each type of record, and by which column it is named."""

from __future__ import annotations

from collections.abc import Mapping

from detector.rule_format import ID_COLUMNS

TABLES: Mapping[str, str] = {
    "customer": "customers",
    "subscription": "subscriptions",
    "item": "subscription_items",
    "price": "prices",
    "plan": "plans",
    "meter": "meters",
    "usage_event": "usage_events",
    "reported_usage": "reported_usage",
    "invoice": "invoices",
    "invoice_line": "invoice_lines",
    "bill_run": "bill_runs",
    "payment": "payments",
    "credit_note": "credit_notes",
    "credit_grant": "credit_grants",
    "credit_movement": "credit_movements",
    "topup_rule": "topup_rules",
    "entitlement": "entitlements",
    "discount": "discounts",
    "subject": "subjects",
}
"""Which table of the books holds a record type. Sources and integrations are no records of their own."""

KEYS: Mapping[str, str] = {type: str(column) for type, column in ID_COLUMNS.items() if type in TABLES}
TYPES: Mapping[str, str] = {column: type for type, column in KEYS.items()}
"""The record type that a column like `customer_id` points to."""
