-- usage_daily: usage of an item by UTC day.
-- in: usage_events, usage_streams, usage_singles, terms
-- grain: one row per item and UTC day that has events
-- columns:
--   integration VARCHAR       the source of the item
--   item_no INTEGER           the item's number in terms
--   item_id VARCHAR           the item
--   customer_id VARCHAR       its customer
--   meter_id VARCHAR          its meter
--   day DATE                  the UTC day
--   quantity DECIMAL(38,9)    the meter's aggregate over the day's accepted events
--   events BIGINT             the number of those events
-- A view, worked out for the items and days that a query asks for. Days of sum and count meters add up to longer windows; days of the other meters do not.
CREATE OR REPLACE TEMP VIEW usage_daily AS
WITH days AS (
    SELECT s.item_no, CAST(e.time AS DATE) AS day, sum(e.value) AS value, count(*) AS events
    FROM usage_events AS e
    JOIN usage_streams AS s
        ON s.event_type = e.event_type AND s.subject = e.subject AND s.counts_from <= e.time AND e.time < s.counts_to
    WHERE e.status = 'accepted' AND s.additive
    GROUP BY s.item_no, CAST(e.time AS DATE)
), single_days AS (
    SELECT e.item_no, CAST(e.time AS DATE) AS day, measure(any_value(t.aggregation), e, TRUE) AS value, count(*) AS events
    FROM usage_singles AS e
    JOIN terms AS t ON t.item_no = e.item_no
    GROUP BY e.item_no, CAST(e.time AS DATE)
)
SELECT t.integration, d.item_no, t.item_id, t.customer_id, t.meter_id, d.day,
    CAST(CASE t.aggregation WHEN 'count' THEN d.events ELSE coalesce(d.value, 0) END AS DECIMAL(38, 9)) AS quantity, d.events
FROM (SELECT * FROM days UNION ALL SELECT * FROM single_days) AS d
JOIN terms AS t ON t.item_no = d.item_no;
