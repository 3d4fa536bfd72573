-- usage_series: daily usage of every customer and meter, and the totals by meter, plan and source: what is looked through for the unusual.
-- in: usage_events, usage_streams, terms
-- grain: one row per series and UTC day with events, of the last 26 weeks and of meters that add up
-- columns:
--   series VARCHAR            the series: its kind and what tells it apart
--   kind VARCHAR              customer, or of totals meter, plan or source
--   integration VARCHAR       the source of the items
--   customer_id VARCHAR       the customer; NULL for totals
--   meter_id VARCHAR          the meter
--   plan_key VARCHAR          the plan, of its totals
--   source VARCHAR            the events' source, of its totals
--   day DATE                  the UTC day
--   quantity DECIMAL(38,9)    what was used
-- A day counts once it has been over for six hours. Where two items of a customer count the same events, they are one series.
CREATE OR REPLACE TEMP TABLE usage_series AS
WITH parts AS (
    SELECT t.integration, t.customer_id, t.meter_id, t.plan_key, s.item_no, e.source, CAST(e.time AS DATE) AS day,
        CAST(CASE any_value(t.aggregation) WHEN 'count' THEN count(*) ELSE coalesce(sum(e.value), 0) END AS DECIMAL(38, 9)) AS quantity
    FROM usage_events AS e
    JOIN usage_streams AS s
        ON s.event_type = e.event_type AND s.subject = e.subject AND s.counts_from <= e.time AND e.time < s.counts_to
    JOIN terms AS t ON t.item_no = s.item_no
    WHERE e.status = 'accepted' AND s.additive
        AND e.time >= date_trunc('week', as_of()) - INTERVAL 182 DAY AND e.time < date_trunc('day', as_of() - INTERVAL 6 HOUR)
    GROUP BY t.integration, t.customer_id, t.meter_id, t.plan_key, s.item_no, e.source, CAST(e.time AS DATE)
), items AS (
    SELECT integration, customer_id, meter_id, item_no, day
    FROM parts
    GROUP BY integration, customer_id, meter_id, item_no, day
    QUALIFY row_number() OVER (PARTITION BY integration, customer_id, meter_id, day ORDER BY sum(quantity) DESC, item_no) = 1
), counted AS (
    SELECT p.* FROM parts AS p JOIN items AS i ON i.item_no = p.item_no AND i.day = p.day
), named AS (
    SELECT 'customer' AS kind, integration, customer_id, meter_id, NULL AS plan_key, NULL AS source, day, quantity FROM counted
    UNION ALL
    SELECT 'meter', integration, NULL, meter_id, NULL, NULL, day, quantity FROM counted
    UNION ALL
    SELECT 'plan', integration, NULL, meter_id, plan_key, NULL, day, quantity FROM counted WHERE plan_key IS NOT NULL
    UNION ALL
    SELECT 'source', integration, NULL, meter_id, NULL, source, day, quantity FROM counted
)
SELECT concat_ws('/', kind, integration, customer_id, plan_key, source, meter_id) AS series, kind, integration, customer_id, meter_id,
    plan_key, source, day, CAST(sum(quantity) AS DECIMAL(38, 9)) AS quantity
FROM named
GROUP BY kind, integration, customer_id, meter_id, plan_key, source, day;
