"""Charts: round axes that reach the greatest value, gaps that are no zeros, tables that say what is drawn."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from web.charts import axis, path, spark
from web.usage_chart import Billed, Step, compare_chart, cumulative_chart, daily_chart

VALUES = st.decimals(min_value=0, max_value=10**12, places=2, allow_nan=False, allow_infinity=False)


@given(VALUES)
def test_an_axis_reaches_the_greatest_value_without_much_room_to_spare(greatest: Decimal) -> None:
    scale = axis(greatest)
    assert scale.top >= greatest
    assert greatest == 0 or scale.top <= 2 * greatest
    assert len(scale.labels) <= 6
    assert scale.labels[-1] == "0"


@given(st.lists(st.one_of(st.none(), VALUES), min_size=1, max_size=50))
def test_a_line_stays_inside_its_field_and_is_interrupted_by_gaps(values: list[Decimal | None]) -> None:
    known = [value for value in values if value is not None]
    drawn = path(values, axis(max(known, default=Decimal(0))).top)
    starts = sum(value is not None and (index == 0 or values[index - 1] is None) for index, value in enumerate(values))
    assert drawn.count("M") == starts
    for number in drawn.replace("M", " ").replace("L", " ").split():
        assert 0 <= Decimal(number) <= 1000


def test_a_day_without_events_is_a_gap_in_the_drawing_and_a_dash_in_the_table() -> None:
    used = {date(2026, 10, 1): Decimal(5), date(2026, 10, 3): Decimal(7)}
    chart = daily_chart(used, date(2026, 10, 1), date(2026, 10, 4), "calls", marked=[date(2026, 10, 3)])
    assert chart.lines[0].path.count("M") == 2
    assert chart.rows == (("1 Oct 2026", "5"), ("2 Oct 2026", "\u2013"), ("3 Oct 2026", "7"))
    assert [mark.label for mark in chart.marks] == ["3 Oct 2026: 7 calls"]


TIERS = (Step(Decimal(10), "0.30 USD each"), Step(Decimal(100), "0.20 USD each"), Step(None, "0.10 USD each"))


def test_units_add_up_and_cross_the_bounds_of_the_tiers() -> None:
    used = {date(2026, 10, day): Decimal(8) for day in range(1, 5)}
    chart = cumulative_chart(used, date(2026, 10, 1), date(2026, 10, 5), "calls", TIERS)
    assert [row[1:] for row in chart.rows] == [
        ("8", "0.30 USD each"), ("16", "0.20 USD each"), ("24", "0.20 USD each"), ("32", "0.20 USD each"),
    ]  # fmt: skip
    assert [bound.label for bound in chart.bounds] == ["up to 10: 0.30 USD each"]


def test_the_highest_value_does_not_add_up() -> None:
    used = {date(2026, 10, 1): Decimal(8), date(2026, 10, 2): Decimal(12), date(2026, 10, 3): Decimal(3)}
    chart = cumulative_chart(used, date(2026, 10, 1), date(2026, 10, 4), "nodes", TIERS, highest=True)
    assert [row[1] for row in chart.rows] == ["8", "12", "12"]


def test_expected_and_billed_stand_side_by_side_and_what_is_off_stands_out() -> None:
    periods = [
        Billed("1 Aug 2026", Decimal(100), Decimal(100)),
        Billed("1 Sep 2026", Decimal(100), Decimal(80)),
        Billed("1 Oct 2026", Decimal(100), None),
    ]
    chart = compare_chart(periods, "USD")
    assert [bar.look for bar in chart.bars] == ["expected", "billed", "expected", "billed off", "expected"]
    assert chart.rows[1] == ("1 Sep 2026", "100.00", "80.00", "20.00")
    assert chart.rows[2] == ("1 Oct 2026", "100.00", "nothing", "100.00")


def test_a_signal_that_never_changed_has_no_line() -> None:
    assert spark([Decimal(5)] * 14) == ""
    assert spark([Decimal(5)]) == ""


def test_a_signal_that_grew_beyond_what_it_was_has_a_dot() -> None:
    assert "<circle" in spark([Decimal(5), Decimal(5), Decimal(9)])
    assert "<circle" not in spark([Decimal(5), Decimal(9), Decimal(7)])
    assert 'aria-label="growing"' in spark([Decimal(0), Decimal(9)])
