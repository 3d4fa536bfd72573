-- period_rows: the billing periods of every recurring item, in numbers; see periods.
-- in: terms, item_prices, zone_offsets, integration_dialects
-- grain: one row per item and billing period that its service window touches
-- columns:
--   item_no INTEGER             the item's number in terms
--   period_index BIGINT         the period's number; 0 starts at the billing anchor
--   period_start TIMESTAMP      the full period: its start
--   period_end TIMESTAMP        the full period: its end, which is not part of it
--   active_start TIMESTAMP      the part of it that the item was in service
--   active_end TIMESTAMP        the end of that part
--   active_ticks BIGINT         how much is due by the item's proration basis and its integration's dialect: ...
--   period_ticks BIGINT         ... active_ticks of period_ticks (microseconds or days; 1 of 1 without proration)
--   due_at TIMESTAMP            when its invoice is due: at its start in advance, at its end in arrears
--   card INTEGER                the number in rate_cards of the price that holds at active_start
-- Boundaries are counted from the anchor on the subscription's local clock, as billing.periods.Schedule counts them.
-- An item without a cadence (one-time), with an unreadable cadence or an unknown timezone has no periods.
CREATE OR REPLACE TEMP TABLE period_rows AS
WITH served AS (
    SELECT item_no, timezone, billing_anchor, cadence, service_start, coalesce(g.days, 'day') AS days,
        least(or_ever(service_end), as_of() + INTERVAL 1 MICROSECOND) AS seen_to
    FROM terms
    LEFT JOIN integration_dialects AS g USING (integration)
    WHERE service_start < least(or_ever(service_end), as_of() + INTERVAL 1 MICROSECOND)
), schedules AS (
    SELECT timezone, billing_anchor, cadence, days, duration(cadence) AS length,
        row_number() OVER () AS schedule_no, min(service_start) AS first_needed, max(seen_to) AS last_needed
    FROM served
    WHERE is_duration(cadence)
    GROUP BY ALL
), anchored AS (
    SELECT s.*, s.billing_anchor + z.utc_offset AS local_anchor, unnest(range(
        CAST(epoch(s.first_needed - s.billing_anchor) AS BIGINT) // mean_seconds(s.length) - 2,
        CAST(epoch(s.last_needed - s.billing_anchor) AS BIGINT) // mean_seconds(s.length) + 4
    )) AS n
    FROM schedules AS s
    ASOF JOIN zone_offsets AS z ON z.timezone = s.timezone AND z.from_utc <= s.billing_anchor
), clock AS (
    SELECT schedule_no, n, length, timezone, days, moved_clock(local_anchor, length, n) AS local
    FROM anchored
), boundaries AS (
    SELECT c.schedule_no, c.n, c.timezone, c.days, c.local - z.utc_offset + to_seconds(c.n * c.length.seconds) AS instant
    FROM clock AS c
    ASOF JOIN zone_offsets AS z ON z.timezone = c.timezone AND z.from_local <= c.local
), dated AS (
    SELECT b.*, CAST(b.instant + z.utc_offset AS DATE) AS local_date,
        end_of_days(CAST(last_seen(b.instant, b.days) + u.utc_offset AS DATE), b.days) AS last_date
    FROM boundaries AS b
    ASOF JOIN zone_offsets AS z ON z.timezone = b.timezone AND z.from_utc <= b.instant
    ASOF JOIN zone_offsets AS u ON u.timezone = b.timezone AND u.from_utc <= last_seen(b.instant, b.days)
), calendar AS (
    SELECT schedule_no, n, instant AS period_start, lead(instant) OVER following AS period_end,
        local_date AS start_date, lead(last_date) OVER following AS end_date
    FROM dated
    WINDOW following AS (PARTITION BY schedule_no ORDER BY n)
), touched AS (
    SELECT v.item_no, c.n, c.period_start, c.period_end, c.start_date, c.end_date
    FROM served AS v
    JOIN schedules AS s USING (timezone, billing_anchor, cadence, days)
    JOIN calendar AS c USING (schedule_no)
    WHERE c.period_start < c.period_end AND touches(c.period_start, c.period_end, v.service_start, v.seen_to)
), active AS (
    SELECT h.item_no, h.n AS period_index, h.period_start, h.period_end,
        greatest(h.period_start, t.service_start) AS active_start,
        least(h.period_end, or_ever(t.service_end)) AS active_end,
        t.proration, t.payment_term, t.timezone, h.start_date, h.end_date, coalesce(g.days, 'day') AS days, g.share_places
    FROM touched AS h
    JOIN terms AS t USING (item_no)
    LEFT JOIN integration_dialects AS g ON g.integration = t.integration
), partial_dates AS (
    SELECT a.item_no, a.period_start,
        CAST(a.active_start + f.utc_offset AS DATE) AS active_start_date,
        end_of_days(CAST(last_seen(a.active_end, a.days) + u.utc_offset AS DATE), a.days) AS active_end_date
    FROM active AS a
    ASOF JOIN zone_offsets AS f ON f.timezone = a.timezone AND f.from_utc <= a.active_start
    ASOF JOIN zone_offsets AS u ON u.timezone = a.timezone AND u.from_utc <= last_seen(a.active_end, a.days)
    WHERE a.proration = 'day' AND (a.active_start <> a.period_start OR a.active_end <> a.period_end)
), counted AS (
    SELECT a.*,
        CASE a.proration
            WHEN 'second' THEN epoch_us(a.active_end) - epoch_us(a.active_start)
            WHEN 'day' THEN days_apart(
                coalesce(d.active_start_date, a.start_date), coalesce(d.active_end_date, a.end_date), a.days)
            ELSE 1 END AS ticks,
        CASE a.proration
            WHEN 'second' THEN epoch_us(a.period_end) - epoch_us(a.period_start)
            WHEN 'day' THEN days_apart(a.start_date, a.end_date, a.days)
            ELSE 1 END AS whole
    FROM active AS a
    LEFT JOIN partial_dates AS d ON d.item_no = a.item_no AND d.period_start = a.period_start
)
SELECT a.item_no, a.period_index, a.period_start, a.period_end, a.active_start, a.active_end,
    CAST(share_part(a.ticks, a.whole, a.share_places) AS BIGINT) AS active_ticks,
    CAST(share_whole(a.whole, a.share_places) AS BIGINT) AS period_ticks,
    CASE a.payment_term WHEN 'in_advance' THEN a.active_start ELSE a.period_end END AS due_at,
    p.card
FROM counted AS a
JOIN item_prices AS p ON p.item_no = a.item_no AND p.valid_from <= a.active_start AND a.active_start < p.valid_to;
