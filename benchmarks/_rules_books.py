"""A large company for measuring: millions of events and the invoices that are right for them, made in SQL.

Every customer has one subscription with a seat fee in advance and two metered prices, one of four price models each, a
billing day, a time of day and a timezone of its own, and twelve months of invoices. Usage comes late now and then, is
reported per period, a tenth of the customers have a discount, some an override. Nothing is planted: a rule that finds
something here is only as slow as it is.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from billing.books import TABLES
from detector import derived
from store.warehouse import Warehouse

AS_OF = datetime(2026, 1, 10, tzinfo=UTC)
LINES_PER_CUSTOMER = 36


def write(home: Path, *, events: int, lines: int) -> Warehouse:
    """A DuckLake under `home` holding the company, with about so many events and invoice lines."""
    warehouse = Warehouse(f"sqlite:{home / 'catalog.sqlite'}", home / "lake")
    warehouse.create()
    with closing(warehouse.connect()) as con:
        con.execute("SELECT setseed(0.5)")
        con.execute(f"CREATE TEMP TABLE sizes AS SELECT {lines // LINES_PER_CUSTOMER} AS customers, {events} AS events")
        con.execute("BEGIN")
        con.execute(CATALOG + CUSTOMERS + USAGE)
        con.execute("COMMIT")
        derived.build(con, AS_OF, {"three_way", "periods"})
        con.execute("BEGIN")
        con.execute(INVOICES)
        con.execute("COMMIT")
        _drop_temporary(con)
    return warehouse


def _drop_temporary(con: duckdb.DuckDBPyConnection) -> None:
    for table in TABLES:
        con.execute(f"DROP VIEW IF EXISTS temp.{table.name}")


STAMP = "'files' AS integration, TIMESTAMP '2026-01-10' AS synced_at, TIMESTAMP '2026-01-10' AS version_at"

CATALOG = f"""
INSERT INTO books.meters BY NAME
SELECT {STAMP}, 'm' || n AS meter_id, 'Meter ' || n AS name, 'type_' || n AS event_type,
    CASE n % 4 WHEN 3 THEN 'count' ELSE 'sum' END AS aggregation
FROM range(8) AS r(n);

INSERT INTO books.prices BY NAME
SELECT {STAMP}, 'p' || n AS price_id, 'm' || n AS meter_id, 'Price ' || n AS name,
    ['per_unit', 'graduated', 'volume', 'package'][1 + n % 4] AS model, 'USD' AS currency, 'P1M' AS cadence,
    'in_arrears' AS payment_term, 'active' AS status,
    CASE n % 4 WHEN 0 THEN 0.0125 WHEN 3 THEN 1.5 END AS unit_amount,
    CASE n % 4 WHEN 3 THEN 100 END AS package_size,
    CASE n WHEN 0 THEN 500 END AS free_units
FROM range(8) AS r(n)
UNION ALL BY NAME
SELECT {STAMP}, 'seat' AS price_id, 'Seat' AS name, 'per_unit' AS model, 'USD' AS currency, 'P1M' AS cadence,
    'in_advance' AS payment_term, 'active' AS status, 29.0 AS unit_amount, 'second' AS proration;

INSERT INTO books.price_tiers BY NAME
SELECT {STAMP}, 'p' || n AS price_id, tier, [1000, 10000, 100000, NULL][tier] AS up_to,
    [0.02, 0.015, 0.011, 0.008][tier] AS unit_amount, CASE WHEN tier = 3 THEN 5 END AS flat_amount
FROM range(8) AS r(n), range(1, 5) AS t(tier)
WHERE n % 4 IN (1, 2);
"""

CUSTOMERS = f"""
CREATE TEMP TABLE made AS
SELECT n, 'c' || n AS customer_id, 's' || n AS subscription_id,
    ['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Tokyo', 'Australia/Sydney', 'America/Los_Angeles'][1 + n % 6]
        AS timezone,
    TIMESTAMP '2024-12-01' + to_days((n * 7919 % 28)::INTEGER) + to_seconds((n % 3) * 3600 * 5 + n % 7) AS anchor
FROM range((SELECT customers FROM sizes)) AS r(n);

INSERT INTO books.customers BY NAME
SELECT {STAMP}, customer_id, 'Customer ' || n AS name, 'USD' AS currency, 'active' AS status,
    anchor AS created_at
FROM made;

INSERT INTO books.subjects BY NAME
SELECT {STAMP}, 'subject-' || md5(n::VARCHAR) AS subject, customer_id, 'subject' AS kind, anchor AS valid_from
FROM made;

INSERT INTO books.subscriptions BY NAME
SELECT {STAMP}, subscription_id, customer_id, 'active' AS status, 'USD' AS currency, anchor AS started_at,
    anchor AS billing_anchor, 'P1M' AS cadence, timezone, 'charge_automatically' AS collection_method
FROM made;

