-- Rating as macros: rating.md steps 2 to 7, exact decimals, the same answers as billing/rating.py.
-- in: nothing
-- A `price` is the STRUCT of relation rate_cards: a price brought into one shape, so that every model is
--     start + (counted - above) * rate     of the one tier that holds the billable units,
-- where `start` is what all units up to the tier's lower bound `above` cost, its flat amount included.
-- Quantities are DECIMALs with 9 places, amounts major units of the price's currency. What cannot be rated is NULL, and
-- rate_problem() names the reason; rate() and its kin never raise. Amounts beyond what the books hold are out of range: an estimate
-- by doubles, which are used for nothing else, keeps them from the exact arithmetic, whose overflow would cost a TRY its speed.
-- A macro's argument is written out wherever the macro names it. A lambda over a list of one value names it once: that
-- keeps the expressions small where a value is needed twice; what else it names is copied for every row, so it names no price.
-- Dividing wide decimals is slow: a double says which minor unit or package is near, exact arithmetic checks that it is right,
-- and only where it is not the slow division decides.

-- A decimal with 9 places as a whole number of billionths, and back.
CREATE OR REPLACE TEMP MACRO billionths(quantity) AS CAST(quantity * 1000000000 AS HUGEINT);
CREATE OR REPLACE TEMP MACRO from_billionths(count) AS
    CAST(CAST(count AS DECIMAL(38, 0)) * CAST(0.000000001 AS DECIMAL(9, 9)) AS DECIMAL(38, 9));

-- Step 2: the metered quantity in the price's units, by whole numbers: times, plus, over and unit come from rate_cards.
CREATE OR REPLACE TEMP MACRO converted(price, quantity) AS CASE
    WHEN price.conversion IS NULL THEN CAST(quantity AS DECIMAL(38, 9))
    ELSE from_billionths(
        (billionths(quantity) * price.conversion.times + price.conversion.plus) // price.conversion.over
        * price.conversion.unit)
END;

-- Step 3: the units that are charged.
CREATE OR REPLACE TEMP MACRO less_free_units(price, units) AS CAST(greatest(units - price.free_units, 0) AS DECIMAL(38, 9));

-- Whether the first tier gives its units free.
CREATE OR REPLACE TEMP MACRO has_free_tier(price) AS coalesce(
    price.mode = 'graduated' AND len(price.bounds) > 0 AND price.tiers[1].rate = 0 AND price.tiers[1].start = 0, FALSE);

