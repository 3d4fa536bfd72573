-- invoice_credits: how much credit there was to pay an invoice with, and how much of it was used.
-- in: invoices, invoice_lines, prices, credit_grants, credit_movements, credit_balances, payments
-- grain: one row per invoice that is not void and asks for money, of a customer with an unbroken ledger in its currency
-- columns:
--   integration VARCHAR             the source of the invoice
--   invoice_id VARCHAR              the invoice
--   customer_id VARCHAR             its customer
--   currency VARCHAR                its currency
--   exponent INTEGER                digits of its minor unit
--   available DECIMAL(18,4)         the credit that could pay for it, at most its total
--   spent DECIMAL(18,4)             what the ledger says was spent on its lines
--   grant_ids VARCHAR[]             the grants that it could have come from
--   is_purchase BOOLEAN             the invoice sells credit itself
--   usual_on_drafts BOOLEAN         the billing system applies credit to its drafts already
--   usual BOOLEAN                   it applies credit to invoices at all
-- Credit counts that was there both when the invoice was made and when it was issued (a draft: now), what was spent on the
-- invoice itself included; a grant that began or ended between, or that may not pay for its lines, does not.
CREATE OR REPLACE TEMP TABLE invoice_credits AS
WITH asked AS (
    SELECT i.integration, i.invoice_id, i.customer_id, i.currency, b.exponent, b.integration AS ledger, i.total, i.created_at,
        coalesce(i.issued_at, as_of()) AS settled_at, i.total <> i.subtotal - i.discount_total AS is_taxed_on_top
    FROM invoices AS i
    JOIN credit_balances AS b ON b.customer_id = i.customer_id AND b.currency = i.currency AND b.unbroken
    WHERE i.status <> 'void' AND i.total > 0
    QUALIFY row_number() OVER (PARTITION BY i.integration, i.invoice_id ORDER BY b.integration) = 1
), lines AS (
    SELECT a.integration, a.invoice_id, l.line_id, l.price_id, p.meter_id,
        l.amount - l.discount_amount + CASE WHEN a.is_taxed_on_top THEN l.tax_amount ELSE 0 END AS net
    FROM asked AS a
    JOIN invoice_lines AS l USING (integration, invoice_id)
    LEFT JOIN prices AS p ON p.integration = l.integration AND p.price_id = l.price_id
), spent AS (
    SELECT a.integration, a.invoice_id, coalesce(m.grant_id, '') AS grant_id, m.booked_at, -m.amount AS amount
    FROM asked AS a
    JOIN lines AS l ON l.integration = a.integration AND l.invoice_id = a.invoice_id
    JOIN credit_movements AS m ON m.line_id = l.line_id AND m.customer_id = a.customer_id AND m.integration = a.ledger
    WHERE m.kind = 'consumed'
), totals AS (
    SELECT integration, invoice_id, sum(amount) AS spent, min(booked_at) AS first_at FROM spent GROUP BY integration, invoice_id
), steps AS (
    SELECT m.customer_id, m.currency, m.grant_id, m.booked_at,
        sum(m.amount) OVER (PARTITION BY m.customer_id, m.grant_id ORDER BY m.sequence) AS left_after, m.sequence
    FROM credit_movements AS m
    WHERE m.grant_id IS NOT NULL
), eligible AS (
    SELECT a.integration, a.invoice_id, a.created_at, a.settled_at, a.total, g.grant_id, g.customer_id, g.features IS NOT NULL AS is_limited,
        CASE WHEN g.features IS NULL THEN a.total ELSE (
            SELECT coalesce(sum(l.net), 0) FROM lines AS l
            WHERE l.integration = a.integration AND l.invoice_id = a.invoice_id
                AND (list_contains(CAST(json_extract_string(g.features, '$[*]') AS VARCHAR[]), l.price_id)
                    OR list_contains(CAST(json_extract_string(g.features, '$[*]') AS VARCHAR[]), l.meter_id))) END AS payable
    FROM asked AS a
    JOIN credit_grants AS g
        ON g.customer_id = a.customer_id AND g.currency = a.currency AND g.effective_at <= a.created_at
        AND a.settled_at < or_ever(least(g.expires_at, g.voided_at)) AND g.status <> 'pending'
), standing AS (
    SELECT e.*,
        coalesce((SELECT arg_max(s.left_after, s.sequence) FROM steps AS s
            WHERE s.customer_id = e.customer_id AND s.grant_id = e.grant_id AND s.booked_at <= e.created_at), 0)
        + coalesce((SELECT sum(p.amount) FROM spent AS p WHERE p.integration = e.integration AND p.invoice_id = e.invoice_id
            AND p.grant_id = e.grant_id AND p.booked_at <= e.created_at), 0) AS when_made,
        coalesce((SELECT arg_max(s.left_after, s.sequence) FROM steps AS s
            WHERE s.customer_id = e.customer_id AND s.grant_id = e.grant_id AND s.booked_at <= e.settled_at), 0)
        + coalesce((SELECT sum(p.amount) FROM spent AS p WHERE p.integration = e.integration AND p.invoice_id = e.invoice_id
            AND p.grant_id = e.grant_id AND p.booked_at <= e.settled_at), 0) AS when_settled
    FROM eligible AS e
), granted AS (
    SELECT integration, invoice_id,
        coalesce(sum(greatest(least(when_made, when_settled), 0)) FILTER (NOT is_limited), 0)
        + coalesce(least(sum(greatest(least(when_made, when_settled, payable), 0)) FILTER (is_limited), max(payable) FILTER (is_limited)), 0)
            AS available,
        list(grant_id ORDER BY grant_id) FILTER (least(when_made, when_settled, payable) > 0) AS grant_ids
    FROM standing
    GROUP BY integration, invoice_id
), balances AS (
    SELECT a.integration, a.invoice_id,
        arg_max(m.balance_after, m.sequence) FILTER (m.booked_at <= a.created_at) AS when_made,
        arg_max(m.balance_after, m.sequence) AS when_settled
    FROM asked AS a
    JOIN credit_movements AS m ON m.customer_id = a.customer_id AND m.currency = a.currency AND m.integration = a.ledger
    WHERE m.booked_at <= a.settled_at
    GROUP BY a.integration, a.invoice_id
), purchases AS (
    SELECT DISTINCT p.customer_id, p.invoice_id FROM payments AS p
    WHERE p.invoice_id IS NOT NULL AND (p.purpose = 'credits' OR p.payment_id IN (SELECT payment_id FROM credit_grants WHERE payment_id IS NOT NULL))
), usage_of_credit AS (
    SELECT i.integration, bool_or(i.credits_applied > 0 OR t.spent > 0) AS usual,
        bool_or(i.status = 'draft' AND i.credits_applied > 0 OR t.first_at < i.issued_at - INTERVAL 1 MINUTE) AS on_drafts
    FROM invoices AS i
    LEFT JOIN totals AS t ON t.integration = i.integration AND t.invoice_id = i.invoice_id
    GROUP BY i.integration
), has_grants AS (
    SELECT DISTINCT customer_id, currency FROM credit_grants
)
SELECT a.integration, a.invoice_id, a.customer_id, a.currency, a.exponent,
    CAST(greatest(least(a.total,
        CASE WHEN h.customer_id IS NULL THEN a.total ELSE coalesce(g.available, 0) END,
        coalesce(least(b.when_made + CASE WHEN t.first_at <= a.created_at THEN t.spent ELSE 0 END, b.when_settled + coalesce(t.spent, 0)), 0)),
        0) AS DECIMAL(18, 4)) AS available,
    CAST(coalesce(t.spent, 0) AS DECIMAL(18, 4)) AS spent, coalesce(g.grant_ids, []) AS grant_ids,
    p.invoice_id IS NOT NULL AS is_purchase, coalesce(u.on_drafts, FALSE) AS usual_on_drafts, coalesce(u.usual, FALSE) AS usual
FROM asked AS a
LEFT JOIN granted AS g ON g.integration = a.integration AND g.invoice_id = a.invoice_id
LEFT JOIN balances AS b ON b.integration = a.integration AND b.invoice_id = a.invoice_id
LEFT JOIN totals AS t ON t.integration = a.integration AND t.invoice_id = a.invoice_id
LEFT JOIN purchases AS p ON p.customer_id = a.customer_id AND p.invoice_id = a.invoice_id
LEFT JOIN usage_of_credit AS u ON u.integration = a.integration
LEFT JOIN has_grants AS h ON h.customer_id = a.customer_id AND h.currency = a.currency;
