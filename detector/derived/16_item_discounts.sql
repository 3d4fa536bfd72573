-- item_discounts: the discounts that an item's lines get, from its own, its subscription's and its customer's.
-- in: terms, discounts
-- grain: one row per item and discount in whose scope it lies
-- columns:
--   item_no INTEGER            the item's number in terms
--   discount_id VARCHAR        the discount
--   kind VARCHAR               percent or amount
--   value DECIMAL(27,12)       10 means 10 %, or an amount in `currency`
--   currency VARCHAR           the currency of a fixed amount
--   starts_at TIMESTAMP        it counts for lines whose period starts from here ...
--   ends_at TIMESTAMP          ... and before here (infinity: no end)
--   scope INTEGER              1 the item's own, 2 its subscription's, 3 its customer's
--   rank BIGINT                its place: item before subscription before customer, then by discount_id
--   is_alone BOOLEAN           the item has no other discount of its kind
CREATE OR REPLACE TEMP TABLE item_discounts AS
WITH scoped AS (
    SELECT t.item_no, d.*, 1 AS scope FROM terms AS t JOIN discounts AS d ON d.item_id = t.item_id
    UNION ALL BY NAME
    SELECT t.item_no, d.*, 2 AS scope FROM terms AS t
    JOIN discounts AS d ON d.subscription_id = t.subscription_id AND d.item_id IS NULL
    UNION ALL BY NAME
    SELECT t.item_no, d.*, 3 AS scope FROM terms AS t
    JOIN discounts AS d ON d.customer_id = t.customer_id AND d.item_id IS NULL AND d.subscription_id IS NULL
)
SELECT item_no, discount_id, kind, value, currency, starts_at, or_ever(ends_at) AS ends_at, scope,
    row_number() OVER (PARTITION BY item_no ORDER BY scope, discount_id) AS rank,
    count(*) OVER (PARTITION BY item_no, kind) = 1 AS is_alone
FROM scoped;