-- Whole packages that hold the units, where the price has packages; else the units.
CREATE OR REPLACE TEMP MACRO packages(units, size) AS list_transform(
    [struct_pack(near := TRY_CAST(ceil(CAST(units AS DOUBLE) / CAST(size AS DOUBLE)) AS DECIMAL(11, 0)), u := units, s := size)],
    lambda p: CASE
        WHEN p.u <= p.near * p.s AND p.near * p.s - p.s < p.u THEN CAST(p.near AS DECIMAL(38, 9))
        ELSE CAST((billionths(p.u) + billionths(p.s) - 1) // billionths(p.s) AS DECIMAL(38, 9))
    END)[1];
CREATE OR REPLACE TEMP MACRO counted(price, units) AS CASE
    WHEN price.package_size IS NULL THEN units ELSE packages(units, price.package_size)
END;

-- A tier of a rate card: its numbers exactly, and nearly.
CREATE OR REPLACE TEMP MACRO tier_line(above, start, rate) AS struct_pack(
    above := CAST(above AS DECIMAL(27, 9)),
    start := CAST(start AS DECIMAL(38, 23)),
    rate := CAST(rate AS DECIMAL(29, 14)),
    near := struct_pack(above := CAST(above AS DOUBLE), start := CAST(start AS DOUBLE), rate := CAST(rate AS DOUBLE)));

-- One tier's arithmetic, exact and nearly; the tier that holds the units.
CREATE OR REPLACE TEMP MACRO in_tier(tier, count) AS
    list_transform([tier], lambda t: t.start + (count - t.above) * t.rate)[1];
CREATE OR REPLACE TEMP MACRO near_tier(tier, count) AS
    tier.near.start + (CAST(count AS DOUBLE) - tier.near.above) * tier.near.rate;
CREATE OR REPLACE TEMP MACRO tier_holding(price, units) AS 1 + len(list_filter(price.bounds, lambda bound: bound < units));

-- The price result before rounding, for billable units.
CREATE OR REPLACE TEMP MACRO priced(price, units) AS list_transform(
    [units], lambda u: in_tier(price.tiers[tier_holding(price, u)], counted(price, u)))[1];

-- Rounding to money. `rounding` is the currency's digits plus ten times the mode's place in billing.money.Rounding: 2 is
-- half up (away from zero) to 2 digits, 12 half even.
CREATE OR REPLACE TEMP MACRO power_of_ten(digits) AS CASE digits
    WHEN 0 THEN 1::HUGEINT WHEN 2 THEN 100::HUGEINT WHEN 3 THEN 1000::HUGEINT WHEN 4 THEN 10000::HUGEINT
END;
CREATE OR REPLACE TEMP MACRO from_minor_units(count, digits) AS CAST(CAST(count AS DECIMAL(27, 0))
    * CASE digits WHEN 0 THEN 1.0000 WHEN 2 THEN 0.0100 WHEN 3 THEN 0.0010 WHEN 4 THEN 0.0001 END AS DECIMAL(18, 4));

-- Whether `whole` minor units become one more: `half` compares the rest with a half (-1, 0, 1; NULL: there is no rest).
CREATE OR REPLACE TEMP MACRO goes_up(mode, whole, half, negative) AS half IS NOT NULL AND CASE mode
    WHEN 0 THEN half >= 0
    WHEN 1 THEN half > 0 OR (half = 0 AND whole % 2 = 1)
    WHEN 2 THEN half > 0
    WHEN 3 THEN TRUE
    WHEN 4 THEN FALSE
    WHEN 5 THEN NOT negative
    WHEN 6 THEN negative
END;
CREATE OR REPLACE TEMP MACRO settled(mode, whole, half, negative) AS
    whole + CASE WHEN goes_up(mode, whole, half, negative) THEN 1 ELSE 0 END;
CREATE OR REPLACE TEMP MACRO minor_units(size, mode, digits, negative) AS list_transform(
    [(size - trunc(size)) * CAST(power_of_ten(digits) AS DECIMAL(5, 0))], lambda part: settled(
        mode, CAST(trunc(size) AS HUGEINT) * power_of_ten(digits) + CAST(floor(part) AS HUGEINT),
        CASE WHEN part > floor(part) THEN sign(part - floor(part) - 0.5) END, negative))[1];
CREATE OR REPLACE TEMP MACRO round_by_mode(amount, rounding) AS sign(amount)
    * from_minor_units(minor_units(abs(amount), rounding // 10, rounding % 10, amount < 0), rounding % 10);

CREATE OR REPLACE TEMP MACRO round_money(amount, rounding) AS CASE rounding
    WHEN 2 THEN CAST(round(amount, 2) AS DECIMAL(18, 4))
    WHEN 0 THEN CAST(round(amount, 0) AS DECIMAL(18, 4))
    WHEN 3 THEN CAST(round(amount, 3) AS DECIMAL(18, 4))
    WHEN 4 THEN CAST(round(amount, 4) AS DECIMAL(18, 4))
    ELSE round_by_mode(amount, rounding)
END;
-- The same for an amount that takes many words.
CREATE OR REPLACE TEMP MACRO rounded(amount, rounding) AS list_transform(
    [struct_pack(a := amount, r := rounding)], lambda s: round_money(s.a, s.r))[1];
CREATE OR REPLACE TEMP MACRO near_money(near, rounding) AS CASE rounding
    WHEN 2 THEN TRY_CAST(round(near * 100) AS DECIMAL(14, 0)) * 0.0100
    WHEN 0 THEN TRY_CAST(round(near) AS DECIMAL(14, 0)) * 1.0000
    WHEN 3 THEN TRY_CAST(round(near * 1000) AS DECIMAL(14, 0)) * 0.0010
    WHEN 4 THEN TRY_CAST(round(near * 10000) AS DECIMAL(14, 0)) * 0.0001
END;
CREATE OR REPLACE TEMP MACRO half_unit(rounding) AS CASE rounding
    WHEN 2 THEN 0.00500 WHEN 0 THEN 0.50000 WHEN 3 THEN 0.00050 WHEN 4 THEN 0.00005
END;
CREATE OR REPLACE TEMP MACRO round_near(amount, near, rounding) AS CASE
    WHEN abs(amount - near_money(near, rounding)) < half_unit(rounding) THEN CAST(near_money(near, rounding) AS DECIMAL(18, 4))
    ELSE round_money(amount, rounding)
END;

-- Steps 4 and 5: rounded, and cut to the maximum spend of the period. `fee` comes on top of the tier's amount.
CREATE OR REPLACE TEMP MACRO in_tier_rounded(tier, count, fee, rounding) AS list_transform(list_transform(
    [struct_pack(t := tier, c := count, f := fee, r := rounding)],
    lambda s: struct_pack(a := s.t.start + (s.c - s.t.above) * s.t.rate + s.f, n := near_tier(s.t, s.c) + CAST(s.f AS DOUBLE), r := s.r)),
    lambda s: round_near(s.a, s.n, s.r))[1];
CREATE OR REPLACE TEMP MACRO capped(price, amount) AS least(amount, price.maximum_amount);

-- The charge for all of a period's usage so far; `events` made it, which only a fee per event asks for.
CREATE OR REPLACE TEMP MACRO fees(price, events) AS coalesce(price.event_fee * CAST(events AS DECIMAL(18, 0)), 0);
CREATE OR REPLACE TEMP MACRO charge_units(price, units, events) AS capped(price, in_tier_rounded(
    price.tiers[tier_holding(price, less_free_units(price, units))], counted(price, less_free_units(price, units)),
    fees(price, events), price.rounding));
CREATE OR REPLACE TEMP MACRO charge(price, quantity, events) AS charge_units(price, converted(price, quantity), events);

-- A line: what `quantity` adds to the charge of `prior`, the usage on the period's earlier lines (NULL: there are none).
CREATE OR REPLACE TEMP MACRO in_range(price, quantity, events) AS
    CAST(quantity AS DOUBLE) < price.most_quantity
    AND CAST(quantity AS DOUBLE) * price.most_per_quantity + price.most_at_zero
        + coalesce(CAST(price.event_fee AS DOUBLE) * events, 0) < 9e13;
CREATE OR REPLACE TEMP MACRO has_events(price, prior, events, prior_events) AS
    price.event_fee IS NULL OR (events IS NOT NULL AND (prior IS NULL OR prior_events IS NOT NULL));
CREATE OR REPLACE TEMP MACRO line_charge(price, quantity, prior, events, prior_events) AS TRY(CASE
    WHEN quantity >= 0 AND price.problem IS NULL AND coalesce(prior, 0) >= 0
        AND has_events(price, prior, events, prior_events)
        AND in_range(price, quantity + coalesce(prior, 0), events + coalesce(prior_events, 0))
    THEN charge(price, quantity + coalesce(prior, 0), events + CASE WHEN prior IS NULL THEN 0 ELSE prior_events END)
        - CASE WHEN prior IS NULL THEN CAST(0 AS DECIMAL(18, 4)) ELSE charge(price, prior, prior_events) END
END);
CREATE OR REPLACE TEMP MACRO rate
    (price, quantity, prior) AS line_charge(price, quantity, prior, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)),
    (price, quantity, prior, events, prior_events) AS line_charge(price, quantity, prior, events, prior_events);

-- The same in converted units, for a line after which the period holds `total` units, `prior` of them from earlier lines (NULL:
-- none are set off), made by so many events in all and before. NULL for a total that is NULL.
CREATE OR REPLACE TEMP MACRO units_in_range(price, units, events) AS
    CAST(units AS DOUBLE) * price.most_per_unit + price.most_at_zero + coalesce(CAST(price.event_fee AS DOUBLE) * events, 0) < 9e13;
CREATE OR REPLACE TEMP MACRO rate_units(price, total, prior, events, prior_events) AS TRY(CASE
    WHEN total >= 0 AND price.problem IS NULL AND has_events(price, prior, events, prior_events)
        AND units_in_range(price, total, events)
    THEN charge_units(price, total, events)
        - CASE WHEN prior IS NULL THEN CAST(0 AS DECIMAL(18, 4)) ELSE charge_units(price, prior, prior_events) END
END);

CREATE OR REPLACE TEMP MACRO rate_converted(price, units, prior) AS CASE WHEN units >= 0 AND coalesce(prior, 0) >= 0
    THEN rate_units(price, CAST(units + coalesce(prior, 0) AS DECIMAL(38, 9)), CAST(prior AS DECIMAL(38, 9)),
        CAST(NULL AS BIGINT), CAST(NULL AS BIGINT))
END;

-- `part / whole` of an amount, rounded once: the quotient is taken on whole numbers, so that no digit is lost before.
-- `doubled` is twice the amount's minor units, times the part: its floor, and whether something is left below it.
CREATE OR REPLACE TEMP MACRO whole_product(amount, factor) AS list_transform([factor], lambda f:
    CAST(trunc(amount) AS HUGEINT) * f + CAST(floor((amount - trunc(amount)) * CAST(f AS DECIMAL(18, 0))) AS HUGEINT))[1];
CREATE OR REPLACE TEMP MACRO has_rest(amount, factor) AS list_transform(
    [(amount - trunc(amount)) * CAST(factor AS DECIMAL(18, 0))], lambda product: product > floor(product))[1];
CREATE OR REPLACE TEMP MACRO half_units_of_part(doubled, below, whole, mode, negative) AS list_transform(
    [struct_pack(units := doubled // whole, inexact := below OR doubled % whole > 0)], lambda h: settled(
        mode, h.units // 2,
        CASE WHEN h.units % 2 = 1 THEN CASE WHEN h.inexact THEN 1 ELSE 0 END WHEN h.inexact THEN -1 END, negative))[1];
CREATE OR REPLACE TEMP MACRO minor_units_of_part(amount, part, whole, rounding, negative) AS CASE
    WHEN rounding < 10 THEN (whole_product(amount, 2 * power_of_ten(rounding) * part) + whole) // (2::HUGEINT * whole)
    ELSE half_units_of_part(
        whole_product(amount, 2 * power_of_ten(rounding % 10) * part), has_rest(amount, 2 * power_of_ten(rounding % 10) * part),
        whole, rounding // 10, negative)
END;
CREATE OR REPLACE TEMP MACRO money_part(amount, part, whole, rounding) AS CASE
    WHEN part = whole THEN round_money(amount, rounding)
    WHEN whole > 0 THEN list_transform([gcd(part, whole)], lambda g: sign(amount) * from_minor_units(
        minor_units_of_part(abs(amount), part // g, whole // g, rounding, amount < 0), rounding % 10))[1]
END;

-- A flat or seat charge for `part / whole` of a period.
CREATE OR REPLACE TEMP MACRO part_of_price(price, amount, part, whole) AS list_transform(
    [amount], lambda a: capped(price, money_part(a, part, whole, price.rounding)))[1];
CREATE OR REPLACE TEMP MACRO rate_part(price, quantity, part, whole) AS TRY(CASE
    WHEN quantity >= 0 AND price.problem IS NULL AND whole > 0 AND in_range(price, quantity, 0)
    THEN CAST(part_of_price(price, priced(price, less_free_units(price, converted(price, quantity))), part, whole)
        AS DECIMAL(18, 4))
END);
-- The same for several parts, each a STRUCT of part and whole, whose rounding is written out only once; NULL for a part that is NULL.
CREATE OR REPLACE TEMP MACRO rate_parts(price, quantity, parts) AS TRY(CASE
    WHEN quantity >= 0 AND price.problem IS NULL AND in_range(price, quantity, 0)
    THEN list_transform(
        [struct_pack(a := priced(price, less_free_units(price, converted(price, quantity))), r := price.rounding,
            most := price.maximum_amount)],
        lambda s: list_transform(parts, lambda p: TRY(CASE WHEN p.whole > 0
            THEN CAST(least(money_part(s.a, p.part, p.whole, s.r), s.most) AS DECIMAL(18, 4)) END)))[1]
END);

-- Step 6: the minimum spend that is missing after a period's cumulative amount, for `part / whole` of the period.
CREATE OR REPLACE TEMP MACRO commitment(price, cumulative, part, whole) AS TRY(CAST(
    greatest(money_part(price.minimum_amount, part, whole, price.rounding) - cumulative, 0) AS DECIMAL(18, 4)));

-- Why a price, or a quantity under it, cannot be rated; NULL when it can.
CREATE OR REPLACE TEMP MACRO quantity_problem(price, quantity) AS CASE
    WHEN price IS NULL THEN 'missing_price'
    WHEN price.problem IS NOT NULL THEN price.problem
    WHEN quantity IS NULL THEN 'missing_quantity'
    WHEN quantity < 0 THEN 'negative_quantity'
    WHEN NOT in_range(price, quantity, 0) THEN 'out_of_range'
END;
CREATE OR REPLACE TEMP MACRO rate_problem
    (price) AS CASE WHEN price IS NULL THEN 'missing_price' ELSE price.problem END,
    (price, quantity) AS quantity_problem(price, quantity),
    (price, quantity, prior, events, prior_events) AS coalesce(quantity_problem(price, quantity), CASE
        WHEN prior < 0 THEN 'negative_quantity'
        WHEN NOT has_events(price, prior, events, prior_events) THEN 'missing_events'
        WHEN NOT in_range(price, quantity + coalesce(prior, 0), events + coalesce(prior_events, 0)) THEN 'out_of_range'
    END);

-- What a line adds by two charges, of all units and of those before; `prior` NULL: there are none before.
CREATE OR REPLACE TEMP MACRO added(charges, prior) AS list_transform(
    [charges], lambda pair: pair[1] - CASE WHEN prior IS NULL THEN CAST(0 AS DECIMAL(18, 4)) ELSE pair[2] END)[1];

-- The same line under the other tier mode (graduated for volume, volume for graduated); NULL where tiers have no mode.
CREATE OR REPLACE TEMP MACRO charge_other_mode(price, quantity) AS capped(price, list_transform(
    [less_free_units(price, converted(price, quantity))],
    lambda u: rounded(in_tier(price.other_tiers[tier_holding(price, u)], u), price.rounding))[1]);
CREATE OR REPLACE TEMP MACRO rate_other_mode(price, quantity, prior) AS TRY(CASE
    WHEN quantity >= 0 AND price.other_tiers IS NOT NULL AND coalesce(prior, 0) >= 0
        AND in_range(price, quantity + coalesce(prior, 0), 0)
    THEN added(list_transform([quantity + coalesce(prior, 0), prior], lambda total: charge_other_mode(price, total)), prior)
END);

-- The same line with every tier bound `shift` units higher (-1: bounds read as exclusive); NULL without bounds.
CREATE OR REPLACE TEMP MACRO tier_holding_shifted(price, units, shift) AS
    1 + len(list_filter(price.bounds, lambda bound: bound + shift < units));
CREATE OR REPLACE TEMP MACRO in_shifted_tier(price, place, units, shift) AS CASE
    WHEN price.mode = 'volume' OR place = 1 THEN in_tier(price.tiers[place], units)
    ELSE in_tier(price.tiers[place], units - shift) + shift * price.tiers[1].rate
END;
CREATE OR REPLACE TEMP MACRO charge_shifted(price, quantity, shift) AS capped(price, list_transform(
    [less_free_units(price, converted(price, quantity))], lambda u: list_transform(
        [tier_holding_shifted(price, u, shift)],
        lambda place: rounded(in_shifted_tier(price, place, u, shift), price.rounding))[1])[1]);
CREATE OR REPLACE TEMP MACRO rate_shifted(price, quantity, prior, shift) AS TRY(CASE
    WHEN quantity >= 0 AND len(price.bounds) > 0 AND coalesce(prior, 0) >= 0
        AND in_range(price, quantity + coalesce(prior, 0), 0)
    THEN added(list_transform([quantity + coalesce(prior, 0), prior], lambda total: charge_shifted(price, total, shift)), prior)
END);

-- Step 7, percentages: what is left of an amount after each in turn has been taken off the remainder, rounded.
CREATE OR REPLACE TEMP MACRO less_percent(amount, percent, rounding) AS CAST(list_transform([amount], lambda a:
    a - greatest(least(round_money(a * percent * 0.01, rounding), a), 0))[1] AS DECIMAL(18, 4));
CREATE OR REPLACE TEMP MACRO less_percents(amount, percents, rounding) AS TRY(CAST(CASE
    WHEN percents IS NULL OR amount <= 0 THEN amount
    WHEN len(percents) = 1 THEN less_percent(amount, percents[1], rounding)
    ELSE list_reduce(percents, lambda rest, percent:
        CAST(less_percent(CAST(rest AS DECIMAL(18, 4)), percent, rounding) AS DECIMAL(27, 12)), CAST(amount AS DECIMAL(27, 12)))
END AS DECIMAL(18, 4)));
