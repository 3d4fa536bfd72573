"""How long the warehouse takes to rate a million lines, beside the leanest query that rates them for their one model.

Ours: rate() on the rate cards that derived relations use, which knows every model, conversion, free units, minimum,
maximum and rounding. The reference of each model is written by hand for that model only, on prices and tiers as the
books hold them; where there are several natural ways the fastest counts. Both write a table, both in one process, the
best of `--rounds` by processor time. Goal: at most 1.5 times per model, and a cost that grows with the lines.
`python -m benchmarks.rating_speed [--lines N] [--rounds N]` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import duckdb

from billing.prices import Model
from detector import derived, plain_books

AS_OF = datetime(2026, 1, 10, tzinfo=UTC)
GOAL = 1.5
PRICES_PER_MODEL = 10

TIERED = """(
    SELECT *, coalesce(lag(up_to) OVER (PARTITION BY price_id ORDER BY tier), 0) AS above FROM books.price_tiers)"""
NARROW = "(SELECT price_id, CAST(unit_amount AS DECIMAL(11, 6)) AS unit_amount FROM books.prices)"
UNIT = """
    SELECT line, CAST(round(quantity * unit_amount, 2) AS DECIMAL(18, 4)) AS amount
    FROM {lines} JOIN {narrow} USING (price_id)"""
FLAT = """
    SELECT line, CAST(round(flat_amount * quantity, 2) AS DECIMAL(18, 4)) AS amount
    FROM {lines} JOIN books.prices USING (price_id)"""
PACKAGE = """
    SELECT line, CAST(round(packages * unit_amount, 2) AS DECIMAL(18, 4)) AS amount
    FROM (
        SELECT line, CAST(ceil(quantity / package_size) AS DECIMAL(18, 0)) AS packages,
            CAST(unit_amount AS DECIMAL(11, 6)) AS unit_amount
        FROM {lines} JOIN books.prices USING (price_id))"""
PERCENTAGE = """
    SELECT line, CAST(round(quantity * CAST(percent_rate * 0.01 AS DECIMAL(11, 6)), 2) AS DECIMAL(18, 4)) AS amount
    FROM {lines} JOIN books.prices USING (price_id)"""
VOLUME = """
    SELECT line, CAST(round(quantity * CAST(unit_amount AS DECIMAL(11, 6)) + coalesce(flat_amount, 0), 2)
        AS DECIMAL(18, 4)) AS amount
    FROM {lines} JOIN {tiered} AS t USING (price_id)
    WHERE quantity > above AND (up_to IS NULL OR quantity <= up_to)"""
GRADUATED_SUM = """
    SELECT line, CAST(round(sum((least(quantity, coalesce(up_to, quantity)) - above) * CAST({rate} AS DECIMAL(11, 6))
        + coalesce(flat_amount, 0)), 2) AS DECIMAL(18, 4)) AS amount
    FROM {lines} JOIN {tiered} AS t USING (price_id)
    WHERE quantity > above OR tier = 1
    GROUP BY line"""
GRADUATED_START = """
    WITH rates AS (
        SELECT *, CAST({rate} AS DECIMAL(11, 6)) AS rate FROM {tiered} AS t
    ), starts AS (
        SELECT price_id, above, rate, CAST(sum(coalesce(flat_amount, 0)) OVER so_far
            + coalesce(sum((up_to - above) * rate) OVER earlier, 0) AS DECIMAL(24, 8)) AS start
        FROM rates
        WINDOW so_far AS (PARTITION BY price_id ORDER BY tier),
            earlier AS (PARTITION BY price_id ORDER BY tier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
    SELECT line, CAST(round(start + (quantity - above) * rate, 2) AS DECIMAL(18, 4)) AS amount
    FROM {lines} AS l ASOF JOIN starts AS s ON s.price_id = l.price_id AND l.quantity > s.above"""
REFERENCES: dict[str, tuple[str, ...]] = {
    Model.FLAT: (FLAT,),
    Model.PER_UNIT: (UNIT,),
    Model.DYNAMIC: (UNIT,),
    Model.PACKAGE: (PACKAGE,),
    Model.PERCENTAGE: (PERCENTAGE,),
    Model.GRADUATED: tuple(each.replace("{rate}", "unit_amount") for each in (GRADUATED_SUM, GRADUATED_START)),
    Model.GRADUATED_PERCENTAGE: tuple(
        each.replace("{rate}", "percent_rate * 0.01") for each in (GRADUATED_SUM, GRADUATED_START)
    ),
    Model.VOLUME: (VOLUME,),
}
OURS = """
    SELECT line, rate(k.price, quantity, NULL) AS amount
    FROM {lines} JOIN rate_cards AS k USING (price_id) WHERE k.override_id IS NULL"""
STAMP = "'files' AS integration, TIMESTAMP '2026-01-10' AS synced_at, TIMESTAMP '2026-01-10' AS version_at"


def main() -> None:
    """Make the prices and lines, measure every model, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    with closing(_books(chosen.lines)) as con:
        models = {str(model): _model(con, model, chosen.rounds) for model in REFERENCES}
        growth = _growth(con, chosen.lines, chosen.rounds)
    worst = max(each["ratio"] for each in models.values())
    print(json.dumps({"goal": GOAL, "worst": worst, "models": models, "microseconds_per_line": growth}, indent=2))


def _books(lines: int) -> duckdb.DuckDBPyConnection:
    con = plain_books.open({})
    con.execute(f"""
        INSERT INTO books.prices BY NAME
        SELECT {STAMP}, model || '_' || n AS price_id, CASE WHEN model <> 'flat' THEN 'meter' END AS meter_id,
            model AS name, model, 'USD' AS currency, 'P1M' AS cadence, 'in_arrears' AS payment_term, 'active' AS status,
            CASE WHEN model IN ('per_unit', 'dynamic') THEN 0.0125 + n * 0.001
                WHEN model = 'package' THEN 1.5 + n END AS unit_amount,
            CASE model WHEN 'flat' THEN 10 + n END AS flat_amount,
            CASE model WHEN 'percentage' THEN 2.9 END AS percent_rate,
            CASE model WHEN 'package' THEN 100 + n END AS package_size
        FROM (SELECT unnest({[str(model) for model in Model]!r}) AS model), range({PRICES_PER_MODEL}) AS r(n)""")
    con.execute(f"""
        INSERT INTO books.price_tiers BY NAME
        SELECT {STAMP}, price_id, t AS tier, CASE WHEN t < 4 THEN 1000 * t * t END AS up_to, 0.12 / t AS unit_amount,
            CASE t WHEN 1 THEN 5 END AS flat_amount, 12.0 / t AS percent_rate
        FROM books.prices, range(1, 5) AS r(t) WHERE model IN ('graduated', 'volume', 'graduated_percentage')""")
    con.execute("SELECT setseed(0.3)")
    con.execute(f"""
        CREATE TEMP TABLE quantities AS
        SELECT n AS line, CAST(hash(n) % {PRICES_PER_MODEL} AS INTEGER) AS price,
            CAST(round(random() * 20000, 3) AS DECIMAL(27, 9)) AS quantity
        FROM range({lines}) AS r(n)""")
    for model in Model:
        con.execute(
            f"CREATE TEMP TABLE {model}_lines AS SELECT line, '{model}_' || price AS price_id, quantity FROM quantities"
        )
    derived.build(con, AS_OF, {"rate_cards"})
    return con


def _model(con: duckdb.DuckDBPyConnection, model: str, rounds: int) -> dict[str, Any]:
    words = {"lines": f"{model}_lines", "tiered": TIERED, "narrow": NARROW}
    references = [_seconds(con, "theirs", query.format(**words), rounds) for query in REFERENCES[model]]
    ours = _seconds(con, "ours", OURS.format(**words), rounds)
    compared = (
        "SELECT count(*) FILTER (o.amount IS DISTINCT FROM t.amount) FROM ours AS o JOIN theirs AS t USING (line)"
    )
    (count,) = con.execute(compared).fetchone() or (None,)
    return {
        "reference": min(references),
        "ours": ours,
        "ratio": round(ours / min(references), 2),
        "amounts_different": count,
    }


def _growth(con: duckdb.DuckDBPyConnection, lines: int, rounds: int) -> dict[str, float]:
    """Microseconds of processor time per line for a hundredth, a tenth and all of the graduated lines."""
    found = {}
    for count in (lines // 100, lines // 10, lines):
        con.execute(f"CREATE OR REPLACE TEMP TABLE first_lines AS SELECT * FROM graduated_lines WHERE line < {count}")
        found[str(count)] = round(_seconds(con, "ours", OURS.format(lines="first_lines"), rounds) / count * 1e6, 2)
    return found


def _seconds(con: duckdb.DuckDBPyConnection, name: str, query: str, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
        best = min(best, time.process_time() - began)
    return round(best, 3)


if __name__ == "__main__":
    main()
