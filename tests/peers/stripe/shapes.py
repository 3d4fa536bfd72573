"""Objects in Stripe's own shapes, with the random values of its fixtures emptied."""

from __future__ import annotations

import json
from pathlib import Path

Object = dict[str, object]

_TEXT = {
    name: json.dumps(shape) for name, shape in json.loads((Path(__file__).parent / "shapes.json").read_text()).items()
}

_EMPTY: dict[str, Object] = {
    "customer": {"discount": None, "livemode": False},
    "product": {"default_price": None, "description": None, "package_dimensions": None, "type": "service"},
    "price": {"custom_unit_amount": None, "transform_quantity": None, "recurring": None},
    "billing.meter": {"livemode": False, "value_settings": None},
    "subscription": {
        "billing_schedules": [],
        "billing_thresholds": None,
        "billing_cycle_anchor_config": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "ended_at": None,
        "managed_payments": None,
        "next_pending_invoice_item_invoice": None,
        "pause_collection": None,
        "pending_invoice_item_interval": None,
        "pending_update": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_start": None,
    },
    "subscription_item": {"billing_thresholds": None, "discounts": []},
    "invoice": {
        "amount_overpaid": 0,
        "due_date": None,
        "from_invoice": None,
        "last_finalization_error": None,
        "next_payment_attempt": None,
        "parent": None,
        "shipping_cost": None,
        "shipping_details": None,
        "webhooks_delivered_at": None,
    },
    "line_item": {"parent": None, "pricing": None, "discounts": [], "discount_amounts": [], "taxes": []},
    "credit_note": {
        "pdf": None,
        "pretax_credit_amounts": [],
        "refunds": [],
        "shipping_cost": None,
        "voided_at": None,
    },
    "credit_note_line_item": {"pretax_credit_amounts": []},
    "invoice_payment": {},
    "payment_intent": {
        "canceled_at": None,
        "last_payment_error": None,
        "managed_payments": None,
        "next_action": None,
        "payment_method_configuration_details": None,
        "processing": None,
        "shipping": None,
        "transfer_data": None,
        "client_secret": None,
    },
    "charge": {
        "source": None,
        "shipping": None,
        "transfer_data": None,
        "receipt_url": None,
        "balance_transaction": None,
    },
    "discount": {"customer": None, "end": None},
    "coupon": {"duration_in_months": None, "name": None, "redeem_by": None},
    "event": {},
    "tax_id": {},
    "billing.credit_grant": {"effective_at": None, "expires_at": None, "voided_at": None, "livemode": False},
    "billing.credit_balance_transaction": {"credit": None, "debit": None, "livemode": False},
    "billing.meter_event_summary": {},
    "customer_balance_transaction": {},
    "subscription_schedule": {
        "canceled_at": None,
        "completed_at": None,
        "released_at": None,
        "released_subscription": None,
        "subscription": None,
    },
    "dispute": {},
    "payment_method": {},
}


def shaped(kind: str, /, **fields: object) -> Object:
    """A fresh object of the kind with every field that Stripe gives it, and these values."""
    made: Object = json.loads(_TEXT[kind])
    return made | _EMPTY[kind] | fields
