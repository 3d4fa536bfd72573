-- usage_streams: whose usage an event is: the items that count the events of a type and subject, and when.
-- in: terms, subject_owners
-- grain: one row per event type, subject, item and stretch of time; stretches of one stream do not overlap
-- columns:
--   event_type VARCHAR       the meter's event type
--   subject VARCHAR          the event's subject
--   integration VARCHAR      the source of the item
--   item_no INTEGER          the item's number in terms
--   item_id VARCHAR          the item
--   customer_id VARCHAR      the customer that the subject belongs to
--   meter_id VARCHAR         the meter
--   additive BOOLEAN         the meter sums or counts
--   counts_from TIMESTAMP    from when events count for the item: the subject is the customer's and the item in service
--   counts_to TIMESTAMP      until when (infinity: no end)
CREATE OR REPLACE TEMP TABLE usage_streams AS
SELECT t.event_type, a.subject, t.integration, t.item_no, t.item_id, t.customer_id, t.meter_id, t.additive,
    greatest(a.valid_from, t.service_start) AS counts_from,
    least(a.valid_to, t.service_end) AS counts_to
FROM terms AS t
JOIN subject_owners AS a USING (customer_id)
WHERE t.event_type IS NOT NULL
    AND touches(a.valid_from, a.valid_to, t.service_start, or_ever(t.service_end));
