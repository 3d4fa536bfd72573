"""A small company that uses what OpenMeter can hold: rows of the books, made by hand."""

from __future__ import annotations

import re

from tests.peers.openmeter.account import ulid
from tests.peers.rows import NOW, Row, Rows, bill, line, row

__all__ = ["NOW", "company", "ulid"]


_NAMED = re.compile(r"01[A-Z0-9]+(?:-[a-z]+)?|l\d-[a-z]+")


def company() -> Rows:
    """Six ways to charge, an item with its own price, plan versions, every state of an invoice, bad events."""
    return {
        table: [{name: _with_ids(value) for name, value in each.items()} for each in held]
        for table, held in _named().items()
    }


def _with_ids(value: object) -> object:
    """Ids of OpenMeter's form in place of the short names that stand below."""
    return _NAMED.sub(lambda found: ulid(found[0]), value) if isinstance(value, str) else value


def _named() -> Rows:
    invoices, lines = _invoices()
    created = {each["invoice_id"]: each["created_at"] for each in invoices}
    drafts = {each["invoice_id"] for each in invoices if each["status"] == "draft"}
    subscriptions = _subscriptions()
    return {
        "customers": [
            _customer("01ACME", "Acme", "USD", "DE"),
            _customer("01YEN", "東京ソフト", "JPY", "JP"),
            _customer("01GONE", "Gone", None, None, status="deleted"),
        ],
        "subjects": [
            row("subjects", subject="acme-1", customer_id="01ACME", kind="subject", valid_from="2025-12-01T10:00"),
            row("subjects", subject="acme-2", customer_id="01ACME", kind="subject", valid_from="2025-12-01T10:00"),
            row("subjects", subject="yen", customer_id="01YEN", kind="subject", valid_from="2025-12-01T10:00"),
        ],
        "meters": [
            _meter("calls", "api.call", "count", None),
            _meter("tokens", "llm", "sum", "$.tokens"),
            _meter("people", "login", "unique_count", "$.user"),
            _meter("delay", "delay", "avg", "$.ms"),
            _meter("disk", "disk", "max", "$.size.gb"),
        ],
        "plans": [
            _plan("01P1", "pro", 1, "archived", "USD", effective_from="2025-01-01", effective_to="2026-01-01"),
            _plan("01P2", "pro", 2, "active", "USD", effective_from="2026-01-01"),
            _plan("01PJ", "jp", 1, "active", "JPY", cadence="P1Y"),
        ],
        "prices": _prices(),
        "price_tiers": [
            row("price_tiers", price_id="01P2:all:tokens", tier=1, up_to=1000, unit_amount="0.01"),
            row("price_tiers", price_id="01P2:all:tokens", tier=2, unit_amount="0.00125", flat_amount="2.5"),
            row("price_tiers", price_id="01P2:all:disk", tier=1, up_to="10.5", unit_amount="0.3"),
            row("price_tiers", price_id="01P2:all:disk", tier=2, unit_amount="0.2"),
        ],
        **subscriptions,
        "discounts": [
            row(
                "discounts",
                discount_id="01I-calls:percentage",
                customer_id="01ACME",
                subscription_id="01S1",
                item_id="01I-calls",
                kind="percent",
                value="12.5",
                starts_at="2026-06-15T10:00",
            )
        ],
        "usage_events": [
            _event("e1", "api.call", "acme-1", "2026-10-03T10:00", None, None),
            _event("e2", "llm", "acme-1", "2026-10-03T10:00", "1200.5", {"tokens": "1200.5", "model": "big"}),
            _event("e3", "disk", "acme-2", "2026-10-03T11:00", "7.25", {"size": {"gb": "7.25"}}),
            _event("e4", "llm", "acme-1", "2026-10-03T12:00", None, {"tokens": None}, error="tokens is null"),
            *(_event(f"n{n}", "api.call", "yen", f"2026-11-{n + 1:02}T10:00", None, None) for n in range(9)),
        ],
        "reported_usage": [
            row(
                "reported_usage",
                record_id=each["line_id"],
                item_id=each["item_id"],
                period_start=each["period_start"],
                period_end=each["period_end"],
                quantity=each["raw_quantity"],
                recorded_at=created[each["invoice_id"]],
                status="pending" if each["invoice_id"] in drafts else "processed",
            )
            for each in lines
            if each["kind"] == "usage"
        ],
        "invoices": invoices,
        "invoice_lines": lines,
        "entitlements": [
            _entitlement(
                "01E1",
                "tokens",
                "metered",
                "tokens",
                allowance=100_000,
                soft_limit=True,
                usage_period="P1M",
                last_reset_at="2026-11-01",
            ),
            _entitlement("01E2", "sso", "boolean", None, access=True),
        ],
    }


