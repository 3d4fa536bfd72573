-- price_versions: which price of another version of the plan charges the same thing.
-- in: prices, plans
-- grain: one row per price of a plan version and other version of the plan that has its counterpart
-- columns:
--   integration VARCHAR         the source of the prices
--   price_id VARCHAR            the price
--   plan_id VARCHAR             its plan version
--   plan_key VARCHAR            the plan
--   version BIGINT              the version
--   other_price_id VARCHAR      its counterpart
--   other_plan_id VARCHAR       the counterpart's plan version
--   other_version BIGINT        its version
--   effective_from TIMESTAMP    when the counterpart, or else its plan version, went on sale; NULL when the books do not say
-- Counterparts have currency, cadences, meter and payment term in common, and the name, or else the model where that leaves one.
CREATE OR REPLACE TEMP TABLE price_versions AS
WITH versioned AS (
    SELECT p.integration, p.price_id, p.plan_id, l.plan_key, l.version, l.cadence AS plan_cadence, p.currency, p.cadence, p.meter_id,
        CASE WHEN p.meter_id IS NULL THEN p.payment_term END AS term, p.name, p.model, coalesce(p.effective_from, l.effective_from) AS effective_from
    FROM prices AS p
    JOIN plans AS l USING (integration, plan_id)
), pairs AS (
    SELECT a.integration, a.price_id, a.plan_id, a.plan_key, a.version, b.price_id AS other_price_id, b.plan_id AS other_plan_id,
        b.version AS other_version, b.effective_from, b.name = a.name AS is_named_so, b.model = a.model AS is_alike
    FROM versioned AS a
    JOIN versioned AS b
        ON b.integration = a.integration AND b.plan_key = a.plan_key AND b.version <> a.version AND b.currency = a.currency
        AND b.plan_cadence = a.plan_cadence AND b.cadence IS NOT DISTINCT FROM a.cadence
        AND b.meter_id IS NOT DISTINCT FROM a.meter_id AND b.term IS NOT DISTINCT FROM a.term
), counted AS (
    SELECT *, count(*) FILTER (is_named_so) OVER other AS named_so, count(*) FILTER (is_alike) OVER other AS alike,
        count(*) OVER other AS candidates
    FROM pairs
    WINDOW other AS (PARTITION BY integration, price_id, other_version)
)
SELECT * EXCLUDE (is_named_so, is_alike, named_so, alike, candidates)
FROM counted
WHERE CASE WHEN named_so = 1 THEN is_named_so WHEN named_so = 0 AND alike = 1 THEN is_alike ELSE candidates = 1 END;
