-- discount_differences: lines whose discount is not what the discounts in whose scope they lie come to.
-- in: live_lines, item_discounts, credit_shares, terms
-- grain: one row per usage or recurring line that has a discount in its scope, of any time, and another discount than it should
-- columns:
--   integration VARCHAR          the source of the line
--   line_no INTEGER              the line's number in live_lines
--   line_id VARCHAR              the line
--   invoice_id VARCHAR           its invoice
--   item_id VARCHAR              its item
--   subscription_id VARCHAR      its subscription
--   customer_id VARCHAR          its customer
--   customer_name VARCHAR        the customer's name
--   price_id VARCHAR             the line's price
--   currency VARCHAR             the invoice's currency
--   exponent INTEGER             digits of its minor unit
--   period_start TIMESTAMP       the line's period
--   period_end TIMESTAMP         its end, which is not part of it
--   amount DECIMAL(18,4)         as billed, before discount
--   taken DECIMAL(18,4)          the discount as billed
--   due DECIMAL(18,4)            what the discounts that hold at the period's start come to (rating.md, step 7)
--   difference DECIMAL(18,4)     taken - due, less what credit notes and adjustments without a quantity made good
--   active_ids VARCHAR[]         the discounts that hold
--   past_ids VARCHAR[]           those in scope that had ended, where one of them, or all, explains what was taken too much
--   missing_ids VARCHAR[]        those that hold and are not in what was taken
-- Judged on the line's own amount. A fixed amount is spent once over the lines of an invoice, in whatever order they come: only
-- their sum is held against it. Credits and lines of zero are not discounted.
CREATE OR REPLACE TEMP TABLE discount_differences AS
WITH scoped AS (
    SELECT l.line_no, l.invoice_id, l.integration, l.amount, l.discount_amount AS taken, l.exponent, d.discount_id, d.kind, d.value, d.rank,
        d.starts_at <= l.period_start AND l.period_start < d.ends_at AS is_active, d.ends_at <= l.period_start AS is_past
    FROM live_lines AS l
    JOIN item_discounts AS d ON d.item_no = l.item_no AND (d.kind = 'percent' OR d.currency = l.currency)
    WHERE l.kind IN ('usage', 'recurring') AND l.amount > 0 AND l.period_start IS NOT NULL AND l.exponent IS NOT NULL
), lines AS (
    SELECT line_no, any_value(invoice_id) AS invoice_id, any_value(integration) AS integration, any_value(amount) AS amount,
        any_value(taken) AS taken, any_value(exponent) AS exponent,
        list(value ORDER BY rank) FILTER (is_active AND kind = 'percent') AS percents,
        coalesce(list(discount_id ORDER BY rank) FILTER (is_active AND kind = 'amount'), []) AS fixed_ids,
        coalesce(sum(value) FILTER (is_active AND kind = 'amount'), 0) AS fixed,
        coalesce(list(discount_id ORDER BY rank) FILTER (is_active), []) AS active_ids,
        minor_unit(any_value(exponent)) * (1 + count(*)) AS tolerance
    FROM scoped
    GROUP BY line_no
), reduced AS (
    SELECT *, less_percents(amount, percents, exponent) AS rest FROM lines
), spent AS (
    SELECT *, sum(rest) OVER pool AS pool_rest, sum(taken - (amount - rest)) OVER pool AS pool_taken,
        coalesce(sum(rest) OVER (
            PARTITION BY integration, invoice_id, fixed_ids ORDER BY line_no ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS rest_before
    FROM reduced
    WINDOW pool AS (PARTITION BY integration, invoice_id, fixed_ids)
), due AS (
    SELECT *, amount - rest + CASE
            WHEN fixed = 0 THEN 0
            WHEN abs(pool_taken - least(fixed, pool_rest)) <= tolerance THEN greatest(taken - (amount - rest), 0)
            ELSE greatest(least(fixed - rest_before, rest), 0)
        END AS due
    FROM spent
), off AS (
    SELECT *, taken - due AS excess FROM due WHERE abs(taken - due) > tolerance
), tried AS (
    SELECT o.line_no, s.discount_id, s.kind, s.is_past, s.value,
        list(a.value ORDER BY a.rank) FILTER (a.kind = 'percent' AND CASE
            WHEN s.is_past THEN a.is_active OR a.discount_id = s.discount_id ELSE a.is_active AND a.discount_id <> s.discount_id END) AS percents
    FROM off AS o
    JOIN scoped AS s ON s.line_no = o.line_no AND (s.is_past OR s.is_active)
    JOIN scoped AS a ON a.line_no = o.line_no
    GROUP BY o.line_no, s.discount_id, s.kind, s.is_past, s.value
), with_past AS (
    SELECT o.line_no, list(s.value ORDER BY s.rank) FILTER (s.kind = 'percent' AND (s.is_active OR s.is_past)) AS percents,
        list(s.discount_id ORDER BY s.rank) FILTER (s.is_past) AS past_ids
    FROM off AS o
    JOIN scoped AS s ON s.line_no = o.line_no
    GROUP BY o.line_no
), explained AS (
    SELECT o.line_no,
        list(t.discount_id ORDER BY t.discount_id) FILTER (t.is_past AND o.excess > 0 AND CASE t.kind
            WHEN 'percent' THEN abs(o.taken - (o.amount - less_percents(o.amount, t.percents, o.exponent)) - (o.due - (o.amount - o.rest))) <= o.tolerance
            ELSE o.excess <= t.value + o.tolerance END) AS past_ids,
        list(t.discount_id ORDER BY t.discount_id) FILTER (NOT t.is_past AND o.excess < 0 AND CASE t.kind
            WHEN 'percent' THEN abs(o.taken - (o.amount - less_percents(o.amount, t.percents, o.exponent)) - (o.due - (o.amount - o.rest))) <= o.tolerance
            ELSE abs(o.excess) <= t.value + o.tolerance END) AS missing_ids
    FROM off AS o
    JOIN tried AS t USING (line_no)
    GROUP BY o.line_no
), adjusted AS (
    SELECT o.line_no, sum(a.amount) AS amount
    FROM off AS o
    JOIN live_lines AS l ON l.line_no = o.line_no
    JOIN live_lines AS a ON a.item_no = l.item_no AND l.period_start <= a.period_start AND a.period_end <= l.period_end
    WHERE a.kind IN ('adjustment', 'credit') AND coalesce(a.billed_quantity, 0) = 0
    GROUP BY o.line_no
)
SELECT l.integration, o.line_no, l.line_id, l.invoice_id, l.item_id, l.subscription_id, l.customer_id, t.customer_name, l.price_id,
    l.currency, l.exponent, l.period_start, l.period_end, l.amount,
    CAST(o.taken AS DECIMAL(18, 4)) AS taken, CAST(o.due AS DECIMAL(18, 4)) AS due,
    CAST(difference_left(CAST(o.excess AS DECIMAL(18, 4)), l.amount, l.discount_amount, coalesce(c.credited, 0), coalesce(a.amount, 0))
        AS DECIMAL(18, 4)) AS difference,
    o.active_ids,
    coalesce(e.past_ids, CASE WHEN o.excess > 0
        AND abs(o.taken - (o.amount - less_percents(o.amount, w.percents, o.exponent)) - (o.due - (o.amount - o.rest))) <= o.tolerance
        THEN w.past_ids END, []) AS past_ids,
    CASE WHEN o.excess < 0 THEN CASE WHEN o.taken = 0 THEN o.active_ids ELSE coalesce(e.missing_ids, o.active_ids) END ELSE [] END AS missing_ids
FROM off AS o
JOIN live_lines AS l ON l.line_no = o.line_no
JOIN terms AS t ON t.item_no = l.item_no
LEFT JOIN explained AS e ON e.line_no = o.line_no
LEFT JOIN with_past AS w ON w.line_no = o.line_no
LEFT JOIN adjusted AS a ON a.line_no = o.line_no
LEFT JOIN credit_shares AS c ON c.line_no = o.line_no;