def _customer(id: str, name: str, currency: str | None, country: str | None, status: str = "active") -> Row:
    email = f"{id.lower()}@example.com"
    fields: Row = {"customer_id": id, "name": name, "email": email, "currency": currency, "country": country}
    return row("customers", **fields, status=status, created_at="2025-12-01T10:00")


def _meter(id: str, event: str, aggregation: str, value: str | None) -> Row:
    return row("meters", meter_id=id, name=id.title(), event_type=event, aggregation=aggregation, value_property=value)


def _plan(id: str, key: str, version: int, status: str, currency: str, cadence: str = "P1M", **more: object) -> Row:
    fields: Row = {"plan_id": id, "plan_key": key, "version": version, "name": key.title(), "status": status}
    return row("plans", **fields, currency=currency, cadence=cadence, **more)


def _price(id: str, model: str, plan: str | None, meter: str | None, **more: object) -> Row:
    usage = meter is not None
    fields: Row = {"price_id": id, "model": model, "plan_id": plan, "meter_id": meter, "name": id, "currency": "USD"}
    fields |= {"cadence": "P1M", "status": "active", "payment_term": "in_arrears" if usage else "in_advance"}
    return row("prices", **(fields | {"proration": None if usage else "second"} | more))


def _prices() -> list[Row]:
    return [
        _price("01P1:all:base", "flat", "01P1", None, flat_amount="39"),
        _price("01P2:all:base", "flat", "01P2", None, flat_amount="49.90", tax_behavior="exclusive"),
        _price("01P2:all:setup", "flat", "01P2", None, flat_amount="100", cadence=None),
        _price(
            "01P2:all:calls",
            "per_unit",
            "01P2",
            "calls",
            unit_amount="0.00002512345",
            minimum_amount=10,
            free_units=1000,
        ),
        _price("01P2:all:tokens", "graduated", "01P2", "tokens", maximum_amount="900.5"),
        _price("01P2:all:disk", "volume", "01P2", "disk"),
        _price("01P2:all:people", "package", "01P2", "people", unit_amount="5", package_size=100),
        _price("01PJ:all:delay", "dynamic", "01PJ", "delay", unit_amount="1.2", currency="JPY", cadence="P1Y"),
        _price("01PJ:all:base", "flat", "01PJ", None, flat_amount=120_000, currency="JPY", cadence="P1Y"),
        _price("01I-own", "per_unit", None, "tokens", unit_amount="0.002"),
        _price("01I-calls", "per_unit", None, "calls", unit_amount="0.00002512345", minimum_amount=10, free_units=1000),
    ]


def _subscriptions() -> Rows:
    def made(id: str, customer: str, plan: str | None, status: str, start: str, **more: object) -> Row:
        fields: Row = {"subscription_id": id, "customer_id": customer, "plan_id": plan, "status": status}
        fields |= {"started_at": start, "billing_anchor": "2026-06-01", "cadence": "P1M", "timezone": "UTC"}
        return row(
            "subscriptions", **(fields | {"currency": "USD", "collection_method": "charge_automatically"} | more)
        )

    def item(id: str, sub: str, price: str, start: str, end: str | None = None, quantity: int | None = None) -> Row:
        fields: Row = {"item_id": id, "subscription_id": sub, "price_id": price, "quantity": quantity}
        return row("subscription_items", **fields, active_from=start, active_to=end)

    june = "2026-06-15T10:00"
    return {
        "subscriptions": [
            made("01S0", "01ACME", "01P1", "ended", "2025-12-10", ended_at=june, billing_anchor="2025-12-01"),
            made("01S1", "01ACME", "01P2", "active", june),
            made(
                "01S2", "01YEN", "01PJ", "canceled", "2026-03-05", cancel_at="2027-03-05", currency="JPY", cadence="P1Y"
            ),
            made("01S3", "01ACME", None, "scheduled", "2027-01-01"),
        ],
        "subscription_items": [
            item("01I-old", "01S0", "01P1:all:base", "2025-12-10", june, quantity=1),
            item("01I-base", "01S1", "01P2:all:base", june, quantity=1),
            item("01I-calls", "01S1", "01I-calls", june),
            item("01I-tokens", "01S1", "01P2:all:tokens", june, "2026-09-01"),
            item("01I-own", "01S1", "01I-own", "2026-09-01"),
            item("01I-disk", "01S1", "01P2:all:disk", june),
            item("01I-people", "01S1", "01P2:all:people", june),
            item("01I-jp", "01S2", "01PJ:all:base", "2026-03-05", quantity=1),
        ],
    }


