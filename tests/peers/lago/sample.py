"""A small company that uses what Lago can hold: rows of the books, made by hand."""

from __future__ import annotations

from tests.peers.lago.account import uid
from tests.peers.rows import NOW, Row, Rows, at, bill, line, row

__all__ = ["NOW", "company"]

BERLIN, TOKYO = "Europe/Berlin", "Asia/Tokyo"
SUB, OLD, LATER, JP = (uid(name) for name in ("sub pro", "sub old", "sub later", "sub jp"))
SEATS = uid("price seats")


def company() -> Rows:
    """Seven ways to charge, two currencies, every state of a subscription and of an invoice."""
    invoices, lines = _invoices()
    usage = [each for each in lines if each["kind"] == "usage"]
    drafts = {each["invoice_id"] for each in invoices if each["status"] == "draft"}
    created = {each["invoice_id"]: each["created_at"] for each in invoices}
    return {
        "customers": [
            _customer("acme", "Acme GmbH", "EUR", "DE", [("eu_vat", "DE123456789")], True),
            _customer("tokyo", "東京ソフト", "JPY", "JP", [], None),
            _customer("alone", "No subscription", None, None, [], False),
        ],
        "subjects": [
            _subject("acme-sub", "acme", "2026-01-10T08:00", "2026-06-01T00:00"),
            _subject("acme-sub", "acme", "2026-06-15T10:00", None),
            _subject("acme-later", "acme", "2027-01-01", None),
            _subject("tokyo-sub", "tokyo", "2026-03-05T03:00", None),
        ],
        "meters": [
            _meter("calls", "count", None),
            _meter("tokens", "sum", "$.tokens"),
            _meter("disk", "max", "$.gigabytes"),
            _meter("people", "unique_count", "$.user"),
            _meter("level", "latest", "$.level"),
        ],
        "plans": [_plan("pro", "EUR", "P1M"), _plan("jp", "JPY", "P1Y")],
        "prices": _prices(),
        "price_tiers": _tiers(),
        **_subscriptions(),
        "discounts": [
            row(
                "discounts",
                discount_id=uid("d1"),
                customer_id="acme",
                kind="percent",
                value="12.5",
                starts_at="2026-02-01",
            ),
            row(
                "discounts",
                discount_id=uid("d2"),
                customer_id="tokyo",
                kind="amount",
                value="500",
                currency="JPY",
                starts_at="2026-03-05",
                ends_at="2026-09-01",
            ),
        ],
        "usage_events": [
            _event("e1", "calls", "acme-sub", "2026-10-03T10:00", None, {}),
            _event("e2", "tokens", "acme-sub", "2026-10-04T10:00", "1200.5", {"tokens": "1200.5", "model": "big"}),
            _event("e2", "tokens", "tokyo-sub", "2026-10-04T10:00", "7", {"tokens": "7"}),
            _event("e3", "people", "acme-sub", "2026-10-04T11:00", None, {"user": "u-1"}),
            *(_event(f"n{n}", "calls", "tokyo-sub", f"2026-11-{n + 1:02}T10:00", None, {}) for n in range(12)),
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
            for each in usage
        ],
        "invoices": invoices,
        "invoice_lines": lines,
        "credit_notes": [
            _note("cn1", "in paid", "fee paid calls", "1.25", "Wrong count", "issued"),
            _note("cn2", "in open", None, "3", None, "void"),
        ],
        "payments": [
            _payment("p1", "in paid", "acme", "EUR", "88.25", "succeeded"),
            _payment("p2", "in open", "tokyo", "JPY", "12000", "failed"),
        ],
        "credit_grants": [
            _grant("g1", "acme", "EUR", "50.5", "invoice", "2027-01-01", "active"),
            _grant("g2", "acme", "EUR", "5", "none", "2027-01-01", "active"),
            _grant("g3", "tokyo", "JPY", "900", "none", None, "pending"),
        ],
    }


def _customer(
    id: str, name: str, currency: str | None, country: str | None, taxes: list[tuple[str, str]], business: bool | None
) -> Row:
    return row(
        "customers",
        customer_id=id,
        name=name,
        email=f"{id}@example.com",
        currency=currency,
        country=country,
        is_business=business,
        tax_ids=[{"type": kind, "value": value, "status": "unverified"} for kind, value in taxes],
        status="active",
        created_at="2025-12-01T10:00",
    )


def _subject(subject: str, customer: str, start: str, end: str | None) -> Row:
    return row("subjects", subject=subject, customer_id=customer, kind="subject", valid_from=start, valid_to=end)


def _meter(id: str, aggregation: str, value: str | None) -> Row:
    return row("meters", meter_id=id, name=id.title(), event_type=id, aggregation=aggregation, value_property=value)


def _plan(id: str, currency: str, cadence: str) -> Row:
    return row(
        "plans",
        plan_id=id,
        plan_key=id,
        version=1,
        name=id.title(),
        status="active",
        currency=currency,
        cadence=cadence,
    )


