-- usage_hourly: usage of an item by UTC hour.
-- in: usage_events, usage_streams, terms
-- grain: one row per item and UTC hour that has events
-- columns:
--   integration VARCHAR       the source of the item
--   item_no INTEGER           the item's number in terms
--   item_id VARCHAR           the item
--   customer_id VARCHAR       its customer
--   meter_id VARCHAR          its meter
--   hour TIMESTAMP            the start of the UTC hour
--   quantity DECIMAL(38,9)    the meter's aggregate over the hour's accepted events
--   events BIGINT             the number of those events
-- A view, worked out for the items and hours that a query asks for: years of hours are seldom read whole.
CREATE OR REPLACE TEMP VIEW usage_hourly AS
WITH attributed AS (
    SELECT s.item_no, date_trunc('hour', e.time) AS hour, e.time, e.received_at, e.value, e.event_id,
        CASE WHEN NOT s.additive
            THEN coalesce(TRY(json_extract_string(e.properties, s.value_property)), CAST(e.value AS VARCHAR))
        END AS distinct_value
    FROM usage_events AS e
    JOIN (SELECT s.*, t.value_property FROM usage_streams AS s JOIN terms AS t USING (item_no)) AS s
        ON s.event_type = e.event_type AND s.subject = e.subject AND s.counts_from <= e.time AND e.time < s.counts_to
    WHERE e.status = 'accepted'
)
SELECT t.integration, t.item_no, t.item_id, t.customer_id, t.meter_id, e.hour,
    CAST(CASE t.aggregation WHEN 'sum' THEN coalesce(sum(e.value), 0) WHEN 'count' THEN count(*)
        ELSE measure(t.aggregation, e, TRUE) END AS DECIMAL(38, 9)) AS quantity,
    count(*) AS events
FROM attributed AS e
JOIN terms AS t USING (item_no)
GROUP BY t.integration, t.item_no, t.item_id, t.customer_id, t.meter_id, t.aggregation, e.hour;
