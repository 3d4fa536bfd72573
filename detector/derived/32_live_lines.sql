-- live_lines: every line of a non-void invoice with its invoice, its item and its period.
-- in: invoice_lines, invoices, credit_notes, currencies, terms
-- grain: one row per invoice line; lines of void invoices are left out
-- columns:
--   integration VARCHAR              the source of the line
--   line_no INTEGER                  a number for the line, for fast joins among derived relations
--   line_id VARCHAR                  the line
--   invoice_id VARCHAR               its invoice
--   customer_id VARCHAR              the invoice's customer
--   subscription_id VARCHAR          the line's subscription, else its item's, else its invoice's
--   item_id VARCHAR                  the line's item, else the item of its subscription with its price
--   item_no INTEGER                  the item's number in terms; NULL when the item is unknown
--   price_id VARCHAR                 the line's price, else its item's
--   kind VARCHAR                     usage, recurring, one_time, commitment, adjustment or credit
--   description VARCHAR              what the line says
--   period_start TIMESTAMP           the line's period, else its invoice's
--   period_end TIMESTAMP             the end of it, which is not part of it
--   raw_quantity DECIMAL(27,9)       metered quantity before conversion
--   quantity DECIMAL(27,9)           quantity after conversion
--   billed_quantity DECIMAL(27,9)    what the line charges in metered units: raw_quantity, else quantity
--   unit_amount DECIMAL(27,12)       the unit price that the line states
--   amount DECIMAL(18,4)             before discount and tax
--   discount_amount DECIMAL(18,4)    the discount
--   tax_amount DECIMAL(18,4)         the tax
--   proration BOOLEAN                the line charges or credits a part of a period
--   line_url VARCHAR                 where the line is shown in its own system
--   currency VARCHAR                 the invoice's currency
--   exponent INTEGER                 digits of its minor unit
--   invoice_number VARCHAR           the invoice's number
--   invoice_status VARCHAR           draft, open, paid or uncollectible
--   invoice_created_at TIMESTAMP     when the invoice was made
--   finalizes_at TIMESTAMP           when a draft becomes final by itself
--   issued_at TIMESTAMP              when it was issued
--   due_at TIMESTAMP                 when it is due
--   bill_run_id VARCHAR              the bill run that made it
--   credited_directly DECIMAL(18,4)  credit notes issued for this very line
-- The lines are read from the books themselves: the join with the invoices that are known leaves out the others anyway.
CREATE OR REPLACE TEMP TABLE live_lines AS
WITH notes AS (
    SELECT integration, line_id, CAST(sum(amount) AS DECIMAL(18, 4)) AS credited
    FROM credit_notes
    WHERE status = 'issued' AND line_id IS NOT NULL
    GROUP BY integration, line_id
), unplaced AS MATERIALIZED (
    SELECT l.integration, l.line_id, coalesce(l.subscription_id, i.subscription_id) AS subscription_id, l.price_id,
        coalesce(l.period_start, i.period_start) AS period_start
    FROM invoice_lines AS l
    JOIN invoices AS i USING (integration, invoice_id)
    WHERE l.item_id IS NULL AND l.kind IN ('usage', 'recurring', 'adjustment', 'commitment')
), resolved AS MATERIALIZED (
    SELECT l.integration, l.line_id, t.item_id
    FROM unplaced AS l
    JOIN terms AS t USING (integration, subscription_id, price_id)
    QUALIFY row_number() OVER (
        PARTITION BY l.integration, l.line_id
        ORDER BY l.period_start >= t.active_from DESC, t.active_from DESC, t.item_id) = 1
)
SELECT l.integration, CAST(row_number() OVER () AS INTEGER) AS line_no, l.line_id, l.invoice_id, i.customer_id,
    coalesce(t.subscription_id, l.subscription_id, i.subscription_id) AS subscription_id,
    coalesce(l.item_id, r.item_id) AS item_id, t.item_no, coalesce(l.price_id, t.price_id) AS price_id,
    l.kind, l.description,
    CASE WHEN l.kind = 'one_time' THEN l.period_start ELSE coalesce(l.period_start, i.period_start) END AS period_start,
    CASE WHEN l.kind = 'one_time' THEN l.period_end ELSE coalesce(l.period_end, i.period_end) END AS period_end,
    l.raw_quantity, l.quantity, coalesce(l.raw_quantity, l.quantity) AS billed_quantity, l.unit_amount, l.amount,
    l.discount_amount, l.tax_amount, l.proration, l.external_url AS line_url, i.currency, k.exponent,
    i.number AS invoice_number, i.status AS invoice_status, i.created_at AS invoice_created_at, i.finalizes_at,
    i.issued_at, i.due_at, i.bill_run_id,
    coalesce(n.credited, 0) AS credited_directly
FROM books.invoice_lines AS l
JOIN invoices AS i USING (integration, invoice_id)
LEFT JOIN notes AS n ON n.integration = l.integration AND n.line_id = l.line_id
LEFT JOIN currencies AS k ON k.currency = i.currency
LEFT JOIN resolved AS r ON r.integration = l.integration AND r.line_id = l.line_id
LEFT JOIN terms AS t ON t.integration = l.integration AND t.item_id = coalesce(l.item_id, r.item_id)
WHERE i.status <> 'void';
