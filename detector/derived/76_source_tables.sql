-- source_tables: What the latest complete reconciliation of every integration counted, table by table.
-- in: told_tables
-- grain: one row per integration and table of the books
-- columns:
--   integration VARCHAR      the integration
--   record_table VARCHAR     the table of the books
--   read_at TIMESTAMP        when the source was read
--   there BIGINT             rows that the source has
--   here BIGINT              rows that the books have of it
--   missing BIGINT           rows of the source that the books lacked
--   different BIGINT         rows with other content
--   only_here BIGINT         rows that the source did not give (any more)
-- A reconciliation that failed, or has not ended, changes nothing here.
CREATE OR REPLACE TEMP VIEW source_tables AS
SELECT * FROM told_tables;
