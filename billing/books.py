"""The books: every table of billing records, described once.

Validation, storage, the importer and docs/books.md all derive from these descriptions. A line is a column: its name,
its kind (`?`: may be null or absent) and what it means. The first column is the primary key, with `integration`, unless
the table says otherwise.
"""

from __future__ import annotations

from billing.model import Table, described

TABLES: tuple[Table, ...] = (
    described(
        "customers",
        known_at="created_at",
        columns="""
        customer_id: id
        name: text
        email: text?
        currency: currency?
        country: text?  # ISO 3166-1 alpha-2
        is_business: bool?
        tax_ids: json?  # [{"type": "eu_vat", "value": "DE123456789", "status": "verified|unverified|pending"}]
        payment_method: json?
            # {"kind": "card", "brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2027}; never a full
            # number
        credit_balance: money?  # what the billing system states as available credit
        status: enum[active, deleted]
        created_at: ts
        """,
    ),
    described(
        "subjects",
        key=("subject", "valid_from"),
        known_at="valid_from",
        note="Usage attribution: which event subjects belong to which customer, dated.",
        columns="""
        subject: id
        customer_id: id
        kind: enum[subject, consumer, application]
        valid_from: ts
        valid_to: ts?
        """,
    ),
    described(
        "meters",
        columns="""
        meter_id: id
        name: text
        event_type: text
        aggregation: enum[sum, count, unique_count, max, min, avg, latest]
        value_property: text?  # JSONPath into properties; null for count
        unit: text?
        """,
    ),
    described(
        "plans",
        note="One row per plan VERSION",
        columns="""
        plan_id: id
        plan_key: text
        version: int
        name: text
        status: enum[draft, scheduled, active, archived]
        currency: currency
        cadence: duration
        effective_from: ts?
        effective_to: ts?
        """,
    ),
    described(
        "prices",
        note="A rate card: how one thing is charged",
        columns="""
        price_id: id
        plan_id: id?
        meter_id: id?  # null: charged by subscribed quantity (seats) or a flat fee, not by usage
        name: text
        model: enum[flat, per_unit, graduated, volume, package, percentage, graduated_percentage, dynamic]
        currency: currency
        cadence: duration?  # null: one-time
        payment_term: enum[in_advance, in_arrears]
        unit_amount: price?  # per_unit; package: the price of one package; dynamic: multiplier
        flat_amount: money?  # flat: the fee; percentage: fixed fee per transaction
        percent_rate: price?  # percentage: 2.9 means 2.9 %
        package_size: qty?
        free_units: qty?  # usage discount: units not charged per period
        convert: enum[multiply, divide]?
        convert_factor: qty?
        convert_rounding: enum[none, ceiling, floor, half_up]?
        minimum_amount: money?  # minimum spend per period
        maximum_amount: money?  # maximum spend per period
        proration: enum[none, second, day]?  # basis for partial periods of flat and seat charges; null: none
        tax_behavior: enum[exclusive, inclusive]?
        status: enum[active, archived]
        effective_from: ts?
        effective_to: ts?
        """,
    ),
    described(
        "price_tiers",
        key=("price_id", "tier"),
        note="The tiers of a tiered price.",
        columns="""
        price_id: id
        tier: int  # 1, 2, 3, ...
        up_to: qty?  # inclusive upper bound; null: no upper bound
        unit_amount: price?
        flat_amount: money?
        percent_rate: price?
        """,
    ),
    described(
        "subscriptions",
        known_at="started_at",
        columns="""
        subscription_id: id
        customer_id: id
        plan_id: id?
        status: enum[scheduled, trialing, active, past_due, paused, canceled, ended]
            # canceled: cancellation set, still serving until ended_at
        currency: currency
        started_at: ts
        trial_end: ts?
        cancel_at: ts?
        canceled_at: ts?
        ended_at: ts?
        billing_anchor: ts
        cadence: duration
        timezone: text  # IANA name; period boundaries fall on the anchor in this zone
        collection_method: enum[charge_automatically, send_invoice]
        """,
    ),
    described(
        "subscription_items",
        known_at="active_from",
        columns="""
        item_id: id
        subscription_id: id
        price_id: id
        quantity: qty?  # seats; null for metered prices
        active_from: ts
        active_to: ts?
        """,
    ),
    described(
        "price_overrides",
        known_at="valid_from",
        note="Negotiated terms: replaces a price for one customer",
        columns="""
        override_id: id
        customer_id: id
        price_id: id  # the catalog price that is replaced
        unit_amount: price?
        flat_amount: money?
        tiers: json?  # same shape as price_tiers rows (decimals as strings), replaces all tiers
        minimum_amount: money?
        maximum_amount: money?
        valid_from: ts
        valid_to: ts?
        """,
    ),
    described(
        "discounts",
        known_at="starts_at",
        columns="""
        discount_id: id
        customer_id: id?
        subscription_id: id?
        item_id: id?  # the most specific of the three is the scope
        kind: enum[percent, amount]
        value: price  # percent: 10 means 10 %
        currency: currency?
        starts_at: ts
        ends_at: ts?  # null: forever
        """,
    ),
    described(
        "plan_migrations",
        known_at="effective_at",
        note="Agreed moves from one plan version to another",
        columns="""
        migration_id: id
        plan_key: text
        from_version: int?
        to_version: int
        customer_id: id?  # null: every customer on the plan
        effective_at: ts
        """,
    ),
    described(
        "provisioned",
        known_at="as_of",
        note="What the product itself says the customer has",
        columns="""
        provision_id: id
        customer_id: id
        subscription_id: id?
        item_id: id?
        feature: text?
        quantity: qty?
        access: bool?
        plan_key: text?
        as_of: ts
        """,
    ),
    described(
        "usage_events",
        key=("source", "event_id"),
        known_at="received_at",
        note=(
            "Raw events from the product (CloudEvents). A second row with the same key and content is counted and not "
            "stored; with other content the first one received stays and the other is reported."
        ),
        columns="""
        event_id: id
        source: text
        event_type: text
        subject: text
        time: ts
        value: qty?  # the metered value, already extracted; properties holds the rest
        properties: json?  # "correction": true marks a deliberate negative or corrective event
        received_at: ts
        status: enum[accepted, rejected, invalid]
        error: text?
        """,
    ),
    described(
        "reported_usage",
        known_at="recorded_at",
        note="What the billing system recorded for the item and window",
        columns="""
        record_id: id
        item_id: id
        period_start: ts
        period_end: ts
        quantity: qty
        recorded_at: ts
        status: enum[pending, processed, rejected]?
        error: text?
        """,
    ),
    described(
        "bill_runs",
        known_at="started_at",
        columns="""
        bill_run_id: id
        status: enum[pending, completed, posted, error, canceled]
        target_date: ts
        started_at: ts
        completed_at: ts?
        invoices_ok: int?
        invoices_failed: int?
        """,
    ),
    described(
        "invoices",
        known_at="created_at",
        columns="""
        invoice_id: id
        number: text?
        customer_id: id
        subscription_id: id?
        bill_run_id: id?
        status: enum[draft, open, paid, void, uncollectible]
        currency: currency
        period_start: ts?
            # the period that ended; null on an opening invoice; lines may belong to the period before and the one
            # ahead
        period_end: ts?
        created_at: ts
        finalizes_at: ts?  # when a draft becomes final by itself
        issued_at: ts?
        due_at: ts?
        paid_at: ts?
        voided_at: ts?
        subtotal: money  # sum of line amounts
        discount_total: money
        tax_total: money
        credits_applied: money
        total: money
            # subtotal - discount_total + tax_total; with inclusive tax, tax_total is inside: subtotal -
            # discount_total
        amount_paid: money  # what was paid; refunds stand in payments.amount_refunded
        amount_due: money
            # total - credits_applied - amount_paid - credit notes issued before payment; never below zero
        attempt_count: int?
        next_attempt_at: ts?
        auto_advance: bool?
        tax_status: enum[complete, failed, requires_location, none]?
        error: text?  # the billing system's own reason why it is stuck
        """,
    ),
    described(
        "invoice_lines",
        known_with=("invoices", "invoice_id"),
        columns="""
        line_id: id
        invoice_id: id
        subscription_id: id?
        item_id: id?
        price_id: id?
        kind: enum[usage, recurring, one_time, commitment, adjustment, credit]
        description: text?
        period_start: ts?  # null on one-time lines
        period_end: ts?
        raw_quantity: qty?  # metered quantity before conversion
        quantity: qty?  # after conversion and rounding, before free units; packages are counted in units
        unit_amount: price?  # null for tiered, percentage and flat prices
        amount: money  # before line discount, excluding tax
        discount_amount: money
        tax_amount: money
        proration: bool
        """,
    ),
    described(
        "credit_notes",
        known_at="created_at",
        columns="""
        credit_note_id: id
        invoice_id: id
        line_id: id?
        customer_id: id
        currency: currency
        amount: money
        reason: text?
        status: enum[issued, void]
        created_at: ts
        """,
    ),
    described(
        "payments",
        known_at="created_at",
        columns="""
        payment_id: id
        invoice_id: id?
        customer_id: id
        currency: currency
        amount: money
        amount_refunded: money
        status: enum[pending, requires_action, succeeded, failed, disputed, refunded]
        purpose: enum[invoice, credits, subscription]
        failure_code: text?
        created_at: ts
        idempotency_key: text?
        """,
    ),
    described(
        "credit_grants",
        known_at="created_at",
        columns="""
        grant_id: id
        customer_id: id
        currency: currency
        amount: money
        funding: enum[none, invoice, external]
        payment_id: id?
        package_amount: money?  # credits that the purchased package promises, bonus included
        priority: int
        effective_at: ts
        expires_at: ts?
        voided_at: ts?
        features: json?  # price or meter ids that the grant may pay for; null: any
        status: enum[pending, active, expired, voided]
        idempotency_key: text?
        created_at: ts
        """,
    ),
    described(
        "credit_movements",
        known_at="booked_at",
        note="The ledger, append only",
        columns="""
        movement_id: id
        customer_id: id
        currency: currency
        grant_id: id?
        kind: enum[funded, consumed, expired, voided, refund, adjustment, subscription_purchase]
        amount: money  # signed: funded +, consumed -
        balance_before: money
        balance_after: money
        sequence: int  # 1, 2, 3, ... per customer and currency
        line_id: id?
        actor: text
        booked_at: ts
        """,
    ),
    described(
        "topup_rules",
        columns="""
        topup_rule_id: id
        customer_id: id
        currency: currency
        enabled: bool
        threshold: money
        mode: enum[fixed, target]
        amount: money
        max_per_day: int?
        """,
    ),
    described(
        "alerts_sent",
        known_at="sent_at",
        note="Notifications that the billing side claims to have delivered",
        columns="""
        alert_id: id
        customer_id: id?
        kind: text  # credit.low, entitlement.threshold, ...
        threshold: money?
        sent_at: ts
        status: enum[delivered, failed]
        """,
    ),
    described(
        "entitlements",
        known_at="active_from",
        columns="""
        entitlement_id: id
        customer_id: id
        subscription_id: id?
        feature: text
        meter_id: id?
        kind: enum[boolean, static, metered]
        allowance: qty?
        soft_limit: bool?
        access: bool?
        usage_period: duration?
        last_reset_at: ts?
        active_from: ts
        active_to: ts?
        """,
    ),
)

BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}
"""Every table by its name."""
