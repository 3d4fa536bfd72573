-- plan_moves: the agreed moves of a subscription to another version of its plan, those ahead too.
-- in: subscriptions, subscription_items, prices, plans, plan_migrations
-- grain: one row per subscription and version that it was agreed to move to
-- columns:
--   integration VARCHAR        the source of the subscription
--   subscription_id VARCHAR    the subscription
--   customer_id VARCHAR        its customer
--   plan_key VARCHAR           the plan
--   migration_id VARCHAR       the agreement
--   from_version BIGINT        the version that it moves from; NULL: any
--   to_version BIGINT          the version that it moves to
--   effective_at TIMESTAMP     from when; the move itself is made with the next period
--   is_scheduled BOOLEAN       an item on the version, or on a later one, is on the subscription already and begins later
-- An agreement with the customer itself goes before one with all customers of the plan. What is agreed for later is known:
-- both are read from the books themselves.
CREATE OR REPLACE TEMP TABLE plan_moves AS
WITH ahead AS (
    SELECT i.integration, i.subscription_id, max(l.version) AS version
    FROM books.subscription_items AS i
    JOIN books.prices AS p USING (integration, price_id)
    JOIN books.plans AS l ON l.integration = p.integration AND l.plan_id = p.plan_id
    WHERE i.active_from > as_of()
    GROUP BY i.integration, i.subscription_id
)
SELECT s.integration, s.subscription_id, s.customer_id, l.plan_key, m.migration_id, m.from_version, m.to_version, m.effective_at,
    coalesce(a.version >= m.to_version, FALSE) AS is_scheduled
FROM subscriptions AS s
JOIN plans AS l USING (integration, plan_id)
JOIN books.plan_migrations AS m ON m.plan_key = l.plan_key AND coalesce(m.customer_id = s.customer_id, TRUE)
LEFT JOIN ahead AS a ON a.integration = s.integration AND a.subscription_id = s.subscription_id
QUALIFY row_number() OVER (
    PARTITION BY s.integration, s.subscription_id, m.to_version, coalesce(m.from_version, -1)
    ORDER BY m.customer_id IS NULL, m.effective_at DESC, m.migration_id) = 1
    AND (m.customer_id IS NOT NULL OR count(m.customer_id) OVER (
        PARTITION BY s.integration, s.subscription_id, m.to_version) = 0);
