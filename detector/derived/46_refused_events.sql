-- refused_events: metered events that were rejected or found invalid and never came in right, with the item that they are for.
-- in: usage_events, usage_streams, stray_events, period_rows
-- grain: one row per refused event of an item, or of nobody's subject (item_no NULL)
-- columns:
--   integration VARCHAR      the integration that delivered the event
--   source VARCHAR           the event's source
--   event_id VARCHAR         the event
--   event_type VARCHAR       its type
--   status VARCHAR           rejected or invalid
--   error VARCHAR            why
--   time TIMESTAMP           when it happened
--   received_at TIMESTAMP    when it was received
--   value DECIMAL(27,9)      its value, where it has one
--   is_first BOOLEAN         it is the first of the attempts to deliver the same: the one that counts
--   item_no INTEGER          the item that would have counted it
--   period_start TIMESTAMP   that item's billing period, else the calendar month
--   period_end TIMESTAMP     its end, which is not part of it
-- Refused attempts at an event that was accepted otherwise (same type, subject and time to the fraction of a second, else also value) are left out.
CREATE OR REPLACE TEMP TABLE refused_events AS
WITH refused AS (
    SELECT *, row_number() OVER (
        PARTITION BY status, event_type, subject, time, value, properties ORDER BY received_at, event_id) = 1 AS is_first
    FROM usage_events
    WHERE status IN ('rejected', 'invalid')
), lost AS (
    SELECT r.*
    FROM refused AS r
    ANTI JOIN usage_events AS a
        ON a.status = 'accepted' AND a.event_type = r.event_type AND a.subject = r.subject AND a.time = r.time
        AND (r.value IS NULL OR a.value IS NULL OR a.value = r.value OR a.time <> date_trunc('second', a.time))
), placed AS (
    SELECT e.*, p.item_no, p.period_start, p.period_end
    FROM lost AS e
    JOIN usage_streams AS s
        ON s.event_type = e.event_type AND s.subject = e.subject AND s.counts_from <= e.time AND e.time < or_ever(s.counts_to)
    JOIN period_rows AS p ON p.item_no = s.item_no AND p.period_start <= e.time AND e.time < p.period_end
    UNION ALL BY NAME
    SELECT e.*, x.item_no, x.period_start, x.period_end
    FROM lost AS e
    JOIN stray_events AS x ON x.integration = e.integration AND x.source = e.source AND x.event_id = e.event_id
    WHERE x.item_no IS NOT NULL OR x.customer_id IS NULL
)
SELECT integration, source, event_id, event_type, status, error, time, received_at, value, is_first, item_no, period_start, period_end
FROM placed;
