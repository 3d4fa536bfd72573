"""Silence of the newest hours: false alarms of calm customers, and how soon a dead sender is told, by `unusual_hours`.

Customers use at random (Poisson), evenly, less by night, or in business hours; no rows of terms or prices matter, so
the tables that the relation reads are made as bare as they may be. Beside it the plain rule "no event for six hours".
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime, timedelta

import duckdb

from detector import derived

BEGIN = "2026-01-01"
DIED = datetime(2026, 2, 12, 10, tzinfo=UTC)
LEAST = 3.52
"""The score at the rules' own budget of 0.3."""
SHAPES = ("even", "quiet nights", "business hours")
HELD = {
    "usage_streams": "SELECT 'api' AS event_type, subject, i AS item_no, TRUE AS additive,"
    " TIMESTAMP '2020-01-01' AS counts_from, TIMESTAMP '2030-01-01' AS counts_to FROM customers",
    "terms": "SELECT i AS item_no, 'b' AS integration, subject AS customer_id, 'm' AS meter_id,"
    " 'sum' AS aggregation FROM customers",
    "periods": "SELECT i AS item_no, TIMESTAMP '2026-02-01' AS period_start, TIMESTAMP '2026-03-01' AS period_end,"
    " 1 AS price FROM customers",
    "usage_windows": "SELECT i AS item_no, TIMESTAMP '2026-02-01' AS window_start,"
    " TIMESTAMP '2026-03-01' AS window_end, CAST(NULL AS TIMESTAMP) AS cutoff_at,"
    " CAST(100 AS DECIMAL(38, 9)) AS quantity FROM customers",
    "announced_days": "SELECT CAST(NULL AS DATE) AS first_day, CAST(NULL AS DATE) AS last_day, FALSE AS is_outage,"
    " '' AS meter_id, '' AS customer_id LIMIT 0",
    "labelled_hours": "SELECT '' AS series, '' AS oddness, CAST(NULL AS DATE) AS first_day,"
    " CAST(NULL AS DATE) AS last_day,"
    " CAST(NULL AS DATE) AS until_day, 0.0::DOUBLE AS below, CAST(NULL AS TIMESTAMP) AS said_at LIMIT 0",
    "hour_segments": "SELECT unnest(['silent_hours', 'high_hours']) AS oddness, 0.0::DOUBLE AS taken_off",
}


def main() -> None:
    """Print false alarms over calm hours, and of those who died how many are told after so many hours."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--customers", type=int, default=1500)
    chosen = arguments.parse_args()
    with duckdb.connect() as con:
        con.execute("SET threads = 1")
        _make(con, chosen.customers)
        (events,) = con.execute("SELECT count(*) FROM usage_events").fetchall()[0]
        calm, seconds = _calm(con)
        told = {"events": events, "cpu_each": seconds, "calm": calm | {"series_months": chosen.customers * 100 / 720}}
        print(json.dumps(told | {"told_after_hours": _died(con)}, indent=2))


def _make(con: duckdb.DuckDBPyConnection, customers: int) -> None:
    con.execute(f"""
        CREATE TABLE customers AS SELECT CAST(i AS INTEGER) AS i, 's' || i AS subject,
            0.3 + hash(i) % 1000 / 1000.0 * 6 AS mean, hash(i * 7) % 3 AS shape, hash('s' || i) % 15 = 0 AS dies
        FROM range({customers}) AS t (i)""")
    con.execute(f"""
        CREATE TABLE usage_events AS
        SELECT 'api' AS event_type, subject, 'gateway' AS source, 'accepted' AS status, 'p' AS integration,
            TIMESTAMP '{BEGIN}' + to_hours(CAST(h AS INTEGER)) + to_seconds(hash(i * 31 + h) % 3600) AS time,
            time + INTERVAL 5 SECOND AS received_at, CAST(1 + hash(i * 17 + h * 3) % 10 AS DECIMAL(38, 9)) AS value
        FROM customers, range(1100) AS b (h)
        WHERE hash(i * 1000003 + h * 7919) % 1000000 / 1e6 < 1 - exp(-mean * CASE shape WHEN 0 THEN 1
            WHEN 1 THEN 0.55 + 0.45 * sin(h % 24 / 24.0 * 2 * pi())
            ELSE CASE WHEN h % 24 BETWEEN 8 AND 18 AND (h // 24) % 7 < 5 THEN 2 ELSE 0.02 END END)""")
    for name, query in HELD.items():
        con.execute(f"CREATE TABLE {name} AS {query}")
    con.execute("CREATE MACRO rate(price, quantity, more) AS quantity")


def _derive(con: duckdb.DuckDBPyConnection, at: datetime) -> None:
    con.execute(f"CREATE OR REPLACE MACRO as_of() AS TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'")
    con.execute(next(each.sql for each in derived.derivations() if each.name == "unusual_hours"))


def _calm(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, int], float]:
    """Series told of in a hundred hours without a fault, and the processor seconds of one look."""
    found, plain = set(), set()
    began, looks = time.process_time(), range(0, 100, 4)
    for hours in looks:
        at = datetime(2026, 2, 8, 0, 30, tzinfo=UTC) + timedelta(hours=hours)
        _derive(con, at)
        found |= set(con.execute(_told("silence", f"score >= {LEAST}")).fetchall())
        found |= set(con.execute(_told("rise", "times >= 5")).fetchall())
        plain |= set(con.execute(
            f"SELECT subject FROM usage_events WHERE time < '{at:%Y-%m-%d %H:%M:%S}' GROUP BY subject"
            f" HAVING max(time) < TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}' - INTERVAL 6 HOUR").fetchall())  # fmt: skip
    return {"told": len(found), "six_hours": len(plain)}, round((time.process_time() - began) / len(looks), 2)


def _told(direction: str, condition: str) -> str:
    return f"SELECT item_no FROM unusual_hours WHERE direction = '{direction}' AND {condition}"


def _died(con: duckdb.DuckDBPyConnection) -> dict[int, dict[str, str]]:
    """For each shape how many of the dead are told after so many hours; and how many of the living."""
    dead = "SELECT subject FROM customers WHERE dies"
    con.execute(f"DELETE FROM usage_events WHERE subject IN ({dead}) AND time >= '{DIED:%Y-%m-%d %H:%M:%S}'")
    told = {}
    for hours in (4, 6, 9, 12, 24):
        _derive(con, DIED + timedelta(hours=hours, minutes=30))
        rows = con.execute(f"""
            SELECT shape, count(*) FILTER (i IN ({_told("silence", f"score >= {LEAST}")})), count(*)
            FROM customers WHERE dies GROUP BY shape ORDER BY shape""").fetchall()
        false = con.execute(
            f"SELECT count(*) FROM customers WHERE NOT dies AND i IN ({_told('silence', f'score >= {LEAST}')})"
        ).fetchall()
        told[hours] = {SHAPES[shape]: f"{found} of {dead}" for shape, found, dead in rows} | {
            "living": str(false[0][0])
        }
    return told


if __name__ == "__main__":
    main()
