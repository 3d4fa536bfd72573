"""Billing periods in SQL lie exactly where billing/periods.py puts them, in every timezone that changes its clocks."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.periods import periods_between
from tests.detector.small_books import at, derived_from, said

ZONES = sorted(
    zone for zone in zoneinfo.available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix", "right"))
)
CADENCES = ("P1M", "P3M", "P1Y", "P7D", "P2W", "P1D", "P1M15D", "PT36H")


def periods_in_sql(
    schedules: list[tuple[str, str, datetime]], since: datetime, as_of: datetime
) -> dict[str, list[Any]]:
    """Periods of one item per (timezone, cadence, anchor), by the item's id."""
    subscriptions = [
        {"subscription_id": f"s{n}", "timezone": zone, "billing_anchor": anchor, "started_at": since}
        for n, (zone, _, anchor) in enumerate(schedules)
    ]
    prices = [{"price_id": f"p{n}", "cadence": cadence} for n, (_, cadence, _) in enumerate(schedules)]
    items = [
        {"item_id": f"i{n}", "subscription_id": f"s{n}", "price_id": f"p{n}", "active_from": since}
        for n in range(len(schedules))
    ]
    found: dict[str, list[Any]] = {}
    with derived_from(
        "periods", as_of=as_of.isoformat(), subscriptions=subscriptions, prices=prices, subscription_items=items
    ) as con:
        for item_id, start, end in con.execute(
            "SELECT item_id, period_start, period_end FROM periods ORDER BY period_start"
        ).fetchall():
            found.setdefault(item_id, []).append((start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)))
    return found


def assert_alike(schedules: list[tuple[str, str, datetime]], since: datetime, as_of: datetime) -> None:
    found = periods_in_sql(schedules, since, as_of)
    for n, (zone, cadence, anchor) in enumerate(schedules):
        reference = periods_between(anchor, cadence, zone, since, as_of + timedelta(microseconds=1))
        assert found.get(f"i{n}", []) == [(period.start, period.end) for period in reference], (zone, cadence, anchor)


def test_monthly_periods_agree_in_every_timezone() -> None:
    anchor = at("2024-01-31T01:30:00")
    assert_alike([(zone, "P1M", anchor) for zone in ZONES], at("2024-01-31T01:30:00"), at("2027-01-01"))


def test_daily_periods_agree_across_every_clock_change_of_a_year() -> None:
    """Daily boundaries at each half hour of the night: some fall into the hour that is skipped or occurs twice."""
    changing = (
        "America/New_York",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "America/Santiago",
        "Africa/Casablanca",
        "Asia/Beirut",
    )
    anchors = [at("2025-01-01") + timedelta(minutes=30 * n) for n in range(48)]
    assert_alike([(zone, "P1D", anchor) for zone in changing for anchor in anchors], at("2025-01-03"), at("2026-01-05"))


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(ZONES),
            st.sampled_from(CADENCES),
            st.datetimes(datetime(2019, 1, 1), datetime(2026, 6, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        ),
        min_size=20,
        max_size=40,
    ),
    st.datetimes(datetime(2023, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_periods_of_any_anchor_cadence_and_timezone_agree(schedules: list[Any], since: datetime) -> None:
    assert_alike(schedules, since, at("2025-07-01T12:34:56"))


def test_a_local_time_that_occurs_twice_is_the_earlier_instant() -> None:
    """New York, 2 November 2025: 01:30 is 05:30 and 06:30 UTC; the boundary is 05:30."""
    found = periods_in_sql([("America/New_York", "P1D", at("2025-10-20T05:30"))], at("2025-11-01"), at("2025-11-03"))[
        "i0"
    ]
    assert found[1] == (at("2025-11-01T05:30"), at("2025-11-02T05:30"))


def test_an_anchor_on_the_31st_comes_back_to_the_31st() -> None:
    found = periods_in_sql([("UTC", "P1M", at("2025-01-31"))], at("2025-01-31"), at("2025-04-15"))["i0"]
    assert [start for start, _ in found] == [at("2025-01-31"), at("2025-02-28"), at("2025-03-31")]


@pytest.mark.parametrize(
    ("column", "value"), [("timezone", "Mars/Olympus"), ("cadence", "monthly"), ("cadence", "P0M")]
)
def test_an_unreadable_calendar_leaves_the_item_without_periods(column: str, value: str) -> None:
    given: dict[str, Any] = (
        {"subscriptions": [{column: value}]} if column == "timezone" else {"prices": [{column: value}]}
    )
    with derived_from("periods", **given) as con:
        assert said(con, "SELECT count(*) FROM periods") == [(0,)]


def test_the_part_in_service_is_what_is_due_of_a_period() -> None:
    seats = [{"meter_id": None, "proration": "day", "payment_term": "in_advance"}]
    items = [{"quantity": 3, "active_from": at("2025-01-11"), "active_to": at("2025-02-15")}]
    with derived_from("periods", prices=seats, subscription_items=items) as con:
        assert said(con, "SELECT CAST(active_start AS DATE)::VARCHAR, CAST(active_end AS DATE)::VARCHAR, active_ticks, "
                    "period_ticks, CAST(due_at AS DATE)::VARCHAR FROM periods ORDER BY 1") == [
            ("2025-01-11", "2025-02-01", 21, 31, "2025-01-11"),
            ("2025-02-01", "2025-02-15", 14, 28, "2025-02-01"),
        ]  # fmt: skip


def test_nothing_is_due_for_a_trial() -> None:
    with derived_from("periods", subscriptions=[{"trial_end": at("2025-02-10")}]) as con:
        assert said(con, "SELECT CAST(active_start AS DATE)::VARCHAR FROM periods ORDER BY 1") == [
            ("2025-02-10",), ("2025-03-01",), ("2025-04-01",),
        ]  # fmt: skip


def test_a_cancelled_subscription_has_no_period_after_its_end() -> None:
    with derived_from("periods", subscriptions=[{"status": "canceled", "cancel_at": at("2025-03-01")}]) as con:
        assert said(con, "SELECT count(*), max(ended::INT) FROM periods") == [(2, 1)]
