-- tax_habits: what tax an invoice bears, and what invoices of the same customer and of customers like it usually bear.
-- in: invoices, invoice_lines, prices, customers, currencies
-- grain: one row per non-void invoice whose discounted lines add up to more than nothing
-- columns:
--   integration VARCHAR       the source of the invoice
--   invoice_id VARCHAR        the invoice
--   exponent INTEGER          digits of its currency's minor unit
--   lines BIGINT              the number of its lines
--   base DECIMAL(18,4)        subtotal less discounts; with inclusive prices the tax is inside
--   inclusive BOOLEAN         all its prices hold the tax inside; NULL: some do
--   tax DECIMAL(18,4)         the invoice's tax
--   own_taxed BIGINT          how many of the customer's invoices are taxed ...
--   own_invoices BIGINT       ... of how many
--   taxed_share DOUBLE        the share of taxed invoices among customers of the same country, kind, and with or without a verified tax id
--   usual_rate DECIMAL(5,3)   the rate that the customer usually bears, else customers like it; NULL: none is taxed
CREATE OR REPLACE TEMP VIEW tax_habits AS
WITH behaviours AS (
    SELECT l.integration, l.invoice_id, count(*) AS lines,
        CASE WHEN bool_and(coalesce(p.tax_behavior, 'exclusive') = 'inclusive') THEN TRUE
            WHEN bool_or(p.tax_behavior = 'inclusive') THEN NULL ELSE FALSE END AS inclusive
    FROM invoice_lines AS l
    LEFT JOIN prices AS p USING (integration, price_id)
    GROUP BY l.integration, l.invoice_id
), bases AS (
    SELECT i.integration, i.invoice_id, i.customer_id, k.exponent, b.lines, b.inclusive, i.tax_total AS tax,
        i.subtotal - i.discount_total AS base, u.country, u.is_business,
        contains(coalesce(CAST(u.tax_ids AS VARCHAR), ''), '"verified"') AS has_id,
        CASE WHEN i.tax_total > 0 THEN CAST(round(i.tax_total
            / (CASE WHEN b.inclusive THEN i.subtotal - i.discount_total - i.tax_total ELSE i.subtotal - i.discount_total END), 3)
            AS DECIMAL(9, 3)) END AS rate
    FROM invoices AS i
    JOIN behaviours AS b USING (integration, invoice_id)
    JOIN currencies AS k ON k.currency = i.currency
    LEFT JOIN customers AS u USING (integration, customer_id)
    WHERE i.status <> 'void' AND i.subtotal > i.discount_total AND i.subtotal - i.discount_total > i.tax_total
), own AS (
    SELECT integration, customer_id, count(rate) AS own_taxed, count(*) AS own_invoices, mode(rate) AS own_rate
    FROM bases
    GROUP BY integration, customer_id
), alike AS (
    SELECT integration, country, is_business, has_id, count(rate) / count(*) AS taxed_share, mode(rate) AS rate
    FROM bases
    GROUP BY integration, country, is_business, has_id
)
SELECT b.integration, b.invoice_id, b.exponent, b.lines, b.base, b.inclusive, b.tax, o.own_taxed, o.own_invoices, a.taxed_share,
    CAST(CASE WHEN o.own_taxed > 1 THEN o.own_rate ELSE coalesce(a.rate, o.own_rate) END AS DECIMAL(5, 3)) AS usual_rate
FROM bases AS b
LEFT JOIN own AS o ON o.integration = b.integration AND o.customer_id = b.customer_id
LEFT JOIN alike AS a
    ON a.integration = b.integration AND a.country IS NOT DISTINCT FROM b.country
    AND a.is_business IS NOT DISTINCT FROM b.is_business AND a.has_id = b.has_id;
