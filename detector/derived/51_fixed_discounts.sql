-- fixed_discounts: what fixed amounts take off each line: a fixed amount is spent once per invoice, over its lines in order.
-- in: live_lines, line_amounts, item_discounts, rate_cards
-- grain: one row per usage or recurring line of an invoice that a fixed discount counts on
-- columns:
--   line_no INTEGER              the line's number in live_lines
--   due DECIMAL(38,4)            what is due to be taken off the expected amount, after its percentages
--   left_over DECIMAL(38,4)      what the fixed amounts that count on the line still held when they came to it
-- Lines come in the order of their ids, fixed amounts as item_discounts ranks them. What earlier lines leave of an amount goes
-- by what they were billed, as billing.discounts.over_invoice takes them; nothing is taken off a credit (rating.md, step 7).
CREATE OR REPLACE TEMP TABLE fixed_discounts AS
WITH RECURSIVE counting AS (
    SELECT l.line_no, l.integration, l.invoice_id, l.line_id, d.discount_id, d.value, d.scope
    FROM live_lines AS l
    JOIN item_discounts AS d
        ON d.item_no = l.item_no AND d.kind = 'amount' AND d.currency = l.currency
        AND d.starts_at <= l.period_start AND l.period_start < d.ends_at
    WHERE l.kind IN ('usage', 'recurring')
), lines AS (
    SELECT l.line_no, l.integration, l.invoice_id, l.line_id, l.amount, a.expected_net, k.price.rounding AS rounding
    FROM live_lines AS l
    JOIN line_amounts AS a ON a.line_no = l.line_no
    LEFT JOIN rate_cards AS k ON k.card = a.card
    WHERE (l.integration, l.invoice_id) IN (SELECT integration, invoice_id FROM counting)
), percents AS (
    SELECT l.line_no, list(d.value ORDER BY d.rank) AS percents
    FROM live_lines AS l
    JOIN item_discounts AS d
        ON d.item_no = l.item_no AND d.kind = 'percent' AND d.starts_at <= l.period_start AND l.period_start < d.ends_at
    WHERE l.line_no IN (SELECT line_no FROM lines)
    GROUP BY l.line_no
), places AS (
    SELECT *, dense_rank() OVER (PARTITION BY integration, invoice_id ORDER BY scope, discount_id) AS place
    FROM counting
), steps AS (
    SELECT l.line_no, l.integration, l.invoice_id, l.line_id, CAST(0 AS BIGINT) AS place,
        CAST(greatest(less_percents(l.amount, p.percents, l.rounding), 0) AS DECIMAL(38, 4)) AS billed,
        CAST(greatest(l.expected_net, 0) AS DECIMAL(38, 4)) AS expected,
        CAST(0 AS DECIMAL(38, 4)) AS taken, CAST(0 AS DECIMAL(38, 4)) AS held
    FROM lines AS l
    LEFT JOIN percents AS p ON p.line_no = l.line_no
    UNION ALL
    SELECT line_no, integration, invoice_id, line_id, place, billed - least(billed, available),
        expected - least(expected, available), taken + least(expected, available), held + available
    FROM (
        SELECT s.line_no, s.integration, s.invoice_id, s.line_id, s.place + 1 AS place, s.billed, s.expected, s.taken, s.held,
            CAST(CASE WHEN p.line_no IS NULL THEN 0 ELSE greatest(p.value - coalesce(sum(
                CASE WHEN p.line_no IS NULL THEN 0 ELSE s.billed END) OVER earlier, 0), 0) END AS DECIMAL(38, 4)) AS available
        FROM steps AS s
        LEFT JOIN places AS p ON p.line_no = s.line_no AND p.place = s.place + 1
        WHERE s.place < (SELECT max(place) FROM places)
        WINDOW earlier AS (
            PARTITION BY s.integration, s.invoice_id ORDER BY s.line_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
)
SELECT s.line_no, s.taken AS due, s.held AS left_over
FROM steps AS s
WHERE s.place = (SELECT max(place) FROM places) AND s.line_no IN (SELECT line_no FROM counting);