def _price(id: str, model: str, plan: str, meter: str | None, **more: object) -> Row:
    currency, cadence = ("EUR", "P1M") if plan == "pro" else ("JPY", "P1Y")
    fixed: Row = {
        "payment_term": "in_arrears",
        "name": id,
        "currency": currency,
        "cadence": cadence,
        "status": "active",
    }
    return row("prices", price_id=id, model=model, plan_id=plan, meter_id=meter, **(fixed | more))


def _prices() -> list[Row]:
    ceiling = {"convert": "multiply", "convert_factor": 1, "convert_rounding": "ceiling"}
    return [
        _price("pro:base", "flat", "pro", None, flat_amount="49.90", payment_term="in_advance", proration="day"),
        _price("jp:base", "flat", "jp", None, flat_amount="120000", payment_term="in_advance", proration="day"),
        _price(SEATS, "per_unit", "pro", None, unit_amount="12", payment_term="in_advance", proration="day"),
        _price(uid("calls"), "per_unit", "pro", "calls", unit_amount="0.0000251", minimum_amount="10"),
        _price(uid("tokens"), "graduated", "pro", "tokens"),
        _price(uid("disk"), "volume", "pro", "disk", **ceiling),
        _price(uid("people"), "package", "pro", "people", unit_amount="5", package_size=100, free_units=20),
        _price(uid("level"), "percentage", "pro", "level", percent_rate="1.5", flat_amount="0.25"),
        _price(uid("share"), "graduated_percentage", "pro", "tokens"),
        _price(uid("jp calls"), "per_unit", "jp", "calls", unit_amount="1.25", payment_term="in_advance"),
        _price(uid("jp any"), "dynamic", "jp", "tokens", unit_amount=1),
    ]


def _tiers() -> list[Row]:
    return [
        row("price_tiers", price_id=uid("tokens"), tier=1, up_to=1000, unit_amount="0.01"),
        row("price_tiers", price_id=uid("tokens"), tier=2, up_to=50_000, unit_amount="0.004", flat_amount="5"),
        row("price_tiers", price_id=uid("tokens"), tier=3, unit_amount="0.00125", flat_amount="2.5"),
        row("price_tiers", price_id=uid("disk"), tier=1, up_to=10, unit_amount="0.3"),
        row("price_tiers", price_id=uid("disk"), tier=2, unit_amount="0.2"),
        row("price_tiers", price_id=uid("share"), tier=1, up_to=100, percent_rate="3"),
        row("price_tiers", price_id=uid("share"), tier=2, percent_rate="2.5", flat_amount="1"),
    ]


def _subscriptions() -> Rows:
    anchors = {SUB: "2026-05-31T22:00", OLD: "2026-01-10T08:00", LATER: "2026-12-31T23:00", JP: "2025-12-31T15:00"}
    shared: Row = {"cadence": "P1M", "timezone": BERLIN, "collection_method": "charge_automatically", "currency": "EUR"}
    yen: Row = {"cadence": "P1Y", "timezone": TOKYO, "collection_method": "send_invoice", "currency": "JPY"}

    def made(id: str, customer: str, plan: str, status: str, start: str, terms: Row, **more: object) -> Row:
        fields = {
            "subscription_id": id,
            "customer_id": customer,
            "plan_id": plan,
            "status": status,
            "started_at": start,
        }
        return row("subscriptions", **(fields | terms | {"billing_anchor": anchors[id]} | more))

    subscriptions = [
        made(OLD, "acme", "pro", "ended", "2026-01-10T08:00", shared, ended_at="2026-06-01"),
        made(SUB, "acme", "pro", "trialing", "2026-06-15T10:00", shared, trial_end="2026-12-05"),
        made(LATER, "acme", "pro", "scheduled", "2027-01-01", shared),
        made(JP, "tokyo", "jp", "canceled", "2026-03-05T03:00", yen, cancel_at="2027-03-05"),
    ]
    items = []
    for subscription in subscriptions:
        for price in _prices():
            if price["plan_id"] == subscription["plan_id"]:
                quantity = 1 if price["model"] == "flat" else 5 if price["price_id"] == SEATS else None
                items.append(
                    row(
                        "subscription_items",
                        item_id=f"{subscription['subscription_id']}:{price['price_id']}",
                        subscription_id=subscription["subscription_id"],
                        price_id=price["price_id"],
                        quantity=quantity,
                        active_from=subscription["started_at"],
                        active_to=subscription["ended_at"],
                    )
                )
    return {"subscriptions": subscriptions, "subscription_items": items}


def _fee(
    name: str, sub: str, price: str, kind: str, amount: str, start: str | None, end: str | None, **more: object
) -> Row:
    fields: Row = {
        "line_id": uid(f"fee {name}"),
        "subscription_id": sub,
        "item_id": f"{sub}:{price}",
        "price_id": price,
        "kind": kind,
        "description": f"{name} of October",
        "period_start": start,
        "period_end": end,
        "amount": amount,
        "quantity": 1,
    }
    return line(**(fields | more))


