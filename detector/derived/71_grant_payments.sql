-- grant_payments: which payment a credit grant was bought with.
-- in: credit_grants, payments
-- grain: one row per credit grant that can be told to belong to a payment or an idempotency key
-- columns:
--   integration VARCHAR      the source of the grant
--   grant_id VARCHAR         the grant
--   customer_id VARCHAR      whose it is
--   currency VARCHAR         the grant's currency
--   purchase VARCHAR         what its grants have in common: the payment, else the idempotency key
--   payment_id VARCHAR       the payment; NULL when only a key is known
--   settled_by VARCHAR       where that payment failed: the later one of the same amount that succeeded and has no grant of its own
-- The payment is the one that the grant names, else the one with its idempotency key, else the one that another grant with
-- the key names. A bought grant that names neither belongs to the customer's payment for credits of the day before it.
CREATE OR REPLACE TEMP TABLE grant_payments AS
WITH paid AS (
    SELECT * FROM payments WHERE purpose = 'credits'
    QUALIFY row_number() OVER (PARTITION BY payment_id, customer_id ORDER BY created_at, integration) = 1
), keyed AS (
    SELECT customer_id, idempotency_key, min(payment_id) AS payment_id
    FROM (
        SELECT customer_id, idempotency_key, payment_id FROM paid
        UNION ALL
        SELECT customer_id, idempotency_key, payment_id FROM credit_grants WHERE payment_id IS NOT NULL
    )
    WHERE idempotency_key IS NOT NULL
    GROUP BY customer_id, idempotency_key
), named AS (
    SELECT g.integration, g.grant_id, g.customer_id, g.currency, g.created_at, g.funding, g.amount, g.idempotency_key,
        coalesce(g.payment_id, k.payment_id) AS payment_id
    FROM credit_grants AS g
    LEFT JOIN keyed AS k USING (customer_id, idempotency_key)
), nearby AS (
    SELECT n.integration, n.grant_id, p.payment_id
    FROM named AS n
    JOIN paid AS p
        ON p.customer_id = n.customer_id AND p.currency = n.currency AND p.amount <= n.amount
        AND n.created_at BETWEEN p.created_at - INTERVAL 1 HOUR AND p.created_at + INTERVAL 1 DAY
    WHERE n.payment_id IS NULL AND n.funding <> 'none' AND p.payment_id NOT IN (
        SELECT payment_id FROM named WHERE payment_id IS NOT NULL)
    QUALIFY row_number() OVER (PARTITION BY n.integration, n.grant_id ORDER BY p.amount DESC, p.created_at DESC, p.payment_id) = 1
        AND row_number() OVER (PARTITION BY p.payment_id ORDER BY n.created_at, n.grant_id) = 1
), known AS (
    SELECT n.integration, n.grant_id, n.customer_id, n.currency, coalesce(n.payment_id, b.payment_id) AS payment_id, n.idempotency_key
    FROM named AS n
    LEFT JOIN nearby AS b USING (integration, grant_id)
), retried AS (
    SELECT f.payment_id, r.payment_id AS settled_by
    FROM paid AS f
    JOIN paid AS r
        ON r.customer_id = f.customer_id AND r.currency = f.currency AND r.amount = f.amount AND r.status = 'succeeded'
        AND r.created_at BETWEEN f.created_at AND f.created_at + INTERVAL 14 DAY
    WHERE f.status = 'failed' AND f.payment_id IN (SELECT payment_id FROM known WHERE payment_id IS NOT NULL)
        AND r.payment_id NOT IN (SELECT payment_id FROM known WHERE payment_id IS NOT NULL)
    QUALIFY row_number() OVER (PARTITION BY f.payment_id ORDER BY r.created_at, r.payment_id) = 1
        AND row_number() OVER (PARTITION BY r.payment_id ORDER BY f.created_at, f.payment_id) = 1
)
SELECT k.integration, k.grant_id, k.customer_id, k.currency,
    coalesce('payment ' || k.payment_id, 'key ' || k.idempotency_key) AS purchase, k.payment_id, r.settled_by
FROM known AS k
LEFT JOIN retried AS r USING (payment_id)
WHERE k.payment_id IS NOT NULL OR k.idempotency_key IS NOT NULL;
