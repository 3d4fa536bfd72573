-- usage_changes: what is known to have changed for a customer's series of usage: it starts, its plan or contract changes, it ends.
-- in: usage_series, terms
-- grain: one row per series, kind of change and UTC day
-- columns:
--   series VARCHAR    the series
--   kind VARCHAR      start, plan_change or contract_end
--   day DATE          the first day of the change
-- Any item that comes to or leaves the subscription is a change of plan. The end counts where nothing of the meter is in service after it.
CREATE OR REPLACE TEMP TABLE usage_changes AS
WITH owners AS (
    SELECT DISTINCT series, integration, customer_id, meter_id FROM usage_series WHERE kind = 'customer'
), items AS (
    SELECT o.series, t.integration, t.subscription_id, t.service_start, t.service_end
    FROM owners AS o
    JOIN terms AS t ON t.integration = o.integration AND t.customer_id = o.customer_id AND t.meter_id = o.meter_id
), lives AS (
    SELECT series, min(service_start) AS begun, max(coalesce(service_end, TIMESTAMP '9999-01-01')) AS ended FROM items GROUP BY series
), moved AS (
    SELECT DISTINCT i.series, unnest([o.active_from, o.active_to]) AS changed_at
    FROM items AS i
    JOIN terms AS o ON o.integration = i.integration AND o.subscription_id = i.subscription_id
)
SELECT series, 'start' AS kind, CAST(begun AS DATE) AS day FROM lives
UNION ALL
SELECT series, 'contract_end', CAST(ended AS DATE) FROM lives WHERE ended <= as_of()
UNION ALL
SELECT DISTINCT m.series, 'plan_change', CAST(m.changed_at AS DATE)
FROM moved AS m
JOIN lives AS l USING (series)
WHERE m.changed_at <= as_of() AND CAST(m.changed_at AS DATE) > CAST(l.begun AS DATE) AND m.changed_at < l.ended;
