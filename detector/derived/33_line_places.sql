-- line_places: the billing period of its item that a line's start lies in.
-- in: live_lines, period_rows
-- grain: one row per line whose item is known and was in service then
-- columns:
--   line_no INTEGER           the line's number in live_lines
--   item_no INTEGER           its item's number in terms
--   period_index BIGINT       the billing period's number
--   period_start TIMESTAMP    the full billing period
--   period_end TIMESTAMP      its end, which is not part of it
CREATE OR REPLACE TEMP TABLE line_places AS
WITH spread AS (
    SELECT item_no, period_index, period_start, period_end, unnest(day_buckets(period_start, period_end, 32)) AS bucket
    FROM period_rows
)
SELECT l.line_no, l.item_no, p.period_index, p.period_start, p.period_end
FROM live_lines AS l
JOIN spread AS p
    ON p.item_no = l.item_no AND p.bucket = day_bucket(l.period_start, 32)
    AND p.period_start <= l.period_start AND l.period_start < p.period_end;
