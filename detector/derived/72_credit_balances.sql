-- credit_balances: where every credit ledger stands, and what the billing system states beside it.
-- in: credit_movements, customers, currencies
-- grain: one row per customer and currency with a ledger, and one per customer with a stated balance and no ledger
-- columns:
--   integration VARCHAR              the source of the ledger; without one, of the customer
--   customer_id VARCHAR              the customer
--   customer_name VARCHAR            its name
--   currency VARCHAR                 the currency
--   exponent INTEGER                 digits of its minor unit
--   balance DECIMAL(18,4)            balance_after of the last movement; NULL without a ledger
--   stated DECIMAL(18,4)             the balance that the billing system states; NULL when it states none, or for another time
--   unbroken BOOLEAN                 every movement begins where the one before it ended and counts on by one
--   last_movement_id VARCHAR         the last movement
--   last_at TIMESTAMP                when it was booked
-- customers.credit_balance is the balance of now, not of as_of: it is left out where the ledger went on after as_of.
CREATE OR REPLACE TEMP TABLE credit_balances AS
WITH chained AS (
    SELECT *,
        coalesce(balance_before = lag(balance_after) OVER chain AND sequence = lag(sequence) OVER chain + 1, TRUE)
            AND balance_after = balance_before + amount AS follows
    FROM credit_movements
    WINDOW chain AS (PARTITION BY integration, customer_id, currency ORDER BY sequence, booked_at, movement_id)
), whole AS (
    SELECT integration, customer_id, currency, bool_and(follows) AS unbroken FROM chained GROUP BY integration, customer_id, currency
), ended AS (
    SELECT c.*, w.unbroken FROM chained AS c JOIN whole AS w USING (integration, customer_id, currency)
    QUALIFY row_number() OVER (
        PARTITION BY integration, customer_id, currency ORDER BY sequence DESC, booked_at DESC, movement_id DESC) = 1
), moved_on AS (
    SELECT DISTINCT customer_id, currency FROM books.credit_movements WHERE booked_at > as_of()
), stating AS (
    SELECT u.integration, u.customer_id, u.name, coalesce(u.currency, e.currency) AS currency, u.credit_balance
    FROM customers AS u
    LEFT JOIN (
        SELECT customer_id, any_value(currency) AS currency FROM ended GROUP BY customer_id HAVING count(DISTINCT currency) = 1
    ) AS e ON e.customer_id = u.customer_id
    WHERE u.credit_balance IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY u.integration, u.customer_id) = 1
), names AS (
    SELECT customer_id, min(name) AS customer_name FROM customers GROUP BY customer_id
), sides AS (
    SELECT e.integration, e.customer_id, e.currency, e.balance_after AS balance, e.movement_id AS last_movement_id, e.unbroken,
        e.booked_at AS last_at, s.credit_balance AS stated
    FROM ended AS e
    LEFT JOIN stating AS s USING (customer_id, currency)
    QUALIFY row_number() OVER (
        PARTITION BY e.integration, e.customer_id, e.currency ORDER BY s.integration <> e.integration, s.integration) = 1
    UNION ALL BY NAME
    SELECT s.integration, s.customer_id, s.currency, s.credit_balance AS stated
    FROM stating AS s
    ANTI JOIN ended AS e USING (customer_id, currency)
    WHERE s.currency IS NOT NULL
)
SELECT s.integration, s.customer_id, n.customer_name, s.currency, k.exponent, s.balance,
    CASE WHEN m.customer_id IS NULL THEN s.stated END AS stated, s.unbroken, s.last_movement_id, s.last_at
FROM sides AS s
LEFT JOIN moved_on AS m ON m.customer_id = s.customer_id AND m.currency = s.currency
LEFT JOIN names AS n ON n.customer_id = s.customer_id
LEFT JOIN currencies AS k ON k.currency = s.currency;
