-- Usage events as macros: what their properties say.
-- in: nothing

-- Whether an event is marked as one that takes back an earlier one.
CREATE OR REPLACE TEMP MACRO is_correction(properties) AS
    coalesce(TRY(json_extract_string(properties, '$.correction')) = 'true', FALSE);
