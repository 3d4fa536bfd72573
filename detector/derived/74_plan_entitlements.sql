-- plan_entitlements: what a subscription is entitled to, beside what most subscriptions of its plan version are.
-- in: entitlements, subscriptions, terms, prices, price_overrides
-- grain: one row per entitlement in force of a subscription that is known
-- columns:
--   integration VARCHAR           the source of the subscription
--   entitlement_id VARCHAR        the entitlement
--   subscription_id VARCHAR       its subscription
--   customer_id VARCHAR           the subscription's customer
--   plan_id VARCHAR               the subscription's plan version
--   item_no INTEGER               the subscription's item that charges the meter; NULL: none does
--   has_extras BOOLEAN            the customer has negotiated terms, or items that the plan does not hold
--   allowance DECIMAL(38,9)       what is included, the sum over the subscription's rows for the feature; NULL: no limit
--   usual_allowance DECIMAL(38,9) what most of the plan's subscriptions have; NULL: no limit
--   allowance_share DOUBLE        how many of them have just that
--   has_access BOOLEAN            the feature may be used
--   access_share DOUBLE           how many of the plan's subscriptions may use it
--   peers BIGINT                  how many subscriptions of the plan have the feature
CREATE OR REPLACE TEMP VIEW plan_entitlements AS
WITH in_force AS (
    SELECT s.integration, e.entitlement_id, s.subscription_id, s.customer_id, s.plan_id, e.feature, e.kind, e.meter_id,
        CASE WHEN bool_or(e.allowance IS NULL) OVER same THEN NULL ELSE sum(e.allowance) OVER same END AS allowance,
        coalesce(e.access, TRUE) AS has_access
    FROM entitlements AS e
    JOIN subscriptions AS s ON s.subscription_id = e.subscription_id
    WHERE s.status IN ('active', 'past_due', 'trialing', 'canceled') AND coalesce(s.ended_at > as_of(), TRUE)
        AND e.active_from <= as_of() AND or_ever(e.active_to) > as_of()
    WINDOW same AS (PARTITION BY s.integration, s.subscription_id, e.integration, e.feature, e.kind)
), peers AS (
    SELECT integration, plan_id, feature, kind, count(DISTINCT subscription_id) AS peers,
        mode(coalesce(CAST(allowance AS VARCHAR), '')) AS usual, avg(CASE WHEN has_access THEN 1.0 ELSE 0.0 END) AS access_share
    FROM in_force
    WHERE plan_id IS NOT NULL
    GROUP BY integration, plan_id, feature, kind
), shares AS (
    SELECT p.integration, p.plan_id, p.feature, p.kind,
        avg(CASE WHEN coalesce(CAST(f.allowance AS VARCHAR), '') = p.usual THEN 1.0 ELSE 0.0 END) AS allowance_share
    FROM peers AS p
    JOIN in_force AS f USING (integration, plan_id, feature, kind)
    GROUP BY p.integration, p.plan_id, p.feature, p.kind
), extras AS (
    SELECT DISTINCT t.integration, t.subscription_id
    FROM terms AS t
    LEFT JOIN prices AS p ON p.integration = t.integration AND p.price_id = t.price_id
    WHERE or_ever(t.active_to) > as_of() AND (p.plan_id IS DISTINCT FROM t.plan_id AND p.plan_id IS NOT NULL
        OR t.customer_id IN (SELECT customer_id FROM price_overrides WHERE or_ever(valid_to) > as_of()))
), charged AS (
    SELECT integration, subscription_id, meter_id, max(item_no) AS item_no
    FROM terms
    WHERE meter_id IS NOT NULL AND or_ever(service_end) > as_of()
    GROUP BY integration, subscription_id, meter_id
)
SELECT f.integration, f.entitlement_id, f.subscription_id, f.customer_id, f.plan_id, c.item_no, x.subscription_id IS NOT NULL AS has_extras,
    f.allowance, TRY_CAST(nullif(p.usual, '') AS DECIMAL(38, 9)) AS usual_allowance, s.allowance_share, f.has_access, p.access_share, p.peers
FROM in_force AS f
JOIN peers AS p USING (integration, plan_id, feature, kind)
JOIN shares AS s USING (integration, plan_id, feature, kind)
LEFT JOIN extras AS x USING (integration, subscription_id)
LEFT JOIN charged AS c ON c.integration = f.integration AND c.subscription_id = f.subscription_id AND c.meter_id = f.meter_id;
