-- repeated_events: usage events that another integration delivered too; the view usage_events leaves them out.
-- in: usage_events
-- grain: one row per event and integration, the one that received it first not among them
-- columns:
--   integration VARCHAR    the integration whose copy does not count
--   source VARCHAR         the event's source
--   event_id VARCHAR       the event
-- With events of one integration, as a rule, there is nothing to read: the statistics of the files say so, and the variable
-- empties the query before it runs.
SET VARIABLE one_integration = (SELECT integration FROM usage_events LIMIT 1);
SET VARIABLE has_several_integrations = (
    SELECT count(*) > 0 FROM (SELECT 1 FROM usage_events WHERE integration <> getvariable('one_integration') LIMIT 1));

CREATE OR REPLACE TEMP TABLE repeated_events AS
WITH shared_sources AS (
    SELECT source FROM usage_events WHERE getvariable('has_several_integrations') GROUP BY source HAVING min(integration) <> max(integration)
), first_received AS (
    SELECT source, event_id, min((received_at, integration)) AS kept
    FROM usage_events
    WHERE getvariable('has_several_integrations') AND source IN (SELECT source FROM shared_sources)
    GROUP BY source, event_id
    HAVING count(*) > 1
)
SELECT e.integration, e.source, e.event_id
FROM usage_events AS e
JOIN first_received AS f ON f.source = e.source AND f.event_id = e.event_id AND f.kept <> (e.received_at, e.integration)
WHERE getvariable('has_several_integrations');
