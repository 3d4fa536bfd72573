-- usage_windows: what an item's meter adds up to in every billing period, billed window and reported window.
-- in: usage_measured, terms
-- grain: one row per metered item, window and cut-off (cutoff_at NULL: the window as a whole, always present)
-- columns:
--   integration VARCHAR                the source of the item
--   item_id VARCHAR                    the item
--   item_no INTEGER                    the item's number in terms
--   window_start TIMESTAMP             the window: its start
--   window_end TIMESTAMP               its end, which is not part of it
--   cutoff_at TIMESTAMP                the cut-off; NULL for the row of the window as a whole
--   quantity DECIMAL(38,9)             the meter's aggregate over all accepted events in the window, whenever received
--   events BIGINT                      the number of those events
--   quantity_at_cutoff DECIMAL(38,9)   the aggregate over the events received up to cutoff_at; quantity where there is none
--   late_events BIGINT                 the number of events received after it
CREATE OR REPLACE TEMP VIEW usage_windows AS
SELECT t.integration, t.item_id, w.*
FROM usage_measured AS w
JOIN terms AS t ON t.item_no = w.item_no;
