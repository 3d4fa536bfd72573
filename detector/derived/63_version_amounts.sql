-- version_amounts: what an item's billed periods would have cost on another version of its plan.
-- in: matches, terms, period_rows, price_versions, rate_cards, price_overrides
-- grain: one row per item, billing period with lines, and other version of its plan
-- columns:
--   integration VARCHAR             the source of the item
--   item_no INTEGER                 the item's number in terms
--   period_start TIMESTAMP          the billing period
--   period_end TIMESTAMP            its end, which is not part of it
--   plan_id VARCHAR                 the plan version of the item's price
--   other_plan_id VARCHAR           the other version
--   other_version BIGINT            its number
--   other_price_id VARCHAR          the counterpart of the item's price in it
--   amount DECIMAL(18,4)            the billed quantity under the item's own price, before discount
--   other_amount DECIMAL(18,4)      the same under the counterpart, as the customer's own terms for it say where there are any
--   billed_amount DECIMAL(38,4)     what was billed, net of credit notes
--   line_ids VARCHAR[]              the lines
--   invoice_ids VARCHAR[]           their invoices
CREATE OR REPLACE TEMP TABLE version_amounts AS
WITH charged AS (
    SELECT m.item_no, m.period_start, m.period_end, m.active_start, m.billed_amount, m.line_ids, m.invoice_ids, m.card,
        t.integration, t.customer_id, t.meter_id IS NULL AS is_seat, p.active_ticks, p.period_ticks,
        coalesce(m.billed_quantity, t.quantity, CASE WHEN t.model = 'flat' THEN 1 END) AS quantity,
        v.plan_id, v.other_plan_id, v.other_version, v.other_price_id
    FROM matches AS m
    JOIN terms AS t ON t.item_no = m.item_no
    JOIN price_versions AS v ON v.integration = t.integration AND v.price_id = t.price_id
    JOIN period_rows AS p ON p.item_no = m.item_no AND p.period_start = m.period_start AND p.period_end = m.period_end
    WHERE m.state = 'billed'
), termed AS (
    SELECT c.*, o.override_id
    FROM charged AS c
    LEFT JOIN price_overrides AS o
        ON o.customer_id = c.customer_id AND o.price_id = c.other_price_id AND o.valid_from <= c.active_start AND c.active_start < or_ever(o.valid_to)
    QUALIFY row_number() OVER (PARTITION BY c.item_no, c.period_start, c.other_version ORDER BY o.valid_from DESC, o.override_id DESC) = 1
)
SELECT c.integration, c.item_no, c.period_start, c.period_end, c.plan_id, c.other_plan_id, c.other_version, c.other_price_id,
    CAST(CASE WHEN c.is_seat THEN rate_part(k.price, c.quantity, c.active_ticks, c.period_ticks)
        ELSE rate(k.price, c.quantity, NULL) END AS DECIMAL(18, 4)) AS amount,
    CAST(CASE WHEN c.is_seat THEN rate_part(n.price, c.quantity, c.active_ticks, c.period_ticks)
        ELSE rate(n.price, c.quantity, NULL) END AS DECIMAL(18, 4)) AS other_amount,
    c.billed_amount, c.line_ids, c.invoice_ids
FROM termed AS c
LEFT JOIN rate_cards AS k ON k.card = c.card
LEFT JOIN rate_cards AS n
    ON n.integration = c.integration AND n.price_id = c.other_price_id AND n.override_id IS NOT DISTINCT FROM c.override_id;
