-- credit_charges: from which grants a charge was paid, and from which it should have been.
-- in: credit_movements, credit_grants, credit_balances, invoice_lines, prices
-- grain: one row per charge that credit paid for and grant that it was paid from or could have been paid from
-- columns:
--   integration VARCHAR           the source of the grant
--   customer_id VARCHAR           the customer
--   currency VARCHAR              the ledger's currency
--   grant_id VARCHAR              the grant
--   charge VARCHAR                the charge: its line and the minute
--   line_id VARCHAR               the line
--   invoice_id VARCHAR            its invoice
--   booked_at TIMESTAMP           when it was paid
--   may_pay BOOLEAN               the grant's features hold the line's price or meter; without features always, NULL: not known
--   taken DECIMAL(18,4)           what was taken from the grant
--   available DECIMAL(18,4)       what could have been taken: not what other lines of the invoice used in that hour
--   due DECIMAL(18,4)             what should have been taken: by priority, then the earlier expiry, then the earlier grant
--   movement_ids VARCHAR[]        what was booked for the charge
-- The order that billing.credits.burn_order defines, applied to the balances as the ledger has them at each charge. Grants that
-- had ended, or had not begun, are left out, and so are ledgers with a break and charges that name no grant. Between grants of
-- equal rank every split is right.
CREATE OR REPLACE TEMP TABLE credit_charges AS
WITH moves AS (
    SELECT m.integration AS ledger, m.customer_id, m.currency, m.grant_id, m.movement_id, m.kind, m.amount, m.sequence, m.booked_at, m.line_id,
        coalesce(m.line_id, '') || ' ' || date_trunc('minute', m.booked_at) AS charge,
        sum(m.amount) OVER (PARTITION BY m.integration, m.customer_id, m.grant_id ORDER BY m.sequence) AS left_after
    FROM credit_movements AS m
    JOIN credit_balances AS b
        ON b.integration = m.integration AND b.customer_id = m.customer_id AND b.currency = m.currency AND b.unbroken
), charges AS (
    SELECT m.ledger, m.customer_id, m.currency, m.charge, any_value(m.line_id) AS line_id, min(m.sequence) AS first_no,
        max(m.sequence) AS last_no, min(m.booked_at) AS booked_at, list(m.movement_id ORDER BY m.sequence) AS movement_ids,
        any_value(l.invoice_id) AS invoice_id, any_value(l.price_id) AS price_id, any_value(p.meter_id) AS meter_id
    FROM moves AS m
    LEFT JOIN invoice_lines AS l ON l.line_id = m.line_id
    LEFT JOIN prices AS p ON p.integration = l.integration AND p.price_id = l.price_id
    WHERE m.kind = 'consumed' AND m.amount < 0
    GROUP BY m.ledger, m.customer_id, m.currency, m.charge
    HAVING count(*) = count(m.grant_id)
), bounded AS (
    SELECT *, max(last_no) OVER (PARTITION BY ledger, customer_id, currency, coalesce(invoice_id, charge), date_trunc('hour', booked_at)) AS invoice_last_no
    FROM charges
), taken AS (
    SELECT ledger, customer_id, currency, charge, grant_id, -sum(amount) AS taken
    FROM moves
    WHERE kind = 'consumed' AND amount < 0
    GROUP BY ledger, customer_id, currency, charge, grant_id
), open AS (
    SELECT c.*, g.integration, g.grant_id, g.priority, or_ever(g.expires_at) AS ends_at, g.created_at,
        CASE WHEN g.features IS NULL THEN TRUE WHEN c.price_id IS NULL THEN NULL ELSE
            coalesce(list_contains(CAST(json_extract_string(g.features, '$[*]') AS VARCHAR[]), c.price_id), FALSE)
            OR coalesce(list_contains(CAST(json_extract_string(g.features, '$[*]') AS VARCHAR[]), c.meter_id), FALSE) END AS may_pay,
        coalesce(t.taken, 0) AS taken
    FROM bounded AS c
    JOIN credit_grants AS g
        ON g.customer_id = c.customer_id AND g.currency = c.currency AND g.effective_at <= c.booked_at
        AND c.booked_at < or_ever(least(g.expires_at, g.voided_at))
    LEFT JOIN taken AS t
        ON t.ledger = c.ledger AND t.customer_id = c.customer_id AND t.currency = c.currency AND t.charge = c.charge AND t.grant_id = g.grant_id
), before AS (
    SELECT o.*, m.left_after AS left_before
    FROM open AS o
    ASOF LEFT JOIN moves AS m
        ON m.ledger = o.ledger AND m.customer_id = o.customer_id AND m.grant_id = o.grant_id AND m.sequence < o.first_no
), around AS (
    SELECT b.*, m.left_after AS left_at_last
    FROM before AS b
    ASOF LEFT JOIN moves AS m
        ON m.ledger = b.ledger AND m.customer_id = b.customer_id AND m.grant_id = b.grant_id AND m.sequence <= b.invoice_last_no
), spendable AS (
    SELECT *, CASE WHEN may_pay THEN taken + greatest(least(coalesce(left_before, 0) - taken, coalesce(left_at_last, 0)), 0) ELSE 0 END AS available,
        CASE WHEN may_pay THEN taken ELSE 0 END AS counted
    FROM around
), ranked AS (
    SELECT *, sum(counted) OVER of_charge AS whole,
        sum(available) OVER (of_charge ORDER BY priority, ends_at, created_at RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
            - sum(available) OVER of_rank AS available_before,
        sum(available) OVER of_rank AS rank_available, sum(counted) OVER of_rank AS rank_taken
    FROM spendable
    WINDOW of_charge AS (PARTITION BY ledger, customer_id, currency, charge),
        of_rank AS (PARTITION BY ledger, customer_id, currency, charge, priority, ends_at, created_at)
), owed AS (
    SELECT *, greatest(least(rank_available, whole - available_before), 0) AS rank_due FROM ranked
)
SELECT integration, customer_id, currency, grant_id, charge, line_id, invoice_id, booked_at, may_pay,
    CAST(taken AS DECIMAL(18, 4)) AS taken, CAST(available AS DECIMAL(18, 4)) AS available,
    CAST(CASE WHEN rank_due = rank_taken THEN counted
        WHEN rank_due > rank_taken THEN counted + least(available - counted, rank_due - rank_taken)
        ELSE greatest(counted - (rank_taken - rank_due), 0) END AS DECIMAL(18, 4)) AS due,
    movement_ids
FROM owed
WHERE taken > 0 OR available > 0;
