-- Tolerances as macros: from when on a difference counts (rating.md, "Difference").
-- in: nothing

-- The smallest amount of a currency, by its exponent.
CREATE OR REPLACE TEMP MACRO minor_unit(exponent) AS CASE exponent
    WHEN 0 THEN 1.0000 WHEN 2 THEN 0.0100 WHEN 3 THEN 0.0010 ELSE 0.0001
END;

-- Money: one minor unit, or `percent` per cent of what is expected, the larger. Usage: likewise, one unit.
CREATE OR REPLACE TEMP MACRO money_tolerance(expected, exponent, percent) AS
    greatest(minor_unit(exponent), round(abs(CAST(expected AS DECIMAL(24, 4))) * CAST(percent AS DECIMAL(9, 4)) * 0.01, 4));
CREATE OR REPLACE TEMP MACRO usage_tolerance(quantity, percent) AS
    greatest(1, round(abs(CAST(quantity AS DECIMAL(30, 3))) * CAST(percent AS DECIMAL(7, 3)) * 0.01, 3));

-- Whether a quantity differs from what is expected by more than the tolerance; the cheap test comes first.
CREATE OR REPLACE TEMP MACRO usage_differs(quantity, expected, percent) AS
    abs(quantity - expected) > 1 AND abs(quantity - expected) > usage_tolerance(expected, percent);

-- What is left of a difference (expected - billed) after what has been given back or charged since, never past zero.
-- `given_back` is after discounts; a line that was given back whole is settled, whichever way it was wrong. Two decimals
-- of up to 18 digits are multiplied in 18 digits, which yen overflow: one of them is made wider.
CREATE OR REPLACE TEMP MACRO difference_left(difference, amount, discount, given_back, charged_since) AS CASE
    WHEN given_back > 0 AND given_back >= amount - discount THEN 0
    WHEN difference < 0 AND CAST(given_back AS DECIMAL(19, 4)) * amount >= CAST(-difference AS DECIMAL(19, 4)) * (amount - discount) THEN 0
    WHEN difference < 0 THEN least(difference + given_back - least(charged_since, 0), 0)
    ELSE greatest(difference - greatest(charged_since, 0), 0)
END;
