"""A small company that uses what Zuora can hold: rows of the books, made by hand. Days begin in Berlin."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.peers.rows import NOW, Row, Rows, bill, line, row
from tests.peers.zuora.forms import ZONE

__all__ = ["NOW", "company"]


def day(text: str) -> datetime:
    """When a day begins in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


JUNE, OCTOBER, NOVEMBER, DECEMBER = (day(f"2026-{month}-15") for month in ("06", "10", "11", "12"))


def company() -> Rows:
    """Every charge model, a price of its own, four currencies, two segments, every state of runs and invoices."""
    invoices, lines = _invoices()
    card = {"kind": "card", "brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2027}
    vat = [{"type": "eu_vat", "value": "DE123456789", "status": "pending"}]
    return {
        "customers": [
            _customer("acme", "Acme GmbH", "EUR", "DE", tax_ids=vat, payment_method=card, credit_balance="12.5"),
            _customer("tokyo", "東京ソフト", "JPY", "JP", payment_method={"kind": "paypal"}),
            _customer("kuwait", "Kuwait Co", "KWD", "KW", credit_balance="1.250"),
            _customer("gone", "Gone", "USD", None, status="deleted"),
        ],
        "meters": [
            _meter("calls", "calls", "sum"),
            _meter("gb/max", "gb", "max"),
            _meter("levels", "levels", "sum"),
            _meter("sms", "sms", "sum"),
        ],
        "plans": [
            _plan("pro/EUR", "P1M"),
            _plan("pro/USD", "P1M"),
            _plan("yearly/JPY", "P1Y"),
            _plan("quarter/KWD", "P3M", status="archived"),
        ],
        "prices": _prices(),
        "price_tiers": [
            row("price_tiers", price_id="calls/EUR", tier=1, up_to=1000, unit_amount="0.01"),
            row("price_tiers", price_id="calls/EUR", tier=2, unit_amount="0.0012534"),
            row("price_tiers", price_id="disk/EUR", tier=1, up_to=10, unit_amount="0.3"),
            row("price_tiers", price_id="disk/EUR", tier=2, unit_amount="0.2"),
            row("price_tiers", price_id="stairs/EUR", tier=1, up_to=5, flat_amount=50),
            row("price_tiers", price_id="stairs/EUR", tier=2, flat_amount=80),
            row("price_tiers", price_id="blocks/EUR", tier=1, up_to=100, unit_amount="0.5"),
            row("price_tiers", price_id="blocks/EUR", tier=2, unit_amount="0.7"),
        ],
        **_subscriptions(),
        "reported_usage": [
            _usage("u1", "C-12:1", "2026-10-20T08:00", "1200.5", "processed"),
            _usage("u2", "C-13:1", "2026-11-16T08:00", "7", "pending"),
        ],
        "bill_runs": [
            _run("BR-1", "posted", "2026-11-15", 3),
            _run("BR-2", "completed", "2026-11-16", 1),
            _run("BR-3", "error", "2026-11-17", None, completed_at=None),
        ],
        "invoices": invoices,
        "invoice_lines": lines,
        "credit_notes": [
            _note("cn-1", "inv-1", "li-calls", "1.25", "Write-off", "issued"),
            _note("cn-2", "inv-1", None, "3", "Correcting invoice error", "void"),
            _note("cn-3/inv-1", "inv-1", None, "2", None, "issued"),
            _note("cn-3/inv-5", "inv-5", None, "4.5", None, "issued"),
        ],
        "payments": [
            _payment("p-1", "inv-1", "acme", "EUR", "114.38", "succeeded", amount_refunded="5.5"),
            _payment("p-2", "inv-3", "tokyo", "JPY", "120000", "failed", failure_code="51"),
            _payment("p-3", "inv-1", "acme", "EUR", 7, "refunded", amount_refunded=7),
            _payment("p-4", None, "kuwait", "KWD", "15.123", "pending"),
        ],
    }


def _customer(id: str, name: str, currency: str, country: str | None, **more: object) -> Row:
    fields: Row = {"customer_id": id, "name": name, "email": f"{id}@example.com", "currency": currency}
    fields |= {"country": country, "tax_ids": [], "status": "active", "created_at": "2025-12-01T10:00"}
    return row("customers", **(fields | more))


def _meter(id: str, unit: str, aggregation: str) -> Row:
    return row("meters", meter_id=id, name=id, event_type=unit, aggregation=aggregation, unit=unit)


def _plan(id: str, cadence: str, **more: object) -> Row:
    key, _, code = id.partition("/")
    fields: Row = {"plan_id": id, "plan_key": key, "version": 1, "name": key, "status": "active", "currency": code}
    return row("plans", **(fields | {"cadence": cadence} | more))


def _price(id: str, model: str, meter: str | None, **more: object) -> Row:
    name, _, code = id.partition("/")
    fields: Row = {"price_id": id, "plan_id": "pro/EUR", "model": model, "meter_id": meter, "name": name}
    fields |= {"currency": code, "cadence": "P1M", "payment_term": "in_arrears" if meter else "in_advance"}
    fields |= {"status": "active", "proration": None if meter else "day"}
    return row("prices", **(fields | more))


def _prices() -> list[Row]:
    own: Row = {"plan_id": None, "name": "seats", "currency": "EUR", "unit_amount": "10.5", "proration": "none"}
    return [
        _price("fee/EUR", "flat", None, flat_amount="49.9"),
        _price("fee/USD", "flat", None, flat_amount=55, plan_id="pro/USD"),
        _price("seats/EUR", "per_unit", None, unit_amount=12, proration="none"),
        _price("calls/EUR", "graduated", "calls"),
        _price("disk/EUR", "volume", "gb/max"),
        _price("stairs/EUR", "volume", "levels"),
        _price("sms/EUR", "per_unit", "sms", unit_amount="0.05", free_units=100),
        _price("blocks/EUR", "graduated", "calls"),
        _price("licence/JPY", "per_unit", None, unit_amount=120_000, cadence="P1Y", plan_id="yearly/JPY"),
        _price("base/KWD", "flat", None, flat_amount="15.123", cadence="P3M", plan_id="quarter/KWD"),
        _price("setup/EUR", "flat", None, flat_amount=25, cadence=None, proration=None, plan_id=None),
        _price("C-11:1", "per_unit", None, **own),
    ]


def _subscriptions() -> Rows:
    def made(id: str, customer: str, plan: str, status: str, start: datetime, **more: object) -> Row:
        fields: Row = {"subscription_id": id, "customer_id": customer, "plan_id": plan, "status": status}
        fields |= {"started_at": start, "billing_anchor": start, "cadence": "P1M", "timezone": "Europe/Berlin"}
        fields |= {"currency": "EUR", "collection_method": "charge_automatically"}
        return row("subscriptions", **(fields | more))

    def item(sub: str, id: str, price: str, quantity: int | None, start: datetime, end: datetime | None = None) -> Row:
        fields: Row = {"item_id": id, "subscription_id": sub, "price_id": price, "quantity": quantity}
        return row("subscription_items", **fields, active_from=start, active_to=end)

    ended, later = day("2026-06-01"), day("2026-06-20")
    metered = ["calls", "disk", "stairs", "sms", "blocks"]
    yen: Row = {"cancel_at": day("2027-03-05"), "canceled_at": "2026-11-10T09:00", "currency": "JPY", "cadence": "P1Y"}
    dinar: Row = {"currency": "KWD", "cadence": "P3M", "collection_method": "send_invoice"}
    return {
        "subscriptions": [
            made("S-0", "acme", "pro/EUR", "ended", day("2026-01-10"), ended_at=ended),
            made("S-1", "acme", "pro/EUR", "active", JUNE),
            made("S-2", "tokyo", "yearly/JPY", "canceled", day("2026-03-05"), **yen),
            made("S-3", "kuwait", "quarter/KWD", "scheduled", day("2027-01-01"), **dinar),
            made("S-4", "acme", "pro/EUR", "paused", later, billing_anchor=JUNE),
        ],
        "subscription_items": [
            item("S-0", "C-1:1", "fee/EUR", 1, day("2026-01-10"), ended),
            item("S-1", "C-10:1", "fee/EUR", 1, JUNE),
            item("S-1", "C-11:1", "C-11:1", 5, JUNE, NOVEMBER),
            item("S-1", "C-11:2", "seats/EUR", 8, NOVEMBER),
            *(item("S-1", f"C-{n}:1", f"{name}/EUR", None, JUNE) for n, name in enumerate(metered, start=12)),
            item("S-2", "C-20:1", "licence/JPY", 7, day("2026-03-05")),
            item("S-3", "C-30:1", "base/KWD", 1, day("2027-01-01")),
            item("S-4", "C-40:1", "fee/EUR", 1, later),
        ],
    }


def _usage(id: str, item: str, when: str, quantity: str, status: str) -> Row:
    fields: Row = {"record_id": id, "item_id": item, "period_start": when, "period_end": f"{when[:10]}T09:00"}
    return row("reported_usage", **fields, quantity=quantity, recorded_at=when, status=status)


def _run(id: str, status: str, target: str, ok: int | None, **more: object) -> Row:
    fields: Row = {"bill_run_id": id, "status": status, "target_date": day(target), "invoices_ok": ok}
    return row("bill_runs", **(fields | {"started_at": f"{target}T01:00", "completed_at": f"{target}T01:30"} | more))


def _charge(id: str, sub: str, item: str, price: str, kind: str, amount: str, **more: object) -> Row:
    fields: Row = {"line_id": id, "subscription_id": sub, "item_id": item, "price_id": price, "kind": kind}
    fields |= {"description": id, "amount": amount, "quantity": 1, "period_start": OCTOBER, "period_end": NOVEMBER}
    return line(**(fields | more))


def _invoices() -> tuple[list[Row], list[Row]]:
    ahead: Row = {"period_start": NOVEMBER, "period_end": DECEMBER}
    used: Row = {"raw_quantity": "1200.5", "quantity": "1200.5", "discount_amount": "1.38"}
    seats: Row = {"quantity": 8, "unit_amount": 12, "proration": True, "period_start": day("2026-11-30")}
    october: Row = {"period_start": OCTOBER, "period_end": NOVEMBER}
    year: Row = {"period_start": day("2026-03-05"), "period_end": day("2027-03-05")}
    paid = [
        _charge("li-calls", "S-1", "C-12:1", "calls/EUR", "usage", "12.38", **used),
        _charge("li-disk", "S-1", "C-13:1", "disk/EUR", "usage", "2.4", raw_quantity=12, quantity=12),
        _charge("li-fee", "S-1", "C-10:1", "fee/EUR", "recurring", "49.9", tax_amount="9.48", **ahead),
        _charge("li-seats", "S-1", "C-11:2", "seats/EUR", "recurring", "48", **{**ahead, **seats}),
        line(line_id="li-setup", subscription_id="S-1", kind="one_time", description="Setup", amount=25, quantity=1),
    ]
    draft = [_charge("li-draft", "S-1", "C-14:1", "stairs/EUR", "usage", "50", raw_quantity=4, quantity=4)]
    yen: Row = {"quantity": 7, "unit_amount": 120_000, **year}
    opening = [_charge("li-jp", "S-2", "C-20:1", "licence/JPY", "recurring", "840000", **yen)]
    extra = [line(line_id="li-x", kind="one_time", description="Training", amount="12345678901.2345", quantity=1)]
    billed: Row = {"bill_run_id": "BR-1"}
    settled: Row = {"credits_applied": 10, "amount_paid": "114.38", **billed, **october}
    made = [
        bill(_invoice("inv-1", "acme", "EUR", "open", "S-1", **settled), paid),
        bill(_invoice("inv-2", "acme", "EUR", "draft", "S-1", issued_at=None, bill_run_id="BR-2", **october), draft),
        bill(_invoice("inv-3", "tokyo", "JPY", "paid", "S-2", amount_paid=840_000, **billed), opening),
        bill(_invoice("inv-4", "acme", "EUR", "void", None, voided_at="2026-11-17"), []),
        bill(_invoice("inv-5", "acme", "EUR", "open", None, due_at=day("2026-12-01")), extra),
    ]
    return [invoice for invoice, _ in made], [each for _, own in made for each in own]


def _invoice(id: str, customer: str, currency: str, status: str, sub: str | None, **more: object) -> Row:
    fields: Row = {"invoice_id": id, "number": id.upper(), "customer_id": customer, "currency": currency}
    fields |= {"status": status, "subscription_id": sub, "created_at": "2026-11-15T10:05"}
    return row("invoices", **(fields | {"issued_at": "2026-11-15T11:05"} | more))


def _note(id: str, invoice: str, line_id: str | None, amount: str, reason: str | None, status: str) -> Row:
    fields: Row = {"credit_note_id": id, "invoice_id": invoice, "line_id": line_id, "customer_id": "acme"}
    fields |= {"currency": "EUR", "amount": amount, "reason": reason, "status": status}
    return row("credit_notes", **fields, created_at="2026-11-16T12:00")


def _payment(
    id: str, invoice: str | None, customer: str, currency: str, amount: object, status: str, **more: object
) -> Row:
    fields: Row = {"payment_id": id, "invoice_id": invoice, "customer_id": customer, "currency": currency}
    fields |= {"amount": amount, "amount_refunded": 0, "status": status, "purpose": "invoice"}
    return row("payments", **(fields | {"created_at": "2026-11-16T09:00"} | more))
