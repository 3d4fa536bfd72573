-- Buckets of time as macros: a join of instants with stretches of time on equal buckets instead of on inequalities.
-- in: nothing
-- A stretch of up to two days lies in buckets of one day, a longer one in buckets of 32 days: never more than a few per
-- stretch, and an instant meets few stretches that do not hold it.
CREATE OR REPLACE TEMP MACRO day_bucket(instant, days) AS epoch_us(instant) // (86400000000 * days);
CREATE OR REPLACE TEMP MACRO day_buckets(window_start, window_end, days) AS
    range(day_bucket(window_start, days), day_bucket(window_end - INTERVAL 1 MICROSECOND, days) + 1);
CREATE OR REPLACE TEMP MACRO bucket_days(window_start, window_end) AS
    CASE WHEN window_end - window_start <= INTERVAL 2 DAY THEN 1 ELSE 32 END;
CREATE OR REPLACE TEMP MACRO buckets(window_start, window_end) AS
    day_buckets(window_start, window_end, bucket_days(window_start, window_end));

-- What the meters whose parts do not add up make of the events `e` of a window that `kept` keeps; an aggregate, NULL for
-- no events.
CREATE OR REPLACE TEMP MACRO average(total, number) AS from_billionths(
    sign(total) * ((2 * billionths(abs(total)) + number) // (2 * number)));
CREATE OR REPLACE TEMP MACRO measure(aggregation, e, kept) AS CAST(CASE aggregation
    WHEN 'max' THEN max(e.value) FILTER (kept)
    WHEN 'min' THEN min(e.value) FILTER (kept)
    WHEN 'avg' THEN average(sum(e.value) FILTER (kept), count(e.value) FILTER (kept))
    WHEN 'latest' THEN arg_max(e.value, (e.time, e.received_at, e.event_id)) FILTER (kept)
    WHEN 'unique_count' THEN count(DISTINCT e.distinct_value) FILTER (kept)
END AS DECIMAL(38, 9));
