-- usage_measured: what an item's meter adds up to in every billing period, billed window and reported window.
-- in: usage_asked, usage_sums, usage_singles, terms, integration_dialects
-- grain: one row per metered item, window and cut-off (cutoff_at NULL: the window as a whole, always present)
-- columns:
--   item_no INTEGER                    the item's number in terms
--   window_start TIMESTAMP             the window: its start
--   window_end TIMESTAMP               its end, which is not part of it
--   cutoff_at TIMESTAMP                the cut-off; NULL for the row of the window as a whole
--   quantity DECIMAL(38,9)             the meter's aggregate over all accepted events in the window, whenever received
--   events BIGINT                      the number of those events
--   quantity_at_cutoff DECIMAL(38,9)   the aggregate over the events received up to cutoff_at; quantity where there is none
--   late_events BIGINT                 the number of events received after it
-- Events count by their own time, inside the item's service window, for the customer their subject belonged to then.
CREATE OR REPLACE TEMP TABLE usage_measured AS
WITH windows AS (
    SELECT DISTINCT a.item_no, a.window_start, a.window_end FROM usage_asked AS a
), bucketed AS (
    SELECT *, bucket_days(window_start, window_end) AS width, unnest(buckets(window_start, window_end)) AS bucket
    FROM windows
), summed AS (
    SELECT w.item_no, w.window_start, w.window_end, sum(u.value) AS value, sum(u.events) AS events
    FROM (SELECT *, unnest([1, 32]) AS width FROM usage_sums) AS u
    JOIN bucketed AS w ON w.item_no = u.item_no AND w.width = u.width AND w.bucket = day_bucket(u.segment_start, u.width)
    WHERE w.window_start <= u.segment_start AND u.segment_start < w.window_end
    GROUP BY ALL
), cutoffs AS (
    SELECT *, bucket_days(window_start, window_end) AS width, unnest(buckets(window_start, window_end)) AS bucket
    FROM usage_asked
    WHERE cutoff_at IS NOT NULL
), late AS (
    SELECT c.item_no, c.window_start, c.window_end, c.cutoff_at, sum(u.value) AS value, sum(u.events) AS events
    FROM (SELECT *, unnest([1, 32]) AS width FROM usage_sums WHERE received_at IS NOT NULL) AS u
    JOIN cutoffs AS c ON c.item_no = u.item_no AND c.width = u.width AND c.bucket = day_bucket(u.segment_start, u.width)
    WHERE c.window_start <= u.segment_start AND u.segment_start < c.window_end AND u.received_at > c.cutoff_at
    GROUP BY ALL
), asked AS (
    SELECT item_no, window_start, window_end, cutoff_at FROM usage_asked WHERE cutoff_at IS NOT NULL
    UNION ALL
    SELECT item_no, window_start, window_end, NULL FROM windows
), added AS (
    SELECT a.item_no, a.window_start, a.window_end, a.cutoff_at,
        CASE t.aggregation WHEN 'count' THEN coalesce(s.events, 0) ELSE coalesce(s.value, 0) END AS quantity,
        coalesce(s.events, 0) AS events,
        CASE t.aggregation WHEN 'count' THEN coalesce(l.events, 0) ELSE coalesce(l.value, 0) END AS late_quantity,
        CAST(coalesce(l.events, 0) AS BIGINT) AS late_events
    FROM asked AS a
    JOIN terms AS t ON t.item_no = a.item_no AND t.additive
    LEFT JOIN summed AS s
        ON s.item_no = a.item_no AND s.window_start = a.window_start AND s.window_end = a.window_end
    LEFT JOIN late AS l
        ON l.item_no = a.item_no AND l.window_start = a.window_start AND l.window_end = a.window_end AND l.cutoff_at = a.cutoff_at
), bucketed_asked AS (
    SELECT *, bucket_days(window_start, window_end) AS width, unnest(buckets(window_start, window_end)) AS bucket
    FROM asked
), measured AS (
    SELECT b.item_no, b.window_start, b.window_end, b.cutoff_at,
        measure(any_value(t.aggregation), e, TRUE) AS quantity,
        measure(any_value(t.aggregation), e, e.received_at <= or_ever(b.cutoff_at)) AS quantity_at_cutoff,
        count(*) AS events,
        count(*) FILTER (e.received_at > or_ever(b.cutoff_at)) AS late_events
    FROM (SELECT *, unnest([1, 32]) AS width FROM usage_singles) AS e
    JOIN bucketed_asked AS b ON b.item_no = e.item_no AND b.width = e.width AND b.bucket = day_bucket(e.time, e.width)
    JOIN terms AS t ON t.item_no = e.item_no
    WHERE b.window_start <= e.time AND e.time < b.window_end
    GROUP BY b.item_no, b.window_start, b.window_end, b.cutoff_at
), single AS (
    SELECT a.item_no, a.window_start, a.window_end, a.cutoff_at,
        coalesce(greatest(m.quantity, g.lowest_latest), 0) AS quantity, coalesce(m.events, 0) AS events,
        coalesce(greatest(m.quantity_at_cutoff, g.lowest_latest), 0) AS quantity_at_cutoff,
        coalesce(m.late_events, 0) AS late_events
    FROM asked AS a
    JOIN terms AS t ON t.item_no = a.item_no AND NOT t.additive
    LEFT JOIN integration_dialects AS g ON g.integration = t.integration AND t.aggregation = 'latest'
    LEFT JOIN measured AS m
        ON m.item_no = a.item_no AND m.window_start = a.window_start AND m.window_end = a.window_end
        AND m.cutoff_at IS NOT DISTINCT FROM a.cutoff_at
)
SELECT item_no, window_start, window_end, cutoff_at, CAST(quantity AS DECIMAL(38, 9)) AS quantity,
    CAST(events AS BIGINT) AS events, CAST(quantity - late_quantity AS DECIMAL(38, 9)) AS quantity_at_cutoff, late_events
FROM added
UNION ALL
SELECT item_no, window_start, window_end, cutoff_at, quantity, events, quantity_at_cutoff, late_events
FROM single;
