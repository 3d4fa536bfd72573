"""A small company that uses everything Stripe can hold: rows of the books, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.peers.stripe.books import Row, Rows

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    """An instant in UTC from "2026-11-01" or "2026-11-01T08:30"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def company() -> Rows:
    """All of it: five price models, three exponents, every state of a subscription, an invoice and a payment."""
    billed = _invoices()
    return {
        "customers": _customers(),
        "meters": [
            _meter("mtr_calls", "api.call", "count", None),
            _meter("mtr_tokens", "llm.tokens", "sum", "$.tokens"),
            _meter("mtr_disk", "disk.size", "latest", "$.gigabytes"),
        ],
        "plans": [
            _plan("prod_pro", "pro", 3, "Pro", "USD", effective_from=at("2025-01-01")),
            _plan("prod_jp", "pro_jp", 1, "Pro Japan", "JPY"),
            _plan("prod_kw", "prod_kw", 1, "Pro Kuwait", "KWD", cadence="P1Y", status="archived"),
        ],
        "prices": _prices(),
        "price_tiers": _tiers(),
        **_subscriptions(),
        "discounts": [
            _discount("di_cus", customer_id="cus_acme", value="12.5"),
            _discount(
                "di_sub", customer_id="cus_acme", subscription_id="sub_acme", kind="amount", value="5", currency="USD"
            ),
            _discount("di_item", customer_id="cus_tokyo", subscription_id="sub_tokyo", item_id="si_tokyo_seats"),
        ],
        **billed,
        "reported_usage": _recorded(billed),
        "credit_notes": [
            _note("cn_line", "in_paid", "il_paid_2", "cus_acme", "USD", "1.25", "order_change"),
            _note("cn_whole", "in_paid", None, "cus_acme", "USD", "3", "Goodwill after the outage"),
            _note("cn_void", "in_jp", "il_jp_1", "cus_tokyo", "JPY", "100", None, status="void"),
        ],
        "payments": _payments(),
        **_credits(),
    }


def _recorded(billed: Rows) -> list[Row]:
    """What Stripe counted for the usage lines of every invoice that is not void, one row for an item and a period."""
    invoices = {invoice["invoice_id"]: invoice for invoice in billed["invoices"]}
    found: dict[str, Row] = {}
    for line in billed["invoice_lines"]:
        invoice, counted = invoices[line["invoice_id"]], line["raw_quantity"]
        if line["kind"] != "usage" or counted is None or invoice["status"] == "void":
            continue
        starts, ends = line["period_start"], line["period_end"]
        assert isinstance(starts, datetime)
        assert isinstance(ends, datetime)
        record = f"{line['invoice_id']}/{line['item_id']}/{int(starts.timestamp())}/{int(ends.timestamp())}"
        before = found.get(record, {}).get("quantity", Decimal(0))
        found[record] = {
            "record_id": record,
            "item_id": line["item_id"],
            "period_start": starts,
            "period_end": ends,
            "quantity": before + counted,  # type: ignore[operator]
            "recorded_at": invoice["created_at"],
            "status": "processed",
            "error": None,
        }
    return list(found.values())


