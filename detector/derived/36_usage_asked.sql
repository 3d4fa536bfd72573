-- usage_asked: the stretches of time whose usage is needed: billing periods, usage lines, what came before them, reported windows.
-- in: period_rows, live_lines, line_parts, reported_usage, terms
-- grain: one row per metered item, stretch and cut-off
-- columns:
--   item_no INTEGER           the item's number in terms
--   window_start TIMESTAMP    the stretch: its start
--   window_end TIMESTAMP      its end, which is not part of it
--   cutoff_at TIMESTAMP       what was received by then was known when it was billed or recorded; NULL: no cut-off
CREATE OR REPLACE TEMP TABLE usage_asked AS
WITH metered AS (
    SELECT item_no, integration, item_id FROM terms WHERE event_type IS NOT NULL
), recorded AS (
    SELECT m.item_no, r.period_start AS window_start, r.period_end AS window_end, r.recorded_at AS cutoff_at
    FROM reported_usage AS r
    JOIN metered AS m USING (item_id)
    WHERE coalesce(r.status, 'processed') <> 'rejected'
), billed AS (
    SELECT l.item_no, l.period_start AS window_start, l.period_end AS window_end, l.invoice_created_at AS cutoff_at
    FROM live_lines AS l
    JOIN metered AS m USING (item_no)
    WHERE l.kind = 'usage'
)
SELECT item_no, window_start, window_end, cutoff_at FROM recorded WHERE window_start < window_end
UNION
SELECT item_no, window_start, window_end, cutoff_at FROM billed WHERE window_start < window_end
UNION
SELECT item_no, prior_start, prior_end, NULL FROM line_parts
UNION
SELECT p.item_no, p.period_start, p.period_end, NULL FROM period_rows AS p JOIN metered AS m USING (item_no);
