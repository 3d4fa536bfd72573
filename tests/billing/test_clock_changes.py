"""What holds in every timezone whose clock was ever changed: periods tile time, and parts make up the whole."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.invoicing import Item, Subscription, expected_lines
from billing.periods import Period, Schedule, parse_duration, period_containing, periods_between
from billing.prices import Model, Price
from billing.proration import share_of_period

CADENCES = {"P1D": 12, "P7D": 40, "P1M": 130, "P3M": 400, "P1Y": 1500}
"""Cadences, and the days on both sides of a clock change in which their periods are looked at."""
WEEK = timedelta(days=7)
SECOND = timedelta(seconds=1)


@cache
def clock_changes(zone: str) -> tuple[datetime, ...]:
    """A week at each end of which the zone's clock is another distance from UTC: the last three and the greatest."""
    at, clock, found = datetime(1970, 1, 1, tzinfo=UTC), ZoneInfo(zone), []
    held = at.astimezone(clock).utcoffset() or timedelta(0)
    while at < datetime(2038, 1, 1, tzinfo=UTC):
        at += WEEK
        now = at.astimezone(clock).utcoffset() or timedelta(0)
        if now != held:
            found.append((abs(now - held), at))
        held = now
    last = [moment for _, moment in found[-3:]]
    return tuple(dict.fromkeys([*last, *(moment for _, moment in sorted(found)[-1:])]))


ZONES = sorted(zone for zone in available_timezones() if clock_changes(zone))


def test_the_database_has_hundreds_of_zones_with_clock_changes() -> None:
    assert len(ZONES) > 300
    assert {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"} <= set(ZONES)


@pytest.mark.parametrize("cadence", CADENCES)
def test_periods_tile_time_around_the_clock_changes_of_every_zone(cadence: str) -> None:
    around = timedelta(days=CADENCES[cadence])
    for zone in ZONES:
        for change in clock_changes(zone):
            anchor = (change - 2 * around).astimezone(ZoneInfo(zone)).replace(day=31 - 3 * (change.month % 2), month=1,
                                                                              hour=2, minute=30)  # fmt: skip
            start, end = change - around, change + around
            periods = list(periods_between(anchor.astimezone(UTC), cadence, zone, start, end))
            assert start in periods[0] and periods[-1].start < end <= periods[-1].end, zone
            assert all(a.end == b.start and a.start < a.end for a, b in pairwise(periods)), zone
            assert [period_containing(anchor.astimezone(UTC), cadence, zone, each.start) for each in periods[:3]] == (
                periods[:3]
            ), zone


@pytest.mark.parametrize("cadence", CADENCES)
def test_a_boundary_is_at_the_anchors_time_of_day_unless_the_clock_leaves_it_out(cadence: str) -> None:
    for zone in ZONES:
        clock = ZoneInfo(zone)
        for change in clock_changes(zone):
            anchor = change.astimezone(clock).replace(day=15, hour=2, minute=30, fold=0).astimezone(UTC)
            wanted = anchor.astimezone(clock).replace(tzinfo=None).time()
            schedule = Schedule(anchor, parse_duration(cadence), zone)
            for index in range(-3, 4):
                local = schedule.boundary(index).astimezone(clock).replace(tzinfo=None)
                exists = local.combine(local, wanted, tzinfo=clock).astimezone(UTC).astimezone(clock).time() == wanted
                assert local.time() == wanted or not exists, (zone, local)


zones = st.sampled_from(ZONES)


@settings(deadline=None)
@given(zone=zones, which=st.integers(0, 3), cadence=st.sampled_from(["P1D", "P7D", "P1M", "P3M", "P1Y"]),
       cuts=st.lists(st.fractions(0, 1), max_size=4), basis=st.sampled_from(["second", "day"]))  # fmt: skip
def test_the_parts_of_a_period_make_up_the_whole_in_every_zone(
    zone: str, which: int, cadence: str, cuts: list[Fraction], basis: str
) -> None:
    changes = clock_changes(zone)
    full = period_containing(datetime(2000, 1, 31, 5, tzinfo=UTC), cadence, zone, changes[which % len(changes)])
    bounds = [full.start, *sorted(full.start + int((full.end - full.start) / SECOND * cut) * SECOND for cut in cuts)]
    parts = [Period(start, end) for start, end in pairwise([*bounds, full.end])]
    shares = [share_of_period(part, full, basis, zone) for part in parts]
    whole = share_of_period(full, full, basis, zone)
    assert (whole is None and shares.count(None) == len(shares)) or sum(share or 0 for share in shares) == whole == 1


@settings(deadline=None)
@given(zone=zones, which=st.integers(0, 3), cut=st.fractions(0, 1), basis=st.sampled_from(["second", "day"]),
       cents=st.integers(1, 10**8))  # fmt: skip
def test_a_credit_and_a_charge_for_the_same_time_net_to_zero_in_every_zone(
    zone: str, which: int, cut: Fraction, basis: str, cents: int
) -> None:
    """A fee that is replaced by its equal within a period costs what one fee costs, wherever the clock changes."""
    changes = clock_changes(zone)
    anchor = datetime(2000, 1, 31, 5, tzinfo=UTC)
    full = period_containing(anchor, "P1M", zone, changes[which % len(changes)])
    fee = Price(Model.FLAT, "USD", flat_amount=Decimal(cents).scaleb(-2), proration=basis, metered=False)
    moment = full.start + int((full.end - full.start) / SECOND * cut) * SECOND
    if not full.start < moment < full.end:
        moment = full.start + SECOND
    old, new = (
        Item("old", fee, "in_advance", full.start, moment),
        Item("new", fee, "in_advance", moment, replaces="old"),
    )
    lines = expected_lines(Subscription(anchor, "P1M", zone, full.start), [old, new], full)
    assert sum(line.amount or 0 for line in lines) == fee.flat_amount
    given_back = sum(line.amount or 0 for line in lines if line.due_at >= moment)
    assert given_back == 0


@given(zone=zones, which=st.integers(0, 3), cents=st.integers(1, 10**8))
def test_a_full_period_that_is_charged_and_given_back_nets_to_zero_in_every_zone(
    zone: str, which: int, cents: int
) -> None:
    changes = clock_changes(zone)
    anchor = datetime(2000, 1, 31, 5, tzinfo=UTC)
    full = period_containing(anchor, "P1M", zone, changes[which % len(changes)])
    fee = Price(Model.FLAT, "USD", flat_amount=Decimal(cents).scaleb(-2), proration="day", metered=False)
    moment = full.start + SECOND  # the same local day, so that the whole period is unused
    ended = Subscription(anchor, "P1M", zone, full.start, ended_at=moment)
    lines = expected_lines(ended, [Item("i", fee, "in_advance", full.start)], full)
    same_day = full.start.astimezone(ZoneInfo(zone)).date() == moment.astimezone(ZoneInfo(zone)).date()
    assert (sum(line.amount or 0 for line in lines) == 0) is same_day
