-- in_place_changes: a number that was changed on the item itself in mid-period, and of which only one side was billed.
-- in: terms, period_rows, rate_cards, expected_lines, line_places, zone_offsets, item_discounts, integration_dialects
-- grain: one row per item and instant of such a change
-- columns:
--   item_no INTEGER             the item's number in terms
--   side VARCHAR                what is missing: the credit of the old number's rest, or the charge of the new one's
--   changed_at TIMESTAMP        the change
--   period_end TIMESTAMP        the end of the rest of the full period
--   due DECIMAL(38,4)           what the missing line should come to, after percent discounts: below zero for a credit
--   made_good DECIMAL(38,4)     credit notes on what was charged in advance
--   line_ids VARCHAR[]          what was charged in advance, and the one side
--   invoice_ids VARCHAR[]       their invoices
-- The old number is the one charged for the whole period, the new one the item's own. One line for the difference of both
-- is both sides in one. Found only where the one side is exactly the rest of its number, so that nothing else is taken for it.
CREATE OR REPLACE TEMP TABLE in_place_changes AS
WITH placed AS (
    SELECT e.*, y.period_start AS full_start, y.period_end AS full_end
    FROM expected_lines AS e
    JOIN terms AS t ON t.item_no = e.item_no AND t.meter_id IS NULL AND t.quantity IS NOT NULL
        AND t.payment_term = 'in_advance' AND t.proration <> 'none'
    JOIN line_places AS y ON y.line_no = e.line_no
    LEFT JOIN integration_dialects AS g ON g.integration = t.integration
    WHERE e.kind = 'recurring' AND e.amount <> 0 AND coalesce(g.credits_unused AND g.days = 'day' AND g.share_places IS NULL, TRUE)
), charged AS (
    SELECT item_no, full_start, any_value(billed_quantity) AS number, any_value(credited) AS made_good,
        any_value(line_id) AS line_id, any_value(invoice_id) AS invoice_id
    FROM placed
    WHERE period_start = full_start AND period_end = full_end AND amount > 0 AND NOT proration
    GROUP BY item_no, full_start
    HAVING count(*) = 1
), one_sided AS (
    SELECT item_no, full_start, full_end, period_start AS changed_at, any_value(amount) AS amount, any_value(exponent) AS exponent,
        any_value(billed_quantity) AS number, any_value(line_id) AS line_id, any_value(invoice_id) AS invoice_id
    FROM placed
    WHERE full_start < period_start AND period_end = full_end
    GROUP BY item_no, full_start, full_end, period_start
    HAVING count(*) = 1 AND bool_and(proration)
), counted AS (
    SELECT o.*, c.number AS old_number, t.quantity AS new_number, c.made_good, k.price, p.period_ticks AS whole,
        [c.line_id, o.line_id] AS line_ids, list_distinct([c.invoice_id, o.invoice_id]) AS invoice_ids,
        CAST(CASE t.proration WHEN 'second' THEN epoch_us(o.full_end) - epoch_us(o.changed_at)
            ELSE CAST(o.full_end + z2.utc_offset AS DATE) - CAST(o.changed_at + z1.utc_offset AS DATE) END AS BIGINT) AS part
    FROM one_sided AS o
    JOIN charged AS c ON c.item_no = o.item_no AND c.full_start = o.full_start
    JOIN terms AS t ON t.item_no = o.item_no AND t.quantity <> c.number
    JOIN period_rows AS p ON p.item_no = o.item_no AND p.period_start = o.full_start
    JOIN rate_cards AS k ON k.card = p.card
    ASOF JOIN zone_offsets AS z1 ON z1.timezone = t.timezone AND z1.from_utc <= o.changed_at
    ASOF JOIN zone_offsets AS z2 ON z2.timezone = t.timezone AND z2.from_utc <= o.full_end
    WHERE p.active_start = p.period_start AND p.active_end = p.period_end
), rated AS (
    SELECT *, rate_part(price, old_number, part, whole) AS old_rest, rate_part(price, new_number, part, whole) AS new_rest
    FROM counted
), percents AS (
    SELECT r.item_no, r.changed_at, list(d.value ORDER BY d.rank) AS percents
    FROM rated AS r
    JOIN item_discounts AS d ON d.item_no = r.item_no AND d.kind = 'percent' AND d.starts_at <= r.changed_at AND r.changed_at < d.ends_at
    GROUP BY r.item_no, r.changed_at
)
SELECT r.item_no, CASE WHEN r.amount > 0 THEN 'credit' ELSE 'charge' END AS side, r.changed_at, r.full_end AS period_end,
    CAST(CASE WHEN r.amount > 0 THEN -r.old_rest ELSE less_percents(r.new_rest, d.percents, r.price.rounding) END AS DECIMAL(38, 4)) AS due,
    CAST(r.made_good AS DECIMAL(38, 4)) AS made_good, r.line_ids, r.invoice_ids
FROM rated AS r
LEFT JOIN percents AS d ON d.item_no = r.item_no AND d.changed_at = r.changed_at
WHERE abs(abs(r.amount) - CASE WHEN r.amount > 0 THEN r.new_rest ELSE r.old_rest END) <= minor_unit(r.exponent)
    AND abs(abs(r.amount) - abs(r.new_rest - r.old_rest)) > 2 * minor_unit(r.exponent);
