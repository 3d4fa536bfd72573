-- usage_segments: the asked stretches of every item cut where any of them starts or ends, so that none overlaps another.
-- in: usage_asked, usage_streams
-- grain: one row per item and stretch of time between two neighbouring starts or ends; sum and count meters only
-- columns:
--   segment_no INTEGER           a number for the segment
--   item_no INTEGER              the item's number in terms
--   segment_start TIMESTAMP      where it starts
--   segment_end TIMESTAMP        where it ends; the end is not part of it
--   first_cutoff_at TIMESTAMP    the first cut-off of the asked stretches that hold it; infinity: none has one
--   width INTEGER                days of the buckets by which events find it: 1 where the item has many segments, else 32
CREATE OR REPLACE TEMP TABLE usage_segments AS
WITH cuts AS (
    SELECT item_no, window_start AS instant FROM usage_asked
    UNION
    SELECT item_no, window_end FROM usage_asked
), segments AS (
    SELECT item_no, instant AS segment_start, lead(instant) OVER (PARTITION BY item_no ORDER BY instant) AS segment_end
    FROM cuts
    WHERE item_no IN (SELECT item_no FROM usage_streams WHERE additive)
), widths AS (
    SELECT item_no, CASE
        WHEN count(*) > 4 + day_bucket(max(segment_start), 8) - day_bucket(min(segment_start), 8) THEN 1 ELSE 32
    END AS width
    FROM segments
    GROUP BY item_no
), cutoffs AS (
    SELECT item_no, window_start, window_end, min(cutoff_at) AS cutoff_at, bucket_days(window_start, window_end) AS width,
        unnest(buckets(window_start, window_end)) AS bucket
    FROM usage_asked
    WHERE cutoff_at IS NOT NULL
    GROUP BY item_no, window_start, window_end
), first_cutoffs AS (
    SELECT s.item_no, s.segment_start, min(c.cutoff_at) AS cutoff_at
    FROM (SELECT *, unnest([1, 32]) AS width FROM segments) AS s
    JOIN cutoffs AS c ON c.item_no = s.item_no AND c.width = s.width AND c.bucket = day_bucket(s.segment_start, s.width)
    WHERE c.window_start <= s.segment_start AND s.segment_start < c.window_end
    GROUP BY s.item_no, s.segment_start
)
SELECT CAST(row_number() OVER () AS INTEGER) AS segment_no, s.item_no, s.segment_start, s.segment_end,
    or_ever(c.cutoff_at) AS first_cutoff_at, w.width
FROM segments AS s
JOIN widths AS w ON w.item_no = s.item_no
LEFT JOIN first_cutoffs AS c ON c.item_no = s.item_no AND c.segment_start = s.segment_start
WHERE s.segment_end IS NOT NULL;
