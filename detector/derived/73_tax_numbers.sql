-- tax_numbers: whether a business customer in a country with value added tax has a tax number that can be relied on.
-- in: customers
-- grain: one row per customer that is a business in one of the countries below
-- columns:
--   integration VARCHAR     the source of the customer
--   customer_id VARCHAR     the customer
--   country VARCHAR         its country
--   rate DECIMAL(5,3)       the country's standard rate, as of 2026
--   defect VARCHAR          missing, unverified or malformed; NULL: one of its numbers is good
--   number VARCHAR          the number that comes closest
-- A number may be of another of these countries than the customer's. It is malformed when it does not look as its
-- country writes them (spaces, dots and hyphens do not count); numbers of other countries are taken as they are.
CREATE OR REPLACE TEMP VIEW tax_numbers AS
WITH countries(country, rate, form) AS (VALUES
    ('AT', 0.20, '(AT)?U\d{8}'), ('BE', 0.21, '(BE)?[01]?\d{9}'), ('BG', 0.20, '(BG)?\d{9,10}'), ('CY', 0.19, '(CY)?\d{8}[A-Z]'),
    ('CZ', 0.21, '(CZ)?\d{8,10}'), ('DE', 0.19, '(DE)?\d{9}'), ('DK', 0.25, '(DK)?\d{8}'), ('EE', 0.24, '(EE)?\d{9}'),
    ('ES', 0.21, '(ES)?[A-Z0-9]\d{7}[A-Z0-9]'), ('FI', 0.255, '(FI)?\d{8}'), ('FR', 0.20, '(FR)?[A-Z0-9]{2}\d{9}'),
    ('GR', 0.24, '(EL|GR)?\d{9}'), ('HR', 0.25, '(HR)?\d{11}'), ('HU', 0.27, '(HU)?\d{8}'), ('IE', 0.23, '(IE)?\d[A-Z0-9+*]\d{5}[A-Z]{1,2}'),
    ('IT', 0.22, '(IT)?\d{11}'), ('LT', 0.21, '(LT)?(\d{9}|\d{12})'), ('LU', 0.17, '(LU)?\d{8}'), ('LV', 0.21, '(LV)?\d{11}'),
    ('MT', 0.18, '(MT)?\d{8}'), ('NL', 0.21, '(NL)?\d{9}B\d{2}'), ('PL', 0.23, '(PL)?\d{10}'), ('PT', 0.23, '(PT)?\d{9}'),
    ('RO', 0.21, '(RO)?\d{2,10}'), ('SE', 0.25, '(SE)?\d{12}'), ('SI', 0.22, '(SI)?\d{8}'), ('SK', 0.23, '(SK)?\d{10}'),
    ('GB', 0.20, '(GB|XI)?(\d{9}|\d{12}|(GD|HA)\d{3})'), ('NO', 0.25, '(NO)?\d{9}(MVA)?'),
    ('CH', 0.081, '(CHE)?\d{9}(MWST|TVA|IVA)?|(CHE)?\d{6}'), ('AU', 0.10, '\d{11}')
), businesses AS (
    SELECT c.integration, c.customer_id, k.country, CAST(k.rate AS DECIMAL(5, 3)) AS rate, k.form,
        TRY(from_json(CAST(c.tax_ids AS VARCHAR), '[{"type":"VARCHAR","value":"VARCHAR","status":"VARCHAR"}]')) AS ids
    FROM customers AS c
    JOIN countries AS k ON k.country = upper(c.country)
    WHERE c.is_business AND c.status = 'active'
), numbers AS (
    SELECT b.integration, b.customer_id, b.country, b.form, n.id.status AS status, n.id.value AS number,
        regexp_replace(upper(coalesce(n.id.value, '')), '[^A-Z0-9+*]', '', 'g') AS plain
    FROM businesses AS b, unnest(b.ids) AS n(id)
), judged AS (
    SELECT n.integration, n.customer_id, n.number, CASE
            WHEN n.plain = '' THEN 'missing'
            WHEN NOT regexp_full_match(n.plain, coalesce(k.form, n.form)) THEN 'malformed'
            WHEN n.status IS DISTINCT FROM 'verified' THEN 'unverified'
            ELSE 'good' END AS verdict
    FROM numbers AS n
    LEFT JOIN countries AS k ON k.country = replace(left(n.plain, 2), 'EL', 'GR')
), best AS (
    SELECT integration, customer_id,
        arg_max(verdict, list_position(['missing', 'malformed', 'unverified', 'good'], verdict)) AS verdict,
        arg_max(number, list_position(['missing', 'malformed', 'unverified', 'good'], verdict)) AS number
    FROM judged
    GROUP BY integration, customer_id
)
SELECT b.integration, b.customer_id, b.country, b.rate, nullif(coalesce(t.verdict, 'missing'), 'good') AS defect, t.number
FROM businesses AS b
LEFT JOIN best AS t ON t.integration = b.integration AND t.customer_id = b.customer_id;
