-- Cadences and clocks as macros, the same readings as billing/periods.py.
-- in: nothing

-- A positive ISO 8601 duration in whole numbers as calendar months, calendar days and exact seconds; NULL for another text.
CREATE OR REPLACE TEMP MACRO number_before(cadence, letter) AS
    coalesce(TRY_CAST(nullif(regexp_extract(cadence, '(\d+)' || letter, 1), '') AS BIGINT), 0);
CREATE OR REPLACE TEMP MACRO is_duration(cadence) AS regexp_full_match(
    cadence, 'P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?') AND regexp_matches(cadence, '[1-9]\d*[YMWDHS]');
CREATE OR REPLACE TEMP MACRO date_part_of(cadence) AS split_part(cadence, 'T', 1);
CREATE OR REPLACE TEMP MACRO time_part_of(cadence) AS split_part(cadence, 'T', 2);
CREATE OR REPLACE TEMP MACRO duration(cadence) AS CASE WHEN is_duration(cadence) THEN struct_pack(
    months := 12 * number_before(date_part_of(cadence), 'Y') + number_before(date_part_of(cadence), 'M'),
    days := 7 * number_before(date_part_of(cadence), 'W') + number_before(date_part_of(cadence), 'D'),
    seconds := 3600 * number_before(time_part_of(cadence), 'H') + 60 * number_before(time_part_of(cadence), 'M')
        + number_before(time_part_of(cadence), 'S')
) END;
CREATE OR REPLACE TEMP MACRO mean_seconds(length) AS length.months * 2629746 + length.days * 86400 + length.seconds;

-- A local time moved by `times` durations, as billing.periods.add: months at once, clamped to the month's last day.
CREATE OR REPLACE TEMP MACRO moved_clock(local, length, times) AS
    local + to_months(CAST(times * length.months AS INTEGER)) + to_days(CAST(times * length.days AS INTEGER));

CREATE OR REPLACE TEMP MACRO or_ever(instant) AS coalesce(instant, TIMESTAMP 'infinity');
CREATE OR REPLACE TEMP MACRO touches(start_a, end_a, start_b, end_b) AS start_a < end_b AND start_b < end_a;

-- Days between two local dates by a dialect's way of counting, the end exclusive; months of 30 days as billing.proration.
CREATE OR REPLACE TEMP MACRO days_apart(start_date, end_date, days) AS CASE days
    WHEN 'month_30' THEN 30 * ((year(end_date) - year(start_date)) * 12 + month(end_date) - month(start_date))
        + day(end_date) - day(start_date)
    ELSE end_date - start_date
END;
-- A share of a period as `part` of `whole`, rounded half up to `places` digits where a dialect rounds it.
CREATE OR REPLACE TEMP MACRO share_part(part, whole, places) AS CASE
    WHEN places IS NULL OR whole = 0 THEN part
    ELSE CAST((2 * CAST(part AS HUGEINT) * CAST(pow(10, places) AS HUGEINT) + whole) // (2 * CAST(whole AS HUGEINT)) AS BIGINT)
END;
CREATE OR REPLACE TEMP MACRO share_whole(whole, places) AS CASE
    WHEN places IS NULL OR whole = 0 THEN whole ELSE CAST(pow(10, places) AS BIGINT)
END;
-- Where the last instant of a stretch lies that counts for its days: with the last day included, just before its end.
CREATE OR REPLACE TEMP MACRO last_seen(instant, days) AS
    CASE days WHEN 'day_inclusive' THEN instant - INTERVAL 1 MICROSECOND ELSE instant END;
CREATE OR REPLACE TEMP MACRO end_of_days(last_date, days) AS
    CASE days WHEN 'day_inclusive' THEN last_date + 1 ELSE last_date END;
