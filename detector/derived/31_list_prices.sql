-- list_prices: what a meter's usage usually costs: for usage that no item of its own charges.
-- in: terms, prices, meters, rate_cards
-- grain: one row per event type of a meter and currency
-- columns:
--   event_type VARCHAR      the meter's event type
--   currency VARCHAR        the currency
--   integration VARCHAR     the source of the price
--   meter_id VARCHAR        the meter
--   aggregation VARCHAR     the meter's aggregation
--   price_id VARCHAR        the catalog price that most items in that currency are charged by
--   price_name VARCHAR      its name
--   exponent INTEGER        digits of the currency's minor unit
--   place BIGINT            1 for the currency with the most items, 2 for the next ...
--   price STRUCT            the price, as rate() reads it
CREATE OR REPLACE TEMP TABLE list_prices AS
WITH used AS (
    SELECT integration, price_id, count(*) AS items FROM terms GROUP BY integration, price_id
), priced AS (
    SELECT p.integration, p.price_id, p.name, p.currency, p.meter_id, m.event_type, m.aggregation, k.price,
        coalesce(u.items, 0) AS items, sum(coalesce(u.items, 0)) OVER (PARTITION BY m.event_type, p.currency) AS in_currency
    FROM prices AS p
    JOIN meters AS m USING (meter_id)
    JOIN rate_cards AS k ON k.integration = p.integration AND k.price_id = p.price_id AND k.override_id IS NULL
    LEFT JOIN used AS u ON u.integration = p.integration AND u.price_id = p.price_id
    WHERE k.price.problem IS NULL AND p.status = 'active'
    QUALIFY row_number() OVER (PARTITION BY p.integration, p.price_id ORDER BY m.integration <> p.integration, m.integration) = 1
)
SELECT event_type, currency, integration, meter_id, aggregation, price_id, name AS price_name, price.exponent AS exponent,
    row_number() OVER (PARTITION BY event_type ORDER BY in_currency DESC, currency) AS place, price
FROM priced
QUALIFY row_number() OVER (PARTITION BY event_type, currency ORDER BY items DESC, price_id, integration) = 1;
