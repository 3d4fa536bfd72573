-- subject_owners: which customer an event's subject belongs to, and when.
-- in: subjects, customers, subscriptions
-- grain: one row per subject, customer and stretch of time; stretches of one pair do not overlap
-- columns:
--   subject VARCHAR          the subject
--   customer_id VARCHAR      the customer that it belongs to
--   valid_from TIMESTAMP     from when
--   valid_to TIMESTAMP       until when (infinity: no end)
-- A subject that no row of `subjects` names and that is itself a customer_id is that customer, always.
CREATE OR REPLACE TEMP TABLE subject_owners AS
WITH named AS (
    SELECT subject, customer_id, valid_from, or_ever(valid_to) AS valid_to FROM subjects WHERE valid_from < or_ever(valid_to)
    UNION ALL
    SELECT customer_id, customer_id, TIMESTAMP '-infinity', TIMESTAMP 'infinity'
    FROM (SELECT customer_id FROM customers UNION SELECT customer_id FROM subscriptions)
    WHERE customer_id NOT IN (SELECT subject FROM subjects)
), ordered AS (
    SELECT *, max(valid_to) OVER (
        PARTITION BY subject, customer_id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_to
    FROM named
), islands AS (
    SELECT *, count(*) FILTER (covered_to IS NULL OR covered_to < valid_from) OVER (
        PARTITION BY subject, customer_id ORDER BY valid_from ROWS UNBOUNDED PRECEDING) AS island
    FROM ordered
)
SELECT subject, customer_id, min(valid_from) AS valid_from, max(valid_to) AS valid_to
FROM islands
GROUP BY subject, customer_id, island;
