"""Numbers, instants and periods as pages write them: exact, in the currency's own digits, never rounded away."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import MINOR_DIGITS
from web.figures import gap, money, plain_amount, quantity, short, stated
from web.moments import duration, instant, period, roughly

MONEY = st.decimals(min_value=-(10**14), max_value=10**14, places=4, allow_nan=False, allow_infinity=False)


@given(MONEY, st.sampled_from(sorted(MINOR_DIGITS)))
def test_an_amount_reads_back_as_itself_with_at_least_its_currency_s_digits(amount: Decimal, currency: str) -> None:
    written = plain_amount(amount, currency)
    assert Decimal(written.replace(",", "").replace("\u2212", "-")) == amount
    assert len(written.partition(".")[2]) >= MINOR_DIGITS[currency]


@given(st.decimals(min_value=-(10**17), max_value=10**17, places=9, allow_nan=False, allow_infinity=False))
def test_a_quantity_reads_back_as_itself_without_idle_zeros(value: Decimal) -> None:
    written = quantity(value)
    assert Decimal(written.replace(",", "").replace("\u2212", "-")) == value
    assert not written.partition(".")[2].endswith("0")


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("1234.5", "USD", "1,234.50 USD"),
        ("1235", "JPY", "1,235 JPY"),
        ("14.4", "KWD", "14.400 KWD"),
        ("0.0025", "USD", "0.0025 USD"),
        ("-3", "EUR", "\u22123.00 EUR"),
        ("987654321098.76", "USD", "987,654,321,098.76 USD"),
    ],
)
def test_money_is_written_in_its_currency_s_digits(amount: str, currency: str, written: str) -> None:
    assert money(Decimal(amount), currency).striptags() == written


def test_what_is_missing_or_too_much_is_said_in_words() -> None:
    assert gap(Decimal("12"), "USD").striptags() == "12.00 USD too little"
    assert gap(Decimal("-12"), "USD").striptags() == "12.00 USD too much"
    assert gap(Decimal("-812"), "units").striptags() == "812 too much"
    assert gap(Decimal(0), "USD") == "none"
    assert gap(None, "USD") == "\u2013"


def test_a_value_is_money_only_when_its_unit_is_a_currency() -> None:
    assert stated(Decimal("5"), "USD").striptags() == "5.00 USD"
    assert stated(Decimal("5.500"), "units") == "5.5"
    assert stated(None, "units") == "\u2013"


@pytest.mark.parametrize(
    ("value", "written"),
    [("0", "0"), ("250", "250"), ("1200", "1.2k"), ("3000000", "3M"), ("0.25", "0.25"), ("2500000000", "2.5B")],
)
def test_axis_labels_are_short(value: str, written: str) -> None:
    assert short(Decimal(value)) == written


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "written"),
    [
        ("2026-10-01", "2026-11-01", "1–31 Oct 2026"),
        ("2026-10-15", "2026-11-15", "15 Oct – 14 Nov 2026"),
        ("2025-12-15", "2026-01-15", "15 Dec 2025 – 14 Jan 2026"),
        ("2026-10-01", "2026-10-02", "1 Oct 2026"),
        ("2026-07-15T10:00", "2026-08-15T10:00", "15 Jul – 15 Aug 2026"),
        ("2026-10-20T20:00", "2026-11-20T21:00", "20 Oct – 20 Nov 2026"),  # the clocks changed in between
        ("2026-10-20T20:00", "2026-10-20T23:30", "20 Oct 2026 20:00 – 20 Oct 2026 23:30 UTC"),
    ],
)
def test_a_period_is_written_by_its_days_and_exact_on_hover(start: str, end: str, written: str) -> None:
    markup = period(at(start), at(end))
    assert markup.striptags() == written
    assert f'title="{instant(at(start))} – {instant(at(end))} UTC"' in markup


def test_naive_instants_of_the_warehouse_are_utc() -> None:
    assert instant(datetime(2026, 10, 1, 14, 5)) == "1 Oct 2026 14:05"  # noqa: DTZ001 (as the warehouse gives them)
    assert instant(None) == "\u2013"


def test_durations_and_distances_are_rough_where_exactness_only_disturbs() -> None:
    now = at("2026-11-21T09:30")
    assert duration(timedelta(hours=6, minutes=12)) == "6 h 12 min"
    assert duration(timedelta(days=2, hours=19)) == "2 d 19 h"
    assert duration(timedelta(days=11, hours=3)) == "11 d"
    assert roughly(now - timedelta(seconds=20), now) == "just now"
    assert roughly(now + timedelta(hours=14, minutes=37), now) == "in 14 h"
    assert roughly(now - timedelta(days=2, hours=19), now) == "2 d ago"
    assert roughly(None, now) == "\u2013"
