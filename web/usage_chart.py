"""The charts of a signal, each chosen by what its rule is about, and the chart of an item's daily usage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from operator import add

from web.charts import Axis, Bar, Bound, Chart, Line, Mark, along, axis, path, percent
from web.figures import plain_amount, quantity, short

MOST_LABELS = 6
GAP = Decimal("0.36")
"""The part of a period's width that stays empty between bars."""


@dataclass(frozen=True)
class Step:
    """A tier as a chart shows it: its upper bound (None: no end) and what a unit costs in it."""

    up_to: Decimal | None
    rate: str


@dataclass(frozen=True)
class Billed:
    """One period of an item: what it should cost and what was billed; None where nothing was."""

    label: str
    expected: Decimal
    billed: Decimal | None


def daily_chart(
    by_day: Mapping[date, Decimal],
    start: date,
    end: date,
    unit: str,
    marked: Collection[date] = (),
    usual: Decimal | None = None,
) -> Chart:
    """Usage by day in [start, end). A day without events is a gap, not a zero; `marked` days stand out."""
    days = _days(start, end)
    values = [by_day.get(day) for day in days]
    scale = axis(max([value for value in values if value is not None] + ([usual] if usual else []), default=Decimal(0)))
    marks = [
        Mark(percent(along(index, len(days))), scale.down(by_day[day]), f"{_day(day)}: {quantity(by_day[day])} {unit}")
        for index, day in enumerate(days)
        if day in marked and day in by_day
    ]
    lines = [Line("actual", path(values, scale.top))]
    legend = [("actual", f"{unit} per day")]
    if usual is not None:
        lines.insert(0, Line("usual", path([usual] * len(days), scale.top)))
        legend.append(("usual", f"usual on such days: {quantity(usual)}"))
    if marks:
        legend.append(("mark", "outside the usual"))
    return Chart(
        title="Usage by day",
        note=f"{unit}, days in UTC; a day without events is a gap.",
        axis=scale,
        along=_day_labels(days),
        columns=("Day", unit),
        rows=tuple((_day(day), quantity(by_day.get(day))) for day in days),
        legend=tuple(legend),
        lines=tuple(lines),
        marks=tuple(marks),
    )


def hourly_chart(
    by_hour: Mapping[datetime, Decimal], start: datetime, end: datetime, unit: str, first: datetime, last: datetime
) -> Chart:
    """Usage by hour in [start, end); those from `first` to `last` that stand out or have no usage are marked."""
    hours = [start + timedelta(hours=index) for index in range(int((end - start) / timedelta(hours=1)))]
    values = [by_hour.get(hour) for hour in hours]
    before = max((value for hour, value in by_hour.items() if start <= hour < first), default=Decimal(0))
    marked = [hour for hour in hours if first <= hour <= last and not 0 < by_hour.get(hour, Decimal(0)) <= before]
    scale = axis(max((value for value in values if value is not None), default=Decimal(0)))
    marks = [
        Mark(percent(along(index, len(hours))), scale.down(by_hour.get(hour, Decimal(0))),
             f"{_hour(hour)}: {_used(by_hour.get(hour), unit)}")
        for index, hour in enumerate(hours) if hour in marked
    ]  # fmt: skip
    return Chart(
        title="Usage by hour",
        note=f"{unit}, hours in UTC, with the same hours a week before; an hour without events is a gap.",
        axis=scale,
        along=_few([f"{hour.day} {hour:%b}" for hour in hours]),
        columns=("Hour", unit, "Told"),
        rows=tuple((_hour(hour), quantity(by_hour.get(hour)), "yes" if hour in marked else "") for hour in hours),
        legend=(("actual", f"{unit} per hour"), ("mark", "told by this signal")),
        lines=(Line("actual", path(values, scale.top)),),
        marks=tuple(marks),
    )


def _hour(hour: datetime) -> str:
    return f"{hour.day} {hour:%b %Y, %H:%M}"


