-- stray_events: metered events whose subject belonged to no customer at their time, with whose they are likely to be.
-- in: usage_events, meters, subject_owners, customers, terms, period_rows
-- grain: one row per event, accepted or rejected, of a type that a meter counts
-- columns:
--   integration VARCHAR      the integration that delivered the event
--   source VARCHAR           the event's source
--   event_id VARCHAR         the event
--   event_type VARCHAR       its type
--   subject VARCHAR          its subject
--   status VARCHAR           accepted or rejected
--   error VARCHAR            why it was rejected
--   time TIMESTAMP           when it happened
--   received_at TIMESTAMP    when it was received
--   value DECIMAL(27,9)      its value
--   customer_id VARCHAR      the likely customer; NULL when none or several come into question
--   item_no INTEGER          the likely customer's item that would count it; NULL when none was in service
--   period_start TIMESTAMP   that item's billing period, else the calendar month
--   period_end TIMESTAMP     its end, which is not part of it
-- The likely customer is the one that the event names, else the one that had the subject at another time, else the one
-- whose subject is the same but for its spelling, its last part, or up to two other letters.
CREATE OR REPLACE TEMP TABLE stray_events AS
WITH owners AS (
    SELECT o.* FROM subject_owners AS o SEMI JOIN customers AS c ON c.customer_id = o.customer_id
), stray AS MATERIALIZED (
    SELECT e.*, TRY(json_extract_string(e.properties, '$.customer_id')) AS said
    FROM usage_events AS e
    LEFT JOIN owners AS o ON o.subject = e.subject AND o.valid_from <= e.time AND e.time < o.valid_to
    WHERE e.status IN ('accepted', 'rejected') AND e.event_type IN (SELECT event_type FROM meters)
        AND o.subject IS NULL -- NOT EXISTS is six times as slow with a range in it
), known AS (
    SELECT DISTINCT subject, customer_id, regexp_replace(lower(subject), '[^a-z0-9]', '', 'g') AS letters,
        regexp_replace(subject, '[^0-9]', '', 'g') AS digits, len(subject) AS size
    FROM owners
), asked AS (
    SELECT *, regexp_replace(lower(subject), '[^a-z0-9]', '', 'g') AS letters,
        regexp_replace(lower(regexp_replace(subject, '[-_/.:][^-_/.:]*$', '')), '[^a-z0-9]', '', 'g') AS stem,
        regexp_replace(subject, '[^0-9]', '', 'g') AS digits, len(subject) AS size
    FROM (SELECT DISTINCT subject, said FROM stray)
), kin AS (
    SELECT a.subject, a.said, c.customer_id, 1 AS distance FROM asked AS a JOIN customers AS c ON c.customer_id = a.said
    UNION
    SELECT a.subject, a.said, k.customer_id, 2 FROM asked AS a JOIN known AS k ON k.subject = a.subject
    UNION
    SELECT a.subject, a.said, k.customer_id, 3 FROM asked AS a JOIN known AS k ON k.letters = a.letters WHERE a.letters <> ''
    UNION
    SELECT a.subject, a.said, k.customer_id, 4 FROM asked AS a JOIN known AS k ON k.letters = a.stem WHERE a.stem <> ''
    UNION
    SELECT a.subject, a.said, k.customer_id, 5
    FROM asked AS a
    JOIN known AS k ON k.digits = a.digits AND k.size = a.size
    WHERE a.size >= 6 AND len(list_filter(
        list_zip(string_split(lower(a.subject), ''), string_split(lower(k.subject), '')), lambda pair: pair[1] <> pair[2])) <= 2
), likely AS (
    SELECT subject, said, any_value(customer_id) AS customer_id, count(*) AS customers
    FROM kin
    GROUP BY subject, said, distance
    QUALIFY distance = min(distance) OVER (PARTITION BY subject, said)
)
SELECT e.integration, e.source, e.event_id, e.event_type, e.subject, e.status, e.error, e.time, e.received_at, e.value,
    n.customer_id, p.item_no, coalesce(p.period_start, date_trunc('month', e.time)) AS period_start,
    coalesce(p.period_end, date_trunc('month', e.time) + INTERVAL 1 MONTH) AS period_end
FROM stray AS e
LEFT JOIN likely AS n ON n.subject = e.subject AND n.said IS NOT DISTINCT FROM e.said AND n.customers = 1
LEFT JOIN terms AS t ON t.customer_id = n.customer_id AND t.event_type = e.event_type
    AND t.service_start <= e.time AND e.time < or_ever(t.service_end)
LEFT JOIN period_rows AS p ON p.item_no = t.item_no AND p.period_start <= e.time AND e.time < p.period_end
QUALIFY row_number() OVER (PARTITION BY e.integration, e.source, e.event_id ORDER BY p.item_no) = 1;
