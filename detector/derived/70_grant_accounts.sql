-- grant_accounts: what the ledger says of every credit grant: what came in, where it went, what is left.
-- in: credit_grants, credit_movements, customers, currencies
-- grain: one row per credit grant
-- columns:
--   integration VARCHAR          the source of the grant
--   grant_id VARCHAR             the grant
--   customer_id VARCHAR          whose it is
--   customer_name VARCHAR        the customer's name
--   currency VARCHAR             the grant's currency
--   exponent INTEGER             digits of its minor unit
--   amount DECIMAL(18,4)         what the grant says
--   booked BOOLEAN               the ledger has movements of the grant
--   funded DECIMAL(18,4)         booked as funded; without such a movement the grant's amount
--   added DECIMAL(18,4)          other movements that add: corrections, consumption given back
--   consumed DECIMAL(18,4)       consumed before it ended
--   consumed_late DECIMAL(18,4)  consumed at or after its end
--   expired DECIMAL(18,4)        booked as expired
--   taken_back DECIMAL(18,4)     booked as voided, refunded or corrected downward
--   remainder DECIMAL(18,4)      what all of that leaves; below zero when more went out than came in
--   ended_at TIMESTAMP           expires_at or voided_at, the earlier, once it has passed; NULL while the grant is open
--   first_at TIMESTAMP           its first movement
--   last_at TIMESTAMP            its last movement
-- The end is exclusive: what is consumed at the very instant of it is late. A movement belongs to a grant by id and customer.
CREATE OR REPLACE TEMP TABLE grant_accounts AS
WITH open_grants AS (
    SELECT g.*, k.exponent,
        CASE WHEN least(g.expires_at, g.voided_at) <= as_of() THEN least(g.expires_at, g.voided_at) END AS ended_at
    FROM credit_grants AS g
    LEFT JOIN currencies AS k USING (currency)
    QUALIFY row_number() OVER (PARTITION BY g.grant_id, g.customer_id ORDER BY g.created_at, g.integration) = 1
), sums AS (
    SELECT g.grant_id, g.customer_id, min(m.booked_at) AS first_at, max(m.booked_at) AS last_at,
        sum(m.amount) FILTER (m.kind = 'funded') AS funded,
        sum(m.amount) FILTER (m.kind <> 'funded' AND m.amount > 0) AS added,
        -sum(m.amount) FILTER (m.kind IN ('consumed', 'subscription_purchase') AND m.amount < 0
            AND coalesce(m.booked_at < g.ended_at, TRUE)) AS consumed,
        -sum(m.amount) FILTER (m.kind IN ('consumed', 'subscription_purchase') AND m.amount < 0
            AND m.booked_at >= g.ended_at) AS consumed_late,
        -sum(m.amount) FILTER (m.kind = 'expired' AND m.amount < 0) AS expired,
        -sum(m.amount) FILTER (m.kind IN ('voided', 'refund', 'adjustment') AND m.amount < 0) AS taken_back,
        sum(m.amount) AS net
    FROM open_grants AS g
    JOIN credit_movements AS m USING (grant_id, customer_id)
    GROUP BY g.grant_id, g.customer_id
), names AS (
    SELECT customer_id, min(name) AS customer_name FROM customers GROUP BY customer_id
)
SELECT g.integration, g.grant_id, g.customer_id, n.customer_name, g.currency, g.exponent, g.amount,
    s.grant_id IS NOT NULL AS booked,
    CAST(coalesce(s.funded, g.amount) AS DECIMAL(18, 4)) AS funded,
    CAST(coalesce(s.added, 0) AS DECIMAL(18, 4)) AS added,
    CAST(coalesce(s.consumed, 0) AS DECIMAL(18, 4)) AS consumed,
    CAST(coalesce(s.consumed_late, 0) AS DECIMAL(18, 4)) AS consumed_late,
    CAST(coalesce(s.expired, 0) AS DECIMAL(18, 4)) AS expired,
    CAST(coalesce(s.taken_back, 0) AS DECIMAL(18, 4)) AS taken_back,
    CAST(coalesce(s.net, 0) + CASE WHEN s.funded IS NULL THEN g.amount ELSE 0 END AS DECIMAL(18, 4)) AS remainder,
    g.ended_at, s.first_at, s.last_at
FROM open_grants AS g
LEFT JOIN sums AS s USING (grant_id, customer_id)
LEFT JOIN names AS n USING (customer_id);
