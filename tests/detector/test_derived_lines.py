"""What a line should be, which credit notes fall on it, and the four numbers of its period."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.detector.small_books import at, derived_from, event, invoice, line, said

JAN, FEB, MAR, APR = "2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01"
GRADUATED = [{"model": "graduated", "unit_amount": None}]
TIERS = [
    {"tier": 1, "up_to": Decimal(100), "unit_amount": Decimal("0.10")},
    {"tier": 2, "up_to": None, "unit_amount": Decimal("0.05")},
]
SEATS: dict[str, Any] = {
    "prices": [{"meter_id": None, "unit_amount": Decimal(30), "payment_term": "in_advance", "proration": "second"}],
    "subscription_items": [{"quantity": 4}],
}


def seats(line_id: str, start: str, end: str, quantity: object, amount: object, **more: Any) -> dict[str, Any]:
    return line(line_id, start, end, quantity, amount, kind="recurring", raw_quantity=None, **more)


def test_metered_usage_and_billed_quantity_are_rated_side_by_side() -> None:
    books = {"prices": GRADUATED, "price_tiers": TIERS, "usage_events": [event("a", JAN, 150)], "invoices": [invoice()]}
    with derived_from("expected_lines", **books, invoice_lines=[line("l", JAN, FEB, 120, "11.00")]) as con:
        assert said(
            con, "SELECT metered, expected_amount, billed_quantity, repriced_amount, amount FROM expected_lines"
        ) == [("150", "12.5", "120", "11", "11")]


def test_an_amount_that_differs_is_held_against_the_other_ways_to_read_the_tiers() -> None:
    books = {"prices": GRADUATED, "price_tiers": TIERS, "usage_events": [event("a", JAN, 150)], "invoices": [invoice()]}
    with derived_from("expected_lines", **books, invoice_lines=[line("l", JAN, FEB, 150, "7.50")]) as con:
        assert said(
            con, "SELECT repriced_amount, other_mode_amount, shift_up_amount, shift_down_amount FROM expected_lines"
        ) == [("12.5", "7.5", "12.55", "12.45")]


@pytest.mark.parametrize(("start", "expected"), [(JAN, "10"), (FEB, "6"), (MAR, "10")])
def test_an_override_counts_for_periods_that_start_while_it_holds(start: str, expected: str) -> None:
    overrides = [
        {"override_id": "o", "unit_amount": Decimal("0.06"), "valid_from": at(FEB), "valid_to": at("2025-02-15")}
    ]
    end = {JAN: FEB, FEB: MAR, MAR: APR}[start]
    books: dict[str, Any] = {"price_overrides": overrides, "invoices": [invoice()]}
    with derived_from("expected_lines", **books, invoice_lines=[line("l", start, end, 100, 0)]) as con:
        assert said(con, "SELECT repriced_amount FROM expected_lines") == [(expected,)]


def test_of_overlapping_overrides_the_latest_to_start_holds() -> None:
    overrides = [
        {"override_id": "a", "unit_amount": Decimal("0.06")},
        {"override_id": "b", "unit_amount": Decimal("0.07"), "valid_from": at(FEB)},
    ]
    books: dict[str, Any] = {"price_overrides": overrides, "invoices": [invoice()]}
    lines = [line("jan", JAN, FEB, 100, 0), line("feb", FEB, MAR, 100, 0)]
    with derived_from("expected_lines", **books, invoice_lines=lines) as con:
        assert said(con, "SELECT line_id, override_id, repriced_amount FROM expected_lines ORDER BY 1") == [
            ("feb", "b", "7"), ("jan", "a", "6"),
        ]  # fmt: skip


def test_a_period_split_over_lines_carries_the_tiers_on() -> None:
    events = [event("a", JAN, 80), event("b", "2025-01-20", 40), event("c", "2025-01-25", 30)]
    books = {"prices": GRADUATED, "price_tiers": TIERS, "usage_events": events, "invoices": [invoice()]}
    lines = [
        line("a", JAN, "2025-01-16", 80, "8.00"),
        line("b", "2025-01-16", "2025-01-23", 40, "3.00"),
        line("c", "2025-01-23", FEB, 30, "1.50"),
    ]
    with derived_from("expected_lines", "three_way", **books, invoice_lines=lines) as con:
        columns = "line_id, prior_quantity, prior_billed, expected_amount, repriced_amount"
        assert said(con, f"SELECT {columns} FROM expected_lines ORDER BY 1") == [
            ("a", None, None, "8", "8"), ("b", "80", "80", "3", "3"), ("c", "120", "120", "1.5", "1.5"),
        ]  # fmt: skip
        assert said(con, f"SELECT expected_amount, billed_amount FROM three_way WHERE period_start = '{JAN}'") == [
            ("12.5", "12.5")
        ]


def test_a_line_billed_twice_is_no_earlier_part_of_its_copy() -> None:
    lines = [line("a", JAN, FEB, 80, 8), line("b", JAN, FEB, 80, 8)]
    with derived_from("expected_lines", invoices=[invoice()], invoice_lines=lines) as con:
        assert said(con, "SELECT prior_billed, repriced_amount FROM expected_lines") == [(None, "8"), (None, "8")]


def test_a_line_without_an_item_is_that_of_its_subscription_and_price() -> None:
    items = [
        {"item_id": "old", "active_to": at("2025-01-15")},
        {"item_id": "new", "active_from": at("2025-01-15")},
    ]
    lines = [
        line("a", JAN, "2025-01-15", 1, 0, item_id=None, price_id="per_call"),
        line("b", "2025-01-15", FEB, 1, 0, item_id=None, price_id="per_call", subscription_id=None),
    ]
    with derived_from("billed_lines", subscription_items=items, invoices=[invoice()], invoice_lines=lines) as con:
        assert said(con, "SELECT line_id, item_id FROM billed_lines ORDER BY 1") == [("a", "old"), ("b", "new")]


def test_a_line_without_a_price_has_its_items_and_without_a_period_its_invoices() -> None:
    lines = [line("l", JAN, FEB, 10, 1) | {"period_start": None, "period_end": None}]
    invoices = [invoice(period_start=at(JAN), period_end=at(FEB))]
    with derived_from(
        "expected_lines", usage_events=[event("a", JAN, 10)], invoices=invoices, invoice_lines=lines
    ) as con:
        assert said(con, "SELECT price_id, metered, repriced_amount FROM expected_lines") == [("per_call", "10", "1")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"invoice_lines": {"item_id": "nobody"}}, "unknown_item"),
        ({"prices": {"currency": "XXX"}, "invoices": {"currency": "XXX"}}, "unknown_currency"),
        ({"prices": {"currency": "EUR"}}, "currency_mismatch"),
        ({"prices": {"unit_amount": None}}, "missing_amount"),
        ({"prices": {"price_id": "another"}}, "missing_price"),
        ({"invoice_lines": {"period_end": at(JAN)}}, "zero_length_period"),
        ({"invoice_lines": {"period_start": None}}, "missing_period"),
        ({"usage_events": {"value": Decimal(-5)}}, "negative_quantity"),
        ({"prices": {"model": "graduated"}}, "no_tiers"),
        ({"prices": {"convert": "divide", "convert_factor": Decimal(0)}}, "convert_factor"),
        ({"prices": {"unit_amount": Decimal(10) ** 14}}, "out_of_range"),
        ({"prices": {"model": "percentage", "percent_rate": 1, "flat_amount": 1}}, None),
    ],
)
def test_a_line_that_cannot_be_rated_says_why_and_stops_nothing(change: dict[str, Any], reason: str | None) -> None:
    given: dict[str, Any] = {
        "usage_events": event("a", JAN, 10),
        "invoices": invoice(),
        "invoice_lines": line("l", JAN, FEB, 10, 1),
        "prices": {},
    }
    books = {table: [row | change.get(table, {})] for table, row in given.items()}
    with derived_from("expected_lines", "three_way", **books) as con:
        assert said(con, "SELECT rated, reason FROM expected_lines") == [(reason is None, reason)]
        assert len(said(con, "FROM three_way")) >= (reason not in ("missing_price", "unknown_item"))


def test_a_void_invoice_bills_nothing() -> None:
    invoices = [invoice(status="void"), invoice("other")]
    lines = [line("l", JAN, FEB, 10, 1), line("m", FEB, MAR, 10, 1, invoice_id="other")]
    with derived_from("billed_lines", "three_way", invoices=invoices, invoice_lines=lines) as con:
        assert said(con, "SELECT line_id FROM billed_lines") == [("m",)]
        assert said(con, f"SELECT state, line_ids FROM three_way WHERE period_start = '{JAN}'") == [("unbilled", None)]


def test_seats_are_rated_by_the_subscribed_number_and_by_the_part_of_the_period() -> None:
    lines = [
        seats("whole", JAN, FEB, 4, 120),
        seats("more", "2025-02-08", MAR, 1, "22.50", proration=True),
        seats("less", "2025-02-22", MAR, 2, "-15", proration=True),
    ]
    with derived_from("expected_lines", **SEATS, invoices=[invoice()], invoice_lines=lines) as con:
        columns = "line_id, full_amount, second_amount, day_amount, repriced_amount"
        assert said(con, f"SELECT {columns} FROM expected_lines ORDER BY 1") == [
            ("less", "60", "-15", "-15", "-15"),
            ("more", "30", "22.5", "22.5", "22.5"),
            ("whole", "120", "120", "120", "120"),
        ]  # fmt: skip


def test_days_are_counted_on_the_subscriptions_calendar() -> None:
    """In Kiritimati 31 January, 12:00 UTC is already 1 February; the part from there has 27 of 28 days by date."""
    zone = [{"timezone": "Pacific/Kiritimati", "billing_anchor": at("2025-01-31T10:00")}]
    books = SEATS | {"prices": [SEATS["prices"][0] | {"proration": "day"}], "subscriptions": zone}
    lines = [seats("l", "2025-02-01T12:00", "2025-02-28T10:00", 4, 0)]
    with derived_from("expected_lines", **books, invoices=[invoice()], invoice_lines=lines) as con:
        assert said(con, "SELECT repriced_amount FROM expected_lines") == [("115.71",)]


def test_percent_discounts_are_taken_one_after_the_other_the_narrowest_first() -> None:
    discounts = [
        {"discount_id": "a", "customer_id": "cus", "value": Decimal(10)},
        {"discount_id": "b", "item_id": "item", "value": Decimal("33.3")},
        {"discount_id": "c", "subscription_id": "sub", "value": Decimal(50), "ends_at": at(JAN)},
    ]
    books: dict[str, Any] = {"usage_events": [event("a", JAN, 99)], "invoices": [invoice()]}
    with derived_from(
        "expected_lines", **books, discounts=discounts, invoice_lines=[line("l", JAN, FEB, 99, "9.90")]
    ) as con:
        assert said(con, "SELECT expected_discount, expected_net FROM expected_lines") == [("3.96", "5.94")]


class TestCredits:
    """A credit note lowers what its line charges; one for the whole invoice goes where too much is charged."""

    def net(self, notes: list[dict[str, Any]], lines: list[dict[str, Any]], **invoiced: Any) -> list[tuple[Any, ...]]:
        given = [{"credit_note_id": f"n{n}", "created_at": at("2025-02-05")} | note for n, note in enumerate(notes)]
        books: dict[str, Any] = {
            "usage_events": [event("a", JAN, 10), event("b", FEB, 20)],
            "invoices": [invoice(**invoiced)],
        }
        with derived_from("billed_lines", **books, credit_notes=given, invoice_lines=lines) as con:
            return said(con, "SELECT line_id, credited, net FROM billed_lines ORDER BY 1")

    def test_a_note_for_a_line_is_that_lines(self) -> None:
        lines = [line("a", JAN, FEB, 10, 5), line("b", FEB, MAR, 20, 2)]
        assert self.net([{"line_id": "a", "amount": 4}], lines) == [("a", "4", "1"), ("b", "0", "2")]

    def test_a_note_for_the_invoice_goes_to_the_line_that_charges_too_much(self) -> None:
        lines = [line("a", JAN, FEB, 10, 1), line("b", FEB, MAR, 20, 7)]
        assert self.net([{"amount": 5}], lines, total=8) == [("a", "0", "1"), ("b", "5", "2")]

    def test_it_never_takes_more_than_what_was_too_much(self) -> None:
        lines = [line("a", JAN, FEB, 10, 1), line("b", FEB, MAR, 20, 3)]
        assert self.net([{"amount": Decimal("2.5")}], lines, total=4) == [("a", "0", "1"), ("b", "1", "2")]

    def test_a_copy_of_a_line_is_too_much_as_a_whole(self) -> None:
        lines = [line("a", JAN, FEB, 10, 1), line("b", JAN, FEB, 10, 1)]
        assert self.net([{"amount": 1}], lines, total=2) == [("a", "0", "1"), ("b", "1", "0")]

    def test_a_note_over_the_whole_invoice_leaves_nothing_of_it(self) -> None:
        lines = [line("a", JAN, FEB, 10, 1), line("b", FEB, MAR, 20, 2)]
        assert self.net([{"amount": 3}], lines, total=3) == [("a", "1", "0"), ("b", "2", "0")]

    def test_a_void_note_is_none(self) -> None:
        assert self.net([{"line_id": "a", "amount": 4, "status": "void"}], [line("a", JAN, FEB, 10, 5)]) == [
            ("a", "0", "5")
        ]


def test_the_four_numbers_of_a_period_stand_side_by_side() -> None:
    reported = [
        {
            "record_id": "r1",
            "period_start": at(JAN),
            "period_end": at("2025-01-16"),
            "quantity": 5,
            "recorded_at": at(FEB),
        },
        {
            "record_id": "r2",
            "period_start": at("2025-01-16"),
            "period_end": at(FEB),
            "quantity": 4,
            "recorded_at": at(FEB),
        },
    ]
    books: dict[str, Any] = {"usage_events": [event("a", JAN, 10)], "reported_usage": reported, "invoices": [invoice()]}
    with derived_from("three_way", **books, invoice_lines=[line("l", JAN, FEB, 9, "0.90")]) as con:
        assert said(
            con,
            f"SELECT metered, recorded, billed_quantity, billed_amount, expected_amount, line_ids, invoice_ids, state "
            f"FROM three_way WHERE period_start = '{JAN}'",
        ) == [("10", "9", "9", "0.9", "1", ["l"], ["inv"], "billed")]


def test_a_period_is_open_until_its_invoice_is_due_and_then_unbilled() -> None:
    with derived_from("three_way", as_of="2025-02-10", usage_events=[event("a", JAN, 10)]) as con:
        assert said(con, "SELECT strftime(period_start, '%m'), state, expected_amount FROM three_way ORDER BY 1") == [
            ("01", "unbilled", "1"), ("02", "open", "0"),
        ]  # fmt: skip
    with derived_from("three_way", as_of="2025-02-10", **SEATS) as con:
        assert said(con, "SELECT strftime(period_start, '%m'), state, expected_amount FROM three_way ORDER BY 1") == [
            ("01", "unbilled", "120"), ("02", "unbilled", "120"),
        ]  # fmt: skip


def test_an_adjustment_belongs_to_the_period_that_it_adjusts() -> None:
    lines = [
        line("l", JAN, FEB, 10, 1),
        line("adj", "2025-01-20", FEB, 5, "0.50", kind="adjustment", invoice_id="later"),
    ]
    books: dict[str, Any] = {"usage_events": [event("a", JAN, 15)], "invoices": [invoice(), invoice("later", MAR)]}
    with derived_from("three_way", **books, invoice_lines=lines) as con:
        columns = "billed_quantity, billed_amount, expected_amount, line_ids"
        assert said(con, f"SELECT {columns} FROM three_way WHERE period_start = '{JAN}'") == [
            ("15", "1.5", "1.5", ["adj", "l"])
        ]


def test_a_line_after_the_end_of_service_has_a_row_of_its_own() -> None:
    subscriptions = [{"status": "ended", "ended_at": at(FEB)}]
    lines = [line("l", MAR, APR, 10, 1)]
    with derived_from("three_way", subscriptions=subscriptions, invoices=[invoice()], invoice_lines=lines) as con:
        assert said(con, "SELECT state, metered, billed_amount, due_at FROM three_way WHERE line_ids IS NOT NULL") == [
            ("billed", "0", "1", None)
        ]


def test_equal_ids_of_two_integrations_stay_apart() -> None:
    def twice(table: str, row: dict[str, Any]) -> list[dict[str, Any]]:
        return [row, row | {"integration": "stripe"}]

    tables = ("customers", "prices", "subscriptions", "subscription_items")
    books: dict[str, Any] = {table: twice(table, {}) for table in tables}
    books |= {"invoices": twice("invoices", invoice()), "invoice_lines": twice("lines", line("l", JAN, FEB, 10, 1))}
    with derived_from("expected_lines", "three_way", **books, usage_events=[event("a", JAN, 10)]) as con:
        assert said(con, "SELECT integration, line_id, metered, amount FROM expected_lines ORDER BY 1") == [
            ("files", "l", "10", "1"), ("stripe", "l", "10", "1"),
        ]  # fmt: skip
        assert said(con, f"SELECT count(*) FROM three_way WHERE period_start = '{JAN}' AND len(line_ids) = 1") == [(2,)]
