-- matches: the four numbers of every item and billing period; see three_way.
-- in: terms, period_rows, live_lines, line_places, line_amounts, credit_shares, usage_measured, reported_windows, item_discounts, rate_cards
-- grain: one row per item and billing period up to as_of, and one per item and window of lines that lie in none
-- columns:
--   item_no INTEGER                     the item's number in terms
--   period_start TIMESTAMP              the full billing period: its start
--   period_end TIMESTAMP                its end, which is not part of it
--   active_start TIMESTAMP              the part of it that the item was in service
--   active_end TIMESTAMP                the end of that part
--   due_at TIMESTAMP                    when its invoice is due; NULL outside the billing periods
--   metered DECIMAL(38,9)               what the events add up to; without a meter the subscribed number
--   recorded DECIMAL(38,9)              what the billing system recorded as used; NULL when it recorded nothing
--   billed_quantity DECIMAL(38,9)       what the lines charge in metered units; NULL without a line
--   billed_amount DECIMAL(38,4)         the lines' amounts before discount, net of credit notes; NULL without a line
--   expected_amount DECIMAL(38,4)       what they should add up to before discount; NULL when it cannot be rated
--   expected_discount DECIMAL(38,4)     the percent discounts on it
--   reason VARCHAR                      why it cannot be rated
--   line_ids VARCHAR[]                  the usage, recurring and adjustment lines
--   invoice_ids VARCHAR[]               their invoices
--   state VARCHAR                       billed, open (its invoice is not due yet) or unbilled
--   card INTEGER                        the number in rate_cards of the price that holds at active_start
CREATE OR REPLACE TEMP TABLE matches AS
WITH placed AS (
    SELECT l.line_no, l.item_no, coalesce(p.period_start, l.period_start) AS row_start,
        coalesce(p.period_end, l.period_end) AS row_end,
        l.kind <> 'adjustment' AS is_main,
        CASE WHEN NOT l.proration THEN l.billed_quantity END AS quantity,
        l.amount - coalesce(c.credited, 0) AS amount,
        a.expected_amount, a.expected_amount - a.expected_net AS discount, a.reason,
        a.line_no IS NOT NULL AND a.expected_amount IS NULL AS is_unrated
    FROM live_lines AS l
    LEFT JOIN line_places AS p ON p.line_no = l.line_no
    LEFT JOIN line_amounts AS a ON a.line_no = l.line_no
    LEFT JOIN credit_shares AS c ON c.line_no = l.line_no
    WHERE l.item_no IS NOT NULL AND l.kind IN ('usage', 'recurring', 'adjustment')
), summed AS (
    SELECT item_no, row_start, row_end, count(*) AS lines, min(line_no) AS line_no, sum(quantity) AS billed_quantity,
        sum(amount) AS billed_amount, CASE WHEN NOT bool_or(is_unrated) THEN sum(expected_amount) END AS expected_amount,
        sum(discount) AS discount, min(reason) AS reason, bool_or(is_main) AS is_billed
    FROM placed
    GROUP BY item_no, row_start, row_end
), several AS (
    SELECT s.line_no, list(l.line_id ORDER BY l.line_id) AS line_ids,
        list(DISTINCT l.invoice_id ORDER BY l.invoice_id) AS invoice_ids
    FROM summed AS s
    JOIN placed AS p ON p.item_no = s.item_no AND p.row_start = s.row_start AND p.row_end = s.row_end
    JOIN live_lines AS l ON l.line_no = p.line_no
    WHERE s.lines > 1
    GROUP BY s.line_no
), billed AS (
    SELECT s.* EXCLUDE (line_no, lines),
        CASE WHEN s.lines = 1 THEN [l.line_id] ELSE v.line_ids END AS line_ids,
        CASE WHEN s.lines = 1 THEN [l.invoice_id] ELSE v.invoice_ids END AS invoice_ids
    FROM summed AS s
    JOIN live_lines AS l ON l.line_no = s.line_no
    LEFT JOIN several AS v ON v.line_no = s.line_no
), recorded AS (
    SELECT item_no, coalesce(period_start, window_start) AS row_start, coalesce(period_end, window_end) AS row_end,
        sum(recorded) AS recorded
    FROM reported_windows
    GROUP BY ALL
), rows_due AS (
    SELECT item_no, period_start AS row_start, period_end AS row_end, active_start, active_end, due_at, card,
        active_ticks, period_ticks
    FROM period_rows
    UNION ALL BY NAME
    SELECT b.item_no, b.row_start, b.row_end, b.row_start AS active_start, b.row_end AS active_end
    FROM billed AS b
    ANTI JOIN period_rows AS p ON p.item_no = b.item_no AND p.period_start = b.row_start AND p.period_end = b.row_end
), counted AS (
    SELECT d.*, t.meter_id IS NULL AS is_seat, t.exponent,
        CASE WHEN t.meter_id IS NULL THEN t.quantity ELSE w.quantity END AS metered, w.events,
        CASE WHEN t.meter_id IS NULL AND t.model = 'flat' THEN coalesce(t.quantity, 1) ELSE t.quantity END AS number,
        r.recorded, b.* EXCLUDE (item_no, row_start, row_end)
    FROM rows_due AS d
    JOIN terms AS t ON t.item_no = d.item_no
    LEFT JOIN usage_measured AS w
        ON w.item_no = d.item_no AND w.window_start = d.row_start AND w.window_end = d.row_end AND w.cutoff_at IS NULL
    LEFT JOIN recorded AS r ON r.item_no = d.item_no AND r.row_start = d.row_start AND r.row_end = d.row_end
    LEFT JOIN billed AS b ON b.item_no = d.item_no AND b.row_start = d.row_start AND b.row_end = d.row_end
), percents AS (
    SELECT c.item_no, c.row_start, list(d.value ORDER BY d.rank) AS percents
    FROM counted AS c
    JOIN item_discounts AS d
        ON d.item_no = c.item_no AND d.kind = 'percent' AND d.starts_at <= c.active_start AND c.active_start < d.ends_at
    WHERE c.is_billed IS NOT TRUE
    GROUP BY c.item_no, c.row_start
), unbilled AS (
    SELECT c.* REPLACE (
            CASE WHEN c.is_seat THEN rate_part(k.price, c.number, c.active_ticks, c.period_ticks)
                ELSE rate(k.price, c.metered, NULL, c.events, NULL) END AS expected_amount,
            rate_problem(k.price, CASE WHEN c.is_seat THEN c.number ELSE c.metered END, NULL, c.events, NULL) AS reason
        ), m.percents, k.price.rounding AS rounding
    FROM counted AS c
    LEFT JOIN rate_cards AS k ON k.card = c.card
    LEFT JOIN percents AS m ON m.item_no = c.item_no AND m.row_start = c.row_start
    WHERE c.is_billed IS NOT TRUE
), rated AS (
    SELECT * FROM counted WHERE is_billed
    UNION ALL BY NAME
    SELECT * REPLACE (
        expected_amount - less_percents(CAST(expected_amount AS DECIMAL(18, 4)), percents, rounding) AS discount)
    FROM unbilled
)
SELECT item_no, row_start AS period_start, row_end AS period_end, active_start, active_end, due_at,
    CAST(metered AS DECIMAL(38, 9)) AS metered,
    CAST(recorded AS DECIMAL(38, 9)) AS recorded,
    CAST(billed_quantity AS DECIMAL(38, 9)) AS billed_quantity,
    CAST(billed_amount AS DECIMAL(38, 4)) AS billed_amount,
    CAST(expected_amount AS DECIMAL(38, 4)) AS expected_amount,
    CAST(discount AS DECIMAL(38, 4)) AS expected_discount,
    CASE WHEN expected_amount IS NULL THEN reason END AS reason,
    line_ids, invoice_ids,
    CASE WHEN is_billed THEN 'billed' WHEN due_at <= as_of() THEN 'unbilled' ELSE 'open' END AS state,
    card
FROM rated;
