-- number_gaps: Invoice numbers that the books lack between two that they have.
-- in: invoices
-- grain: one row per integration, series of numbers and gap
-- columns:
--   integration VARCHAR      the source of the invoices
--   series VARCHAR           what the numbers begin with
--   number VARCHAR           the last number before the gap
--   next_number VARCHAR      the first one after it
--   place BIGINT             the count in the number before the gap
--   left_out BIGINT          how many numbers are missing
-- Invoices are numbered without holes; a series of which more than a tenth is missing is numbered otherwise.
CREATE OR REPLACE TEMP TABLE number_gaps AS
WITH numbered AS (
    SELECT integration, regexp_extract(number, '^(.*?)[0-9]+$', 1) AS series,
        CAST(regexp_extract(number, '([0-9]{1,15})$', 1) AS BIGINT) AS place, number
    FROM invoices WHERE regexp_matches(number, '[0-9]$')
), steps AS (
    SELECT *, lead(place) OVER own AS following, lead(number) OVER own AS next_number
    FROM (SELECT DISTINCT integration, series, place, number FROM numbered)
    WINDOW own AS (PARTITION BY integration, series ORDER BY place)
), dense AS (
    SELECT integration, series FROM numbered GROUP BY integration, series
    HAVING count(DISTINCT place) >= 5
        AND max(place) - min(place) + 1 - count(DISTINCT place) <= count(DISTINCT place) / 10
)
SELECT s.integration, s.series, s.number, s.next_number, s.place, s.following - s.place - 1 AS left_out
FROM steps AS s JOIN dense USING (integration, series)
WHERE s.following > s.place + 1
ORDER BY s.integration, s.series, s.place;
