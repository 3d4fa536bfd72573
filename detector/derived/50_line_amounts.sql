-- line_amounts: what every usage and recurring line should be, in numbers; see expected_lines.
-- in: live_lines, line_places, line_parts, terms, item_prices, item_discounts, rate_cards, usage_measured, reported_windows, zone_offsets, integration_dialects
-- grain: one row per usage or recurring line of a non-void invoice
-- columns:
--   line_no INTEGER                          the line's number in live_lines
--   item_no INTEGER                          its item's number in terms
--   override_id VARCHAR                      the customer's override of it that holds
--   cutoff_at TIMESTAMP                      when the line's usage was taken: recorded_at of its report, else the invoice's creation
--   metered DECIMAL(38,9)                    all accepted usage of the period; recurring lines: the subscribed number
--   metered_events BIGINT                    the number of events in it
--   metered_at_cutoff DECIMAL(38,9)          the usage received by the cut-off
--   prior_quantity DECIMAL(38,9)             usage on the period's earlier lines, as metered; NULL: the line is the first
--   prior_billed DECIMAL(38,9)               the same as billed
--   expected_amount DECIMAL(18,4)            metered, rated
--   repriced_amount DECIMAL(18,4)            billed_quantity, rated under the price that should have been charged
--   other_mode_amount DECIMAL(18,4)          billed_quantity with the tiers read in the other mode; only where amount is not repriced_amount
--   shift_up_amount DECIMAL(18,4)            billed_quantity with every tier bound one unit higher; likewise
--   shift_down_amount DECIMAL(18,4)          billed_quantity with every tier bound one unit lower; likewise
--   full_amount DECIMAL(18,4)                recurring lines: the billed number for a whole period
--   second_amount DECIMAL(18,4)              recurring lines: its part for the line's period by the second
--   day_amount DECIMAL(18,4)                 recurring lines: its part by local calendar days
--   expected_net DECIMAL(18,4)               expected_amount less expected_discount
--   reason VARCHAR                           why not: unknown_item, missing_price, currency_mismatch, a problem of the price ...
--   card INTEGER                             the number in rate_cards of the price that should have been charged
CREATE OR REPLACE TEMP TABLE line_amounts AS
WITH reports AS (
    SELECT item_no, window_start, window_end, max(recorded_at) AS recorded_at, sum(metered_at_recorded) AS known
    FROM reported_windows
    GROUP BY item_no, window_start, window_end
    HAVING count(*) = 1
), report_periods AS (
    SELECT r.item_no, min(r.window_start) AS window_start, max(r.window_end) AS window_end,
        max(r.recorded_at) AS recorded_at, sum(r.metered_at_recorded) AS known
    FROM reported_windows AS r
    JOIN terms AS t ON t.item_no = r.item_no AND t.additive
    WHERE r.period_start IS NOT NULL
    GROUP BY r.item_no, r.period_start
    HAVING count(*) > 1
        AND sum(epoch_us(r.window_end) - epoch_us(r.window_start)) = epoch_us(max(r.window_end)) - epoch_us(min(r.window_start))
), collected AS (
    SELECT * FROM reports
    UNION ALL
    SELECT p.* FROM report_periods AS p ANTI JOIN reports AS r USING (item_no, window_start, window_end)
), lines AS (
    SELECT l.line_no, l.item_no, l.period_start, l.period_end, l.invoice_created_at, l.amount, l.proration, l.exponent,
        l.billed_quantity, l.raw_quantity IS NULL AS is_converted,
        t.meter_id IS NOT NULL AS is_metered, t.model, t.service_end, t.quantity AS subscribed, t.timezone, t.proration AS basis,
        coalesce(g.days, 'day') AS count_days, g.share_places, g.converts_parts, g.volume_on_last_line,
        CASE WHEN t.meter_id IS NULL AND t.model = 'flat' THEN 1 END AS default_number,
        CASE WHEN l.proration AND l.amount < 0 THEN -1 ELSE 1 END AS direction,
        i.override_id, i.card,
        CASE
            WHEN l.item_no IS NULL THEN 'unknown_item'
            WHEN l.period_start IS NULL OR l.period_end IS NULL THEN 'missing_period'
            WHEN l.period_start >= l.period_end THEN 'zero_length_period'
            WHEN t.currency <> l.currency THEN 'currency_mismatch'
        END AS defect,
        t.meter_id IS NOT NULL AND t.event_type IS NULL AS is_meter_unknown
    FROM live_lines AS l
    LEFT JOIN terms AS t ON t.item_no = l.item_no
    LEFT JOIN integration_dialects AS g ON g.integration = t.integration
    LEFT JOIN item_prices AS i
        ON i.item_no = l.item_no AND i.valid_from <= l.period_start AND l.period_start < i.valid_to
    WHERE l.kind IN ('usage', 'recurring')
), partial AS (
    SELECT l.line_no, l.timezone, l.basis, l.count_days, l.share_places, l.period_start AS part_start, least(l.period_end, p.period_end) AS part_end,
        p.period_start, p.period_end
    FROM lines AS l
    JOIN line_places AS p ON p.line_no = l.line_no
    WHERE NOT l.is_metered AND l.period_start < l.period_end
        AND (l.period_start <> p.period_start OR l.period_end < p.period_end)
), dated AS (
    SELECT f.*,
        CAST(f.part_start + z1.utc_offset AS DATE) AS start_date, CAST(f.part_end + z2.utc_offset AS DATE) AS end_date,
        CAST(f.period_start + z3.utc_offset AS DATE) AS period_start_date,
        CAST(f.period_end + z4.utc_offset AS DATE) AS period_end_date,
        end_of_days(CAST(last_seen(f.part_end, f.count_days) + z5.utc_offset AS DATE), f.count_days) AS last_date,
        end_of_days(CAST(last_seen(f.period_end, f.count_days) + z6.utc_offset AS DATE), f.count_days) AS period_last_date
    FROM partial AS f
    ASOF JOIN zone_offsets AS z1 ON z1.timezone = f.timezone AND z1.from_utc <= f.part_start
    ASOF JOIN zone_offsets AS z2 ON z2.timezone = f.timezone AND z2.from_utc <= f.part_end
    ASOF JOIN zone_offsets AS z3 ON z3.timezone = f.timezone AND z3.from_utc <= f.period_start
    ASOF JOIN zone_offsets AS z4 ON z4.timezone = f.timezone AND z4.from_utc <= f.period_end
    ASOF JOIN zone_offsets AS z5 ON z5.timezone = f.timezone AND z5.from_utc <= last_seen(f.part_end, f.count_days)
    ASOF JOIN zone_offsets AS z6 ON z6.timezone = f.timezone AND z6.from_utc <= last_seen(f.period_end, f.count_days)
), counted AS (
    SELECT *,
        epoch_us(part_end) - epoch_us(part_start) AS ticks, epoch_us(period_end) - epoch_us(period_start) AS period_ticks,
        end_date - start_date AS days, period_end_date - period_start_date AS period_days,
        days_apart(start_date, last_date, count_days) AS own_days,
        days_apart(period_start_date, period_last_date, count_days) AS own_period_days
    FROM dated
), shared AS (
    SELECT *,
        CAST(CASE basis WHEN 'second' THEN ticks WHEN 'day' THEN own_days ELSE 1 END AS BIGINT) AS own_part,
        CAST(CASE basis WHEN 'second' THEN period_ticks WHEN 'day' THEN own_period_days ELSE 1 END AS BIGINT) AS own_whole
    FROM counted
), parts AS (
    SELECT line_no, ticks, period_ticks, days, period_days,
        share_part(own_part, own_whole, share_places) AS part, share_whole(own_whole, share_places) AS whole
    FROM shared
), discounted AS (
    SELECT l.line_no, d.value, d.rank, d.is_alone
    FROM lines AS l
    JOIN item_discounts AS d
        ON d.item_no = l.item_no AND d.kind = 'percent' AND d.starts_at <= l.period_start AND l.period_start < d.ends_at
), percents AS (
    SELECT line_no, [value] AS percents FROM discounted WHERE is_alone
    UNION ALL
    SELECT line_no, list(value ORDER BY rank) FROM discounted WHERE NOT is_alone GROUP BY line_no
), quantities AS (
    SELECT l.*, d.percents,
        CASE WHEN l.is_metered THEN coalesce(c.recorded_at, l.invoice_created_at) END AS cutoff_at,
        CASE
            WHEN l.is_metered THEN w.quantity
            WHEN l.proration THEN coalesce(l.billed_quantity, l.subscribed)
            ELSE coalesce(l.subscribed, l.billed_quantity)
        END AS metered,
        w.events AS metered_events,
        CASE WHEN l.is_metered THEN coalesce(c.known, k.quantity_at_cutoff) END AS metered_at_cutoff,
        b.quantity AS prior_quantity, b.events AS prior_events, a.prior_billed,
        a.prior_lines, y.line_no IS NOT NULL AND l.period_end >= least(y.period_end, or_ever(l.service_end)) AS closes_period,
        coalesce(f.ticks, 1) AS ticks, coalesce(f.period_ticks, 1) AS period_ticks,
        coalesce(f.days, 1) AS days, coalesce(f.period_days, 1) AS period_days,
        coalesce(f.part, 1) AS part, coalesce(f.whole, 1) AS whole,
        CASE WHEN l.defect IS NULL THEN r.price END AS price
    FROM lines AS l
    LEFT JOIN usage_measured AS w
        ON w.item_no = l.item_no AND w.window_start = l.period_start AND w.window_end = l.period_end AND w.cutoff_at IS NULL
    LEFT JOIN usage_measured AS k
        ON k.item_no = l.item_no AND k.window_start = l.period_start AND k.window_end = l.period_end
        AND k.cutoff_at = l.invoice_created_at
    LEFT JOIN collected AS c
        ON c.item_no = l.item_no AND c.window_start = l.period_start AND c.window_end = l.period_end
    LEFT JOIN line_parts AS a ON a.line_no = l.line_no
    LEFT JOIN line_places AS y ON y.line_no = l.line_no
    LEFT JOIN usage_measured AS b
        ON b.item_no = a.item_no AND b.window_start = a.prior_start AND b.window_end = a.prior_end AND b.cutoff_at IS NULL
    LEFT JOIN parts AS f ON f.line_no = l.line_no
    LEFT JOIN percents AS d ON d.line_no = l.line_no
    LEFT JOIN rate_cards AS r ON r.card = l.card
), converting AS (
    SELECT q.line_no, q.price, w.quantity AS earlier_metered, e.billed_quantity AS earlier_billed
    FROM (SELECT line_no, price, unnest(prior_lines) AS earlier_no FROM quantities
          WHERE converts_parts AND price.conversion IS NOT NULL) AS q
    JOIN live_lines AS e ON e.line_no = q.earlier_no
    JOIN usage_measured AS w
        ON w.item_no = e.item_no AND w.window_start = e.period_start AND w.window_end = e.period_end AND w.cutoff_at IS NULL
), converted_parts AS (
    SELECT line_no, sum(converted_metered) AS metered, sum(converted_billed) AS billed
    FROM (SELECT line_no, converted(price, earlier_metered) AS converted_metered,
              converted(price, earlier_billed) AS converted_billed FROM converting)
    GROUP BY line_no
), splits AS (
    SELECT q.*, c.metered AS prior_metered_units, c.billed AS prior_billed_units, c.line_no IS NOT NULL AS converts_itself,
        q.is_converted AND q.price.conversion IS NOT NULL AS is_in_units,
        q.model = 'volume' AND q.volume_on_last_line AND NOT q.closes_period AS is_charged_later,
        q.model = 'volume' AND q.volume_on_last_line AND q.closes_period AS charges_all,
        q.metered_events + coalesce(q.prior_events, 0) AS events
    FROM quantities AS q
    LEFT JOIN converted_parts AS c ON c.line_no = q.line_no
), units AS (
    SELECT *,
        TRY(CASE
            WHEN NOT is_metered OR billed_quantity < 0 OR prior_billed < 0 THEN NULL
            WHEN is_in_units THEN CAST(billed_quantity + coalesce(prior_billed, 0) AS DECIMAL(38, 9))
            WHEN converts_itself THEN CAST(converted(price, billed_quantity) + prior_billed_units AS DECIMAL(38, 9))
            ELSE converted(price, billed_quantity + coalesce(prior_billed, 0))
        END) AS billed_total,
        TRY(CASE
            WHEN charges_all THEN NULL
            WHEN is_in_units THEN CAST(prior_billed AS DECIMAL(38, 9))
            WHEN converts_itself THEN CAST(prior_billed_units AS DECIMAL(38, 9))
            ELSE converted(price, prior_billed)
        END) AS billed_before,
        TRY(CASE
            WHEN NOT is_metered OR metered < 0 OR prior_quantity < 0 THEN NULL
            WHEN converts_itself THEN CAST(converted(price, metered) + prior_metered_units AS DECIMAL(38, 9))
            ELSE converted(price, metered + coalesce(prior_quantity, 0))
        END) AS metered_total,
        TRY(CASE
            WHEN charges_all THEN NULL
            WHEN converts_itself THEN CAST(prior_metered_units AS DECIMAL(38, 9))
            ELSE converted(price, prior_quantity)
        END) AS metered_before
    FROM splits
), full_periods AS (
    SELECT *, rated_parts[1] AS full_amount
    FROM (SELECT *, CASE WHEN NOT is_metered THEN rate_parts(price, coalesce(billed_quantity, default_number), [
              struct_pack(part := 1::BIGINT, whole := 1::BIGINT),
              CASE WHEN ticks <> period_ticks THEN struct_pack(part := ticks, whole := period_ticks) END,
              CASE WHEN days <> period_days THEN struct_pack(part := days, whole := period_days) END,
              CASE WHEN part <> whole THEN struct_pack(part := part, whole := whole) END]) END AS rated_parts
          FROM units)
), prorated AS (
    SELECT *,
        direction * CASE WHEN ticks = period_ticks THEN full_amount ELSE rated_parts[2] END AS second_amount,
        direction * CASE WHEN days = period_days THEN full_amount ELSE rated_parts[3] END AS day_amount
    FROM full_periods
), repriced AS (
    SELECT *, CASE
        WHEN NOT is_metered AND part = whole AND whole > 0 THEN direction * full_amount
        WHEN NOT is_metered THEN direction * rated_parts[4]
        ELSE rate_units(price, billed_total, billed_before, events, prior_events) * CASE WHEN is_charged_later THEN 0 ELSE 1 END
    END AS repriced_amount
    FROM prorated
), expected AS (
    SELECT *, CASE
        WHEN metered_total = billed_total AND metered_before IS NOT DISTINCT FROM billed_before THEN repriced_amount
        WHEN is_metered
            THEN rate_units(price, metered_total, metered_before, events, prior_events) * CASE WHEN is_charged_later THEN 0 ELSE 1 END
        ELSE direction * rate_part(price, coalesce(metered, default_number), part, whole)
    END AS expected_amount
    FROM repriced
), compared AS (
    SELECT *,
        is_metered AND amount <> repriced_amount AS is_off,
        CASE WHEN is_metered AND amount <> repriced_amount THEN list_transform(
            [1, -1], lambda shift: rate_shifted(price, billed_quantity, prior_billed, shift)) END AS shifted,
        CASE WHEN percents IS NULL THEN expected_amount ELSE less_percents(expected_amount, percents, price.rounding) END AS expected_net
    FROM expected
)
SELECT line_no, item_no, override_id, card, cutoff_at,
    CAST(metered AS DECIMAL(38, 9)) AS metered, metered_events,
    CAST(metered_at_cutoff AS DECIMAL(38, 9)) AS metered_at_cutoff,
    prior_quantity, prior_billed,
    CAST(expected_amount AS DECIMAL(18, 4)) AS expected_amount,
    CAST(repriced_amount AS DECIMAL(18, 4)) AS repriced_amount,
    CASE WHEN is_off THEN rate_other_mode(price, billed_quantity, prior_billed) END AS other_mode_amount,
    shifted[1] AS shift_up_amount, shifted[2] AS shift_down_amount,
    full_amount,
    CAST(second_amount AS DECIMAL(18, 4)) AS second_amount,
    CAST(day_amount AS DECIMAL(18, 4)) AS day_amount,
    CAST(expected_net AS DECIMAL(18, 4)) AS expected_net,
    CASE WHEN expected_amount IS NULL THEN coalesce(
        defect, CASE WHEN is_meter_unknown THEN 'unknown_meter' END,
        rate_problem(price), CASE WHEN whole = 0 THEN 'zero_length_period' END,
        rate_problem(price, coalesce(metered, default_number), prior_quantity, metered_events, prior_events),
        'out_of_range') END AS reason
FROM compared;
