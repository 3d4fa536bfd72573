-- line_ratings: expected_lines but for the credit notes; see there.
-- in: line_amounts, live_lines, terms, rate_cards, fixed_discounts
-- grain: one row per usage or recurring line of a non-void invoice
-- columns:
--   integration VARCHAR                      the source of the line
--   line_no INTEGER                          the line's number in live_lines
--   line_id VARCHAR                          the line
--   invoice_id VARCHAR                       its invoice
--   item_no INTEGER                          its item's number in terms
--   item_id VARCHAR                          its item
--   subscription_id VARCHAR                  its subscription
--   customer_id VARCHAR                      its customer
--   price_id VARCHAR                         the item's price: the one that should have been charged
--   override_id VARCHAR                      the customer's override of it that holds
--   meter_id VARCHAR                         the meter
--   model VARCHAR                            the price model
--   price STRUCT                             the price that holds at the period's start, as rate() reads it
--   currency VARCHAR                         the invoice's currency
--   exponent INTEGER                         digits of its minor unit
--   kind VARCHAR                             usage or recurring
--   period_start TIMESTAMP                   the line's period
--   period_end TIMESTAMP                     its end, which is not part of it
--   rated BOOLEAN                            expected_amount could be worked out
--   reason VARCHAR                           why not: unknown_item, missing_price, currency_mismatch, a problem of the price ...
--   cutoff_at TIMESTAMP                      when the line's usage was taken: recorded_at of its report, else the invoice's creation
--   metered DECIMAL(38,9)                    all accepted usage of the period; recurring lines: the subscribed number
--   metered_events BIGINT                    the number of events in it
--   metered_at_cutoff DECIMAL(38,9)          the usage received by the cut-off
--   late_quantity DECIMAL(38,9)              the usage received after it
--   billed_quantity DECIMAL(27,9)            what the line charges, in metered units
--   prior_quantity DECIMAL(38,9)             usage on the period's earlier lines, as metered; NULL: the line is the first
--   prior_billed DECIMAL(38,9)               the same as billed
--   expected_amount DECIMAL(18,4)            metered, rated
--   repriced_amount DECIMAL(18,4)            billed_quantity, rated under the price that should have been charged
--   expected_unit_amount DECIMAL(27,12)      the unit price that should have been charged; NULL for tiered prices
--   other_mode_amount DECIMAL(18,4)          billed_quantity with the tiers read in the other mode; only where amount is not repriced_amount
--   shift_up_amount DECIMAL(18,4)            billed_quantity with every tier bound one unit higher; likewise
--   shift_down_amount DECIMAL(18,4)          billed_quantity with every tier bound one unit lower; likewise
--   full_amount DECIMAL(18,4)                recurring lines: the billed number for a whole period
--   second_amount DECIMAL(18,4)              recurring lines: its part for the line's period by the second
--   day_amount DECIMAL(18,4)                 recurring lines: its part by local calendar days
--   expected_discount DECIMAL(18,4)          what its discounts take off: percentages, each on the remainder, then fixed amounts
--   expected_net DECIMAL(18,4)               expected_amount less expected_discount
--   amount DECIMAL(18,4)                     as billed, before discount
--   discount_amount DECIMAL(18,4)            as billed
--   proration BOOLEAN                        the line charges or credits a part of a period
CREATE OR REPLACE TEMP VIEW line_ratings AS
SELECT l.integration, l.line_no, l.line_id, l.invoice_id, l.item_no, l.item_id, l.subscription_id, l.customer_id,
    coalesce(t.price_id, l.price_id) AS price_id, a.override_id, t.meter_id, t.model, k.price, l.currency, l.exponent, l.kind,
    l.period_start, l.period_end,
    a.expected_amount IS NOT NULL AS rated, a.reason, a.cutoff_at, a.metered, a.metered_events, a.metered_at_cutoff,
    CAST(a.metered - a.metered_at_cutoff AS DECIMAL(38, 9)) AS late_quantity,
    l.billed_quantity, a.prior_quantity, a.prior_billed, a.expected_amount, a.repriced_amount,
    k.price.unit_amount AS expected_unit_amount,
    a.other_mode_amount, a.shift_up_amount, a.shift_down_amount, a.full_amount, a.second_amount, a.day_amount,
    CAST(a.expected_amount - a.expected_net + coalesce(f.due, 0) AS DECIMAL(18, 4)) AS expected_discount,
    CAST(a.expected_net - coalesce(f.due, 0) AS DECIMAL(18, 4)) AS expected_net,
    l.amount, l.discount_amount, l.proration
FROM line_amounts AS a
JOIN live_lines AS l ON l.line_no = a.line_no
LEFT JOIN terms AS t ON t.item_no = a.item_no
LEFT JOIN rate_cards AS k ON k.card = a.card
LEFT JOIN fixed_discounts AS f ON f.line_no = a.line_no;
