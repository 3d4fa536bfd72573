"""Whose usage an event is, in which window it counts, and what was known at the cut-off."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.metering import Aggregation, Event, measure
from tests.detector.small_books import at, derived_from, event, invoice, line, said

JANUARY = "WHERE window_start = TIMESTAMP '2025-01-01' AND cutoff_at IS NULL"


def by_window(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return said(
        con,
        "SELECT item_id, strftime(window_start, '%m-%d'), quantity FROM usage_windows "
        "WHERE cutoff_at IS NULL AND events > 0 ORDER BY ALL",
    )


def test_a_late_event_counts_by_its_own_time() -> None:
    events = [event("a", "2025-01-10"), event("b", "2025-01-31T23:59", 5, received="2025-02-20")]
    with derived_from("usage_windows", usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", "6")]


def test_a_period_holds_its_start_and_not_its_end() -> None:
    events = [event("a", "2025-01-01", 1), event("b", "2025-02-01", 2), event("c", "2025-02-28T23:59:59.999999", 4)]
    with derived_from("usage_windows", usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", "1"), ("item", "02-01", "6")]


@pytest.mark.parametrize("status", ["rejected", "invalid"])
def test_events_that_were_not_accepted_never_count(status: str) -> None:
    events = [event("a", "2025-01-10"), event("b", "2025-01-11", 5, status=status)]
    with derived_from("usage_windows", usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", "1")]


def test_an_event_that_is_received_after_as_of_is_not_known() -> None:
    events = [event("a", "2025-01-10"), event("b", "2025-01-11", 5, received="2025-05-01")]
    with derived_from("usage_windows", as_of="2025-04-01", usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", "1")]
    with derived_from("usage_windows", as_of="2025-05-02", usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", "6")]


def test_usage_of_the_old_item_stops_when_the_new_one_starts() -> None:
    items = [
        {"item_id": "old", "active_to": at("2025-01-20T12:00")},
        {"item_id": "new", "active_from": at("2025-01-20T12:00")},
    ]
    events = [event("a", "2025-01-20T11:59"), event("b", "2025-01-20T12:00", 5), event("c", "2025-02-03", 7)]
    with derived_from("usage_windows", subscription_items=items, usage_events=events) as con:
        assert by_window(con) == [("new", "01-01", "5"), ("new", "02-01", "7"), ("old", "01-01", "1")]


def test_usage_in_a_trial_belongs_to_no_item() -> None:
    events = [event("a", "2025-01-05"), event("b", "2025-01-20", 5)]
    with derived_from("usage_windows", subscriptions=[{"trial_end": at("2025-01-15")}], usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", "5")]


def test_a_subject_that_moves_takes_along_only_what_comes_after() -> None:
    customers = [{}, {"customer_id": "other"}]
    subscriptions = [{}, {"subscription_id": "sub2", "customer_id": "other"}]
    items = [{}, {"item_id": "item2", "subscription_id": "sub2"}]
    subjects = [
        {"valid_to": at("2025-01-16")},
        {"customer_id": "other", "valid_from": at("2025-01-16")},
    ]
    events = [event("a", "2025-01-15T23:59"), event("b", "2025-01-16", 5)]
    books: dict[str, Any] = {"customers": customers, "subscriptions": subscriptions, "subscription_items": items}
    with derived_from("usage_windows", **books, subjects=subjects, usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", "1"), ("item2", "01-01", "5")]


def test_a_subject_listed_twice_for_a_customer_counts_once() -> None:
    subjects = [{}, {"valid_from": at("2025-01-05"), "valid_to": at("2025-02-01")}, {"integration": "product"}]
    with derived_from("usage_windows", subjects=subjects, usage_events=[event("a", "2025-01-10")]) as con:
        assert by_window(con) == [("item", "01-01", "1")]


def test_without_a_subject_row_an_event_may_name_the_customer_itself() -> None:
    with derived_from("usage_windows", subjects=[], usage_events=[event("a", "2025-01-10", subject="cus")]) as con:
        assert by_window(con) == [("item", "01-01", "1")]


def test_a_subject_that_is_mapped_is_nobody_elses() -> None:
    """The subject is called like customer `cus` and mapped to another one: it is not also `cus`."""
    books: dict[str, Any] = {
        "customers": [{}, {"customer_id": "other"}],
        "subjects": [{"subject": "cus", "customer_id": "other"}],
    }
    with derived_from("usage_windows", **books, usage_events=[event("a", "2025-01-10", subject="cus")]) as con:
        assert by_window(con) == []


def test_usage_from_the_product_meets_a_price_of_the_billing_system() -> None:
    """Events and subjects come from one integration, meters from another, everything billed from a third."""
    books: dict[str, Any] = {
        table: [{"integration": "stripe"}] for table in ("customers", "prices", "subscriptions", "subscription_items")
    }
    books |= {"subjects": [{"integration": "crm"}], "meters": [{"integration": "product"}]}
    with derived_from("usage_windows", **books, usage_events=[event("a", "2025-01-10", integration="product")]) as con:
        assert by_window(con) == [("item", "01-01", "1")]


def test_an_event_that_two_integrations_deliver_counts_once() -> None:
    events = [event("a", "2025-01-10", 3), event("a", "2025-01-10", 3, integration="warehouse")]
    with derived_from("usage_windows", usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", "3")]


def test_a_meter_that_nobody_knows_has_no_usage_and_stops_nothing() -> None:
    lines = [line("l", "2025-01-01", "2025-02-01", 10, 1)]
    with derived_from(
        "expected_lines",
        "usage_windows",
        meters=[],
        usage_events=[event("a", "2025-01-10")],
        invoices=[invoice()],
        invoice_lines=lines,
    ) as con:
        assert by_window(con) == []
        assert said(con, "SELECT rated, reason, repriced_amount FROM expected_lines") == [(False, "unknown_meter", "1")]


def test_hours_and_days_add_up_to_the_period() -> None:
    events = [event(f"e{n}", f"2025-01-{1 + n % 9:02}T{n % 24:02}:30", n) for n in range(60)]
    with derived_from("usage_daily", "usage_hourly", "usage_windows", usage_events=events) as con:
        assert (
            said(con, "SELECT sum(quantity), sum(events) FROM usage_hourly")
            == said(con, "SELECT sum(quantity), sum(events) FROM usage_daily")
            == said(con, f"SELECT quantity, events FROM usage_windows {JANUARY}")
            == [("1770", 60)]
        )


def test_what_arrived_after_the_invoice_was_made_is_late() -> None:
    events = [event("a", "2025-01-10"), event("b", "2025-01-31", 5, received="2025-02-01T00:00:01")]
    lines = [line("l", "2025-01-01", "2025-02-01", 1, "0.10")]
    with derived_from("expected_lines", usage_events=events, invoices=[invoice()], invoice_lines=lines) as con:
        assert said(con, "SELECT metered, metered_at_cutoff, late_quantity FROM expected_lines") == [("6", "1", "5")]


def test_where_usage_was_reported_the_report_is_the_cut_off() -> None:
    """Received after the report of its day and before the invoice: the invoice could not hold it any more."""
    events = [event("a", "2025-01-10"), event("b", "2025-01-31", 5, received="2025-01-31T12:00")]
    days = [at("2025-01-01") + timedelta(days=n) for n in range(31)]
    reported = [
        {"record_id": f"r{n}", "period_start": day, "period_end": day + timedelta(days=1), "quantity": 0,
         "recorded_at": day + timedelta(hours=6 if n == 30 else 30)}
        for n, day in enumerate(days)
    ]  # fmt: skip
    lines = [line("l", "2025-01-01", "2025-02-01", 1, "0.10")]
    books: dict[str, Any] = {
        "usage_events": events,
        "reported_usage": reported,
        "invoices": [invoice()],
        "invoice_lines": lines,
    }
    with derived_from("expected_lines", "reported_windows", **books) as con:
        assert said(con, "SELECT metered, late_quantity, cutoff_at::DATE::VARCHAR FROM expected_lines") == [
            ("6", "5", "2025-01-31")
        ]
        assert said(con, "SELECT sum(metered), sum(metered_at_recorded) FROM reported_windows") == [("6", "1")]


def test_a_rejected_report_was_not_recorded() -> None:
    reported = [{"record_id": "r", "period_start": at("2025-01-01"), "period_end": at("2025-02-01"), "quantity": 4,
                 "recorded_at": at("2025-02-01"), "status": "rejected"}]  # fmt: skip
    with derived_from("reported_windows", reported_usage=reported) as con:
        assert said(con, "SELECT count(*) FROM reported_windows") == [(0,)]


@pytest.mark.parametrize(
    ("aggregation", "quantity"),
    [("sum", "16"), ("count", "4"), ("max", "9"), ("min", "1"), ("avg", "4"), ("latest", "2"), ("unique_count", "4")],
)
def test_each_meter_aggregates_its_own_way_over_the_whole_period(aggregation: str, quantity: str) -> None:
    events = [event(f"e{n}", f"2025-01-{10 + n}", value) for n, value in enumerate((4, 9, 1, 2))]
    with derived_from("usage_windows", meters=[{"aggregation": aggregation}], usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", quantity)]


def test_a_unique_count_reads_the_property_that_the_meter_names() -> None:
    events = [
        event(f"e{n}", f"2025-01-{10 + n}", None, properties={"user": {"id": user}})
        for n, user in enumerate(("ann", "bob", "ann", "cy"))
    ]
    meters = [{"aggregation": "unique_count", "value_property": "$.user.id"}]
    with derived_from("usage_daily", "usage_windows", meters=meters, usage_events=events) as con:
        assert by_window(con) == [("item", "01-01", "3")]
        assert said(con, "SELECT sum(quantity) FROM usage_daily") == [("4",)]


def test_the_late_part_of_a_maximum_is_what_it_rose_by() -> None:
    events = [event("a", "2025-01-10", 7), event("b", "2025-01-12", 9, received="2025-02-03")]
    lines = [line("l", "2025-01-01", "2025-02-01", 7, "0.70")]
    books: dict[str, Any] = {"meters": [{"aggregation": "max"}], "usage_events": events, "invoices": [invoice()]}
    with derived_from("expected_lines", **books, invoice_lines=lines) as con:
        assert said(con, "SELECT metered, late_quantity FROM expected_lines") == [("9", "2")]


ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
EPOCH = at("2025-01-01")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(list(Aggregation)[:7]))
def test_windows_cut_days_anywhere_and_still_hold_exactly_their_events(seed: int, aggregation: Aggregation) -> None:
    """Random events, lines and reports: every window's quantity, and the part known at the cut-off, event by event."""
    chance = random.Random(seed)

    def moment(days: int) -> datetime:
        return EPOCH + timedelta(minutes=15 * chance.randrange(days * 96))

    events = []
    for n in range(150):
        time = moment(80)
        received = time + timedelta(minutes=chance.choice((0, 5, 600, 60_000)))
        events.append(event(f"e{n}", time.isoformat(), chance.randint(0, 9), received.isoformat()))
    lines, invoices = [], []
    for n in range(6):
        start = moment(70)
        end = start + timedelta(minutes=15 * chance.randint(1, 3000))
        invoices.append(invoice(f"inv{n}", (end + timedelta(hours=chance.randint(0, 99))).isoformat()))
        lines.append(line(f"l{n}", start.isoformat(), end.isoformat(), 1, 1, invoice_id=f"inv{n}"))
    books: dict[str, Any] = {
        "meters": [{"aggregation": aggregation}],
        "subscriptions": [{"timezone": chance.choice(ZONES), "billing_anchor": moment(20)}],
        "usage_events": events,
        "invoices": invoices,
        "invoice_lines": lines,
    }
    with derived_from("usage_windows", as_of="2025-06-01", **books) as con:
        windows = con.execute(
            "SELECT window_start, window_end, cutoff_at, quantity, quantity_at_cutoff, events, late_events "
            "FROM usage_windows"
        ).fetchall()
    assert len(windows) >= 12
    for start, end, cutoff, *found in windows:
        inside = [e for e in events if start <= e["time"].replace(tzinfo=None) < end]
        known = [e for e in inside if cutoff is None or e["received_at"].replace(tzinfo=None) <= cutoff]
        assert found == [
            _quantity(inside, aggregation, start, end),
            _quantity(known, aggregation, start, end),
            len(inside),
            len(inside) - len(known),
        ]


def _quantity(events: list[dict[str, Any]], aggregation: Aggregation, start: datetime, end: datetime) -> Decimal:
    ordered = sorted(events, key=lambda e: (e["time"], e["received_at"], e["event_id"]))
    return measure(
        [Event(e["time"], e["value"]) for e in ordered], aggregation, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    )[()]
