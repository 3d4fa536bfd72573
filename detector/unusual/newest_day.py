"""The screen of the newest day, or hour, in the warehouse: which of very many series are worth laying out at all.

One pass over the last eight weeks in DuckDB, the statistics of the screen in plain form: the day against the median of
its weekday, moved to the level of the last week; the last week against the four before; a day without usage where most
have some. Of hourly series four weeks: the newest hour against the same hour of the weeks before, moved to the level of
the last day, by how the same hour of all days strays; the last day against the same weekday; an hour without usage. It
lets more through than the screen proper, which then judges them among a sample of the others.
"""

from __future__ import annotations

import duckdb

from detector.unusual.pool import SAMPLE

POINT, SHIFT = 2.5, 2.2
"""From how many deviations a day (or hour), and a week (or day), is let through."""
SPREAD = 2.06
"""From the median distance to the median of four to a standard deviation, of normal noise."""
SILENCE = 1.0
"""A silence of less chance than 10 to the minus this is let through."""
MOST_A_DAY = 3
"""Series with more rows in two days than this are hourly."""
QUERY = f"""
    WITH newest AS (
        SELECT max(time) AS latest FROM {{relation}}
    ), aged AS (
        SELECT series, CAST(date_diff('day', time, latest) AS INTEGER) AS age, ln(greatest(value, 0) + 1) AS x, value
        FROM {{relation}}, newest
        WHERE time > latest - INTERVAL 57 DAY AND isfinite(value)
    ), told AS (
        SELECT series, max(x) FILTER (age = 0) AS today, min(value) FILTER (age = 0) < 0 AS is_negative,
            list(x) FILTER (age > 0 AND age % 7 = 0) AS weekday, avg(x) FILTER (age > 0) AS level,
            avg(x) FILTER (age BETWEEN 1 AND 7) AS last_level,
            avg(x) FILTER (age < 7) AS week, avg(x) FILTER (age BETWEEN 7 AND 34) AS before,
            stddev_samp(x) FILTER (age BETWEEN 7 AND 34) AS spread,
            min(age) FILTER (x > 0) AS gap, count(*) FILTER (x > 0) AS used, max(age) FILTER (x > 0) AS oldest
        FROM aged
        GROUP BY series
    ), held AS (
        SELECT *, list_median(weekday) AS usual, list_median([abs(x - list_median(weekday)) FOR x IN weekday]) AS stray
        FROM told
    )
    SELECT series
    FROM held
    WHERE is_negative OR len(weekday) < 3
        OR abs(today - usual - last_level + level) > {POINT} * greatest(1.4826 * stray, 0.1)
        OR abs(week - before) > {SHIFT} * greatest(spread / sqrt(7), 0.03)
        OR -gap * log10(1 - least((used + 0.5) / (oldest - gap + 2), 0.98)) > {SILENCE}"""
HOURLY_QUERY = f"""
    WITH newest AS (
        SELECT date_trunc('hour', max(time)) AS latest FROM {{relation}}
    ), placed AS (
        SELECT series, CAST(date_diff('hour', time, latest) AS INTEGER) AS age, value
        FROM {{relation}}, newest
        WHERE time > latest - INTERVAL 673 HOUR AND isfinite(value)
    ), told AS (
        SELECT series, max(x) FILTER (age = 0) AS today, min(value) FILTER (age = 0) < 0 AS is_negative,
            list(age // 24 % 7) FILTER (age % 24 = 0 AND age > 0) AS weekdays,
            list(x) FILTER (age % 24 = 0 AND age > 0) AS same,
            avg(x) FILTER (age BETWEEN 1 AND 23) AS last_day, avg(x) FILTER (age BETWEEN 169 AND 191) AS week_before,
            avg(x) FILTER (age BETWEEN 337 AND 359) AS two_before,
            avg(x) FILTER (age BETWEEN 505 AND 527) AS three_before
        FROM (SELECT *, ln(greatest(value, 0) + 1) AS x FROM placed
            WHERE age % 24 = 0 OR age // 24 IN (0, 7, 14, 21))
        GROUP BY series
    ), usual AS (
        SELECT *, list_median([x FOR x, i IN same IF weekdays[i] = 0]) AS usual,
            list_median([week_before, two_before, three_before]) AS usual_day,
            [list_median([x FOR x, i IN same IF weekdays[i] = w]) FOR w IN range(7)] AS profile
        FROM told
    ), held AS (
        SELECT *, list_median([abs(x - profile[weekdays[i] + 1]) FOR x, i IN same]) AS stray FROM usual
    )
    SELECT series
    FROM held
    WHERE is_negative OR coalesce(len(same), 0) < 9 OR usual IS NULL OR usual_day IS NULL
        OR abs(today - usual - coalesce(last_day - usual_day, 0)) > {POINT} * greatest({SPREAD} * stray, 0.1)
        OR abs(last_day - usual_day) > {SHIFT} * greatest({SPREAD} * stray / 3, 0.03)
        OR coalesce(today, 0) = 0 AND 2 * len([x FOR x IN same IF x > 0]) >= len(same)"""


def candidates(con: duckdb.DuckDBPyConnection, relation: str, *, hourly: bool = False) -> list[str]:
    """The series of a relation (series, time, value) whose newest day, or hour, is worth a second look."""
    query = HOURLY_QUERY if hourly else QUERY
    return [str(name) for (name,) in con.execute(query.format(relation=relation)).fetchall()]


def narrow(con: duckdb.DuckDBPyConnection, relation: str) -> str:
    """The table made of a relation: only the candidates, and what was there first, to hold them against."""
    query = HOURLY_QUERY if is_hourly(con, relation) else QUERY
    con.execute(f"""
        CREATE TEMP TABLE looked_at AS
        {query.format(relation=relation)}
        UNION
        FROM ({_first(con, relation)})""")
    con.execute(f"CREATE TEMP TABLE narrowed AS FROM {relation} SEMI JOIN looked_at USING (series)")
    return "narrowed"


def is_hourly(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Whether some series send more often than by the day, in the last two days. Those that do not are let through
    the screen of hours by having too little of one.
    """
    most, often = con.execute(f"""
        SELECT count(*), count(*) FILTER (rows > {MOST_A_DAY}) FROM (SELECT count(*) AS rows FROM {relation}
            WHERE time > (SELECT max(time) FROM {relation}) - INTERVAL 2 DAY GROUP BY series)""").fetchall()[0]
    return bool(often * 100 > most)


def _first(con: duckdb.DuckDBPyConnection, relation: str) -> str:
    """A query for the series that were there first; cheap where many began on the first day."""
    day = f"SELECT DISTINCT series FROM {relation} WHERE time < (SELECT min(time) FROM {relation}) + INTERVAL 1 DAY"
    found = f"SELECT series FROM ({day}) ORDER BY series LIMIT {SAMPLE}"
    if con.execute(f"SELECT count(*) FROM ({found})").fetchall()[0][0] == SAMPLE:
        return found
    return f"SELECT series FROM {relation} GROUP BY series ORDER BY min(time), series LIMIT {SAMPLE}"
