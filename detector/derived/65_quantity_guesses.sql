-- quantity_guesses: which other way to count a usage line's units gives the amount that was billed.
-- in: price_differences, line_ratings, live_lines, prices
-- grain: one row per line of price_differences and way that explains it, the likeliest of each fault first
-- columns:
--   integration VARCHAR        the source of the line
--   line_id VARCHAR            the line
--   fault VARCHAR              rounding (conversion, packages) or allowance (free units)
--   way VARCHAR                what was done instead, in words
--   units DECIMAL(38,9)        the units that this way comes to, before free units; packages in units
--   right_units DECIMAL(38,9)  the units that are right
-- Only lines that say what was metered and are the first of their period: what a split carries on is another fault. A graduated
-- price whose first tier costs nothing gives as many units free.
CREATE OR REPLACE TEMP TABLE quantity_guesses AS
WITH off AS (
    SELECT d.integration, d.line_id, d.billed, d.expected, d.exponent, r.price, l.billed_quantity AS raw, p.convert, p.convert_factor,
        billionths(l.billed_quantity) AS raw_count, converted(r.price, l.billed_quantity) AS right_units,
        CASE WHEN r.price.free_units > 0 THEN r.price.free_units WHEN has_free_tier(r.price) THEN r.price.bounds[1] ELSE 0 END AS free
    FROM price_differences AS d
    JOIN line_ratings AS r ON r.integration = d.integration AND r.line_id = d.line_id
    JOIN live_lines AS l ON l.line_no = r.line_no
    JOIN prices AS p ON p.integration = d.integration AND p.price_id = d.price_id
    WHERE d.kind = 'usage' AND l.billed_quantity > 0 AND l.billed_quantity < 1000000000000 AND r.prior_billed IS NULL
        AND (l.raw_quantity IS NOT NULL OR r.price.conversion IS NULL) AND r.price.problem IS NULL AND r.price.event_fee IS NULL
        AND (r.price.conversion IS NOT NULL OR r.price.package_size IS NOT NULL OR r.price.free_units > 0 OR has_free_tier(r.price))
), counted AS (
    SELECT *,
        CASE convert WHEN 'multiply' THEN raw_count * billionths(convert_factor) // 1000000000
            WHEN 'divide' THEN raw_count * 1000000000 // billionths(convert_factor) END AS exact,
        CASE WHEN price.package_size IS NOT NULL THEN billionths(less_free_units(price, right_units)) END AS to_pack,
        billionths(price.package_size) AS size
    FROM off
), twice AS (
    SELECT *, CASE convert WHEN 'multiply' THEN exact * billionths(convert_factor) // 1000000000
        WHEN 'divide' THEN exact * 1000000000 // billionths(convert_factor) END AS exact_twice
    FROM counted
), ways AS (
    SELECT *, unnest(list_concat(
        CASE WHEN convert IS NULL THEN [] ELSE [
            struct_pack(no := 1, fault := 'rounding', way := 'the conversion was left out', units := raw_count),
            struct_pack(no := 2, fault := 'rounding', way := 'it was converted twice', units := exact_twice),
            struct_pack(no := 2, fault := 'rounding', way := 'it was converted twice', units := (exact_twice + 999999999) // 1000000000 * 1000000000),
            struct_pack(no := 3, fault := 'rounding', way := 'it was not rounded', units := exact),
            struct_pack(no := 4, fault := 'rounding', way := 'it was rounded down', units := exact // 1000000000 * 1000000000),
            struct_pack(no := 5, fault := 'rounding', way := 'it was rounded up', units := (exact + 999999999) // 1000000000 * 1000000000),
            struct_pack(no := 6, fault := 'rounding', way := 'it was rounded half up', units := (exact + 500000000) // 1000000000 * 1000000000),
            struct_pack(no := 7, fault := 'rounding', way := 'the free units were taken off before the conversion',
                units := billionths(converted(price, greatest(raw - price.free_units, 0)) + price.free_units))] END,
        CASE WHEN free = 0 THEN [] ELSE [
            struct_pack(no := 1, fault := 'allowance', way := 'the free units were left out', units := billionths(right_units + free)),
            struct_pack(no := 2, fault := 'allowance', way := 'the free units were taken off twice',
                units := greatest(billionths(right_units) - billionths(free), 0))] END,
        CASE WHEN has_free_tier(price) THEN [
            struct_pack(no := 1, fault := 'free tier', way := 'the free units were left out', units := billionths(right_units))] ELSE [] END,
        CASE WHEN to_pack IS NULL THEN [] ELSE [
            struct_pack(no := 8, fault := 'packages', way := 'a package that was begun was not counted', units := to_pack // size * size),
            struct_pack(no := 9, fault := 'packages', way := 'packages were rounded half up', units := (2 * to_pack + size) // (2 * size) * size),
            struct_pack(no := 10, fault := 'packages', way := 'a part of a package was charged as a part', units := to_pack)] END)) AS guess
    FROM twice
), rated AS (
    SELECT *, CASE guess.fault
        WHEN 'free tier' THEN round_money(CAST(priced(price, less_free_units(price, right_units))
            + least(less_free_units(price, right_units), price.bounds[1]) * price.tiers[2].rate AS DECIMAL(38, 12)), exponent)
        WHEN 'packages' THEN round_money(from_billionths(guess.units * 1000000000 // size) * CAST(price.unit_amount AS DECIMAL(18, 8)), exponent)
        ELSE rate_converted(price, CAST(from_billionths(guess.units) AS DECIMAL(38, 9)), NULL) END AS amount
    FROM ways
    WHERE guess.units < 100000000000000000000000000
)
SELECT integration, line_id, CASE guess.fault WHEN 'packages' THEN 'rounding' WHEN 'free tier' THEN 'allowance' ELSE guess.fault END AS fault, guess.way AS way,
    from_billionths(guess.units) AS units, right_units
FROM rated
WHERE abs(amount - billed) <= minor_unit(exponent) AND abs(amount - expected) > minor_unit(exponent)
QUALIFY row_number() OVER (
    PARTITION BY integration, line_id, CASE guess.fault WHEN 'packages' THEN 'rounding' WHEN 'free tier' THEN 'allowance' ELSE guess.fault END
    ORDER BY amount <> billed, guess.no) = 1;
