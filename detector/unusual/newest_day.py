"""The screen of the newest day in the warehouse: which of very many series are worth laying out at all.

One pass over the last eight weeks in DuckDB, the statistics of the screen in plain form: the day against the median of
its weekday, moved to the level of the last week; the last week against the four before; a day without usage where most
have some. It lets more through than the screen proper, which then judges them among a sample of the others.
"""

from __future__ import annotations

import duckdb

from detector.unusual.pool import SAMPLE

POINT, SHIFT = 2.0, 2.0
"""From how many deviations a day, and a week, is let through."""
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
            count(*) FILTER (age BETWEEN 1 AND 28 AND x > 0) AS used
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
        OR coalesce(today, 0) = 0 AND used >= 14"""


def candidates(con: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    """The series of a relation (series, time, value; daily) whose newest day is worth a second look."""
    return [str(name) for (name,) in con.execute(QUERY.format(relation=relation)).fetchall()]


def narrow(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Leave of a table of daily rows only the candidates, and what was there first, to hold them against."""
    con.execute(f"""
        CREATE TEMP TABLE looked_at AS
        {QUERY.format(relation=table)}
        UNION
        FROM (SELECT series FROM {table} GROUP BY series ORDER BY min(time), series LIMIT {SAMPLE})""")
    con.execute(f"DELETE FROM {table} WHERE series NOT IN (SELECT series FROM looked_at)")
