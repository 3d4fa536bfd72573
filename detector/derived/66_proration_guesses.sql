-- proration_guesses: by which other way of counting a prorated amount comes about, where it is not what the price's basis gives.
-- in: expected_lines, terms, line_places, zone_offsets
-- grain: one row per flat or seat line for a part of a period whose amount is not what its share comes to
-- columns:
--   line_no INTEGER             the line's number in live_lines
--   full_start TIMESTAMP        the full billing period that it is a part of
--   full_end TIMESTAMP          its end, which is not part of it
--   expected DECIMAL(18,4)      the part of the billed number's charge that is due, below zero for a credit
--   billed DECIMAL(18,4)        the line's amount, before discount
--   basis VARCHAR               second or day: what the price says
--   way VARCHAR                 what was counted instead, in words; NULL: no way of counting gives the amount
-- A line that is right in its integration's dialect, or by the plain reading of its basis, has no row. Nor has a line of a
-- full charge that is not said to be prorated: its period is what differs.
CREATE OR REPLACE TEMP TABLE proration_guesses AS
WITH off AS (
    SELECT e.line_no, e.price, e.amount, e.repriced_amount AS expected, e.exponent, e.proration, e.period_start AS part_start,
        least(e.period_end, y.period_end) AS part_end, y.period_start AS full_start, y.period_end AS full_end,
        t.proration AS basis, t.timezone, duration(t.cadence).months AS months,
        coalesce(e.billed_quantity, CASE WHEN t.model = 'flat' THEN 1 END) AS number,
        CASE WHEN e.proration AND e.amount < 0 THEN -1 ELSE 1 END AS direction
    FROM expected_lines AS e
    JOIN terms AS t ON t.item_no = e.item_no AND t.meter_id IS NULL AND t.proration IN ('second', 'day')
    JOIN line_places AS y ON y.line_no = e.line_no
    WHERE e.kind = 'recurring' AND e.amount <> 0 AND e.period_start < e.period_end
        AND (e.period_start <> y.period_start OR e.period_end < y.period_end)
        AND abs(e.amount - e.repriced_amount) > minor_unit(e.exponent)
        AND abs(e.amount - CASE t.proration WHEN 'second' THEN e.second_amount ELSE e.day_amount END) > minor_unit(e.exponent)
        AND (e.proration OR abs(e.amount - e.full_amount) > minor_unit(e.exponent))
), counted AS (
    SELECT f.*, epoch_us(f.part_end) - epoch_us(f.part_start) AS ticks, epoch_us(f.full_end) - epoch_us(f.full_start) AS full_ticks,
        CAST(f.part_end + z2.utc_offset AS DATE) - CAST(f.part_start + z1.utc_offset AS DATE) AS days,
        CAST(f.full_end + z4.utc_offset AS DATE) - CAST(f.full_start + z3.utc_offset AS DATE) AS full_days,
        CAST(f.part_end AS DATE) - CAST(f.part_start AS DATE) AS utc_days,
        CAST(f.full_end AS DATE) - CAST(f.full_start AS DATE) AS full_utc_days,
        days_apart(CAST(f.part_start + z1.utc_offset AS DATE), CAST(f.part_end + z2.utc_offset AS DATE), 'month_30') AS days_of_30
    FROM off AS f
    ASOF JOIN zone_offsets AS z1 ON z1.timezone = f.timezone AND z1.from_utc <= f.part_start
    ASOF JOIN zone_offsets AS z2 ON z2.timezone = f.timezone AND z2.from_utc <= f.part_end
    ASOF JOIN zone_offsets AS z3 ON z3.timezone = f.timezone AND z3.from_utc <= f.full_start
    ASOF JOIN zone_offsets AS z4 ON z4.timezone = f.timezone AND z4.from_utc <= f.full_end
), ways AS (
    SELECT *, unnest([
        struct_pack(no := 1, way := 'by the second', part := ticks, whole := full_ticks),
        struct_pack(no := 2, way := 'by days', part := days, whole := full_days),
        struct_pack(no := 3, way := 'in full', part := 1, whole := 1),
        struct_pack(no := 4, way := 'in months of 30 days', part := days, whole := 30 * months),
        struct_pack(no := 5, way := 'in months of 30 days', part := days_of_30, whole := 30 * months),
        struct_pack(no := 6, way := 'in months of 30 days', part := ticks, whole := 2592000000000 * months),
        struct_pack(no := 7, way := 'in years of 365 days', part := 12 * days, whole := 365 * months),
        struct_pack(no := 8, way := 'in years of 365 days', part := 12 * ticks, whole := 31536000000000 * months),
        struct_pack(no := 9, way := 'by days with the last one counted', part := days + 1, whole := full_days),
        struct_pack(no := 10, way := 'by days with the last one counted', part := days + 1, whole := 30 * months),
        struct_pack(no := 11, way := 'by days of UTC', part := utc_days, whole := full_utc_days)]) AS guess
    FROM counted
), rated AS (
    SELECT *, direction * rate_part(price, number, CAST(guess.part AS BIGINT), CAST(guess.whole AS BIGINT)) AS other
    FROM ways
    WHERE guess.part >= 0 AND guess.whole > 0
)
SELECT line_no, full_start, full_end, CAST(expected AS DECIMAL(18, 4)) AS expected, amount AS billed, basis,
    CASE WHEN fits THEN guess.way END AS way
FROM (SELECT *, abs(other - amount) <= minor_unit(exponent) AS fits FROM rated)
QUALIFY row_number() OVER (PARTITION BY line_no ORDER BY fits DESC, abs(other - amount), guess.no) = 1;
