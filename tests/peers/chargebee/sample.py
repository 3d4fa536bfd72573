"""A small company that uses what Chargebee can hold: rows of the books, made by hand."""

from __future__ import annotations

from datetime import timedelta

from tests.peers.rows import NOW, Row, Rows, at, bill, line, row

__all__ = ["NOW", "company"]

JUNE, OCTOBER, NOVEMBER, DECEMBER = "2026-06-15T10:00", "2026-10-15T10:00", "2026-11-15T10:00", "2026-12-15T10:00"


def company() -> Rows:
    """Seven ways to charge, a price of its own, three exponents, every state of a subscription and of an invoice."""
    invoices, lines = _invoices()
    card = {"kind": "card", "brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2027}
    vat = [{"type": "eu_vat", "value": "DE123456789", "status": "verified"}]
    return {
        "customers": [
            _customer("acme", "Acme GmbH", "EUR", "DE", tax_ids=vat, payment_method=card, credit_balance="12.50"),
            _customer("tokyo", "東京ソフト", "JPY", "JP", payment_method={"kind": "paypal_express_checkout"}),
            _customer("kuwait", "Kuwait Co", "KWD", "KW", credit_balance="1.250"),
            _customer("gone", "Gone", None, None, status="deleted"),
        ],
        "meters": [_meter("calls", "sum"), _meter("disk", "max"), _meter("level", "latest")],
        "plans": [
            row(
                "plans",
                plan_id=f"pro-{code}",
                plan_key="pro",
                version=1,
                name=f"pro-{code}",
                status="active",
                currency=code.upper(),
                cadence=every,
            )
            for code, every in (("eur", "P1M"), ("jpy", "P1Y"), ("kwd", "P3M"))
        ],
        "prices": _prices(),
        "price_tiers": [
            row("price_tiers", price_id="calls-eur", tier=1, up_to=1000, unit_amount="0.01"),
            row("price_tiers", price_id="calls-eur", tier=2, unit_amount="0.0012534"),
            row("price_tiers", price_id="disk-eur", tier=1, up_to=10, unit_amount="0.3"),
            row("price_tiers", price_id="disk-eur", tier=2, unit_amount="0.2"),
            row("price_tiers", price_id="stairs-eur", tier=1, up_to=5, flat_amount="50"),
            row("price_tiers", price_id="stairs-eur", tier=2, flat_amount="80"),
        ],
        **_subscriptions(),
        "reported_usage": [
            _usage("u1", "sub-1:calls-eur", "2026-10-20T08:00", "1200.5", "processed"),
            _usage("u2", "sub-1:disk-eur", "2026-11-16T08:00", "7", "pending"),
            _usage("u3", "sub-1:disk-eur", "2026-11-17T08:00", "0", "rejected"),
        ],
        "invoices": invoices,
        "invoice_lines": lines,
        "credit_notes": [
            _note("cn-1", "inv-1", "li-calls", "1.25", "waiver", "issued"),
            _note("cn-2", "inv-1", None, "3", "subscription_change", "void"),
        ],
        "payments": [
            _payment("txn-1", "inv-1", "acme", "EUR", "114.38", "succeeded", amount_refunded="5.5"),
            _payment("txn-2", "inv-3", "tokyo", "JPY", "120000", "failed", failure_code="card_declined"),
            _payment("txn-3", "inv-1", "acme", "EUR", "7", "refunded", amount_refunded=7),
        ],
    }


def _customer(id: str, name: str, currency: str | None, country: str | None, **more: object) -> Row:
    fields: Row = {"customer_id": id, "name": name, "email": f"{id}@example.com", "currency": currency}
    fields |= {"country": country, "tax_ids": [], "status": "active", "created_at": "2025-12-01T10:00"}
    return row("customers", **(fields | more))


def _meter(id: str, aggregation: str) -> Row:
    return row("meters", meter_id=id, name=id.title(), event_type=id, aggregation=aggregation, unit="unit")


def _price(id: str, model: str, meter: str | None, **more: object) -> Row:
    fields: Row = {"price_id": id, "model": model, "meter_id": meter, "name": id, "currency": "EUR", "cadence": "P1M"}
    fields |= {"payment_term": "in_arrears" if meter else "in_advance", "status": "active"}
    return row("prices", **(fields | {"proration": None if meter else "second"} | more))


def _prices() -> list[Row]:
    return [
        _price("pro-eur", "flat", None, plan_id="pro-eur", flat_amount="49.90"),
        _price("pro-jpy", "per_unit", None, plan_id="pro-jpy", unit_amount=120_000, currency="JPY", cadence="P1Y"),
        _price("pro-kwd", "flat", None, plan_id="pro-kwd", flat_amount="15.125", currency="KWD", cadence="P3M"),
        _price("seats-eur", "per_unit", None, unit_amount=12, proration="none"),
        _price("calls-eur", "graduated", "calls", free_units=100),
        _price("disk-eur", "volume", "disk"),
        _price("stairs-eur", "volume", "level"),
        _price("packs-eur", "package", "calls", unit_amount="2.5", package_size=1000),
        _price("setup-eur", "flat", None, flat_amount=25, cadence=None, proration=None, status="archived"),
    ]


def _subscriptions() -> Rows:
    def made(id: str, customer: str, plan: str, status: str, start: str, **more: object) -> Row:
        fields: Row = {"subscription_id": id, "customer_id": customer, "plan_id": plan, "status": status}
        fields |= {"started_at": start, "billing_anchor": start, "cadence": "P1M", "timezone": "UTC", "currency": "EUR"}
        return row("subscriptions", **(fields | {"collection_method": "charge_automatically"} | more))

    def item(sub: str, price: str, quantity: int | None, start: str, end: str | None = None) -> Row:
        fields: Row = {"item_id": f"{sub}:{price}", "subscription_id": sub, "price_id": price, "quantity": quantity}
        return row("subscription_items", **fields, active_from=start, active_to=end)

    metered = [item("sub-1", f"{name}-eur", None, JUNE) for name in ("calls", "disk", "stairs", "packs")]
    return {
        "subscriptions": [
            made(
                "sub-0", "acme", "pro-eur", "ended", "2026-01-10T08:00", ended_at="2026-06-01", canceled_at="2026-05-20"
            ),
            made("sub-1", "acme", "pro-eur", "active", JUNE),
            made(
                "sub-2",
                "tokyo",
                "pro-jpy",
                "canceled",
                "2026-03-05",
                cancel_at="2027-03-05",
                currency="JPY",
                cadence="P1Y",
            ),
            made(
                "sub-3",
                "kuwait",
                "pro-kwd",
                "scheduled",
                "2027-01-01",
                currency="KWD",
                cadence="P3M",
                collection_method="send_invoice",
            ),
            made("sub-4", "acme", "pro-eur", "trialing", JUNE, trial_end="2026-12-05"),
        ],
        "subscription_items": [
            item("sub-0", "pro-eur", 1, "2026-01-10T08:00", "2026-06-01"),
            item("sub-1", "pro-eur", 1, JUNE),
            item("sub-1", "seats-eur", 5, JUNE),
            *metered,
            item("sub-2", "pro-jpy", 7, "2026-03-05"),
            item("sub-3", "pro-kwd", 1, "2027-01-01"),
            item("sub-4", "pro-eur", 1, JUNE),
        ],
        "price_overrides": [
            row(
                "price_overrides",
                override_id="sub-1:seats-eur",
                customer_id="acme",
                price_id="seats-eur",
                unit_amount="10.5",
                valid_from=JUNE,
            )
        ],
    }


def _usage(id: str, item: str, when: str, quantity: str, status: str) -> Row:
    fields: Row = {
        "record_id": id,
        "item_id": item,
        "period_start": when,
        "period_end": at(when) + timedelta(seconds=1),
    }
    return row("reported_usage", **fields, quantity=quantity, recorded_at=when, status=status)


def _charge(id: str, sub: str, price: str, kind: str, amount: str, **more: object) -> Row:
    fields: Row = {"line_id": id, "subscription_id": sub, "item_id": f"{sub}:{price}", "price_id": price, "kind": kind}
    fields |= {"description": id, "amount": amount, "quantity": 1, "period_start": OCTOBER, "period_end": NOVEMBER}
    return line(**(fields | more))


def _invoices() -> tuple[list[Row], list[Row]]:
    ahead = {"period_start": NOVEMBER, "period_end": DECEMBER}
    paid = [
        _charge(
            "li-calls",
            "sub-1",
            "calls-eur",
            "usage",
            "12.38",
            raw_quantity="1200.5",
            quantity="1200.5",
            discount_amount="1.38",
        ),
        _charge("li-disk", "sub-1", "disk-eur", "usage", "2.40", raw_quantity=12, quantity=12),
        _charge("li-plan", "sub-1", "pro-eur", "recurring", "49.90", tax_amount="9.48", **ahead),
        _charge(
            "li-seats",
            "sub-1",
            "seats-eur",
            "recurring",
            "26.60",
            quantity=5,
            unit_amount="10.5",
            proration=True,
            period_start="2026-11-30",
            period_end=DECEMBER,
        ),
        line(
            line_id="li-setup",
            subscription_id="sub-1",
            price_id="setup-eur",
            kind="one_time",
            description="Setup",
            amount="25",
            quantity=1,
        ),
    ]
    draft = [_charge("li-draft", "sub-1", "packs-eur", "usage", "5", raw_quantity=1001, quantity=1001)]
    yen = [
        _charge(
            "li-jp",
            "sub-2",
            "pro-jpy",
            "recurring",
            "840000",
            quantity=7,
            unit_amount=120_000,
            period_start="2026-03-05",
            period_end="2027-03-05",
        )
    ]
    october = {"period_start": OCTOBER, "period_end": NOVEMBER}
    made = [
        bill(
            _invoice(
                "inv-1",
                "acme",
                "EUR",
                "paid",
                "sub-1",
                credits_applied=10,
                amount_paid="114.38",
                paid_at="2026-11-16",
                **october,
            ),
            paid,
        ),
        bill(_invoice("inv-2", "acme", "EUR", "draft", "sub-1", issued_at=None, **october), draft),
        bill(
            _invoice("inv-3", "tokyo", "JPY", "open", "sub-2", due_at="2026-12-01", next_attempt_at="2026-11-23"), yen
        ),
        bill(_invoice("inv-4", "acme", "EUR", "void", None, voided_at="2026-11-17"), []),
    ]
    return [invoice for invoice, _ in made], [each for _, own in made for each in own]


def _invoice(id: str, customer: str, currency: str, status: str, sub: str | None, **more: object) -> Row:
    fields: Row = {"invoice_id": id, "number": id, "customer_id": customer, "currency": currency, "status": status}
    fields |= {"subscription_id": sub, "created_at": "2026-11-15T10:05", "issued_at": "2026-11-15T11:05"}
    return row("invoices", **(fields | more))


def _note(id: str, invoice: str, line_id: str | None, amount: str, reason: str, status: str) -> Row:
    fields: Row = {"credit_note_id": id, "invoice_id": invoice, "line_id": line_id, "customer_id": "acme"}
    return row(
        "credit_notes",
        **fields,
        currency="EUR",
        amount=amount,
        reason=reason,
        status=status,
        created_at="2026-11-16T12:00",
    )


def _payment(id: str, invoice: str, customer: str, currency: str, amount: str, status: str, **more: object) -> Row:
    fields: Row = {"payment_id": id, "invoice_id": invoice, "customer_id": customer, "currency": currency}
    fields |= {"amount": amount, "amount_refunded": 0, "status": status, "purpose": "invoice"}
    return row("payments", **(fields | {"created_at": "2026-11-16T09:00"} | more))
