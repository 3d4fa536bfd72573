-- usage_history: since when the books hold events of a type: usage of a time before is not known to be nothing.
-- in: usage_events
-- grain: one row per event type that has events
-- columns:
--   event_type VARCHAR     the type
--   since TIMESTAMP        when its first event happened, of any customer and status, less twice the usual time between hours with events
CREATE OR REPLACE TEMP TABLE usage_history AS
SELECT event_type, min(time) - to_seconds(2 * (epoch(max(time)) - epoch(min(time))) / count(DISTINCT date_trunc('hour', time))) AS since
FROM usage_events
GROUP BY event_type;
