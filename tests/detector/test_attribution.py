"""Whose usage events are, for customers with many subjects, some of which are theirs for a while only."""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb
import pytest

from detector.attribution import Subject, owned

START = datetime.fromisoformat("2026-03-01T00:00:00")
END = START + timedelta(days=31)
MIDDLE = START + timedelta(days=15)


@pytest.mark.parametrize("count", [1, 2, 11, 12, 25])
@pytest.mark.parametrize("keyed", [False, True])
def test_each_subject_counts_while_it_is_the_customers_however_many_there_are(count: int, keyed: bool) -> None:
    later: list[Subject] = [(f"s{place}", MIDDLE, None) for place in range(count)]
    always: list[Subject] = [(f"a{place}", None, None) for place in range(count)]
    with duckdb.connect(":memory:") as con:
        con.execute("CREATE TABLE told (subject VARCHAR, time TIMESTAMP)")
        names = [*(name for name, _, _ in (*later, *always)), "another's"]
        con.executemany("INSERT INTO told VALUES (?, ?)", [(name, at) for name in names for at in (START, MIDDLE)])
        events = "(SELECT *, hash(subject) AS subject_key FROM told) AS e"
        for subjects, expected in (
            ([*later, *always], 3 * count),
            ([*always, *later], 3 * count),
            (later, count),
            (always, 2 * count),
            ([], 0),
        ):
            asks, values = owned(subjects, START, END, keyed=keyed)
            assert con.execute(f"SELECT count(*) FROM {events} WHERE {asks}", values).fetchall() == [(expected,)]
