-- mid_period_changes: where an item's charge in advance ends or begins inside a billing period, and what is due for the rest.
-- in: terms, period_rows, rate_cards, live_lines, line_places, credit_shares, matches, integration_dialects
-- grain: one row per side of a change whose billing is due: the next invoice is made, or the period is over for some days
-- columns:
--   item_no INTEGER             the item's number in terms
--   side VARCHAR                credit (of the unused rest of an item that ended) or charge (of the rest of one that replaced it)
--   changed_at TIMESTAMP        the change
--   period_end TIMESTAMP        the end of the rest of the full period
--   due DECIMAL(38,4)           what the line should come to, after discounts: below zero for a credit
--   lines BIGINT                how many lines credit, or charge, something of that rest
--   billed DECIMAL(38,4)        what those lines come to
--   made_good DECIMAL(38,4)     credit notes on what was charged in advance
--   line_ids VARCHAR[]          what was charged in advance, or the other side's lines
--   invoice_ids VARCHAR[]       their invoices
-- Only prices that are prorated, and systems that credit what is unused; what was charged in advance and written off is not
-- credited. An end at the end of a period changes nothing in mid-period. An item begins by a change where another one of its
-- subscription, likewise without a meter, ended within the hour.
CREATE OR REPLACE TEMP TABLE mid_period_changes AS
WITH parts AS (
    SELECT t.integration, t.subscription_id, t.item_no, t.quantity, t.model, t.started_at, t.active_from, p.period_start, p.period_end,
        p.active_start, p.active_end, p.active_ticks, p.period_ticks, p.card
    FROM period_rows AS p
    JOIN terms AS t ON t.item_no = p.item_no
    LEFT JOIN integration_dialects AS g ON g.integration = t.integration
    WHERE t.meter_id IS NULL AND t.payment_term = 'in_advance' AND t.proration <> 'none' AND coalesce(g.credits_unused, TRUE)
        AND (p.active_end < p.period_end OR p.period_start < p.active_start)
        AND (p.period_end + INTERVAL 3 DAY <= as_of() OR EXISTS (
            SELECT 1 FROM live_lines AS l
            WHERE l.integration = t.integration AND l.subscription_id = t.subscription_id AND l.invoice_created_at >= p.period_end))
), ended AS (
    SELECT * FROM parts WHERE active_end < period_end AND active_end <= as_of()
), charged AS (
    SELECT e.item_no, e.period_start, sum(l.amount) AS amount, any_value(l.billed_quantity) AS number, count(*) AS charges,
        sum(coalesce(c.credited, 0)) AS made_good,
        list(l.line_id ORDER BY l.line_id) AS line_ids, list(DISTINCT l.invoice_id ORDER BY l.invoice_id) AS invoice_ids
    FROM ended AS e
    JOIN line_places AS y ON y.item_no = e.item_no AND y.period_start = e.period_start
    JOIN live_lines AS l ON l.line_no = y.line_no
    LEFT JOIN credit_shares AS c ON c.line_no = l.line_no
    WHERE l.kind = 'recurring' AND l.amount > 0 AND l.period_start < e.active_end AND e.active_end < l.period_end
        AND l.invoice_status <> 'uncollectible'
    GROUP BY e.item_no, e.period_start
), given_back AS (
    SELECT e.item_no, e.period_start, count(*) AS lines, sum(l.amount) AS billed
    FROM ended AS e
    JOIN live_lines AS l
        ON l.integration = e.integration AND l.subscription_id = e.subscription_id AND (l.item_no = e.item_no OR l.item_no IS NULL)
        AND l.period_start < e.period_end AND e.active_end - INTERVAL 1 HOUR < l.period_end
    WHERE l.kind IN ('recurring', 'adjustment', 'credit') AND l.amount < 0
    GROUP BY e.item_no, e.period_start
), credits AS (
    SELECT e.*, c.made_good, c.line_ids, c.invoice_ids, coalesce(g.lines, 0) AS lines, g.billed,
        CASE WHEN e.active_start = e.period_start THEN -rate_part(k.price,
                coalesce(c.number, e.quantity, CASE WHEN e.model = 'flat' THEN 1 END), e.period_ticks - e.active_ticks, e.period_ticks)
            ELSE rate_part(k.price, coalesce(c.number, e.quantity, CASE WHEN e.model = 'flat' THEN 1 END), e.active_ticks, e.period_ticks)
                - c.amount END AS due
    FROM ended AS e
    JOIN charged AS c ON c.item_no = e.item_no AND c.period_start = e.period_start
    JOIN rate_cards AS k ON k.card = e.card
    LEFT JOIN given_back AS g ON g.item_no = e.item_no AND g.period_start = e.period_start
    WHERE c.charges = 1
), begun AS (
    SELECT b.*, o.item_no AS old_no, o.active_end AS old_end
    FROM parts AS b
    JOIN ended AS o ON o.integration = b.integration AND o.subscription_id = b.subscription_id AND o.item_no <> b.item_no
        AND o.active_end BETWEEN b.active_from - INTERVAL 1 HOUR AND b.active_from + INTERVAL 1 HOUR
    WHERE b.period_start < b.active_start AND b.active_start = b.active_from AND b.started_at < b.active_from
    QUALIFY row_number() OVER (PARTITION BY b.item_no, b.period_start ORDER BY o.item_no) = 1
), other_side AS (
    SELECT b.item_no, b.period_start, list(l.line_id ORDER BY l.line_id) AS line_ids,
        list(DISTINCT l.invoice_id ORDER BY l.invoice_id) AS invoice_ids
    FROM begun AS b
    JOIN live_lines AS l ON l.item_no = b.old_no AND l.amount < 0 AND l.kind = 'recurring'
        AND l.period_start < b.period_end AND b.active_start < l.period_end
    GROUP BY b.item_no, b.period_start
), charged_on AS (
    SELECT b.item_no, b.period_start, count(*) AS lines, sum(l.amount) AS billed
    FROM begun AS b
    JOIN live_lines AS l
        ON l.integration = b.integration AND l.subscription_id = b.subscription_id AND (l.item_no = b.item_no OR l.item_no IS NULL)
        AND l.period_start < b.period_end AND b.active_start < l.period_end
    WHERE l.kind IN ('recurring', 'adjustment') AND l.amount > 0
    GROUP BY b.item_no, b.period_start
), charges AS (
    SELECT b.*, m.expected_amount - coalesce(m.expected_discount, 0) AS due,
        coalesce(n.lines, 0) AS lines, n.billed, o.line_ids, o.invoice_ids
    FROM begun AS b
    JOIN matches AS m ON m.item_no = b.item_no AND m.period_start = b.period_start
    LEFT JOIN charged_on AS n ON n.item_no = b.item_no AND n.period_start = b.period_start
    LEFT JOIN other_side AS o ON o.item_no = b.item_no AND o.period_start = b.period_start
)
SELECT item_no, 'credit' AS side, active_end AS changed_at, period_end, CAST(due AS DECIMAL(38, 4)) AS due, lines,
    CAST(coalesce(billed, 0) AS DECIMAL(38, 4)) AS billed, CAST(made_good AS DECIMAL(38, 4)) AS made_good, line_ids, invoice_ids
FROM credits
UNION ALL
SELECT item_no, 'charge', active_start, period_end, CAST(due AS DECIMAL(38, 4)), lines,
    CAST(coalesce(billed, 0) AS DECIMAL(38, 4)), CAST(0 AS DECIMAL(38, 4)),
    coalesce(line_ids, []), coalesce(invoice_ids, [])
FROM charges;