def _charge(name: str, sub: str, price: str, kind: str, amount: str, **more: object) -> Row:
    fields: Row = {"line_id": name, "subscription_id": sub, "item_id": f"01I-{name.split('-')[-1]}", "price_id": price}
    fields |= {"kind": kind, "description": name, "amount": amount, "period_start": "2026-10-01"}
    return line(**(fields | {"period_end": "2026-11-01"} | more))


def _usage(name: str, price: str, amount: str, raw: str, **more: object) -> Row:
    return _charge(name, "01S1", price, "usage", amount, raw_quantity=raw, quantity=raw, **more)


def _invoices() -> tuple[list[Row], list[Row]]:
    october = {"period_start": "2026-10-01", "period_end": "2026-11-01"}
    calls = {"unit_amount": "0.00002512345", "discount_amount": "0.38"}
    paid = [
        _usage("l1-calls", "01I-calls", "3.01", "120000", **calls),
        _charge(
            "l1-calls:commitment",
            "01S1",
            "01I-calls",
            "commitment",
            "6.99",
            item_id="01I-calls",
            description="l1-calls",
        ),
        _usage("l1-own", "01I-own", "2.40", "1200.5", unit_amount="0.002"),
        _usage("l1-people", "01P2:all:people", "15", "210", unit_amount="5"),
        _charge(
            "l1-base",
            "01S1",
            "01P2:all:base",
            "recurring",
            "49.90",
            quantity=1,
            tax_amount="9.48",
            period_start="2026-10-01",
        ),
        line(line_id="l1-extra", kind="one_time", description="Setup", amount="25", quantity=1),
    ]
    partial = {"quantity": 1, "proration": True, "period_start": "2026-10-15", "period_end": "2026-11-01"}
    draft = [_charge("l2-base", "01S1", "01P2:all:base", "recurring", "27.36", **partial)]
    yen = [_charge("l3-jp", "01S2", "01PJ:all:base", "recurring", "120000", quantity=1)]
    made = [
        bill(
            _invoice("01N1", "01ACME", "USD", "paid", "01S1", credits_applied=10, amount_paid="101.40", **october), paid
        ),
        bill(
            _invoice(
                "01N2",
                "01ACME",
                "USD",
                "draft",
                "01S1",
                issued_at=None,
                finalizes_at="2026-11-21",
                error="No tax id",
                **october,
            ),
            draft,
        ),
        bill(_invoice("01N3", "01YEN", "JPY", "open", "01S2", due_at="2026-12-01", **october), yen),
        bill(_invoice("01N4", "01ACME", "USD", "void", None, voided_at="2026-11-06"), []),
    ]
    return [invoice for invoice, _ in made], [each for _, own in made for each in own]


def _invoice(id: str, customer: str, currency: str, status: str, sub: str | None, **more: object) -> Row:
    fields: Row = {"invoice_id": id, "number": f"N-{id}", "customer_id": customer, "currency": currency}
    fields |= {"status": status, "subscription_id": sub, "created_at": f"2026-11-0{id[-1]}T00:10"}
    return row("invoices", **(fields | {"issued_at": "2026-11-05T01:00", "auto_advance": True} | more))


def _entitlement(id: str, feature: str, kind: str, meter: str | None, **more: object) -> Row:
    fields: Row = {"entitlement_id": id, "customer_id": "01ACME", "feature": feature, "kind": kind, "meter_id": meter}
    return row("entitlements", **fields, active_from="2026-06-15T10:00", **more)


def _event(
    id: str, kind: str, subject: str, time: str, value: str | None, properties: Row | None, error: str | None = None
) -> Row:
    fields: Row = {"event_id": id, "source": "app", "event_type": kind, "subject": subject, "time": time}
    fields |= {"value": value, "properties": properties, "received_at": time, "error": error}
    return row("usage_events", **fields, status="invalid" if error else "accepted")
