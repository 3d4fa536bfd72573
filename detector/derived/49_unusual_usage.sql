-- unusual_usage: the days of the last two months on which a series of usage was unlike itself, with what was expected.
-- in: unusual_scores, usage_series, usage_events, usage_streams, terms
-- grain: one row per series and UTC day that scores 1 or more
-- columns:
--   series VARCHAR             the series, as in usage_series
--   kind VARCHAR               customer, or of totals meter, plan or source
--   integration VARCHAR        the source of the items
--   customer_id VARCHAR        the customer; NULL for totals
--   meter_id VARCHAR           the meter
--   plan_key VARCHAR           the plan, of its totals
--   source VARCHAR             the source that sent most of the series
--   item_no INTEGER            the item that the usage of the day is charged by; NULL for totals
--   day DATE                   the UTC day
--   quantity DECIMAL(38,9)     what was used
--   expected DECIMAL(38,9)     what was expected: a hint, not an amount to be billed
--   lower DECIMAL(38,9)        what usage seldom lies below
--   upper DECIMAL(38,9)        what usage seldom lies above
--   score DOUBLE               how rare this is: 3 is one signal in 1000 series-months of clean usage, 2 is ten; less what labels took off
--   oddness VARCHAR            spike, drop, rise, fall, drift_up, drift_down, silence, unit, negative, after_end or profile
--   first_day DATE             the first day of what lasts (rise, fall, drift); else the day
--   times DOUBLE               how many times the usual the usage is from first_day on; infinity where none is usual
--   reason VARCHAR             what is odd, which change is known, and whether others moved alike
--   alike DOUBLE               how many times as many series as usual strayed like it that day
--   changed_on DATE            the latest change known for the series by that day, within four weeks; NULL without one
-- Scored by detector.unusual from usage_series and usage_changes, with the model and the labels known at as_of(); totals by the screen alone.
-- A score uses nothing after its day.
CREATE OR REPLACE TEMP TABLE unusual_usage AS
WITH whose AS (
    SELECT series, any_value(kind) AS kind, any_value(integration) AS integration, any_value(customer_id) AS customer_id,
        any_value(meter_id) AS meter_id, any_value(plan_key) AS plan_key, any_value(source) AS source
    FROM usage_series
    SEMI JOIN unusual_scores USING (series)
    GROUP BY series
), charged AS (
    SELECT u.series, u.day, max_by(t.item_no, (t.service_start, t.item_no)) AS item_no
    FROM unusual_scores AS u
    JOIN whose AS w USING (series)
    JOIN terms AS t ON t.integration = w.integration AND t.customer_id = w.customer_id AND t.meter_id = w.meter_id
        AND CAST(t.service_start AS DATE) <= u.day AND (t.service_end IS NULL OR u.day <= CAST(t.service_end AS DATE))
    WHERE w.kind = 'customer'
    GROUP BY u.series, u.day
), senders AS (
    SELECT w.series, mode(e.source) AS source
    FROM whose AS w
    JOIN usage_streams AS s ON s.integration = w.integration AND s.customer_id = w.customer_id AND s.meter_id = w.meter_id
    JOIN usage_events AS e ON e.event_type = s.event_type AND e.subject = s.subject
        AND e.time >= as_of() - INTERVAL 90 DAY
    GROUP BY w.series
)
SELECT u.series, w.kind, w.integration, w.customer_id, w.meter_id, w.plan_key, coalesce(w.source, s.source) AS source, c.item_no,
    u.day, coalesce(q.quantity, 0) AS quantity, u.expected, u.lower, u.upper, u.score, u.oddness, u.first_day,
    u.times, u.reason, u.alike, u.changed_on
FROM unusual_scores AS u
JOIN whose AS w USING (series)
LEFT JOIN usage_series AS q ON q.series = u.series AND q.day = u.day
LEFT JOIN charged AS c ON c.series = u.series AND c.day = u.day
LEFT JOIN senders AS s ON s.series = u.series;
