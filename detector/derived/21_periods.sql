-- periods: the billing periods of every recurring item, from its start up to the one that contains as_of.
-- in: period_rows, terms, rate_cards
-- grain: one row per item and billing period that its service window touches
-- columns:
--   integration VARCHAR         the source of the item
--   item_no INTEGER             the item's number in terms
--   item_id VARCHAR             the item
--   subscription_id VARCHAR     its subscription
--   customer_id VARCHAR         its customer
--   price_id VARCHAR            its catalog price
--   meter_id VARCHAR            its meter; NULL for seats and flat fees
--   currency VARCHAR            the price's currency
--   payment_term VARCHAR        in_advance or in_arrears
--   quantity DECIMAL(27,9)      the subscribed number; NULL for metered prices
--   proration VARCHAR           second, day or none
--   period_index BIGINT         the period's number; 0 starts at the billing anchor
--   period_start TIMESTAMP      the full period: its start
--   period_end TIMESTAMP        the full period: its end, which is not part of it
--   active_start TIMESTAMP      the part of it that the item was in service
--   active_end TIMESTAMP        the end of that part
--   active_ticks BIGINT         how much is due by the item's proration basis: ...
--   period_ticks BIGINT         ... active_ticks of period_ticks (microseconds or days; 1 of 1 without proration)
--   due_at TIMESTAMP            when its invoice is due: at its start in advance, at its end in arrears
--   ended BOOLEAN               the full period has ended by as_of
--   price STRUCT                the price that holds at active_start, as rate() reads it
CREATE OR REPLACE TEMP VIEW periods AS
SELECT t.integration, p.item_no, t.item_id, t.subscription_id, t.customer_id, t.price_id, t.meter_id, t.currency,
    t.payment_term, t.quantity, t.proration, p.period_index, p.period_start, p.period_end, p.active_start, p.active_end,
    p.active_ticks, p.period_ticks, p.due_at, p.period_end <= as_of() AS ended, k.price
FROM period_rows AS p
JOIN terms AS t ON t.item_no = p.item_no
LEFT JOIN rate_cards AS k ON k.card = p.card;
