"""What billing systems decide differently, and that the page about it names every choice."""

from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.blocks import BlockTier, CapacityTier, all_tiers, capacity_amount, top_tier
from billing.changes import Item, standing, to_bill
from billing.cycles import Plan, cycles
from billing.dialects import BOOKS, DIALECTS, KILLBILL, LAGO, OPENMETER, ZUORA_30, Dialect, dialect_of
from billing.levels import Days, Presence, prorated_units, unique_steps
from billing.per_event import EventTerms, events_amount
from billing.periods import Duration, Period
from billing.prices import Price, Tier
from billing.proration import end_of_day, start_of_day
from billing.rating import Before
from billing.splits import rate_in_advance, rate_split

PAGE = Path(__file__).parents[2] / "docs" / "dialects.md"
START = st.dates(date(2020, 1, 1), date(2030, 1, 1))
FEBRUARY = Period(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
VOLUME = Price("volume", "USD", tiers=(Tier(1, Decimal(10), Decimal(2)), Tier(2, None, Decimal(1))))


def test_the_page_names_every_dialect_and_every_choice() -> None:
    page = PAGE.read_text()
    names = [*DIALECTS, *(field.name for field in fields(Dialect))]
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_found_by_the_system_that_speaks_it(name: str) -> None:
    assert dialect_of(name).name == name
    assert dialect_of("a home-made system") is BOOKS


@pytest.mark.parametrize("name", DIALECTS)
def test_a_price_that_is_not_prorated_is_whole_in_every_dialect(name: str) -> None:
    half = FEBRUARY.clip(None, datetime(2026, 2, 15, tzinfo=UTC))
    assert DIALECTS[name].share(half, FEBRUARY, "none", "UTC") == 1


def test_the_last_day_counts_where_both_ends_are_billed() -> None:
    used = Period(FEBRUARY.start, datetime(2026, 2, 14, 10, tzinfo=UTC))
    shares = [dialect.share(used, FEBRUARY, "day", "UTC") for dialect in (LAGO, BOOKS)]
    assert shares == [Fraction(14, 28), Fraction(13, 28)]


def test_a_month_of_thirty_days_ends_on_the_thirtieth() -> None:
    used = Period(datetime(2026, 2, 27, tzinfo=UTC), FEBRUARY.end)
    assert ZUORA_30.share(used, FEBRUARY, "day", "UTC") == Fraction(4, 30)


def test_a_share_of_cycles_has_nine_places() -> None:
    used = FEBRUARY.clip(None, datetime(2026, 2, 14, tzinfo=UTC))
    assert KILLBILL.share(used, FEBRUARY, "day", "UTC") == Fraction("0.464285714")


def test_an_amount_is_rounded_on_each_line_or_once() -> None:
    thirds = [Fraction(1, 3)] * 3
    assert (OPENMETER.total(thirds, "USD"), LAGO.total(thirds, "USD")) == (Decimal("0.99"), Decimal("1.00"))


def test_a_volume_price_waits_for_the_last_line_where_the_dialect_says_so() -> None:
    parts = [
        rate_split(VOLUME, Decimal(8), OPENMETER, last=False),
        rate_split(VOLUME, Decimal(8), OPENMETER, before=Before(Decimal(8))),
    ]
    assert [part.amount for part in parts] == [0, Decimal("16.00")]


def test_each_part_is_converted_by_itself_where_the_dialect_says_so() -> None:
    price = Price(
        "per_unit", "USD", Decimal(1), convert="divide", convert_factor=Decimal(10), convert_rounding="ceiling"
    )
    amounts = [
        rate_split(price, Decimal(5), dialect, before=Before(Decimal(5)), earlier=(Decimal(5),)).amount
        for dialect in (OPENMETER, BOOKS)
    ]
    assert amounts == [Decimal("1.00"), Decimal("0.00")]


def test_usage_charged_at_once_is_not_given_back_nor_charged_twice() -> None:
    price = Price("per_unit", "EUR", Decimal(10))
    assert rate_in_advance(price, [Decimal(2), Decimal(-1), Decimal(2)], LAGO) == [20, 0, 10]


def test_blocks_begun_count_and_what_no_tier_holds_is_priced_by_the_last() -> None:
    tiers = [BlockTier(Decimal(100), Decimal(1), Decimal(2)), BlockTier(Decimal(1000), Decimal(5), Decimal(1))]
    assert all_tiers(tiers, Decimal(201)) == [2, 5]
    assert top_tier(tiers, Decimal(201)) == 5
    assert top_tier(tiers, Decimal(2001)) == 15


def test_capacity_is_the_lowest_tier_that_everything_fits_in() -> None:
    tiers = [CapacityTier(Decimal(10), {"gb": Decimal(5)}), CapacityTier(Decimal(30), {"gb": Decimal(50)})]
    assert [capacity_amount(tiers, {"gb": Decimal(gb)}) for gb in (5, 6, 51)] == [10, 30, 30]


def test_an_event_is_free_of_its_fee_while_the_total_stays_below_the_free_units() -> None:
    terms = EventTerms(Decimal(1), Decimal(2), free_units=Decimal(10))
    assert [events_amount(terms, [Decimal(n) for n in events]) for events in ([9], [10], [9, 1])] == [0, 2, 2]


def test_a_repair_gives_back_what_is_not_wanted_any_more() -> None:
    paid = Item("i1", date(2026, 1, 1), date(2026, 2, 1), Decimal(31), "pro")
    wanted = Item("p1", date(2026, 1, 1), date(2026, 1, 11), Decimal(10), "pro")
    [repair] = to_bill([paid], [wanted], "USD")
    assert (repair.repairs, repair.start, repair.amount) == ("i1", date(2026, 1, 11), Decimal("-21.00"))
    assert [item.amount for item in standing([paid, repair], "USD")] == [Decimal("10.00")]
    assert to_bill([paid, repair], [wanted], "USD") == []


@settings(deadline=None)
@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 31), st.integers(0, 900), st.sampled_from([1, 3, 12])
)
def test_cycles_follow_one_another_without_gap(start: date, day: int, ahead: int, months: int) -> None:
    through = date.fromordinal(start.toordinal() + ahead)
    found = cycles(Plan(start, None, day, Duration(months=months)), through, KILLBILL)
    assert found[0].start == start
    assert found[-1].end > through
    assert all(one.end == next_one.start for one, next_one in pairwise(found))
    assert all(0 < cycle.share <= 1 for cycle in found)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 31), st.booleans(), st.sampled_from("ab")), max_size=8))
def test_a_distinct_value_never_counts_for_more_than_the_period(changes: list[tuple[int, bool, str]]) -> None:
    presences = [Presence(date(2026, 1, day), adds, value) for day, adds, value in sorted(changes)]
    units = prorated_units(unique_steps(presences, Days(date(2026, 1, 1), date(2026, 1, 31), 31)))
    assert 0 <= units <= len({value for _, adds, value in changes if adds})


def test_a_day_begins_and_ends_by_the_clock_of_its_zone() -> None:
    night = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 1:30 in Berlin; the clock skips from 2 to 3
    assert start_of_day(night, "Europe/Berlin") == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert end_of_day(night, "Europe/Berlin") == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert end_of_day(datetime(2026, 3, 28, 23, tzinfo=UTC), "Europe/Berlin") == datetime(2026, 3, 28, 23, tzinfo=UTC)
