-- terms: what every subscription item is charged by: its customer, price, meter, calendar and service window.
-- in: subscription_items, subscriptions, customers, plans, prices, meters, rate_cards
-- grain: one row per subscription item
-- columns:
--   integration VARCHAR         the configured name of the source of item, subscription and price
--   item_no INTEGER             a number for the item, for fast joins among derived relations
--   item_id VARCHAR             the subscription item
--   subscription_id VARCHAR     its subscription
--   customer_id VARCHAR         the subscription's customer
--   customer_name VARCHAR       the customer's name
--   plan_id VARCHAR             the subscription's plan version
--   plan_key VARCHAR            the plan that it is a version of
--   plan_version BIGINT         the version
--   price_id VARCHAR            the item's catalog price
--   price_name VARCHAR          the price's name
--   meter_id VARCHAR            the meter whose usage is charged; NULL for seats and flat fees
--   event_type VARCHAR          the meter's event type
--   aggregation VARCHAR         the meter's aggregation
--   value_property VARCHAR      the meter's JSONPath into event properties
--   additive BOOLEAN            the meter's parts of a period add up to the period (sum, count)
--   model VARCHAR               the price model
--   currency VARCHAR            the price's currency
--   exponent INTEGER            digits of that currency's minor unit; NULL for an unknown currency
--   cadence VARCHAR             the price's ISO 8601 cadence; NULL for one-time prices
--   payment_term VARCHAR        in_advance or in_arrears; metered prices are always in arrears
--   quantity DECIMAL(27,9)      the subscribed number; NULL for metered prices
--   proration VARCHAR           second, day or none, for flat and seat charges
--   timezone VARCHAR            the IANA zone that the subscription's periods follow
--   billing_anchor TIMESTAMP    the instant that the periods are counted from
--   active_from TIMESTAMP       when the item was put on the subscription
--   active_to TIMESTAMP         when it was taken off
--   service_start TIMESTAMP     from when it is charged: active_from, the subscription's start or its trial's end, the latest
--   service_end TIMESTAMP       until when: active_to or the subscription's end, the earlier; NULL while open
--   started_at TIMESTAMP        the subscription's start
--   ended_at TIMESTAMP          the subscription's end: ended_at, else cancel_at; NULL while open, and while a cancellation is overdue
--   trial_end TIMESTAMP         the trial's end
--   sub_status VARCHAR          the subscription's status
--   collection_method VARCHAR   charge_automatically or send_invoice
--   item_url VARCHAR            where the item is shown in its own system
--   catalog_price STRUCT        the catalog price, as rate() reads it; NULL when the books do not hold it
CREATE OR REPLACE TEMP TABLE terms AS
WITH price_meters AS (
    SELECT p.integration, p.price_id, m.event_type, m.aggregation, m.value_property
    FROM prices AS p
    JOIN meters AS m USING (meter_id)
    QUALIFY row_number() OVER (
        PARTITION BY p.integration, p.price_id ORDER BY m.integration <> p.integration, m.integration) = 1
), subscription_ends AS (
    SELECT *, coalesce(ended_at, CASE
            WHEN cancel_at > as_of() OR status NOT IN ('active', 'past_due', 'trialing') THEN coalesce(cancel_at, CASE
                WHEN status = 'ended' THEN canceled_at END)
        END) AS end_at
    FROM subscriptions
)
SELECT
    i.integration,
    CAST(row_number() OVER () AS INTEGER) AS item_no,
    i.item_id,
    i.subscription_id,
    s.customer_id,
    c.name AS customer_name,
    s.plan_id,
    l.plan_key,
    l.version AS plan_version,
    i.price_id,
    p.name AS price_name,
    p.meter_id,
    m.event_type,
    m.aggregation,
    m.value_property,
    m.aggregation IN ('sum', 'count') AS additive,
    p.model,
    p.currency,
    k.price.exponent AS exponent,
    p.cadence,
    CASE WHEN p.meter_id IS NULL THEN p.payment_term ELSE 'in_arrears' END AS payment_term,
    i.quantity,
    coalesce(p.proration, 'none') AS proration,
    s.timezone,
    s.billing_anchor,
    i.active_from,
    i.active_to,
    CASE WHEN s.status = 'trialing' AND s.trial_end IS NULL THEN NULL
        ELSE greatest(i.active_from, s.started_at, s.trial_end) END AS service_start,
    least(i.active_to, s.end_at) AS service_end,
    s.started_at,
    s.end_at AS ended_at,
    s.trial_end,
    s.status AS sub_status,
    s.collection_method,
    i.external_url AS item_url,
    k.price AS catalog_price
FROM subscription_items AS i
JOIN subscription_ends AS s USING (integration, subscription_id)
LEFT JOIN customers AS c ON c.integration = i.integration AND c.customer_id = s.customer_id
LEFT JOIN plans AS l ON l.integration = i.integration AND l.plan_id = s.plan_id
LEFT JOIN prices AS p ON p.integration = i.integration AND p.price_id = i.price_id
LEFT JOIN price_meters AS m ON m.integration = i.integration AND m.price_id = i.price_id
LEFT JOIN rate_cards AS k ON k.integration = i.integration AND k.price_id = i.price_id AND k.override_id IS NULL;