INSERT INTO books.subscription_items BY NAME
SELECT {STAMP}, subscription_id || '-' || k AS item_id, subscription_id,
    CASE k WHEN 0 THEN 'seat' ELSE 'p' || ((n + 3 * k) % 8) END AS price_id,
    CASE k WHEN 0 THEN 1 + n % 50 END AS quantity,
    anchor AS active_from
FROM made, range(3) AS t(k);

INSERT INTO books.discounts BY NAME
SELECT {STAMP}, 'd' || n AS discount_id, customer_id, 'percent' AS kind, 10 AS value,
    anchor AS starts_at
FROM made WHERE n % 10 = 0;

INSERT INTO books.price_overrides BY NAME
SELECT {STAMP}, 'o' || n AS override_id, customer_id, 'p0' AS price_id, 0.01 AS unit_amount,
    TIMESTAMP '2025-06-01' AS valid_from
FROM made WHERE n % 20 = 0;
"""

USAGE = f"""
INSERT INTO books.usage_events BY NAME
WITH drawn AS (
    SELECT i, i % (SELECT customers FROM sizes) AS n, CAST(floor(random() * 2) AS BIGINT) AS k,
        TIMESTAMP '2024-12-01' + to_microseconds(CAST(floor(random() * 404 * 86400) AS BIGINT) * 1000000) AS time,
        random() AS luck
    FROM range((SELECT events FROM sizes)) AS r(i)
)
SELECT {STAMP}, uuid()::VARCHAR AS event_id, ['gateway', 'worker', 'edge'][1 + i % 3] AS source,
    'type_' || ((n + 3 * (k + 1)) % 8) AS event_type, 'subject-' || md5(n::VARCHAR) AS subject, time,
    CAST(i % 97 AS DECIMAL(27, 9)) AS value, '{{"region":"' || ['eu', 'us', 'ap'][1 + i % 3] || '"}}' AS properties,
    time + to_seconds(CAST(luck * CASE WHEN luck < 0.003 THEN 3e8 ELSE 60 END AS BIGINT)) AS received_at,
    'accepted' AS status
FROM drawn
ORDER BY received_at;
"""

INVOICES = f"""
CREATE TEMP TABLE due AS
SELECT *, row_number() OVER () AS place,
    subscription_id || '/' || CASE WHEN meter_id IS NULL THEN period_index + 1 ELSE period_index + 2 END AS invoice_id
FROM (
    SELECT w.*, p.period_index, CAST(w.expected_amount AS DECIMAL(18, 4)) AS amount,
        CAST(coalesce(w.expected_discount, 0) AS DECIMAL(18, 4)) AS discount,
        CASE WHEN w.meter_id IS NULL THEN w.period_start ELSE w.period_end END AS billed_at
    FROM three_way AS w JOIN periods AS p USING (item_no, period_start)
    WHERE w.due_at <= TIMESTAMP '2026-01-09'
);

INSERT INTO books.reported_usage BY NAME
SELECT {STAMP}, 'r' || place AS record_id, item_id, period_start, period_end, metered AS quantity,
    period_end + INTERVAL 40 DAY AS recorded_at, 'processed' AS status
FROM due WHERE meter_id IS NOT NULL;

INSERT INTO books.invoice_lines BY NAME
SELECT {STAMP}, 'l' || place AS line_id, invoice_id, subscription_id, item_id, price_id,
    CASE WHEN meter_id IS NULL THEN 'recurring' ELSE 'usage' END AS kind, period_start, period_end,
    CASE WHEN meter_id IS NOT NULL THEN metered END AS raw_quantity, metered AS quantity,
    price.unit_amount AS unit_amount,
    amount, discount AS discount_amount, 0 AS tax_amount, FALSE AS proration
FROM due;

INSERT INTO books.invoices BY NAME
SELECT {STAMP}, invoice_id, any_value(customer_id) AS customer_id, any_value(subscription_id) AS subscription_id,
    'paid' AS status, 'USD' AS currency, min(period_start) AS period_start, min(period_end) AS period_end,
    max(billed_at) + INTERVAL 1 HOUR AS created_at, max(billed_at) + INTERVAL 2 HOUR AS issued_at,
    sum(amount) AS subtotal, sum(discount) AS discount_total, 0 AS tax_total, 0 AS credits_applied,
    sum(amount) - sum(discount) AS total, sum(amount) - sum(discount) AS amount_paid, 0 AS amount_due
FROM due GROUP BY invoice_id;

INSERT INTO books.payments BY NAME
SELECT {STAMP}, 'pay-' || invoice_id AS payment_id, invoice_id, customer_id, currency, total AS amount,
    0 AS amount_refunded,
    'succeeded' AS status, 'invoice' AS purpose, issued_at AS created_at
FROM books.invoices;

INSERT INTO books.provisioned BY NAME
SELECT {STAMP}, 'v' || n AS provision_id, customer_id, subscription_id, TRUE AS access,
    TIMESTAMP '2026-01-09' AS as_of
FROM made;
"""
