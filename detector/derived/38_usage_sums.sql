-- usage_sums: the usage of sum and count meters in every segment, what came late kept apart.
-- in: usage_events, usage_streams, usage_segments
-- grain: one row per segment that has events, and one per segment and instant at which events for it were received late
-- columns:
--   item_no INTEGER            the item's number in terms
--   segment_start TIMESTAMP    where the segment starts
--   received_at TIMESTAMP      when these events were received; NULL: by the first cut-off that matters to the segment
--   value DECIMAL(38,9)        the sum of the accepted events' values
--   events BIGINT              the number of accepted events
-- The one pass over all events: whatever asks for sums of usage adds up segments. An event finds its segment by its type,
-- subject and bucket of time. Items with wide and with narrow buckets are looked up apart; a variable empties the pass for
-- which there are none before it runs.
SET VARIABLE has_wide_segments = (SELECT count(*) > 0 FROM usage_segments WHERE width = 32);
SET VARIABLE has_narrow_segments = (SELECT count(*) > 0 FROM usage_segments WHERE width = 1);

CREATE OR REPLACE TEMP TABLE usage_sums AS
WITH counting AS (
    SELECT s.event_type, s.subject, g.segment_no, g.width, g.first_cutoff_at,
        greatest(g.segment_start, s.counts_from) AS counts_from, least(g.segment_end, s.counts_to) AS counts_to
    FROM usage_segments AS g
    JOIN usage_streams AS s
        ON s.item_no = g.item_no AND touches(g.segment_start, g.segment_end, s.counts_from, or_ever(s.counts_to))
), found AS (
    SELECT c.segment_no, e.value, CASE WHEN e.received_at > c.first_cutoff_at THEN e.received_at END AS received_at
    FROM usage_events AS e
    JOIN (SELECT *, unnest(day_buckets(counts_from, counts_to, 32)) AS bucket FROM counting WHERE width = 32) AS c
        ON c.event_type = e.event_type AND c.subject = e.subject AND c.bucket = day_bucket(e.time, 32)
        AND c.counts_from <= e.time AND e.time < c.counts_to
    WHERE getvariable('has_wide_segments') AND e.status = 'accepted'
    UNION ALL
    SELECT c.segment_no, e.value, CASE WHEN e.received_at > c.first_cutoff_at THEN e.received_at END AS received_at
    FROM usage_events AS e
    JOIN (SELECT *, unnest(day_buckets(counts_from, counts_to, 1)) AS bucket FROM counting WHERE width = 1) AS c
        ON c.event_type = e.event_type AND c.subject = e.subject AND c.bucket = day_bucket(e.time, 1)
        AND c.counts_from <= e.time AND e.time < c.counts_to
    WHERE getvariable('has_narrow_segments') AND e.status = 'accepted'
), summed AS (
    SELECT segment_no, received_at, coalesce(sum(value), 0) AS value, count(*) AS events
    FROM found
    GROUP BY segment_no, received_at
)
SELECT g.item_no, g.segment_start, s.received_at, s.value, s.events
FROM summed AS s
JOIN usage_segments AS g ON g.segment_no = s.segment_no;
