-- reported_windows: what the billing system recorded, beside what was metered: then and now.
-- in: reported_usage, usage_measured, period_rows, terms
-- grain: one row per reported_usage row that was not rejected and whose item is metered
-- columns:
--   integration VARCHAR                  the source of the record
--   record_id VARCHAR                    the record
--   item_no INTEGER                      the item's number in terms
--   item_id VARCHAR                      the item
--   window_start TIMESTAMP               the reported window: its start
--   window_end TIMESTAMP                 its end, which is not part of it
--   recorded DECIMAL(27,9)               the recorded quantity
--   recorded_at TIMESTAMP                when it was recorded
--   metered DECIMAL(38,9)                what the accepted events in the window add up to now
--   metered_at_recorded DECIMAL(38,9)    what those received by recorded_at add up to
--   period_start TIMESTAMP               the billing period that holds the window's start; NULL outside service
--   period_end TIMESTAMP                 its end
CREATE OR REPLACE TEMP TABLE reported_windows AS
WITH reported AS (
    SELECT r.integration, r.record_id, t.item_no, t.item_id, r.period_start AS window_start, r.period_end AS window_end,
        r.quantity AS recorded, r.recorded_at
    FROM reported_usage AS r
    JOIN terms AS t USING (item_id)
    WHERE t.event_type IS NOT NULL AND coalesce(r.status, 'processed') <> 'rejected' AND r.period_start < r.period_end
), spread AS (
    SELECT item_no, period_start, period_end, unnest(day_buckets(period_start, period_end, 32)) AS bucket
    FROM period_rows
)
SELECT r.*, w.quantity AS metered, w.quantity_at_cutoff AS metered_at_recorded, p.period_start, p.period_end
FROM reported AS r
JOIN usage_measured AS w
    ON w.item_no = r.item_no AND w.window_start = r.window_start AND w.window_end = r.window_end
    AND w.cutoff_at = r.recorded_at
LEFT JOIN spread AS p
    ON p.item_no = r.item_no AND p.bucket = day_bucket(r.window_start, 32)
    AND p.period_start <= r.window_start AND r.window_start < p.period_end;
