"""What a field of Stripe becomes in the books, and what happens to one that nobody knew of."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import UnknownCurrencyError, minor_digits
from integrations.pages import Remark
from integrations.stripe import TABLES, from_config
from integrations.stripe.amounts import UnreadableError, decimal, digits, money, price
from integrations.stripe.catalog import Catalog, PriceFacts, meter_rows, plan_rows, price_rows
from integrations.stripe.customers import customer_rows
from integrations.stripe.invoices import credit_note_rows, invoice_rows
from integrations.stripe.metadata import STATED
from integrations.stripe.payments import invoice_payment_rows
from integrations.stripe.subscriptions import subscription_rows
from tests.peers.stripe import numbers
from tests.peers.stripe.process import ROOT
from tests.peers.stripe.shapes import shaped

THEN = 1_780_000_000


def test_amounts_are_read_in_the_currencys_own_minor_unit() -> None:
    assert money(1234, "USD") == Decimal("12.34")
    assert money(500, "JPY") == Decimal(500)
    assert money(5120, "KWD") == Decimal("5.120")
    assert price("0.0000000001", "USD") == Decimal("0.000000000001")
    assert price("37.5", "JPY") == Decimal("37.5")


def test_where_stripe_and_iso_differ_stripe_is_followed() -> None:
    """docs.stripe.com/currencies: 5 ISK and 5 UGX are stated as 500, MGA as whole ariary."""
    assert (money(500, "ISK"), money(500, "UGX"), money(500, "MGA")) == (5, 5, 500)
    assert [
        code for code in ("USD", "JPY", "KWD", "HUF", "TWD", "VND", "BHD") if digits(code) != minor_digits(code)
    ] == []


@given(st.integers(-(10**13), 10**13), st.sampled_from(["USD", "JPY", "KWD", "ISK", "MGA"]))
def test_an_amount_comes_back_from_stripes_form(minor: int, currency: str) -> None:
    assert numbers.minor(money(minor, currency), currency) == minor


@given(st.decimals(0, 10**9, places=10, allow_nan=False), st.sampled_from(["USD", "JPY", "KWD"]))
def test_a_price_comes_back_from_stripes_form(amount: Decimal, currency: str) -> None:
    text = numbers.minor_text(round(amount, 9), currency)
    assert price(text, currency) == round(amount, 9)


@pytest.mark.parametrize("broken", ["", "a lot", None, True, "NaN", "Infinity", [1]])
def test_what_is_no_number_is_refused(broken: object) -> None:
    with pytest.raises(UnreadableError):
        decimal(broken)


def test_what_the_books_cannot_hold_exactly_is_refused_not_rounded() -> None:
    for broken in ("0.00000000001", "1" * 40):
        with pytest.raises(UnreadableError):
            price(broken, "USD")
    with pytest.raises(UnknownCurrencyError):
        money(1, "ZZZ")


def a_price(**fields: object) -> dict[str, Any]:
    recurring = {"interval": "month", "interval_count": 1, "usage_type": "licensed", "meter": None}
    return shaped("price", id="price_1", product="prod_1", recurring=recurring) | fields


def test_a_divided_quantity_is_a_package_rounded_up_and_a_conversion_rounded_down() -> None:
    packed = price_rows(a_price(transform_quantity={"divide_by": 1000, "round": "up"}))["prices"][0]
    assert (packed["model"], packed["package_size"]) == ("package", 1000)
    divided = price_rows(a_price(transform_quantity={"divide_by": 1000, "round": "down"}))["prices"][0]
    assert (divided["model"], divided["convert"], divided["convert_factor"], divided["convert_rounding"]) == (
        "per_unit",
        "divide",
        1000,
        "floor",
    )


def test_a_price_in_several_currencies_has_a_row_in_each() -> None:
    options = {"usd": {"unit_amount": 2000}, "jpy": {"unit_amount": 3000, "unit_amount_decimal": "3000"}}
    rows = price_rows(a_price(currency_options=options))["prices"]
    assert [(row["price_id"], row["currency"], row["unit_amount"]) for row in rows] == [
        ("price_1", "USD", 20),
        ("price_1/jpy", "JPY", 3000),
    ]
    subscription = shaped("subscription", id="sub_1", customer="cus_1", currency="jpy")
    item = shaped("subscription_item", id="si_1", created=THEN, price=a_price())
    read = subscription_rows(subscription, [item], Catalog())["subscription_items"][0]
    assert read["price_id"] == "price_1/jpy"


def test_a_product_is_a_plan_when_something_of_it_recurs() -> None:
    product = shaped("product", id="prod_1", name="Pro", default_price="price_b")
    prices = [a_price(id="price_a", created=1), a_price(id="price_b", created=2, currency="eur")]
    assert plan_rows(product, prices)["plans"][0]["currency"] == "EUR"
    assert plan_rows(product | {"default_price": None}, prices)["plans"][0]["currency"] == "USD"
    assert plan_rows(product, [a_price(recurring=None)]) == {}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("billing_scheme", "auction", "its billing scheme is 'auction', which is not known"),
        (
            "recurring",
            {"interval": "fortnight", "interval_count": 1},
            "it recurs every 'fortnight', which is not known",
        ),
        ("unit_amount_decimal", "about 5", "'about 5' is not a number"),
        ("metadata", {"trueup_model": "cheap"}, "metadata trueup_model is 'cheap': one of flat, per_unit"),
        ("metadata", {"trueup_free_units": "some"}, "metadata trueup_free_units is 'some'"),
    ],
)
def test_a_price_that_cannot_be_understood_is_skipped_with_the_reason(field: str, value: object, reason: str) -> None:
    reader = from_config("stripe", {"api_key": "sk_test_x", "base_url": "http://127.0.0.1:9"}).reader
    good = a_price(id="price_good")
    rows, remarks = reader.read("prices", [a_price(**{field: value}), good])
    assert [row["price_id"] for row in rows["prices"]] == ["price_good"]
    assert remarks == (Remark("prices", "price_1", remarks[0].reason),)
    assert remarks[0].reason.startswith(reason)


def test_a_meter_that_adds_up_in_an_unknown_way_is_skipped_not_guessed() -> None:
    meter = shaped("billing.meter", id="mtr_1", default_aggregation={"formula": "median"})
    with pytest.raises(UnreadableError, match="'median'"):
        meter_rows(meter)


def a_subscription(**fields: object) -> dict[str, Any]:
    item = shaped("subscription_item", id="si_1", created=THEN, price=a_price(), current_period_end=THEN + 86_400)
    made = shaped("subscription", id="sub_1", customer="cus_1", start_date=THEN, created=THEN) | fields
    return subscription_rows(made, [item], Catalog())["subscriptions"][0]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "active"}, "active"),
        ({"status": "active", "cancel_at_period_end": True}, "canceled"),
        ({"status": "active", "cancel_at": THEN + 5}, "canceled"),
        ({"status": "canceled", "ended_at": THEN + 5}, "ended"),
        ({"status": "incomplete"}, "scheduled"),
        ({"status": "incomplete_expired"}, "ended"),
        ({"status": "unpaid"}, "past_due"),
        ({"status": "trialing", "cancel_at": THEN + 5}, "trialing"),
        ({"status": "active", "pause_collection": {"behavior": "void"}}, "paused"),
        ({"status": "active", "pause_collection": {"behavior": "keep_as_draft"}}, "active"),
        ({"status": "hibernating"}, "active"),
        ({"status": "hibernating", "ended_at": THEN}, "ended"),
    ],
)
def test_a_subscriptions_status(fields: dict[str, object], status: str) -> None:
    assert a_subscription(**fields)["status"] == status


def test_a_cancellation_at_period_end_has_a_date() -> None:
    ends = a_subscription(cancel_at_period_end=True)["cancel_at"]
    assert ends == datetime.fromtimestamp(THEN + 86_400, UTC)


def an_invoice(lines: list[dict[str, Any]], **fields: object) -> dict[str, list[dict[str, object]]]:
    facts = {"price_1": PriceFacts("graduated", metered=True, converted=False, currency="USD")}
    return invoice_rows(shaped("invoice", id="in_1") | fields, lines, facts.get)


def test_an_invoice_states_amounts_as_the_books_define_them() -> None:
    credits = [{"type": "credit_balance_transaction", "amount": 300}, {"type": "discount", "amount": 100}]
    row = an_invoice(
        [],
        status="open",
        subtotal=2000,
        total_discount_amounts=[{"amount": 100}],
        total_taxes=[{"amount": 160}],
        total_pretax_credit_amounts=credits,
        total=1760,
        starting_balance=-500,
        ending_balance=0,
        amount_paid=260,
        amount_remaining=1000,
    )["invoices"][0]
    names = ("subtotal", "discount_total", "tax_total", "total", "credits_applied", "amount_paid", "amount_due")
    assert [str(row[name]) for name in names] == ["20.00", "1.00", "1.60", "20.60", "8.00", "2.60", "10.00"]


def test_line_discounts_are_put_back_into_the_subtotal_where_stripe_took_them_off() -> None:
    line = shaped(
        "line_item", id="il_1", amount=1000, subtotal=1000, discounts=["di_1"], discount_amounts=[{"amount": 200}]
    )
    assert an_invoice([line], subtotal=800)["invoices"][0]["subtotal"] == 10
    assert an_invoice([line], subtotal=1000)["invoices"][0]["subtotal"] == 10
    assert an_invoice([line], subtotal=900)["invoices"][0]["subtotal"] == 9, "a wrong subtotal stays wrong"


def test_a_draft_shows_how_much_of_the_balance_it_will_take() -> None:
    draft = {"status": "draft", "total": 1000, "ending_balance": None}
    assert an_invoice([], starting_balance=-300, **draft)["invoices"][0]["credits_applied"] == 3
    assert an_invoice([], starting_balance=-3000, **draft)["invoices"][0]["credits_applied"] == 10
    assert an_invoice([], starting_balance=250, **draft)["invoices"][0]["credits_applied"] == Decimal("-2.5")


def test_a_usage_line_keeps_its_exact_quantity_and_no_unit_price_of_a_tiered_price() -> None:
    parent = {"subscription_item_details": {"subscription": "sub_1", "subscription_item": "si_1", "proration": False}}
    pricing = {"price_details": {"price": "price_1", "product": "prod_1"}, "unit_amount_decimal": Decimal("0.3")}
    line = shaped("line_item", id="il_1", amount=5, subtotal=5, parent=parent, pricing=pricing)
    line |= {"quantity": 1500, "quantity_decimal": "1500.25", "period": {"start": 10, "end": 20}}
    row = an_invoice([line])["invoice_lines"][0]
    assert (row["kind"], row["quantity"], row["raw_quantity"], row["unit_amount"]) == (
        "usage",
        Decimal("1500.25"),
        Decimal("1500.25"),
        None,
    )


def test_a_credit_note_over_several_lines_is_a_row_per_line_that_add_up() -> None:
    lines = [
        shaped(
            "credit_note_line_item", id="cnli_1", invoice_line_item="il_1", amount=1000, discount_amount=100, taxes=[]
        ),
        shaped("credit_note_line_item", id="cnli_2", invoice_line_item="il_2", amount=500, taxes=[{"amount": 95}]),
    ]
    rows = credit_note_rows(shaped("credit_note", id="cn_1", amount=1600), lines)["credit_notes"]
    assert [(row["credit_note_id"], row["line_id"], str(row["amount"])) for row in rows] == [
        ("cn_1/cnli_1", "il_1", "9.00"),
        ("cn_1/cnli_2", "il_2", "5.95"),
        ("cn_1", None, "1.05"),
    ]


def test_a_payment_made_outside_stripe_counts() -> None:
    invoice = {"id": "in_1", "customer": "cus_1"}
    linked = shaped(
        "invoice_payment", id="inpay_1", created=THEN, invoice=invoice, currency="usd", amount_requested=900
    )
    linked |= {"amount_paid": 900, "status": "paid", "payment": {"type": "payment_record", "payment_record": "pr_1"}}
    row = invoice_payment_rows(linked)["payments"][0]
    assert (row["customer_id"], row["amount"], row["status"]) == ("cus_1", 9, "succeeded")


def test_new_fields_and_values_of_stripe_pass() -> None:
    tax_ids = {"data": [{"type": "mars_vat", "value": "M1", "verification": {"status": "half_verified"}, "moon": 1}]}
    customer = shaped("customer", id="cus_1", tax_ids=tax_ids, a_new_field={"deep": [1]}, name=None, email="a@b.c")
    row = customer_rows(customer)["customers"][0]
    assert row["tax_ids"] == [{"type": "mars_vat", "value": "M1", "status": "pending"}]
    assert row["name"] == "a@b.c"
    assert an_invoice([], status="frozen", status_transitions={"paid_at": 5})["invoices"][0]["status"] == "paid"


def test_fields_that_stripe_leaves_out_pass() -> None:
    bare = {"id": "cus_1", "object": "customer", "created": THEN}
    assert customer_rows(bare)["customers"][0]["customer_id"] == "cus_1"
    line = {"id": "il_1", "amount": 5}
    least = {"id": "in_1", "customer": "cus_1", "currency": "usd", "created": THEN, "subtotal": 5, "total": 5}
    assert invoice_rows(least, [line], lambda _: None)["invoice_lines"][0]["kind"] == "one_time"


def test_the_documentation_names_every_table_and_every_metadata_key() -> None:
    text = (ROOT / "docs" / "stripe.md").read_text()
    keys = [f"`trueup_{column}`" for columns in STATED.values() for column in columns]
    assert [name for name in (*keys, *(f"`{table}`" for table in TABLES)) if name not in text] == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "integrations.main.api_key is missing"),
        ({"api_key": "sk", "base_url": "ftp://x"}, "integrations.main.base_url is 'ftp://x'"),
        ({"api_key": "sk", "requests_per_second": 0}, "integrations.main.requests_per_second is 0"),
    ],
)
def test_a_setting_that_is_wrong_is_named(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_config("main", settings)
