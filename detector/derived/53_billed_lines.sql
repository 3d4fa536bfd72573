-- billed_lines: every line of a non-void invoice, net of credit notes.
-- in: live_lines, credit_shares, customers
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
--   customer_name VARCHAR            the customer's name
--   credited DECIMAL(18,4)           credit notes for the line, its share of its invoice's notes included
--   net DECIMAL(18,4)                amount less discount_amount and credited
CREATE OR REPLACE TEMP VIEW billed_lines AS
SELECT l.* EXCLUDE (credited_directly), u.name AS customer_name, coalesce(c.credited, 0) AS credited,
    CAST(l.amount - l.discount_amount - coalesce(c.credited, 0) AS DECIMAL(18, 4)) AS net
FROM live_lines AS l
LEFT JOIN credit_shares AS c ON c.line_no = l.line_no
LEFT JOIN customers AS u ON u.integration = l.integration AND u.customer_id = l.customer_id;
