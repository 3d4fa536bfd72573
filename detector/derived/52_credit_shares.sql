-- credit_shares: which part of the credit notes falls on which line.
-- in: live_lines, line_amounts, terms, credit_notes, invoices
-- grain: one row per line that credit notes fall on
-- columns:
--   integration VARCHAR       the source of the line
--   line_no INTEGER           the line's number in live_lines
--   line_id VARCHAR           the line
--   credited DECIMAL(18,4)    credit notes for the line and its share of the notes for its whole invoice
-- A note for the whole invoice goes to the lines that charge too much (more than expected, twice, or after the end of
-- service), each up to what it charges too much, in the order of their ids; one that covers the invoice goes to all of it.
CREATE OR REPLACE TEMP TABLE credit_shares AS
WITH invoice_notes AS (
    SELECT n.integration, n.invoice_id, sum(n.amount) AS pool, any_value(i.total) AS invoice_total
    FROM credit_notes AS n
    JOIN invoices AS i USING (integration, invoice_id)
    WHERE n.status = 'issued' AND n.line_id IS NULL
    GROUP BY n.integration, n.invoice_id
), noted_lines AS (
    SELECT l.*, n.pool, n.invoice_total
    FROM live_lines AS l
    JOIN invoice_notes AS n USING (integration, invoice_id)
), repeated AS (
    SELECT l.line_no
    FROM live_lines AS l
    WHERE l.item_no IN (SELECT item_no FROM noted_lines) AND NOT l.proration AND l.kind IN ('usage', 'recurring')
    QUALIFY row_number() OVER (
        PARTITION BY l.item_no, l.kind, l.period_start, l.period_end ORDER BY l.invoice_created_at, l.line_id) > 1
), charged AS (
    SELECT l.line_no, l.line_id, l.integration, l.invoice_id, l.pool, l.invoice_total,
        l.amount - l.discount_amount - l.credited_directly AS rest,
        CASE WHEN d.line_no IS NOT NULL OR l.period_start >= t.service_end THEN 0 ELSE a.expected_net END AS due
    FROM noted_lines AS l
    LEFT JOIN line_amounts AS a ON a.line_no = l.line_no
    LEFT JOIN repeated AS d ON d.line_no = l.line_no
    LEFT JOIN terms AS t ON t.item_no = l.item_no
), excessive AS (
    SELECT *,
        CASE WHEN pool >= invoice_total THEN greatest(rest, 0) ELSE greatest(least(rest - due, rest), 0) END AS excess
    FROM charged
), shares AS (
    SELECT line_no, greatest(least(excess, pool - coalesce(sum(excess) OVER earlier, 0)), 0) AS share
    FROM excessive
    WHERE excess > 0
    WINDOW earlier AS (
        PARTITION BY integration, invoice_id ORDER BY line_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    UNION ALL
    SELECT line_no, credited_directly FROM live_lines WHERE credited_directly <> 0
)
SELECT any_value(l.integration) AS integration, s.line_no, any_value(l.line_id) AS line_id,
    CAST(sum(s.share) AS DECIMAL(18, 4)) AS credited
FROM shares AS s
JOIN live_lines AS l ON l.line_no = s.line_no
GROUP BY s.line_no;