def _used(used: Decimal | None, unit: str) -> str:
    return "no events" if used is None else f"{quantity(used)} {unit}"


@dataclass(frozen=True)
class Range:
    """One day of usage beside what was expected; None: no events."""

    day: date
    used: Decimal | None
    expected: Decimal
    lower: Decimal
    upper: Decimal


def range_chart(days: Sequence[Range], unit: str, marked: Collection[date], mark_words: str) -> Chart:
    """Usage by day in its usual range, with what was expected; the `marked` days stand out, named by `mark_words`."""
    scale = axis(max((max(one.used or Decimal(0), one.upper) for one in days), default=Decimal(0)))
    marks = tuple(
        Mark(percent(along(index, len(days))), scale.down(one.used or Decimal(0)), _marked(one, unit))
        for index, one in enumerate(days)
        if one.day in marked
    )
    legend = [("actual", f"{unit} per day"), ("usual", "expected"), ("band", "usual range")]
    return Chart(
        title="Usage by day, and what was expected",
        note=f"{unit}, days in UTC. The range follows weekday, level and known changes, and uses nothing after a day.",
        axis=scale,
        along=_day_labels([one.day for one in days]),
        columns=("Day", unit, "Expected", "Usual range", "Unusual"),
        rows=tuple(_range_row(one, one.day in marked) for one in days),
        legend=(*legend, ("mark", mark_words)) if marks else tuple(legend),
        bars=tuple(_range_bar(index, len(days), one, scale) for index, one in enumerate(days)),
        lines=(
            Line("usual", path([one.expected for one in days], scale.top)),
            Line("actual", path([one.used for one in days], scale.top)),
        ),
        marks=marks,
    )


def _marked(one: Range, unit: str) -> str:
    return f"{_day(one.day)}: {_used(one.used, unit)}, expected {quantity(_whole(one.expected))}"


def _range_row(one: Range, is_marked: bool) -> tuple[str, ...]:
    used = "no events" if one.used is None else quantity(one.used)
    span = f"{quantity(_whole(one.lower))} to {quantity(_whole(one.upper))}"
    return _day(one.day), used, quantity(_whole(one.expected)), span, "yes" if is_marked else ""


def _range_bar(index: int, count: int, one: Range, scale: Axis) -> Bar:
    """The day's part of the range, half a day to both sides of its point."""
    half = Decimal(1) / max(count - 1, 1) / 2
    left, right = max(along(index, count) - half, Decimal(0)), min(along(index, count) + half, Decimal(1))
    return Bar("band", percent(left), scale.down(one.upper), percent(right - left), scale.height(one.upper - one.lower))


def _whole(value: Decimal) -> Decimal:
    """An expectation with no more digits than it deserves."""
    return value.quantize(Decimal(1)) if value >= 100 else value.quantize(Decimal("0.01"))


def cumulative_chart(
    by_day: Mapping[date, Decimal], start: date, end: date, unit: str, tiers: Sequence[Step], *, highest: bool = False
) -> Chart:
    """Units since the period began, day by day, and the tier bounds that they pass.

    `highest`: the meter counts the highest value of the period, so days do not add up.
    """
    days = _days(start, end)
    join = max if highest else add
    sums = list(accumulate((by_day.get(day, Decimal(0)) for day in days), join, initial=Decimal(0)))
    counted = "highest so far" if highest else "so far"
    bounds = [tier for tier in tiers if tier.up_to is not None and tier.up_to <= sums[-1] * Decimal("1.6")]
    scale = axis(max([sums[-1], *(tier.up_to for tier in bounds if tier.up_to is not None)]))
    return Chart(
        title="Usage since the period began, and the tiers it passes",
        note=f"{quantity(sums[-1])} {unit} in all; each dashed line is the upper bound of a tier.",
        axis=scale,
        along=_day_labels([start, *(day + timedelta(days=1) for day in days)]),
        columns=("End of day", f"{unit} {counted}", "In the tier"),
        rows=tuple(
            (_day(day), quantity(total), _tier(total, tiers)) for day, total in zip(days, sums[1:], strict=True)
        ),
        legend=(("actual", f"{unit} {counted}"), ("bound", "upper bound of a tier")),
        lines=(Line("actual", path(sums, scale.top)),),
        bounds=tuple(
            Bound(scale.down(tier.up_to), f"up to {short(tier.up_to)}: {tier.rate}")
            for tier in bounds
            if tier.up_to is not None
        ),
    )


