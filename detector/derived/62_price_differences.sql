-- price_differences: lines whose amount is not their billed quantity under the price that should have been charged.
-- in: line_ratings, live_lines, credit_shares, terms, three_way, prices
-- grain: one row per usage or recurring line that can be rated and whose amount differs; proration lines are left out
-- Usage that an invoice shows in parts (a line per tier) is compared as a whole; with inclusive tax the amount may be without it.
-- columns:
--   integration VARCHAR                  the source of the line
--   line_id VARCHAR                      the line
--   invoice_id VARCHAR                   its invoice
--   invoice_status VARCHAR               the invoice's status
--   item_id VARCHAR                      its item
--   subscription_id VARCHAR              its subscription
--   customer_id VARCHAR                  its customer
--   customer_name VARCHAR                the customer's name
--   meter_id VARCHAR                     the meter
--   price_id VARCHAR                     the item's price: the one that should have been charged
--   price_name VARCHAR                   its name
--   line_price_id VARCHAR                the price that the line names
--   model VARCHAR                        the price model
--   kind VARCHAR                         usage or recurring
--   currency VARCHAR                     the invoice's currency
--   exponent INTEGER                     digits of its minor unit
--   period_start TIMESTAMP               the line's period
--   period_end TIMESTAMP                 its end, which is not part of it
--   item_from TIMESTAMP                  when the item was put on the subscription
--   item_to TIMESTAMP                    when it was taken off (infinity: it is on)
--   metered DECIMAL(38,9)                what the events add up to; without a meter the subscribed number
--   recorded DECIMAL(38,9)               what the billing system recorded as used
--   billed_quantity DECIMAL(27,9)        what the line charges, in metered units
--   unit_amount DECIMAL(27,12)           the unit price that the line states
--   expected_unit_amount DECIMAL(27,12)  the unit price that should have been charged; NULL for tiered prices
--   billed DECIMAL(18,4)                 the line's amount, before discount
--   expected DECIMAL(18,4)               what the billed quantity costs
--   other_mode DECIMAL(18,4)             what it costs with the tiers read in the other mode
--   shift_up DECIMAL(18,4)               what it costs with every tier bound one unit higher
--   shift_down DECIMAL(18,4)             what it costs with every tier bound one unit lower
--   other_parts DECIMAL(18,4)[]          recurring lines: the amounts by other ways to prorate the line's period
--   difference DECIMAL(18,4)             expected - billed, less what credit notes and adjustments without a quantity made good
CREATE OR REPLACE TEMP TABLE price_differences AS
WITH off AS (
    SELECT r.*, l.price_id AS line_price_id, l.unit_amount, l.invoice_status, coalesce(c.credited, 0) AS credited
    FROM line_ratings AS r
    JOIN live_lines AS l ON l.line_no = r.line_no
    LEFT JOIN credit_shares AS c ON c.line_no = r.line_no
    LEFT JOIN prices AS p ON p.integration = r.integration AND p.price_id = r.price_id
    WHERE r.amount <> r.repriced_amount AND NOT r.proration
        AND NOT (p.tax_behavior = 'inclusive' AND l.amount + l.tax_amount = r.repriced_amount)
), wholes AS (
    SELECT o.line_no, o.price, o.prior_billed, sum(l.amount) AS amount, CAST(sum(l.billed_quantity) AS DECIMAL(38, 9)) AS quantity
    FROM off AS o
    JOIN live_lines AS l
        ON l.item_no = o.item_no AND l.invoice_id = o.invoice_id AND l.kind = o.kind AND NOT l.proration
        AND l.period_start = o.period_start AND l.period_end = o.period_end
    WHERE o.kind = 'usage'
    GROUP BY o.line_no, o.price, o.prior_billed
    HAVING count(*) > 1
), in_parts AS (
    SELECT line_no FROM wholes WHERE amount = rate(price, quantity, prior_billed)
), adjusted AS (
    SELECT o.integration, o.line_id, sum(a.amount) AS amount
    FROM off AS o
    JOIN live_lines AS a
        ON a.item_no = o.item_no AND o.period_start <= a.period_start AND a.period_end <= o.period_end
    WHERE a.kind IN ('adjustment', 'credit') AND coalesce(a.billed_quantity, 0) = 0
    GROUP BY o.integration, o.line_id
)
SELECT o.integration, o.line_id, o.invoice_id, o.invoice_status, o.item_id, o.subscription_id, o.customer_id,
    t.customer_name, o.meter_id, o.price_id, t.price_name, o.line_price_id, o.model, o.kind, o.currency, o.exponent,
    o.period_start, o.period_end, t.active_from AS item_from, or_ever(t.active_to) AS item_to,
    o.metered, w.recorded, o.billed_quantity, o.unit_amount, o.expected_unit_amount,
    o.amount AS billed, o.repriced_amount AS expected, o.other_mode_amount AS other_mode,
    o.shift_up_amount AS shift_up, o.shift_down_amount AS shift_down,
    [o.full_amount, o.second_amount, o.day_amount] AS other_parts,
    CAST(difference_left(o.repriced_amount - o.amount, o.amount, o.discount_amount, o.credited, coalesce(a.amount, 0))
        AS DECIMAL(18, 4)) AS difference
FROM off AS o
JOIN terms AS t USING (item_no)
LEFT JOIN adjusted AS a ON a.integration = o.integration AND a.line_id = o.line_id
LEFT JOIN three_way AS w
    ON w.item_no = o.item_no AND w.period_start = o.period_start AND w.period_end = o.period_end
WHERE o.line_no NOT IN (SELECT line_no FROM in_parts);
