-- line_parts: usage lines that are a later part of a billing period split over several lines.
-- in: live_lines, line_places, item_prices, terms
-- grain: one row per usage line that has an earlier usage line of its item in the same billing period and under the same price
-- columns:
--   line_no INTEGER                the line's number in live_lines
--   item_no INTEGER                its item's number in terms
--   prior_start TIMESTAMP          from where the earlier lines cover the period
--   prior_end TIMESTAMP            the line's own start
--   prior_billed DECIMAL(38,9)     the quantity on the earlier lines, in metered units; lines billed twice count once
--   prior_lines INTEGER[]          the earlier lines, by their numbers in live_lines
CREATE OR REPLACE TEMP TABLE line_parts AS
WITH later AS (
    SELECT p.item_no, p.period_index
    FROM line_places AS p
    JOIN live_lines AS l USING (line_no)
    WHERE l.kind = 'usage'
    GROUP BY p.item_no, p.period_index
    HAVING min(l.period_start) <> max(l.period_start)
), split AS (
    SELECT l.line_no, l.line_id, l.item_no, l.period_start, l.period_end, l.billed_quantity, l.invoice_created_at,
        p.period_index, i.valid_from
    FROM later AS s
    JOIN line_places AS p USING (item_no, period_index)
    JOIN live_lines AS l USING (line_no)
    JOIN item_prices AS i ON i.item_no = l.item_no AND i.valid_from <= l.period_start AND l.period_start < i.valid_to
    WHERE l.kind = 'usage' AND l.period_start < l.period_end
        AND l.item_no IN (SELECT item_no FROM terms WHERE meter_id IS NOT NULL)
), once AS (
    SELECT * FROM split
    QUALIFY row_number() OVER (
        PARTITION BY item_no, period_index, valid_from, period_start ORDER BY invoice_created_at, line_id) = 1
)
SELECT l.line_no, l.item_no,
    min(e.period_start) AS prior_start,
    l.period_start AS prior_end,
    CAST(sum(e.billed_quantity) AS DECIMAL(38, 9)) AS prior_billed,
    list(e.line_no ORDER BY e.line_no) AS prior_lines
FROM split AS l
JOIN once AS e
    ON e.item_no = l.item_no AND e.period_index = l.period_index AND e.valid_from = l.valid_from
    AND e.period_end <= l.period_start
GROUP BY l.line_no, l.item_no, l.period_start;