def compare_chart(periods: Sequence[Billed], currency: str) -> Chart:
    """Expected and billed side by side, period by period; what was billed wrongly stands out."""
    scale = axis(
        max((amount for one in periods for amount in (one.expected, one.billed) if amount), default=Decimal(0))
    )
    return Chart(
        title="Expected and billed, period by period",
        note=f"{currency}, before discounts and credit notes.",
        axis=scale,
        along=tuple(one.label.rsplit(" ", 1)[0] for one in periods),
        slots=True,
        columns=("Period", "Expected", "Billed", "Difference"),
        rows=tuple(
            (
                one.label,
                plain_amount(one.expected, currency),
                "nothing" if one.billed is None else plain_amount(one.billed, currency),
                plain_amount(one.expected - (one.billed or Decimal(0)), currency),
            )
            for one in periods
        ),
        legend=_compare_legend(periods),
        bars=tuple(
            bar for index, one in enumerate(periods) for bar in _pair(index, len(periods), one, scale, currency)
        ),
    )


def _compare_legend(periods: Sequence[Billed]) -> tuple[tuple[str, str], ...]:
    """Only what is drawn."""
    looks = [("expected", "expected")]
    if any(one.billed == one.expected for one in periods):
        looks.append(("billed", "billed"))
    if any(one.billed not in (None, one.expected) for one in periods):
        looks.append(("billed off", "billed otherwise than expected"))
    return tuple(looks)


def _pair(index: int, count: int, one: Billed, scale: Axis, currency: str) -> list[Bar]:
    """The two bars of a period."""
    slot = Decimal(1) / max(count, 1)
    wide = slot * (1 - GAP) / 2
    left = slot * index + slot * GAP / 2
    off = " off" if one.billed is not None and one.billed != one.expected else ""
    bars = [
        _bar(
            "expected", left, wide, one.expected, scale, f"{one.label}: {plain_amount(one.expected, currency)} expected"
        )
    ]
    if one.billed:
        label = f"{one.label}: {plain_amount(one.billed, currency)} billed"
        bars.append(_bar(f"billed{off}", left + wide, wide, one.billed, scale, label))
    return bars


def _bar(look: str, x: Decimal, width: Decimal, value: Decimal, scale: Axis, label: str) -> Bar:
    value = max(value, Decimal(0))
    return Bar(look, percent(x), scale.down(value), percent(width), scale.height(value), label)


def _tier(units: Decimal, tiers: Sequence[Step]) -> str:
    """What a unit costs where `units` have been reached."""
    return next((tier.rate for tier in tiers if tier.up_to is None or units <= tier.up_to), "\u2013")


def _days(start: date, end: date) -> list[date]:
    return [start + timedelta(days=index) for index in range(max((end - start).days, 1))]


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _day_labels(days: Sequence[date]) -> tuple[str, ...]:
    return _few([f"{day.day} {day:%b}" for day in days])


def _few(labels: Sequence[str]) -> tuple[str, ...]:
    """At most MOST_LABELS of the labels, evenly spread from the first to the last."""
    if len(labels) <= MOST_LABELS:
        return tuple(labels)
    last = len(labels) - 1
    return tuple(labels[round(last * place / (MOST_LABELS - 1))] for place in range(MOST_LABELS))