def _credits() -> Rows:
    """Billing credits of one customer, balances of two others."""
    acme, tokyo, kuwait = ("cus_acme", "USD"), ("cus_tokyo", "JPY"), ("cus_kuwait", "KWD")
    metered = ["mtr_calls", "mtr_disk", "mtr_tokens"]
    grants = [
        _grant("credgr_paid", acme, "100", metered, funding="external", priority=10),
        _grant("credgr_gift", acme, "20", ["price_calls"], status="expired", expires_at=at("2026-11-01")),
        _grant("credgr_wrong", acme, "5", ["price_calls"], status="voided", voided_at=at("2026-10-02T10:00")),
        _grant("credgr_later", acme, "50", metered, status="pending", effective_at=at("2026-12-01")),
    ]
    movements = [
        *_ledger(
            acme,
            ("cbtxn_1", "funded", "100", "credgr_paid", None, "2026-10-01"),
            ("cbtxn_2", "funded", "20", "credgr_gift", None, "2026-10-01T00:01"),
            ("cbtxn_3", "funded", "5", "credgr_wrong", None, "2026-10-01T00:02"),
            ("cbtxn_4", "voided", "-5", "credgr_wrong", None, "2026-10-02T10:00"),
            ("cbtxn_5", "expired", "-20", "credgr_gift", None, "2026-11-01"),
            ("cbtxn_6", "consumed", "-0.03", "credgr_paid", "il_paid_2", "2026-11-01T01:00"),
            ("cbtxn_7", "refund", "0.03", "credgr_paid", "il_paid_2", "2026-11-03T01:00"),
        ),
        *_ledger(
            tokyo,
            ("cbtx_jp_1", "funded", "800", None, None, "2026-05-01"),
            ("cbtx_jp_2", "consumed", "-300", None, None, "2026-06-01"),
        ),
        *_ledger(kuwait, ("cbtx_kw_1", "adjustment", "1.250", None, None, "2026-05-01")),
    ]
    return {"credit_grants": grants, "credit_movements": movements}


def _grant(id: str, owner: tuple[str, str], amount: str, features: list[str], **more: object) -> Row:
    return {
        "grant_id": id,
        "customer_id": owner[0],
        "currency": owner[1],
        "amount": Decimal(amount),
        "funding": "none",
        "priority": 50,
        "effective_at": at("2026-10-01"),
        "expires_at": None,
        "voided_at": None,
        "features": features,
        "status": "active",
        "created_at": at("2026-10-01"),
    } | more


def _ledger(owner: tuple[str, str], *moves: tuple[str, str, str, str | None, str | None, str]) -> list[Row]:
    """The movements of one ledger in order: id, kind, amount, grant, line and day."""
    rows: list[Row] = []
    balance = Decimal(0)
    for sequence, (id, kind, amount, grant, line, day) in enumerate(moves, start=1):
        row: Row = {"movement_id": id, "customer_id": owner[0], "currency": owner[1], "grant_id": grant, "kind": kind}
        row |= {"amount": Decimal(amount), "balance_before": balance, "balance_after": balance + Decimal(amount)}
        balance += Decimal(amount)
        rows.append(row | {"sequence": sequence, "line_id": line, "actor": "stripe", "booked_at": at(day)})
    return rows


