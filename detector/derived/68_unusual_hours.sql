-- unusual_hours: what the newest hours show before their day is over: a customer gone silent, an hour far above any before.
-- in: usage_events, usage_streams, terms, usage_windows, periods, announced_days, labelled_hours, hour_segments
-- grain: one row per item and direction that its newest hours stray in
-- columns:
--   integration VARCHAR            the source of the item
--   item_no INTEGER                the item's number in terms
--   period_start TIMESTAMP         the billing period of the newest hour: its start
--   period_end TIMESTAMP           its end, which is not part of it
--   direction VARCHAR              silence or rise
--   series VARCHAR                 the customer's series of the meter, as in usage_series
--   oddness VARCHAR                silent_hours or high_hours: what labels go by
--   source VARCHAR                 the source that sent most of the usage of the last five weeks
--   first_hour TIMESTAMP           silence: the first hour without usage; rise: the first that stands out
--   last_hour TIMESTAMP            the newest hour that can be judged; rise: the last that stands out
--   hours BIGINT                   silence: the hours at which usage was due and did not come; rise: those that stand out
--   score DOUBLE                   silence: how rare it is, 3 is one in 1000 series-months; rise: the log to base 10 of times; less what labels took off
--   times DOUBLE                   rise: how many times the highest hour before it; NULL of a silence
--   before BIGINT                  silence: the most due hours in a row without usage before; NULL of a rise
--   alike BIGINT                   how many series of the source stray likewise now
--   used DECIMAL(38,9)             what was used in these hours
--   usual DECIMAL(38,9)            what would have been usual in them
--   quantity DECIMAL(38,9)         the period's usage so far
--   usual_quantity DECIMAL(38,9)   what it would be as usual: without the rise; to the period's end in a silence
--   if_real DECIMAL(38,4)          what the period costs if the usage is real
--   if_error DECIMAL(38,4)         what it costs if the strange part is an error
-- Looks at five weeks of hours of a customer and meter that adds up, once there are two weeks. An hour can be judged when its source has sent
-- something later, from anybody, and the customer's usual delay is over. An hour is due if the same hour of each of up to four weeks before
-- had usage. Rises only on days that usage_series does not hold yet. Silence in a known outage,
-- and rises on days of an announced event, are left out, and what people said to be no fault or planned: while it lasts, and the same
-- of other days for eight weeks, unless it scores higher by 1.
CREATE OR REPLACE TEMP TABLE unusual_hours AS
WITH parts AS (
    SELECT t.integration, t.customer_id, t.meter_id, s.item_no, date_trunc('hour', e.time) AS hour, max_by(e.source, (e.value, e.source)) AS source,
        CAST(CASE any_value(t.aggregation) WHEN 'count' THEN count(*) ELSE coalesce(sum(e.value), 0) END AS DECIMAL(38, 9)) AS quantity,
        count(*) AS events, quantile_cont(epoch(e.received_at - e.time), 0.95) AS delay
    FROM usage_events AS e
    JOIN usage_streams AS s
        ON s.event_type = e.event_type AND s.subject = e.subject AND s.counts_from <= e.time AND e.time < s.counts_to
    JOIN terms AS t ON t.item_no = s.item_no
    WHERE e.status = 'accepted' AND s.additive AND e.time >= date_trunc('hour', as_of()) - INTERVAL 35 DAY AND e.time < date_trunc('hour', as_of())
    GROUP BY t.integration, t.customer_id, t.meter_id, s.item_no, date_trunc('hour', e.time)
), hours AS (
    SELECT integration, customer_id, meter_id, hour, max(quantity) AS quantity, max_by(item_no, (quantity, item_no)) AS item_no,
        max_by(source, quantity) AS source, sum(events) AS events, max(delay) AS delay
    FROM parts
    GROUP BY integration, customer_id, meter_id, hour
    HAVING max(quantity) > 0
), clocks AS (
    SELECT source, date_trunc('hour', max(time)) AS judged
    FROM usage_events
    WHERE status = 'accepted' AND time >= date_trunc('hour', as_of()) - INTERVAL 35 DAY AND time < as_of()
    GROUP BY source
), series AS (
    SELECT h.*, least(c.judged, date_trunc('hour', as_of() - to_seconds(h.delay))) AS judged, date_trunc('day', as_of() - INTERVAL 6 HOUR) AS new_day
    FROM (SELECT integration, customer_id, meter_id, mode(source) AS source, min(hour) AS first, max(hour) AS last, count(*) AS hours,
            max_by(item_no, hour) AS item_no, greatest(quantile_cont(delay, 0.95), 0) AS delay
        FROM hours
        GROUP BY integration, customer_id, meter_id) AS h
    JOIN clocks AS c ON c.source = h.source
    WHERE h.hours >= 48 AND h.first <= as_of() - INTERVAL 14 DAY
), silent AS (
    SELECT s.* -- at least three hours have passed that can be due, which had usage a week before
    FROM series AS s
    JOIN hours AS h ON h.integration = s.integration AND h.customer_id = s.customer_id AND h.meter_id = s.meter_id
        AND s.last < h.hour + INTERVAL 7 DAY AND h.hour + INTERVAL 7 DAY < s.judged
    WHERE s.judged - s.last > INTERVAL 3 HOUR
    GROUP BY ALL
    HAVING count(*) >= 3
), grid AS (
    SELECT s.integration, s.customer_id, s.meter_id, s.first, s.last, g.hour, h.quantity
    FROM (SELECT *, unnest(generate_series(first, judged - INTERVAL 1 HOUR, INTERVAL 1 HOUR)) AS hour FROM silent) AS g
    JOIN silent AS s ON s.integration = g.integration AND s.customer_id = g.customer_id AND s.meter_id = g.meter_id
    LEFT JOIN hours AS h ON h.integration = g.integration AND h.customer_id = g.customer_id AND h.meter_id = g.meter_id AND h.hour = g.hour
), weeks AS (
    SELECT *, count(quantity) OVER earlier AS runs, [lag(hour, 168) OVER earlier, lag(hour, 336) OVER earlier, lag(hour, 504) OVER earlier, lag(hour, 672) OVER earlier] AS same,
        [lag(quantity, 168) OVER earlier, lag(quantity, 336) OVER earlier, lag(quantity, 504) OVER earlier, lag(quantity, 672) OVER earlier] AS then_used
    FROM grid
    WINDOW earlier AS (PARTITION BY integration, customer_id, meter_id ORDER BY hour)
), due AS (
    SELECT *, list_count(same) >= 2 AND list_count(then_used) = list_count(same) AS is_due, list_avg(then_used) AS usual FROM weeks
), stretches AS (
    SELECT integration, customer_id, meter_id, runs, min(hour) FILTER (quantity IS NULL) AS first_hour, max(hour) AS last_hour, max(last) AS last,
        count(*) FILTER (is_due AND quantity IS NULL) AS missed, count(*) FILTER (is_due) AS due, sum(usual) FILTER (is_due AND quantity IS NULL) AS usual
    FROM due
    GROUP BY integration, customer_id, meter_id, runs
), judged AS (
    SELECT integration, customer_id, meter_id, arg_max(first_hour, runs) AS first_hour, arg_max(last_hour, runs) AS last_hour, arg_max(missed, runs) AS hours, arg_max(usual, runs) AS usual,
        sum(missed) - arg_max(missed, runs) AS missed_before, sum(due) - arg_max(due, runs) AS due_before, coalesce(max(missed) FILTER (last_hour < last), 0) AS most_before
    FROM stretches
    GROUP BY integration, customer_id, meter_id
), stopped AS (
    SELECT s.*, j.first_hour, j.last_hour, j.hours AS due_hours, j.most_before, CAST(j.usual AS DECIMAL(38, 9)) AS usual,
        -j.hours * log10((j.missed_before + 0.5) / (j.due_before + 1)) - log10(720) AS score
    FROM judged AS j
    JOIN silent AS s ON s.integration = j.integration AND s.customer_id = j.customer_id AND s.meter_id = j.meter_id
    WHERE j.hours >= 3 AND 2 * j.hours > 3 * j.most_before + 2
), highest AS (
    SELECT s.integration, s.customer_id, s.meter_id, max(h.quantity) AS top
    FROM series AS s
    JOIN hours AS h ON h.integration = s.integration AND h.customer_id = s.customer_id AND h.meter_id = s.meter_id AND h.hour < s.new_day
    GROUP BY s.integration, s.customer_id, s.meter_id
), risen AS (
    SELECT s.integration, s.customer_id, s.meter_id, min(h.hour) AS first_hour, max(h.hour) AS last_hour, count(*) AS due_hours,
        max(h.quantity)::DOUBLE / t.top::DOUBLE AS times, sum(h.quantity) AS used, CAST(count(*) * t.top AS DECIMAL(38, 9)) AS usual
    FROM series AS s
    JOIN highest AS t ON t.integration = s.integration AND t.customer_id = s.customer_id AND t.meter_id = s.meter_id
    JOIN hours AS h ON h.integration = s.integration AND h.customer_id = s.customer_id AND h.meter_id = s.meter_id AND h.hour >= s.new_day
        AND h.quantity > 2 * t.top
    GROUP BY s.integration, s.customer_id, s.meter_id, t.top
), paces AS (
    SELECT s.integration, s.customer_id, s.meter_id,
        CAST(sum(h.quantity) / greatest(date_diff('hour', greatest(s.first, s.last - INTERVAL 28 DAY), s.last), 1) AS DECIMAL(38, 9)) AS an_hour
    FROM stopped AS s
    JOIN hours AS h ON h.integration = s.integration AND h.customer_id = s.customer_id AND h.meter_id = s.meter_id AND h.hour > s.last - INTERVAL 28 DAY
    GROUP BY s.integration, s.customer_id, s.meter_id, s.first, s.last
), strayed AS (
    SELECT s.integration, s.customer_id, s.meter_id, s.item_no, 'silence' AS direction, s.source, s.first_hour, s.last_hour, s.due_hours AS hours, s.score, CAST(NULL AS DOUBLE) AS times,
        s.most_before AS before, CAST(0 AS DECIMAL(38, 9)) AS used, s.usual, p.an_hour
    FROM stopped AS s
    JOIN paces AS p ON p.integration = s.integration AND p.customer_id = s.customer_id AND p.meter_id = s.meter_id
    UNION ALL
    SELECT s.integration, s.customer_id, s.meter_id, s.item_no, 'rise', s.source, r.first_hour, r.last_hour, r.due_hours, log10(r.times), r.times, NULL, r.used, r.usual, NULL
    FROM risen AS r
    JOIN series AS s ON s.integration = r.integration AND s.customer_id = r.customer_id AND s.meter_id = r.meter_id
), odd AS (
    SELECT s.* EXCLUDE (score), concat_ws('/', 'customer', s.integration, s.customer_id, s.meter_id) AS series, g.oddness, s.score - g.taken_off AS score
    FROM strayed AS s
    JOIN hour_segments AS g ON g.oddness = CASE s.direction WHEN 'silence' THEN 'silent_hours' ELSE 'high_hours' END
), charged AS (
    SELECT o.*, p.period_start, p.period_end, p.price, w.quantity,
        CAST(greatest(w.quantity + CASE o.direction WHEN 'rise' THEN o.usual - o.used
            ELSE o.an_hour * greatest(date_diff('hour', o.first_hour, p.period_end), 0) END, 0) AS DECIMAL(38, 9)) AS usual_quantity,
        count(*) OVER (PARTITION BY o.source, o.direction) AS alike
    FROM odd AS o
    JOIN periods AS p ON p.item_no = o.item_no AND p.period_start <= o.last_hour AND o.last_hour < p.period_end
    JOIN usage_windows AS w ON w.item_no = o.item_no AND w.window_start = p.period_start AND w.window_end = p.period_end AND w.cutoff_at IS NULL
    WHERE NOT EXISTS (FROM announced_days AS a
        WHERE (a.is_outage OR o.direction = 'rise') AND coalesce(a.customer_id, o.customer_id) = o.customer_id
            AND coalesce(a.meter_id, o.meter_id) = o.meter_id
            AND a.first_day <= CAST(o.last_hour AS DATE) AND a.last_day >= CAST(o.first_hour AS DATE))
        AND NOT EXISTS (FROM labelled_hours AS l
            WHERE l.series = o.series AND l.oddness = o.oddness AND l.first_day <= CAST(o.first_hour AS DATE)
                AND (CAST(o.first_hour AS DATE) <= l.until_day AND o.score < l.below
                    OR CAST(o.first_hour AS DATE) <= l.last_day AND o.first_hour <= l.said_at))
)
SELECT integration, item_no, period_start, period_end, direction, series, oddness, source, first_hour, last_hour, hours, score, times, before, alike, used, usual,
    quantity, usual_quantity, CAST(rate(price, quantity, NULL) AS DECIMAL(38, 4)) AS if_real, CAST(rate(price, usual_quantity, NULL) AS DECIMAL(38, 4)) AS if_error
FROM charged;
