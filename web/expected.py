"""The chart of a series of usage in its usual range: for a signal about unusual usage, and for any item."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
from sqlalchemy.orm import Session

from detector import usage_labels
from store.operational_tables import StoredFinding
from web import lookups
from web.charts import Chart
from web.console import console
from web.moments import aware
from web.usage_chart import Range, hourly_chart, range_chart
from web.words import units

HISTORY = timedelta(weeks=8)
HOURS = timedelta(days=8)
"""So much before the first hour is shown: the same hours of a week before are among them."""
SEEN = "told by this signal"
OUTSIDE = "outside the usual range"


def signal_chart(session: Session, found: StoredFinding, unit: str, as_of: datetime) -> Chart | None:
    """The series that a finding names: eight weeks before its first day, and on to what was known at `as_of`."""
    said = found.evidence
    first = _day(said["first_day"])
    last = _day(said.get("last_day") or said["first_day"])
    days = [one for one in _expected(session, str(said["series"]), as_of) if one.day >= first - HISTORY]
    return range_chart(days, unit, _between(first, last), SEEN) if days else None


def hours_chart(books: duckdb.DuckDBPyConnection, found: StoredFinding, item: dict[str, Any]) -> Chart | None:
    """The hours that a finding names, and those of eight days before."""
    first, last = _instant(found.evidence["first_hour"]), _instant(found.evidence["last_hour"])
    start, end = first - HOURS, last + timedelta(hours=1)
    used = {aware(row["hour"]): row["quantity"] for row in lookups.hourly(books, item, start, end)}
    known = {hour: value for hour, value in used.items() if hour is not None and value is not None}
    return hourly_chart(known, start, end, units(item["unit"]), first, last) if known else None


def item_chart(session: Session, item: dict[str, Any], start: date, end: date, as_of: datetime) -> Chart | None:
    """The usage of an item's customer and meter in [start, end) with its range; None where none is known."""
    name = "/".join(("customer", item["integration"], item["customer_id"], item["meter_id"] or ""))
    days = [one for one in _expected(session, name, as_of) if start <= one.day < end]
    outside = {one.day for one in days if one.used is not None and not one.lower <= one.used <= one.upper}
    return range_chart(days, units(item["unit"]), outside, OUTSIDE) if days else None


def _expected(session: Session, name: str, as_of: datetime) -> list[Range]:
    from detector.unusual import company  # numpy and scikit-learn take a second, which no other page waits for

    learned = usage_labels.learned(session, as_of)
    with console().derived(as_of, "usage_changes", learned) as books:
        return [Range(*astuple(one)) for one in company.expectation(books, name, learned)]


def _between(first: date, last: date) -> Collection[date]:
    return {first + timedelta(days=index) for index in range((last - first).days + 1)}


def _instant(value: object) -> datetime:
    found = datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _day(value: object) -> date:
    return date.fromisoformat(str(value)[:10])
