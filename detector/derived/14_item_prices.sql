-- item_prices: the price that an item is charged by, over time: the catalog price or the customer's override of it.
-- in: terms, rate_cards, price_overrides
-- grain: one row per item and stretch of time in which the same price holds; together they cover all time
-- columns:
--   integration VARCHAR      the source of the item
--   item_no INTEGER          the item's number in terms
--   item_id VARCHAR          the item
--   override_id VARCHAR      the override that holds; NULL: the catalog price
--   valid_from TIMESTAMP     from when the price holds (-infinity: always did)
--   valid_to TIMESTAMP       until when (infinity: no end)
--   card INTEGER             the price's number in rate_cards; NULL when the books do not hold it
--   price STRUCT             the price, as rate() reads it
-- A price counts for lines whose period starts in [valid_from, valid_to). Of overlapping overrides the latest to start holds.
CREATE OR REPLACE TEMP TABLE item_prices AS
WITH overridden AS (
    SELECT t.item_no, o.override_id, o.valid_from, or_ever(o.valid_to) AS valid_to
    FROM terms AS t
    JOIN price_overrides AS o USING (customer_id, price_id)
    WHERE o.valid_from < or_ever(o.valid_to)
), changes AS (
    SELECT item_no, valid_from AS instant FROM overridden
    UNION
    SELECT item_no, valid_to FROM overridden WHERE valid_to < TIMESTAMP 'infinity'
    UNION
    SELECT item_no, TIMESTAMP '-infinity' FROM terms
), stretches AS (
    SELECT item_no, instant AS valid_from,
        lead(instant, 1, TIMESTAMP 'infinity') OVER (PARTITION BY item_no ORDER BY instant) AS valid_to
    FROM changes
), holding AS (
    SELECT s.item_no, s.valid_from, s.valid_to, arg_max(o.override_id, (o.valid_from, o.override_id)) AS override_id
    FROM stretches AS s
    LEFT JOIN overridden AS o ON o.item_no = s.item_no AND o.valid_from <= s.valid_from AND s.valid_from < o.valid_to
    GROUP BY ALL
)
SELECT t.integration, t.item_no, t.item_id, h.override_id, h.valid_from, h.valid_to, k.card, k.price
FROM holding AS h
JOIN terms AS t USING (item_no)
LEFT JOIN rate_cards AS k
    ON k.integration = t.integration AND k.price_id = t.price_id AND k.override_id IS NOT DISTINCT FROM h.override_id;
