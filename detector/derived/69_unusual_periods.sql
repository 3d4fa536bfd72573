-- unusual_periods: what unusual usage costs on the invoice of its billing period: if it is an error, and if it is real.
-- in: unusual_usage, usage_series, usage_windows, periods
-- grain: one row per item, billing period and direction of its days that score 2 or more
-- columns:
--   integration VARCHAR            the source of the item
--   item_no INTEGER                the item's number in terms
--   period_start TIMESTAMP         the billing period: its start
--   period_end TIMESTAMP           its end, which is not part of it
--   direction VARCHAR              rise (spike, rise, drift_up), fall (drop, fall, drift_down), silence, unit or negative
--   series VARCHAR                 the series, as in usage_series
--   source VARCHAR                 the source that sent most of it
--   score DOUBLE                   the highest score of its days
--   reason VARCHAR                 the reason of that day
--   oddness VARCHAR                what that day is, as in unusual_usage
--   first_day DATE                 the first of the days that are unlike the others
--   last_day DATE                  the last one
--   days BIGINT                    how many they are
--   peak DOUBLE                    how many times the usual the farthest of the days is
--   changed_on DATE                the latest known change within four weeks before them; NULL without one
--   goes_on BOOLEAN                it lasts, and the newest day is one of them
--   used DECIMAL(38,9)             what was used on these days
--   usual DECIMAL(38,9)            what would have been usual, to no more digits than it deserves
--   quantity DECIMAL(38,9)         the whole period's usage: so far, and to its end at the pace of the last week
--   usual_quantity DECIMAL(38,9)   the same without what is unusual, which goes on where it does
--   if_real DECIMAL(38,4)          what the period costs if the usage is real
--   if_error DECIMAL(38,4)         what it costs if the unusual part is an error
-- Days on which three times as many series as usual strayed alike are left to the totals. What is usual is a hint: the amounts say what is at stake, not what to bill. Only meters that add up.
CREATE OR REPLACE TEMP TABLE unusual_periods AS
WITH odd AS (
    SELECT *, CASE oddness WHEN 'spike' THEN 'rise' WHEN 'drift_up' THEN 'rise' WHEN 'drop' THEN 'fall' WHEN 'drift_down' THEN 'fall'
        ELSE oddness END AS direction
    FROM unusual_usage
    WHERE kind = 'customer' AND item_no IS NOT NULL AND score >= 2 AND oddness NOT IN ('profile', 'after_end')
        AND (alike < 3 OR oddness NOT IN ('spike', 'drop'))
), newest AS (
    SELECT max(day) AS newest FROM usage_series
), before_silence AS (
    SELECT o.series, o.day, CAST(sum(q.quantity) / 28 AS DECIMAL(38, 9)) AS usual
    FROM (SELECT o.series, o.day, max(q.day) AS last_used
        FROM odd AS o
        JOIN usage_series AS q ON q.series = o.series AND q.day < o.day AND q.quantity > 0
        WHERE o.direction = 'silence'
        GROUP BY o.series, o.day) AS o
    JOIN usage_series AS q ON q.series = o.series AND q.day > o.last_used - 28 AND q.day <= o.last_used
    GROUP BY o.series, o.day
), lasting AS (
    SELECT *, CAST(unnest(generate_series(first_day, day, INTERVAL 1 DAY)) AS DATE) AS on_day FROM odd
), days AS (
    SELECT o.series, o.item_no, o.direction, o.on_day AS day, coalesce(any_value(q.quantity), 0) AS used,
        CAST(max_by(CASE WHEN o.direction = 'silence' THEN coalesce(b.usual, 0) WHEN o.first_day = o.day THEN o.expected
            ELSE coalesce(q.quantity, 0) / o.times END, o.score) AS DECIMAL(38, 9)) AS usual
    FROM lasting AS o
    LEFT JOIN before_silence AS b ON b.series = o.series AND b.day = o.day
    LEFT JOIN usage_series AS q ON q.series = o.series AND q.day = o.on_day
    GROUP BY o.series, o.item_no, o.direction, o.on_day
), paces AS (
    SELECT series, sum(quantity) AS used FROM usage_series, newest WHERE day > newest - 7 GROUP BY series
), week AS (
    SELECT series, item_no, direction, sum(used) AS used, sum(usual) AS usual, count(*) AS days,
        bool_or(day = newest) AND (direction = 'silence' OR count(*) FILTER (day >= newest - 1) = 2) AS goes_on
    FROM days, newest
    WHERE day > newest - 7
    GROUP BY series, item_no, direction
), by_period AS (
    SELECT d.series, d.item_no, d.direction, p.integration, p.period_start, p.period_end, any_value(p.price) AS price,
        min(d.day) AS first_day, max(d.day) AS last_day, count(*) AS days, sum(d.used) AS used, sum(d.usual) AS usual,
        max(greatest(d.used, d.usual)::DOUBLE / nullif(least(d.used, d.usual), 0)::DOUBLE) AS peak
    FROM days AS d
    JOIN periods AS p ON p.item_no = d.item_no AND p.period_start <= d.day AND d.day < p.period_end
    GROUP BY d.series, d.item_no, d.direction, p.integration, p.period_start, p.period_end
), said AS (
    SELECT b.series, b.item_no, b.direction, b.period_start, max(o.score) AS score, max_by(o.reason, o.score) AS reason,
        max_by(o.oddness, o.score) AS oddness, any_value(o.source) AS source, max(o.changed_on) AS changed_on
    FROM by_period AS b
    JOIN odd AS o ON o.series = b.series AND o.item_no = b.item_no AND o.direction = b.direction
        AND o.day >= b.first_day AND o.first_day <= b.last_day
    GROUP BY b.series, b.item_no, b.direction, b.period_start
), ahead AS (
    SELECT b.*, coalesce(k.goes_on, FALSE) AND b.last_day = n.newest AS goes_on, w.quantity AS metered,
        CAST(greatest(CASE WHEN b.period_end > as_of() THEN CAST(b.period_end AS DATE) - n.newest - 1 ELSE 0 END, 0) AS INTEGER) AS days_left,
        CAST(coalesce(s.used, 0) AS DECIMAL(38, 9)) AS week_used, CAST(coalesce(k.used, 0) AS DECIMAL(38, 9)) AS odd_used,
        CAST(coalesce(k.usual, 0) AS DECIMAL(38, 9)) AS odd_usual, CAST(coalesce(k.days, 1) AS INTEGER) AS odd_days
    FROM by_period AS b
    CROSS JOIN newest AS n
    JOIN usage_windows AS w ON w.item_no = b.item_no AND w.window_start = b.period_start AND w.window_end = b.period_end
        AND w.cutoff_at IS NULL
    LEFT JOIN paces AS s ON s.series = b.series
    LEFT JOIN week AS k ON k.series = b.series AND k.item_no = b.item_no AND k.direction = b.direction
), paced AS (
    SELECT *, CASE WHEN goes_on THEN odd_used * days_left // odd_days ELSE (week_used - odd_used + odd_usual) * days_left // 7 END AS to_come,
        CASE WHEN goes_on THEN odd_usual * days_left // odd_days ELSE (week_used - odd_used + odd_usual) * days_left // 7 END AS usual_to_come
    FROM ahead
), projected AS (
    SELECT *, CAST(greatest(metered + to_come, 0) AS DECIMAL(38, 9)) AS quantity,
        CAST(greatest(metered - used + usual + usual_to_come, 0) AS DECIMAL(38, 9)) AS usual_quantity
    FROM paced
)
SELECT p.integration, p.item_no, p.period_start, p.period_end, p.direction, p.series, s.source, s.score, s.reason, s.oddness, p.first_day,
    p.last_day, p.days, p.peak, s.changed_on, p.goes_on, CAST(p.used AS DECIMAL(38, 9)) AS used, CAST(CASE WHEN p.usual >= 100 THEN round(p.usual, 0) ELSE round(p.usual, 2) END AS DECIMAL(38, 9)) AS usual,
    p.quantity, p.usual_quantity,
    CAST(rate(p.price, p.quantity, NULL) AS DECIMAL(38, 4)) AS if_real,
    CAST(rate(p.price, p.usual_quantity, NULL) AS DECIMAL(38, 4)) AS if_error
FROM projected AS p
JOIN said AS s ON s.series = p.series AND s.item_no = p.item_no AND s.direction = p.direction AND s.period_start = p.period_start;
