-- rate_cards: every price, and every price as one customer's override changes it, in the one shape that rate() reads.
-- in: prices, price_tiers, price_overrides, currencies, integration_dialects
-- grain: one row per price (override_id NULL) and one per override of it
-- columns:
--   integration VARCHAR     the configured name of the source of the price
--   price_id VARCHAR        the catalog price
--   override_id VARCHAR     the override that was applied; NULL: the catalog price itself
--   card INTEGER            a number for the row, by which derived relations point to it
--   price STRUCT            everything that rate() needs, with `problem` when it cannot be rated
-- Amounts in major units of the price's currency, bounds and free units in converted units.
CREATE OR REPLACE TEMP TABLE rate_cards AS
WITH catalog_tiers AS (
    SELECT integration, price_id, list(struct_pack(
        place := tier, up_to := up_to, unit_amount := unit_amount, flat_amount := flat_amount, percent_rate := percent_rate
    ) ORDER BY tier) AS tiers
    FROM price_tiers
    GROUP BY integration, price_id
), overrides AS (
    SELECT *, [struct_pack(
        place := coalesce(TRY_CAST(tier.tier AS BIGINT), place),
        up_to := TRY_CAST(tier.up_to AS DECIMAL(27, 9)),
        unit_amount := TRY_CAST(tier.unit_amount AS DECIMAL(27, 12)),
        flat_amount := TRY_CAST(tier.flat_amount AS DECIMAL(18, 4)),
        percent_rate := TRY_CAST(tier.percent_rate AS DECIMAL(27, 12))
    ) FOR tier, place IN TRY(from_json(tiers, '[{
        "tier": "VARCHAR", "up_to": "VARCHAR", "unit_amount": "VARCHAR", "flat_amount": "VARCHAR", "percent_rate": "VARCHAR"
    }]'))] AS negotiated_tiers
    FROM price_overrides
), cards AS (
    SELECT p.* REPLACE (
            coalesce(o.unit_amount, p.unit_amount) AS unit_amount,
            coalesce(o.flat_amount, p.flat_amount) AS flat_amount,
            coalesce(o.minimum_amount, p.minimum_amount) AS minimum_amount,
            coalesce(o.maximum_amount, p.maximum_amount) AS maximum_amount
        ),
        o.override_id,
        list_sort(coalesce(o.negotiated_tiers, t.tiers, [])) AS tiers,
        row_number() OVER () AS card
    FROM prices AS p
    LEFT JOIN catalog_tiers AS t USING (integration, price_id)
    LEFT JOIN (
        SELECT * FROM overrides
        UNION ALL BY NAME
        SELECT DISTINCT price_id, NULL AS override_id FROM prices
    ) AS o ON o.price_id = p.price_id
), tier_rates AS (
    SELECT card, place,
        up_to,
        coalesce(lag(up_to) OVER card_tiers, 0) AS above,
        coalesce(flat_amount, 0) AS flat,
        CAST(coalesce(CASE model WHEN 'graduated_percentage' THEN percent_rate * 0.01 ELSE unit_amount END, 0)
            AS DECIMAL(29, 14)) AS rate
    FROM (SELECT card, model, unnest(tiers, recursive := true) FROM cards
          WHERE model IN ('graduated', 'volume', 'graduated_percentage'))
    WINDOW card_tiers AS (PARTITION BY card ORDER BY place)
), tier_amounts AS (
    SELECT *, TRY(CAST((up_to - above) * rate AS DECIMAL(38, 23))) AS full_amount
    FROM tier_rates
), tier_starts AS (
    SELECT *,
        coalesce(sum(full_amount) FILTER (abs(full_amount) < 1000000000000) OVER earlier, 0) AS amounts_before,
        sum(flat) OVER (PARTITION BY card ORDER BY place) AS flats_so_far
    FROM tier_amounts
    WINDOW earlier AS (PARTITION BY card ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), tiers AS (
    SELECT card,
        list(up_to ORDER BY place) FILTER (up_to IS NOT NULL) AS bounds,
        list(tier_line(above, amounts_before + flats_so_far, rate) ORDER BY place) AS graduated,
        list(tier_line(0, flat, rate) ORDER BY place) AS volume,
        bool_or(up_to IS NOT NULL AND coalesce(abs(full_amount) >= 1000000000000, TRUE)) AS is_out_of_range,
        max(abs(CAST(rate AS DOUBLE))) AS steepest,
        max(abs(CAST(amounts_before + flats_so_far AS DOUBLE))) AS highest_start
    FROM tier_starts
    GROUP BY card
), factors AS (
    SELECT card, convert_rounding,
        CASE convert WHEN 'multiply' THEN billionths(convert_factor) ELSE 1000000000 END AS times,
        CASE convert WHEN 'multiply' THEN 1000000000 ELSE billionths(convert_factor) END AS over
    FROM cards
    WHERE convert IS NOT NULL AND convert_factor > 0 AND convert_factor < 1000000000000000
), conversions AS (
    SELECT card, CASE coalesce(convert_rounding, 'none')
        WHEN 'none' THEN struct_pack(times := 2 * times, plus := over, over := 2 * over, unit := CAST(1 AS HUGEINT))
        WHEN 'floor' THEN struct_pack(
            times := times, plus := CAST(0 AS HUGEINT), over := over * 1000000000, unit := CAST(1000000000 AS HUGEINT))
        WHEN 'ceiling' THEN struct_pack(
            times := times, plus := over * 1000000000 - 1, over := over * 1000000000, unit := CAST(1000000000 AS HUGEINT))
        WHEN 'half_up' THEN struct_pack(
            times := 2 * times, plus := over * 1000000000, over := 2 * over * 1000000000, unit := CAST(1000000000 AS HUGEINT))
        END AS conversion
    FROM (SELECT card, convert_rounding, times // gcd(times, over) AS times, over // gcd(times, over) AS over FROM factors)
), checked AS (
    SELECT c.*, k.exponent, k.exponent + 10 * coalesce(g.rounding, 0) AS rounding, t.* EXCLUDE (card),
        [tier.up_to FOR tier IN c.tiers] AS all_bounds,
        [tier.up_to FOR tier IN c.tiers IF tier.up_to IS NOT NULL] AS rising,
        list_bool_or([
            tier.flat_amount IS NULL
            AND CASE c.model WHEN 'graduated_percentage' THEN tier.percent_rate ELSE tier.unit_amount END IS NULL
            FOR tier IN c.tiers]) AS has_bare_tier,
        c.model IN ('graduated', 'volume', 'graduated_percentage') AS is_tiered,
        v.conversion
    FROM cards AS c
    LEFT JOIN conversions AS v USING (card)
    LEFT JOIN tiers AS t USING (card)
    LEFT JOIN currencies AS k USING (currency)
    LEFT JOIN integration_dialects AS g USING (integration)
), judged AS (
    SELECT *, CASE
        WHEN exponent IS NULL THEN 'unknown_currency'
        WHEN model NOT IN ('flat', 'per_unit', 'graduated', 'volume', 'package', 'percentage', 'graduated_percentage', 'dynamic')
            THEN 'unknown_model'
        WHEN convert IS NOT NULL AND coalesce(convert_factor, 0) <= 0 THEN 'convert_factor'
        WHEN convert IS NOT NULL AND conversion IS NULL THEN 'out_of_range'
        WHEN is_tiered AND len(tiers) = 0 THEN 'no_tiers'
        WHEN is_tiered AND [tier.place FOR tier IN tiers] <> range(1, len(tiers) + 1) THEN 'tiers_gap'
        WHEN is_tiered AND len(list_filter(all_bounds[:-2], lambda bound: bound IS NULL)) > 0 THEN 'tiers_gap'
        WHEN is_tiered AND (rising <> list_sort(list_distinct(rising)) OR rising[1] < 0) THEN 'tiers_not_increasing'
        WHEN is_tiered AND all_bounds[-1] IS NOT NULL THEN 'tiers_no_open_end'
        WHEN is_tiered AND has_bare_tier THEN 'missing_amount'
        WHEN is_tiered THEN CASE WHEN is_out_of_range THEN 'out_of_range' END
        WHEN model = 'package' AND coalesce(package_size, 0) <= 0 THEN 'package_size'
        WHEN CASE model WHEN 'flat' THEN flat_amount WHEN 'percentage' THEN percent_rate ELSE unit_amount END IS NULL
            THEN 'missing_amount'
    END AS problem,
    CASE model
        WHEN 'flat' THEN [tier_line(
            0, CASE WHEN meter_id IS NULL THEN 0 ELSE flat_amount END, CASE WHEN meter_id IS NULL THEN flat_amount ELSE 0 END)]
        WHEN 'volume' THEN volume
        WHEN 'graduated' THEN graduated
        WHEN 'graduated_percentage' THEN graduated
        ELSE [tier_line(0, 0, CASE model WHEN 'percentage' THEN percent_rate * 0.01 ELSE unit_amount END)]
    END AS tier_lines
    FROM checked
), ranged AS (
    SELECT *,
        CASE WHEN model = 'flat' OR conversion IS NULL THEN 1
            ELSE CAST(conversion.times AS DOUBLE) / CAST(conversion.over AS DOUBLE) * CAST(conversion.unit AS DOUBLE)
        END AS units_per_quantity,
        CASE WHEN model = 'package' AND problem IS NULL THEN CAST(package_size AS DOUBLE) ELSE 1 END AS units_per_count,
        CASE WHEN is_tiered THEN steepest ELSE CAST(abs(tier_lines[1].rate) AS DOUBLE) END AS top_rate,
        CASE WHEN is_tiered THEN highest_start ELSE CAST(abs(tier_lines[1].start) AS DOUBLE) END AS top_start
    FROM judged
)
SELECT integration, price_id, override_id, CAST(card AS INTEGER) AS card, struct_pack(
    model := model,
    mode := CASE WHEN model = 'volume' THEN 'volume' WHEN is_tiered THEN 'graduated' END,
    currency := currency,
    exponent := exponent,
    rounding := rounding,
    conversion := CASE WHEN problem IS NULL AND model <> 'flat' THEN conversion END,
    free_units := CAST(CASE WHEN model = 'flat' THEN 0 ELSE coalesce(free_units, 0) END AS DECIMAL(27, 9)),
    package_size := CASE WHEN model = 'package' THEN package_size END,
    unit_amount := CASE WHEN model IN ('per_unit', 'package', 'dynamic') THEN unit_amount END,
    flat_amount := CASE WHEN model IN ('flat', 'percentage') THEN flat_amount END,
    event_fee := CASE WHEN model = 'percentage' AND flat_amount <> 0 THEN flat_amount END,
    minimum_amount := minimum_amount,
    maximum_amount := maximum_amount,
    proration := proration,
    metered := meter_id IS NOT NULL,
    most_per_quantity := units_per_quantity / units_per_count * top_rate,
    most_per_unit := 1 / units_per_count * top_rate,
    most_at_zero := 2 * top_rate + top_start,
    most_quantity := least(1e17, 1e28 / units_per_quantity),
    problem := problem,
    bounds := CASE WHEN problem IS NULL THEN coalesce(bounds, CAST([] AS DECIMAL(27, 9)[])) END,
    tiers := CASE WHEN problem IS NULL THEN tier_lines END,
    other_tiers := CASE
        WHEN problem IS NULL AND model = 'graduated' THEN volume
        WHEN problem IS NULL AND model = 'volume' THEN graduated
    END
) AS price
FROM ranged;
