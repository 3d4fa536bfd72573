"""The newest hours, before their day is over: who fell silent, by the same hours of the weeks before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta

import duckdb
import pytest

from detector import derived, plain_books
from detector.beside import Beside
from detector.learned import NOTHING, Announced, Learned
from tests.unusual_home import NOW, Rows, rows

HOURS = 24 * 17
SILENT = "sub_c01"


def hourly(until: dict[str, datetime]) -> Rows:
    """The company of 24 customers, of whom these send an event an hour, each up to an instant."""
    given = rows()
    begin = NOW.replace(minute=0) - timedelta(hours=HOURS)
    model = given["usage_events"][0]
    events = [
        {**model, "event_id": f"{name}-{hour}", "subject": f"{name}-prod", "value": 40, "time": at, "received_at": at}
        for name, end in until.items()
        for hour in range(HOURS)
        if (at := begin + timedelta(hours=hour, minutes=5)) < end
    ]
    return {**given, "usage_events": events}


@pytest.fixture(scope="module")
def books() -> Iterator[duckdb.DuckDBPyConnection]:
    given = hourly({"c00": NOW, "c01": NOW - timedelta(hours=7), "c02": NOW})
    with closing(plain_books.open(given)) as con:
        yield con


def silent(con: duckdb.DuckDBPyConnection, learned: Learned = NOTHING, as_of: datetime = NOW) -> list[str]:
    derived.build(con, as_of, {"unusual_hours", "terms"}, beside=Beside(learned))
    query = (
        "SELECT t.subscription_id FROM unusual_hours AS h JOIN terms AS t USING (item_no)"
        " WHERE h.direction = 'silence' AND h.score >= 3.5"
    )
    return [name for (name,) in con.execute(query).fetchall()]


def test_one_who_fell_silent_this_night_is_told_this_morning(books: duckdb.DuckDBPyConnection) -> None:
    assert silent(books) == [SILENT]
    assert silent(books, as_of=NOW - timedelta(hours=5)) == []


def test_a_known_outage_of_the_day_expects_it(books: duckdb.DuckDBPyConnection) -> None:
    day = Announced(date(2026, 11, 21), date(2026, 11, 21), is_outage=True)
    assert silent(books, Learned(announced=(day,))) == []
