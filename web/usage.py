"""The usage of one item: by day, as recorded and as billed, and its raw events with what is odd about them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from duckdb import DuckDBPyConnection
from flask import Blueprint, Response, abort, request

from detector.inbox import BadFilter
from store import operational
from web import expected, lookups, places, usage_events
from web.charts import Bar, Chart, along, percent
from web.console import console, now
from web.pages import show
from web.records import named_by
from web.sheets import csv_answer
from web.usage_chart import daily_chart
from web.words import units

pages = Blueprint("usage", __name__)

DAYS = 92
"""How much usage a page shows unless its address says otherwise."""

PERIODS = 40
"""How many billed lines and recorded quantities a page lists at most."""

COLUMNS = ("event_id", "source", "event_type", "subject", "time", "received_at", "value", "status", "error", "repeated",
           "late")  # fmt: skip


@dataclass(frozen=True)
class Period:
    """What was billed for a period of an item and what the billing system had recorded for it."""

    start: datetime | None
    end: datetime | None
    billed: list[lookups.Row]
    reported: list[lookups.Row]


@pages.get("/usage")
def shown() -> tuple[str, int]:
    """The page of an item's usage: `item`, or `sub` and `meter`, name it, `from` and `to` its days."""
    start, end = _span()
    which = _which()
    with console().books() as books:
        item = _item(books)
        billed = lookups.billed(books, item["item_id"])
        events = usage_events.events_of(books, item, billed, start, end)
        days, (listed, following) = events.by_day(), events.page(which, places.wanted())
        return show(
            "usage.html",
            item=item,
            siblings=lookups.metered_items_of(books, item["subscription_id"], item["integration"]),
            start=start,
            end=end,
            chart=_with_range(item, start, end) or _chart(item, days, start, end),
            has_range=bool(request.args.get("range")),
            total=sum((row["quantity"] for row in days), Decimal(0)),
            counts=events.counts(),
            kinds=usage_events.KINDS,
            which=which,
            events=listed,
            following=following,
            periods=periods(billed[:PERIODS], lookups.reported(books, item["item_id"], PERIODS)),
            named=named_by(entity=item["item_id"]),
            address=_address,
        )


@pages.get("/usage.csv")
def sheet() -> Response:
    """Every event that the page of the same query lists, over all its pages."""
    start, end = _span()
    which = _which()
    with console().books() as books:
        item = _item(books)
        events = usage_events.events_of(books, item, lookups.billed(books, item["item_id"]), start, end)
        found, _ = events.page(which, None, usage_events.MOST)
        listed = [[event[column] for column in COLUMNS] for event in found]
    return csv_answer(f"usage-{item['item_id']}-{start:%Y-%m-%d}-{end:%Y-%m-%d}", COLUMNS, listed)


def asked() -> tuple[datetime, datetime, Callable[[DuckDBPyConnection], dict[str, Any]]]:
    """What the address asks for: from when, until when, and how to find whose usage. Raises BadFilter."""
    _which()
    return *_span(), _item


def periods(billed: Sequence[lookups.Row], reported: Sequence[lookups.Row]) -> list[Period]:
    """The lines and the recorded usage of an item, those of one period together, the newest first."""
    spans = {(row["period_start"], row["period_end"]) for row in (*billed, *reported)}
    return [
        Period(
            *span,
            [row for row in billed if (row["period_start"], row["period_end"]) == span],
            [row for row in reported if (row["period_start"], row["period_end"]) == span],
        )
        for span in sorted(spans, key=lambda span: [str(at or "") for at in span], reverse=True)
    ]


def _item(books: DuckDBPyConnection) -> dict[str, Any]:
    """The item that the address names. Answers 404 when there is none."""
    id, subscription, meter = (request.args.get(name, "") for name in ("item", "sub", "meter"))
    if not id and subscription:
        metered = lookups.metered_items_of(books, subscription, request.args.get("integration"))
        id = next((one["item_id"] for one in metered if meter in ("", one["meter_id"])), "")
        if not id:
            about = f" on meter {meter[:80]}" if meter else ""
            abort(404, description=f"Subscription {subscription[:80]} has no metered item{about} in the books.")
    item = lookups.item(books, id) if id else None
    if item is None:
        abort(404, description=f"There is no item {id[:80]} in the books.")
    return item


def _which() -> str:
    """Which events the address asks for. Raises BadFilter for a kind that does not exist."""
    which = request.args.get("show", "all")
    if which not in usage_events.KINDS:
        raise BadFilter(f"show cannot be {which[:40]!r}; use one of {', '.join(usage_events.KINDS)}")
    return which


def _span() -> tuple[datetime, datetime]:
    """The days that the address names, else the last three months; always whole UTC days, at most two years."""
    end = _day("to") or (now() + timedelta(days=1))
    end = end.replace(hour=0, minute=0, second=0, microsecond=0)
    start = _day("from") or end - timedelta(days=DAYS)
    return max(min(start, end - timedelta(days=1)), end - timedelta(days=730)), end


def _day(name: str) -> datetime | None:
    try:
        return datetime.strptime(request.args.get(name, ""), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _with_range(item: dict[str, Any], start: datetime, end: datetime) -> Chart | None:
    """The item's usage in its usual range, where the address asks for it."""
    if not request.args.get("range") or not item.get("meter_id"):
        return None
    with operational.reading(console().engine) as session:
        return expected.item_chart(session, item, start.date(), end.date(), now())


def _chart(item: Mapping[str, Any], days: list[dict[str, Any]], start: datetime, end: datetime) -> Chart | None:
    if not days:
        return None
    by_day = {row["day"]: row["quantity"] for row in days}
    last = max(min(end.date(), now().date()), max(by_day) + timedelta(days=1))  # a day that is not over is no gap
    return with_gaps(daily_chart(by_day, start.date(), last, units(item["unit"])), by_day, start.date(), last)


def with_gaps(chart: Chart, by_day: Collection[date], start: date, end: date) -> Chart:
    """The chart of the days in [start, end) with every stretch of days without events hatched: a gap is not a zero."""
    count = max((end - start).days, 1)
    quiet = [index for index in range(count) if start + timedelta(days=index) not in by_day]
    bars = []
    for first, last in _stretches(quiet):
        left = max(along(first, count) - Decimal("0.5") / count, Decimal(0))
        right = min(along(last, count) + Decimal("0.5") / count, Decimal(1))
        told = f"no event from {start + timedelta(days=first)} to {start + timedelta(days=last)}"
        bars.append(Bar("gap", percent(left), "0%", percent(right - left), "100%", told))
    if not bars:
        return chart
    return replace(
        chart, bars=(*chart.bars, *bars), legend=(*chart.legend, ("gap", "no event at all, which is no zero"))
    )


def _stretches(indexes: list[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers, each by its first and last."""
    found: list[tuple[int, int]] = []
    for index in indexes:
        if found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found


def _address(path: str = "/usage", **changes: str | None) -> str:
    """The address of this page, or of its sheet, with some of its state changed; None takes a part away."""
    state = {**request.args.to_dict(), "after": None, **changes}
    return f"{path}?{urlencode({name: value for name, value in state.items() if value})}"