def _usage(name: str, sub: str, price: str, amount: str, raw: str, **more: object) -> Row:
    counted: Row = {"raw_quantity": raw, "quantity": raw}
    return _fee(name, sub, price, "usage", amount, "2026-09-30T22:00", "2026-10-31T23:00", **(counted | more))


def _invoices() -> tuple[list[Row], list[Row]]:
    october = {"period_start": "2026-09-30T22:00", "period_end": "2026-10-31T23:00"}
    paid = [
        _usage("paid calls", SUB, uid("calls"), "3.01", "120000", unit_amount="0.0000251", discount_amount="0.38"),
        _usage("paid tokens", SUB, uid("tokens"), "15.80", "1200.5"),
        _usage("paid disk", SUB, uid("disk"), "2.40", "11.2", quantity=12),
        _fee("paid least", SUB, uid("calls"), "commitment", "6.99", "2026-09-30T22:00", "2026-10-31T23:00"),
        _fee(
            "paid base",
            SUB,
            "pro:base",
            "recurring",
            "49.90",
            "2026-10-31T23:00",
            "2026-11-30T23:00",
            tax_amount="9.48",
        ),
        _fee(
            "paid seats",
            SUB,
            SEATS,
            "recurring",
            "24",
            "2026-11-15T23:00",
            "2026-11-30T23:00",
            quantity=4,
            unit_amount=12,
            proration=True,
        ),
        line(line_id=uid("fee extra"), kind="one_time", description="Setup", amount="25", quantity=1),
    ]
    opening = [
        _fee("open base", JP, "jp:base", "recurring", "98959", "2026-03-04T15:00", "2026-12-31T15:00", proration=True)
    ]
    draft = [_usage("draft calls", SUB, uid("calls"), "1.10", "44000", unit_amount="0.0000251")]
    made = [
        bill(
            _invoice(
                "in paid",
                "acme",
                "EUR",
                "paid",
                SUB,
                credits_applied="10",
                amount_paid="126.20",
                due_at="2026-11-29T23:00",
                **october,
            ),
            paid,
        ),
        bill(_invoice("in open", "tokyo", "JPY", "open", JP, issued_at="2026-11-02T15:00"), opening),
        bill(
            _invoice("in draft", "acme", "EUR", "draft", SUB, number=None, finalizes_at="2026-11-22T23:00", **october),
            draft,
        ),
        bill(_invoice("in void", "acme", "EUR", "void", None, voided_at="2026-11-06"), []),
    ]

    return [invoice for invoice, _ in made], [each for _, own in made for each in own]


def _invoice(name: str, customer: str, currency: str, status: str, sub: str | None, **more: object) -> Row:
    issued = None if status == "draft" else "2026-11-02T23:00"
    fields: Row = {
        "invoice_id": uid(name),
        "number": f"LAG-{name}",
        "customer_id": customer,
        "currency": currency,
        "status": status,
        "subscription_id": sub,
        "created_at": "2026-11-01T00:10",
        "issued_at": issued,
    }
    return row("invoices", **(fields | more))


def _note(name: str, invoice: str, fee: str | None, amount: str, reason: str | None, status: str) -> Row:
    return row(
        "credit_notes",
        credit_note_id=uid(name),
        invoice_id=uid(invoice),
        line_id=uid(fee) if fee else None,
        customer_id="acme" if invoice == "in paid" else "tokyo",
        currency="EUR" if invoice == "in paid" else "JPY",
        amount=amount,
        reason=reason or "other",
        status=status,
        created_at=at("2026-11-05T12:00"),
    )


def _payment(name: str, invoice: str, customer: str, currency: str, amount: str, status: str) -> Row:
    return row(
        "payments",
        payment_id=uid(name),
        invoice_id=uid(invoice),
        customer_id=customer,
        currency=currency,
        amount=amount,
        amount_refunded=0,
        status=status,
        purpose="invoice",
        created_at="2026-11-03T09:00",
    )


def _grant(name: str, customer: str, currency: str, amount: str, funding: str, expires: str | None, status: str) -> Row:
    return row(
        "credit_grants",
        grant_id=uid(name),
        customer_id=customer,
        currency=currency,
        amount=amount,
        funding=funding,
        priority=50,
        effective_at="2026-02-01",
        expires_at=expires,
        status=status,
        created_at="2026-02-01",
    )


def _event(id: str, code: str, subject: str, time: str, value: str | None, properties: Row) -> Row:
    return row(
        "usage_events",
        event_id=id,
        source=f"lago:{subject}",
        event_type=code,
        subject=subject,
        time=time,
        value=value,
        properties=properties or None,
        received_at=time,
        status="accepted",
    )
