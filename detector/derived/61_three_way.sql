-- three_way: the four numbers of every item and billing period: metered, recorded, billed and expected.
-- in: matches, terms, rate_cards
-- grain: one row per item and billing period up to as_of, and one per item and window of lines that lie in none
-- columns:
--   integration VARCHAR                 the source of the item
--   item_no INTEGER                     the item's number in terms
--   item_id VARCHAR                     the item
--   subscription_id VARCHAR             its subscription
--   customer_id VARCHAR                 its customer
--   customer_name VARCHAR               the customer's name
--   price_id VARCHAR                    its catalog price
--   meter_id VARCHAR                    its meter; NULL for seats and flat fees
--   currency VARCHAR                    the price's currency
--   exponent INTEGER                    digits of its minor unit
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
--   price STRUCT                        the price that holds at active_start, as rate() reads it
CREATE OR REPLACE TEMP VIEW three_way AS
SELECT t.integration, m.item_no, t.item_id, t.subscription_id, t.customer_id, t.customer_name, t.price_id, t.meter_id,
    t.currency, t.exponent, m.* EXCLUDE (item_no, card), k.price
FROM matches AS m
JOIN terms AS t ON t.item_no = m.item_no
LEFT JOIN rate_cards AS k ON k.card = m.card;
