"""The part of a period that is due, by exact seconds or by local calendar days."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import Period
from billing.proration import share_of_period

BERLIN = "Europe/Berlin"
MARCH = Period(datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))  # local midnights


def test_seconds_count_the_hour_that_the_clock_change_takes() -> None:
    active = Period(datetime(2026, 3, 15, 23, tzinfo=UTC), MARCH.end)  # from local 16 March
    assert share_of_period(active, MARCH, "second", BERLIN) == Fraction(16 * 24 - 1, 31 * 24 - 1)


def test_days_are_local_dates_with_the_end_exclusive() -> None:
    active = Period(datetime(2026, 3, 15, 21, tzinfo=UTC), MARCH.end)  # from 15 March to 1 April in Berlin
    assert share_of_period(active, MARCH, "day", BERLIN) == Fraction(17, 31)


@pytest.mark.parametrize("basis", ["none", None])
def test_without_proration_the_whole_is_due(basis: str | None) -> None:
    active = Period(datetime(2026, 3, 15, tzinfo=UTC), MARCH.end)
    assert share_of_period(active, MARCH, basis, BERLIN) == 1


@pytest.mark.parametrize("basis", ["none", "second", "day"])
def test_a_period_of_no_length_has_no_share(basis: str) -> None:
    assert share_of_period(Period(MARCH.start, MARCH.start), Period(MARCH.start, MARCH.start), basis, BERLIN) is None


def test_a_part_of_an_hour_has_no_share_in_days_and_the_whole_hour_is_whole() -> None:
    hour = Period(MARCH.start, MARCH.start + timedelta(hours=1))
    half = Period(MARCH.start, MARCH.start + timedelta(minutes=30))
    assert share_of_period(half, hour, "day", BERLIN) is None
    assert share_of_period(hour, hour, "day", BERLIN) == 1


@given(cut=st.integers(0, 31 * 24 * 3600 - 3600), basis=st.sampled_from(["second", "day"]))
def test_the_parts_of_a_period_make_up_the_whole(cut: int, basis: str) -> None:
    middle = MARCH.start + timedelta(seconds=cut)
    parts = (Period(MARCH.start, middle), Period(middle, MARCH.end))
    assert sum(share_of_period(part, MARCH, basis, BERLIN) or 0 for part in parts) == 1
