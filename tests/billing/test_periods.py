"""Billing periods start on their anchor, in the customer's timezone, and fill time without gap or overlap."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import (
    BadDurationError,
    Duration,
    Period,
    Schedule,
    UnknownTimezoneError,
    add,
    parse_duration,
    period_containing,
    periods_between,
)

ZONES = sorted(available_timezones())
CADENCES = ["PT1H", "P1D", "P7D", "P2W", "P1M", "P3M", "P1Y", "P1M15D", "P1DT12H"]


def local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P1M", Duration(months=1)),
        ("P1Y", Duration(months=12)),
        ("P1Y6M", Duration(months=18)),
        ("P7D", Duration(days=7)),
        ("P2W", Duration(days=14)),
        ("PT1H", Duration(seconds=3600)),
        ("P1DT1H30M10S", Duration(days=1, seconds=5410)),
    ],
)
def test_durations_are_read_as_iso_8601_writes_them(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "P", "PT", "P0M", "1M", "P1", "P1.5M", "-P1M", "PM1", "P1M ", "month", "P99999Y"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(BadDurationError, match="ISO 8601"):
        parse_duration(text)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "Europe", "../etc/passwd", "CEST"])
def test_an_unknown_timezone_is_named(name: str) -> None:
    with pytest.raises(UnknownTimezoneError, match="IANA"):
        add(datetime(2026, 1, 1, tzinfo=UTC), Duration(months=1), name)


def test_an_anchor_on_the_31st_comes_back_to_the_31st() -> None:
    anchor = datetime(2024, 1, 31, tzinfo=UTC)
    starts = [p.start for p in periods_between(anchor, "P1M", "UTC", anchor, datetime(2024, 6, 1, tzinfo=UTC))]
    assert [(s.month, s.day) for s in starts] == [(1, 31), (2, 29), (3, 31), (4, 30), (5, 31)]


def test_an_anchor_on_leap_day_is_on_the_28th_in_other_years() -> None:
    schedule = Schedule(datetime(2024, 2, 29, tzinfo=UTC), parse_duration("P1Y"), "UTC")
    assert [schedule.boundary(n).date().isoformat() for n in (1, 4)] == ["2025-02-28", "2028-02-29"]


def test_a_month_starts_at_local_midnight_on_both_sides_of_the_clock_change() -> None:
    anchor = local("Europe/Berlin", 2026, 1, 1)
    march = period_containing(anchor, "P1M", "Europe/Berlin", datetime(2026, 3, 15, tzinfo=UTC))
    assert march == Period(datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))


def test_a_local_time_that_occurs_twice_means_the_earlier_instant() -> None:
    anchor = local("America/New_York", 2026, 10, 1, 1, 30)
    november = add(anchor, Duration(months=1), "America/New_York")
    assert november == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_a_local_time_that_is_skipped_is_read_with_the_offset_before() -> None:
    anchor = local("America/New_York", 2026, 2, 8, 2, 30)
    march = add(anchor, Duration(months=1), "America/New_York")
    assert march == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


def test_hours_are_hours_also_when_the_clock_changes() -> None:
    start = datetime(2026, 3, 8, 6, tzinfo=UTC)
    hours = islice(periods_between(start, "PT1H", "America/New_York", start, start + timedelta(hours=4)), 9)
    assert [period.end - period.start for period in hours] == [timedelta(hours=1)] * 4


def test_periods_before_the_anchor_exist_too() -> None:
    anchor = datetime(2026, 5, 31, tzinfo=UTC)
    period = period_containing(anchor, "P1M", "UTC", datetime(2026, 3, 1, tzinfo=UTC))
    assert period == Period(datetime(2026, 2, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC))


def test_a_day_that_a_zone_leaves_out_is_no_period() -> None:
    anchor = local("Pacific/Apia", 2011, 12, 28, 10)
    periods = list(periods_between(anchor, "P1D", "Pacific/Apia", anchor, anchor + timedelta(days=4)))
    assert [period.start.astimezone(ZoneInfo("Pacific/Apia")).day for period in periods] == [28, 29, 31, 1]


def test_a_period_is_clipped_to_the_time_in_service() -> None:
    month = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    middle = datetime(2026, 1, 10, tzinfo=UTC)
    assert month.clip(middle, None) == Period(middle, month.end)
    assert month.clip(None, middle) == Period(month.start, middle)
    assert month.clip(datetime(2026, 3, 1, tzinfo=UTC), None).is_empty


@given(
    zone=st.sampled_from(ZONES),
    cadence=st.sampled_from(CADENCES),
    minutes=st.integers(0, 60 * 366 * 24 * 60),
    offset=st.integers(-4000, 4000),
    length=st.integers(1, 90),
)
def test_periods_tile_time_in_every_zone(zone: str, cadence: str, minutes: int, offset: int, length: int) -> None:
    anchor = datetime(1975, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    start = anchor + timedelta(hours=offset)
    end = start + timedelta(days=length)
    periods = list(islice(periods_between(anchor, cadence, zone, start, end), 3000))
    assert start in periods[0]
    assert all(a.end == b.start and a.start < a.end for a, b in pairwise(periods))
    assert periods[-1].start < end <= periods[-1].end
    assert all(period_containing(anchor, cadence, zone, p.start) == p for p in periods[:40])


@pytest.mark.parametrize("cadence", ["P1D", "P1M"])
def test_periods_tile_the_years_with_the_strangest_clock_changes(cadence: str) -> None:
    start, end = datetime(2011, 12, 1, tzinfo=UTC), datetime(2012, 4, 15, tzinfo=UTC)
    for zone in ZONES:
        anchor = local(zone, 2011, 1, 31, 2, 30)
        periods = list(periods_between(anchor, cadence, zone, start, end))
        assert start in periods[0], zone
        assert all(a.end == b.start for a, b in pairwise(periods)), zone
        assert end in periods[-1] or end == periods[-1].end, zone