def _customers() -> list[Row]:
    card = {"kind": "card", "brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2027}
    taxes = [
        {"type": "eu_vat", "value": "DE123456789", "status": "verified"},
        {"type": "gb_vat", "value": "GB123456789", "status": "pending"},
    ]
    return [
        _customer("cus_acme", "Acme", "USD", "DE", tax_ids=taxes, payment_method=card, is_business=True),
        _customer("cus_tokyo", "東京ソフト", "JPY", "JP", credit_balance=Decimal(500)),
        _customer("cus_kuwait", "Kuwait Co", "KWD", "KW", credit_balance=Decimal("1.250"), email=None),
        _customer("cus_new", "New, without a currency yet", None, None, payment_method={"kind": "sepa_debit"}),
    ]


def _customer(id: str, name: str, currency: str | None, country: str | None, **more: object) -> Row:
    return {
        "customer_id": id,
        "name": name,
        "email": f"{id}@example.com",
        "currency": currency,
        "country": country,
        "is_business": None,
        "tax_ids": [],
        "payment_method": None,
        "credit_balance": None,
        "status": "active",
        "created_at": at("2025-02-01T10:00"),
    } | more


def _meter(id: str, event_type: str, aggregation: str, value_property: str | None) -> Row:
    fields = {"meter_id": id, "name": id.upper(), "event_type": event_type, "aggregation": aggregation}
    return {**fields, "value_property": value_property, "unit": None}


def _plan(id: str, key: str, version: int, name: str, currency: str, **more: object) -> Row:
    return {
        "plan_id": id,
        "plan_key": key,
        "version": version,
        "name": name,
        "status": "active",
        "currency": currency,
        "cadence": "P1M",
        "effective_from": None,
        "effective_to": None,
    } | more


def _price(id: str, model: str, plan: str | None, currency: str, meter: str | None, **more: object) -> Row:
    nothing = "unit_amount flat_amount package_size free_units convert convert_factor convert_rounding minimum_amount"
    return dict.fromkeys(nothing.split()) | {
        "price_id": id,
        "plan_id": plan,
        "meter_id": meter,
        "name": f"Price {id}",
        "model": model,
        "currency": currency,
        "cadence": "P1M",
        "payment_term": "in_arrears" if meter else "in_advance",
        "maximum_amount": None,
        "proration": None if meter else "second",
        "tax_behavior": "exclusive",
        "status": "active",
        "effective_from": None,
        "effective_to": None,
        **more,
    }


def _prices() -> list[Row]:
    gigabytes = {"convert": "divide", "convert_factor": Decimal("1000000000"), "convert_rounding": "ceiling"}
    return [
        _price("price_base", "flat", "prod_pro", "USD", None, flat_amount=Decimal("49.90")),
        _price("price_seats", "per_unit", "prod_pro", "USD", None, unit_amount=Decimal(12), proration="day"),
        _price(
            "price_calls",
            "per_unit",
            "prod_pro",
            "USD",
            "mtr_calls",
            unit_amount=Decimal("0.000025"),
            free_units=Decimal(1000),
        ),
        _price("price_tokens", "graduated", "prod_pro", "USD", "mtr_tokens", minimum_amount=Decimal(10)),
        _price("price_volume", "volume", "prod_pro", "USD", "mtr_tokens", maximum_amount=Decimal("999.5")),
        _price(
            "price_packs",
            "package",
            "prod_pro",
            "USD",
            "mtr_calls",
            unit_amount=Decimal("2.5"),
            package_size=Decimal(1000),
        ),
        _price(
            "price_disk",
            "per_unit",
            "prod_pro",
            "USD",
            "mtr_disk",
            unit_amount=Decimal("0.3"),
            payment_term="in_advance",
            **gigabytes,
        ),
        _price("price_setup", "per_unit", None, "USD", None, unit_amount=Decimal(250), cadence=None, proration=None),
        _price("price_old", "flat", None, "USD", None, flat_amount=Decimal(39), status="archived", proration="none"),
        _price("price_jp", "per_unit", "prod_jp", "JPY", None, unit_amount=Decimal(1200), tax_behavior="inclusive"),
        _price(
            "price_jp_calls",
            "per_unit",
            "prod_jp",
            "JPY",
            "mtr_calls",
            unit_amount=Decimal("0.0375"),
            tax_behavior=None,
        ),
        _price("price_kw", "flat", "prod_kw", "KWD", None, flat_amount=Decimal("15.125"), cadence="P1Y"),
        _price(
            "price_kw_calls", "per_unit", "prod_kw", "KWD", "mtr_calls", unit_amount=Decimal("0.000015"), cadence="P3M"
        ),
    ]


def _tiers() -> list[Row]:
    made = []
    for price in ("price_tokens", "price_volume"):
        bounds = [(Decimal(1000), "0.01", None), (Decimal(50_000), "0.004", "5"), (None, "0.00125", "2.5")]
        for number, (up_to, unit, flat) in enumerate(bounds, start=1):
            made.append(
                {
                    "price_id": price,
                    "tier": number,
                    "up_to": up_to,
                    "unit_amount": Decimal(unit),
                    "flat_amount": Decimal(flat) if flat else None,
                }
            )
    return made


def _subscriptions() -> Rows:
    subscriptions = [
        _subscription("sub_acme", "cus_acme", "prod_pro", "USD", timezone="America/New_York"),
        _subscription(
            "sub_tokyo",
            "cus_tokyo",
            "prod_jp",
            "JPY",
            status="canceled",
            cancel_at=at("2026-12-01"),
            canceled_at=at("2026-11-02"),
        ),
        _subscription("sub_kuwait", "cus_kuwait", "prod_kw", "KWD", cadence="P1Y", collection_method="send_invoice"),
        _subscription(
            "sub_over",
            "cus_acme",
            "prod_pro",
            "USD",
            status="ended",
            canceled_at=at("2026-03-01"),
            ended_at=at("2026-03-01"),
        ),
        _subscription("sub_trial", "cus_new", "prod_pro", "USD", status="trialing", trial_end=at("2026-12-05")),
        _subscription("sub_due", "cus_acme", "prod_pro", "USD", status="past_due"),
        _subscription("sub_still", "cus_acme", None, "USD", status="paused"),
        _subscription("sub_later", "cus_acme", "prod_pro", "USD", status="scheduled", started_at=at("2027-01-01")),
    ]
    priced = {"sub_tokyo": "price_jp", "sub_kuwait": "price_kw", "sub_still": "price_old"}
    items = [
        _item(f"si_{s['subscription_id']}", s, priced.get(str(s["subscription_id"]), "price_base"))
        for s in subscriptions
    ]
    acme, tokyo, over = subscriptions[0], subscriptions[1], subscriptions[3]
    items += [
        _item(f"si_acme_{name}", acme, f"price_{name}", None) for name in ("calls", "tokens", "volume", "packs", "disk")
    ]
    items += [_item(f"si_acme_more_{n}", acme, "price_calls", None) for n in range(8)]
    items += [
        _item("si_acme_seats", acme, "price_seats", Decimal(5), active_from=at("2026-06-10T09:30")),
        _item("si_acme_seats_before", acme, "price_seats", Decimal(3), active_to=at("2026-06-10T09:30")),
        _item("si_tokyo_seats", tokyo, "price_jp", Decimal(7)),
        _item("si_over_calls", over, "price_calls", None, active_to=over["ended_at"]),
    ]
    return {"subscriptions": subscriptions, "subscription_items": items}


def _subscription(id: str, customer: str, plan: str | None, currency: str, **more: object) -> Row:
    return {
        "subscription_id": id,
        "customer_id": customer,
        "plan_id": plan,
        "status": "active",
        "currency": currency,
        "started_at": at("2026-01-15T08:00"),
        "trial_end": None,
        "cancel_at": None,
        "canceled_at": None,
        "ended_at": None,
        "billing_anchor": at("2026-02-01"),
        "cadence": "P1M",
        "timezone": "UTC",
        "collection_method": "charge_automatically",
    } | more


def _item(id: str, subscription: Row, price: str, quantity: Decimal | None = Decimal(1), **more: object) -> Row:
    return {
        "item_id": id,
        "subscription_id": subscription["subscription_id"],
        "price_id": price,
        "quantity": quantity,
        "active_from": subscription["started_at"],
        "active_to": None,
    } | more


def _discount(id: str, **more: object) -> Row:
    fields = dict.fromkeys(("customer_id", "subscription_id", "item_id", "currency", "ends_at"))
    fields |= {"discount_id": id, "kind": "percent", "value": "10", "starts_at": at("2026-05-01")} | more
    return fields | {"value": Decimal(str(fields["value"]))}


def _invoices() -> Rows:
    invoices: list[Row] = []
    lines: list[Row] = []

    def bill(id: str, subscription: str | None, customer: str, currency: str, own: list[Row], **more: object) -> None:
        subtotal = sum((Decimal(str(line["amount"])) for line in own), Decimal(0))
        off = sum((Decimal(str(line["discount_amount"])) for line in own), Decimal(0))
        tax = sum((Decimal(str(line["tax_amount"])) for line in own), Decimal(0))
        invoice = _invoice(id, subscription, customer, currency, subtotal, off, tax) | more
        due = (
            Decimal(str(invoice["total"]))
            - Decimal(str(invoice["credits_applied"]))
            - Decimal(str(invoice["amount_paid"]))
        )
        invoices.append(invoice | {"amount_due": more.get("amount_due", max(Decimal(0), due))})
        lines.extend(line | {"invoice_id": id} for line in own)

    paid = [
        _line(
            "il_paid_1", "sub_acme", "si_sub_acme", "price_base", "recurring", "49.90", discount_amount=Decimal("4.99")
        ),
        _line(
            "il_paid_2", "sub_acme", "si_acme_calls", "price_calls", "usage", "0.03", quantity="1200", unit="0.000025"
        ),
        _line("il_paid_3", "sub_acme", "si_acme_tokens", "price_tokens", "usage", "12", quantity="1500.25"),
        _line(
            "il_paid_4",
            "sub_acme",
            "si_acme_seats",
            "price_seats",
            "recurring",
            "-4",
            quantity="1",
            unit="12",
            proration=True,
        ),
        _line(
            "il_paid_5",
            "sub_acme",
            "si_acme_disk",
            "price_disk",
            "usage",
            "0.6",
            raw="1700000000",
            quantity="2",
            unit="0.3",
        ),
        _line("il_paid_6", "sub_acme", "si_acme_tokens", "price_tokens", "commitment", "3", period=False),
        _line(
            "il_paid_7", "sub_acme", "si_acme_calls", "price_calls", "adjustment", "1", quantity="40000", raw="40000"
        ),
        _line("il_paid_8", "sub_acme", None, None, "credit", "-2.50", period=False, description="Thank you"),
        _line("il_paid_9", None, None, "price_setup", "one_time", "250", quantity="1", unit="250", period=False),
    ]
    bill(
        "in_paid",
        "sub_acme",
        "cus_acme",
        "USD",
        paid,
        status="paid",
        amount_paid=Decimal("303.04"),
        paid_at=at("2026-11-02T09:00"),
        due_at=at("2026-11-15"),
        credits_applied=Decimal(2),
        attempt_count=1,
    )
    many = [
        _line(f"il_many_{n:03}", "sub_acme", "si_acme_calls", "price_calls", "usage", f"{n}.01", quantity=str(n))
        for n in range(130)
    ]
    bill("in_many", "sub_acme", "cus_acme", "USD", many, status="open", attempt_count=4, next_attempt_at=None)
    bill(
        "in_jp",
        "sub_tokyo",
        "cus_tokyo",
        "JPY",
        [
            _line(
                "il_jp_1",
                "sub_tokyo",
                "si_tokyo_seats",
                "price_jp",
                "recurring",
                "8400",
                quantity="7",
                unit="1200",
                tax_amount=Decimal(764),
            )
        ],
        status="open",
        total=Decimal(8400),
        tax_total=Decimal(764),
        next_attempt_at=at("2026-11-23"),
        attempt_count=2,
    )
    bill(
        "in_kw",
        "sub_kuwait",
        "cus_kuwait",
        "KWD",
        [_line("il_kw_1", "sub_kuwait", "si_sub_kuwait", "price_kw", "recurring", "15.125")],
        status="open",
        due_at=at("2026-12-01"),
        bill_run_id="run_7",
    )
    bill(
        "in_draft",
        "sub_acme",
        "cus_acme",
        "USD",
        [_line("il_draft_1", "sub_acme", "si_acme_packs", "price_packs", "usage", "5", quantity="1001", unit="2.5")],
        status="draft",
        number=None,
        issued_at=None,
        finalizes_at=NOW + timedelta(minutes=40),
        error="The tax location is unknown",
        tax_status="requires_location",
    )
    bill(
        "in_void",
        "sub_over",
        "cus_acme",
        "USD",
        [],
        status="void",
        voided_at=at("2026-03-02"),
        auto_advance=False,
        tax_status="failed",
        amount_due=Decimal(7),
        total=Decimal(7),
        subtotal=Decimal(7),
    )
    bill("in_lost", "sub_over", "cus_acme", "USD", [], status="uncollectible", period_start=None, period_end=None)
    bill(
        "in_wrong",
        None,
        "cus_acme",
        "USD",
        [_line("il_wrong_1", None, None, "price_setup", "one_time", "250", quantity="1", unit="250", period=False)],
        status="open",
        subtotal=Decimal("249.99"),
        total=Decimal(260),
    )
    return {"invoices": invoices, "invoice_lines": lines}


def _invoice(
    id: str, subscription: str | None, customer: str, currency: str, subtotal: Decimal, off: Decimal, tax: Decimal
) -> Row:
    return {
        "invoice_id": id,
        "number": f"N-{id}",
        "customer_id": customer,
        "subscription_id": subscription,
        "bill_run_id": None,
        "status": "open",
        "currency": currency,
        "period_start": at("2026-10-01"),
        "period_end": at("2026-11-01"),
        "created_at": at("2026-11-01T00:05"),
        "finalizes_at": None,
        "issued_at": at("2026-11-01T01:05"),
        "due_at": None,
        "paid_at": None,
        "voided_at": None,
        "subtotal": subtotal,
        "discount_total": off,
        "tax_total": tax,
        "credits_applied": Decimal(0),
        "total": subtotal - off + tax,
        "amount_paid": Decimal(0),
        "attempt_count": 0,
        "next_attempt_at": None,
        "auto_advance": True,
        "tax_status": None,
        "error": None,
    }


def _line(
    id: str,
    subscription: str | None,
    item: str | None,
    price: str | None,
    kind: str,
    amount: str,
    *,
    quantity: str | None = None,
    unit: str | None = None,
    raw: str | None = None,
    period: bool = True,
    **more: object,
) -> Row:
    counted = raw or (quantity if kind == "usage" else None)
    return {
        "line_id": id,
        "subscription_id": subscription,
        "item_id": item,
        "price_id": price,
        "kind": kind,
        "description": f"{kind} of October",
        "period_start": at("2026-10-01") if period else None,
        "period_end": at("2026-11-01") if period else None,
        "raw_quantity": None if counted is None else Decimal(counted),
        "quantity": None if quantity is None else Decimal(quantity),
        "unit_amount": None if unit is None else Decimal(unit),
        "amount": Decimal(amount),
        "discount_amount": Decimal(0),
        "tax_amount": Decimal(0),
        "proration": False,
    } | more


def _note(
    id: str,
    invoice: str,
    line: str | None,
    customer: str,
    currency: str,
    amount: str,
    reason: str | None,
    status: str = "issued",
) -> Row:
    return {
        "credit_note_id": id,
        "invoice_id": invoice,
        "line_id": line,
        "customer_id": customer,
        "currency": currency,
        "amount": Decimal(amount),
        "reason": reason,
        "status": status,
        "created_at": at("2026-11-05T12:00"),
    }


def _payments() -> list[Row]:
    return [
        _payment("pi_paid", "in_paid", "cus_acme", "USD", "303.04", "succeeded", idempotency_key="k-1"),
        _payment("pi_failed", "in_many", "cus_acme", "USD", "8386.3", "failed", failure_code="insufficient_funds"),
        _payment("pi_failed_again", "in_many", "cus_acme", "USD", "8386.3", "failed", failure_code="expired_card"),
        _payment("pi_silent", "in_many", "cus_acme", "USD", "8386.3", "failed"),
        _payment("pi_action", "in_jp", "cus_tokyo", "JPY", "8400", "requires_action"),
        _payment("pi_pending", "in_kw", "cus_kuwait", "KWD", "15.125", "pending"),
        _payment("pi_back", "in_void", "cus_acme", "USD", "7", "refunded", amount_refunded=Decimal(7)),
        _payment("pi_part", "in_paid", "cus_acme", "USD", "20", "succeeded", amount_refunded=Decimal("5.5")),
        _payment("pi_dispute", "in_paid", "cus_acme", "USD", "20", "disputed"),
        _payment("pi_credits", None, "cus_kuwait", "KWD", "25.5", "succeeded", purpose="credits"),
    ]


def _payment(
    id: str, invoice: str | None, customer: str, currency: str, amount: str, status: str, **more: object
) -> Row:
    return {
        "payment_id": id,
        "invoice_id": invoice,
        "customer_id": customer,
        "currency": currency,
        "amount": Decimal(amount),
        "amount_refunded": Decimal(0),
        "status": status,
        "purpose": "invoice",
        "failure_code": None,
        "created_at": at("2026-11-02T09:00"),
        "idempotency_key": None,
    } | more
