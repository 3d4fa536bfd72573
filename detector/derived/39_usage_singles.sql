-- usage_singles: the single accepted events of meters whose parts do not add up (max, min, avg, latest, unique_count).
-- in: usage_events, usage_streams, terms
-- grain: one row per event and item that counts it
-- columns:
--   item_no INTEGER           the item's number in terms
--   time TIMESTAMP            when it happened
--   received_at TIMESTAMP     when it was received
--   value DECIMAL(27,9)       its value
--   distinct_value VARCHAR    what a unique count counts: the meter's property, else the value
--   event_id VARCHAR          the event
CREATE OR REPLACE TEMP TABLE usage_singles AS
SELECT s.item_no, e.time, e.received_at, e.value,
    CASE WHEN t.aggregation = 'unique_count'
        THEN coalesce(TRY(json_extract_string(e.properties, t.value_property)), CAST(e.value AS VARCHAR)) END AS distinct_value,
    e.event_id
FROM usage_events AS e
JOIN usage_streams AS s
    ON s.event_type = e.event_type AND s.subject = e.subject AND s.counts_from <= e.time AND e.time < s.counts_to
JOIN terms AS t ON t.item_no = s.item_no
WHERE e.status = 'accepted' AND NOT s.additive;
