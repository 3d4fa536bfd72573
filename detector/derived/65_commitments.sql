-- commitments: the minimum spend of every item and billing period: what was missing, and what was charged for it.
-- in: matches, period_rows, rate_cards, live_lines, line_places, credit_shares, terms, zone_offsets, integration_dialects
-- grain: one row per item and billing period whose price has a minimum
-- columns:
--   item_no INTEGER                the item's number in terms
--   period_start TIMESTAMP         the full billing period
--   period_end TIMESTAMP           its end, which is not part of it
--   is_closed BOOLEAN              the period's last line is there, or overdue: before, no commitment is due
--   minimum DECIMAL(18,4)          the minimum spend for the part of the period that the item was in service
--   charged DECIMAL(38,4)          what the period's charges should add up to, after the maximum; NULL when they cannot be rated
--   billed_charges DECIMAL(38,4)   what its usage and recurring lines add up to as billed
--   expected DECIMAL(38,4)         the commitment that is due on the period's last line, 0 where nothing is missing
--   right_amounts DECIMAL(38,4)[]  every commitment that is right: by the metered usage, by the lines as billed, by other rightful prorations
--   billed DECIMAL(38,4)           the commitment lines of the period; 0 without one
--   credited DECIMAL(38,4)         credit notes for them
--   adjusted DECIMAL(38,4)         adjustments and credits of the period that name no quantity
--   line_ids VARCHAR[]             the commitment lines
--   invoice_ids VARCHAR[]          their invoices
--   charge_line_ids VARCHAR[]      the usage and recurring lines
--   charge_invoice_ids VARCHAR[]   their invoices
-- In major units of the price's currency. A minimum is prorated with the item's basis, unless its dialect does not (rating.md, step 6).
-- A commitment line that names no item is that of the only item of its subscription with a minimum.
CREATE OR REPLACE TEMP TABLE commitments AS
WITH held AS (
    SELECT m.item_no, m.period_start, m.period_end, m.active_start, m.active_end, m.expected_amount, k.price, t.integration,
        t.subscription_id, t.proration, t.timezone, t.meter_id IS NOT NULL AS is_metered, p.active_ticks, p.period_ticks,
        coalesce(g.days, 'day') AS days, g.prorates_minimum IS FALSE AND t.meter_id IS NOT NULL AS is_whole
    FROM matches AS m
    JOIN period_rows AS p ON p.item_no = m.item_no AND p.period_start = m.period_start
    JOIN terms AS t ON t.item_no = m.item_no
    JOIN rate_cards AS k ON k.card = m.card
    LEFT JOIN integration_dialects AS g ON g.integration = t.integration
    WHERE k.price.minimum_amount > 0
), by_days AS (
    SELECT h.item_no, h.period_start,
        CAST(h.active_end + z2.utc_offset AS DATE) - CAST(h.active_start + z1.utc_offset AS DATE) AS part,
        CAST(h.period_end + z4.utc_offset AS DATE) - CAST(h.period_start + z3.utc_offset AS DATE) AS whole
    FROM held AS h
    ASOF JOIN zone_offsets AS z1 ON z1.timezone = h.timezone AND z1.from_utc <= h.active_start
    ASOF JOIN zone_offsets AS z2 ON z2.timezone = h.timezone AND z2.from_utc <= h.active_end
    ASOF JOIN zone_offsets AS z3 ON z3.timezone = h.timezone AND z3.from_utc <= h.period_start
    ASOF JOIN zone_offsets AS z4 ON z4.timezone = h.timezone AND z4.from_utc <= h.period_end
    WHERE h.proration = 'day' AND h.days <> 'day' AND (h.active_start <> h.period_start OR h.active_end <> h.period_end)
), due AS (
    SELECT h.*,
        CAST(TRY(CASE WHEN h.is_whole THEN money_part(h.price.minimum_amount, 1, 1, h.price.rounding)
            ELSE money_part(h.price.minimum_amount, h.active_ticks, h.period_ticks, h.price.rounding) END) AS DECIMAL(18, 4)) AS minimum,
        CAST(TRY(CASE WHEN d.item_no IS NOT NULL THEN money_part(h.price.minimum_amount, d.part, d.whole, h.price.rounding)
            ELSE money_part(h.price.minimum_amount, h.active_ticks, h.period_ticks, h.price.rounding) END) AS DECIMAL(18, 4)) AS other_minimum
    FROM held AS h
    LEFT JOIN by_days AS d ON d.item_no = h.item_no AND d.period_start = h.period_start
), without_item AS (
    SELECT h.item_no, h.period_start, l.line_no
    FROM live_lines AS l
    JOIN held AS h ON h.integration = l.integration AND h.subscription_id = l.subscription_id
        AND h.period_start <= l.period_start AND l.period_start < h.period_end
    WHERE l.item_no IS NULL AND l.kind = 'commitment'
    QUALIFY count(*) OVER (PARTITION BY l.line_no) = 1
), placed AS (
    SELECT item_no, period_start, line_no FROM line_places WHERE item_no IN (SELECT item_no FROM held)
    UNION ALL
    SELECT item_no, period_start, line_no FROM without_item
), billed AS (
    SELECT p.item_no, p.period_start,
        max(l.period_end) FILTER (l.kind <> 'adjustment') AS covered_to,
        sum(l.amount) FILTER (l.kind = 'commitment') AS billed,
        sum(coalesce(c.credited, 0)) FILTER (l.kind = 'commitment') AS credited,
        sum(l.amount) FILTER (l.kind IN ('adjustment', 'credit') AND coalesce(l.billed_quantity, 0) = 0) AS adjusted,
        sum(l.amount) FILTER (l.kind IN ('usage', 'recurring') OR l.kind = 'adjustment' AND l.billed_quantity <> 0) AS charges,
        sum(coalesce(c.credited, 0)) FILTER (l.kind IN ('usage', 'recurring', 'adjustment')) AS credited_charges,
        list(l.line_id ORDER BY l.line_id) FILTER (l.kind = 'commitment') AS line_ids,
        list(DISTINCT l.invoice_id ORDER BY l.invoice_id) FILTER (l.kind = 'commitment') AS invoice_ids,
        list(l.line_id ORDER BY l.line_id) FILTER (l.kind IN ('usage', 'recurring')) AS charge_line_ids,
        list(DISTINCT l.invoice_id ORDER BY l.invoice_id) FILTER (l.kind IN ('usage', 'recurring')) AS charge_invoice_ids
    FROM placed AS p
    JOIN live_lines AS l ON l.line_no = p.line_no
    LEFT JOIN credit_shares AS c ON c.line_no = l.line_no
    GROUP BY p.item_no, p.period_start
), compared AS (
    SELECT h.*, b.* EXCLUDE (item_no, period_start), coalesce(b.charges, 0) AS billed_charges,
        (h.active_end <= as_of() OR NOT h.is_metered)
            AND coalesce(b.covered_to >= h.active_end, h.active_end + INTERVAL 2 DAY <= as_of()) AS is_closed
    FROM due AS h
    LEFT JOIN billed AS b ON b.item_no = h.item_no AND b.period_start = h.period_start
    WHERE h.active_end <= as_of() OR b.covered_to IS NOT NULL
)
SELECT item_no, period_start, period_end, is_closed, minimum,
    CAST(expected_amount AS DECIMAL(38, 4)) AS charged,
    CAST(billed_charges AS DECIMAL(38, 4)) AS billed_charges,
    CAST(CASE WHEN is_closed THEN greatest(minimum - expected_amount, 0) ELSE 0 END AS DECIMAL(38, 4)) AS expected,
    [CAST(CASE WHEN is_closed THEN greatest(minimum - expected_amount, 0) ELSE 0 END AS DECIMAL(38, 4)),
        CAST(CASE WHEN is_closed THEN greatest(minimum - billed_charges, 0) ELSE 0 END AS DECIMAL(38, 4)),
        CAST(CASE WHEN is_closed THEN greatest(minimum - billed_charges + coalesce(credited_charges, 0), 0) ELSE 0 END AS DECIMAL(38, 4)),
        CAST(CASE WHEN is_closed THEN greatest(other_minimum - expected_amount, 0) ELSE 0 END AS DECIMAL(38, 4)),
        CAST(CASE WHEN is_closed THEN greatest(other_minimum - billed_charges, 0) ELSE 0 END AS DECIMAL(38, 4))] AS right_amounts,
    CAST(coalesce(billed, 0) AS DECIMAL(38, 4)) AS billed,
    CAST(coalesce(credited, 0) AS DECIMAL(38, 4)) AS credited,
    CAST(coalesce(adjusted, 0) AS DECIMAL(38, 4)) AS adjusted,
    coalesce(line_ids, []) AS line_ids, coalesce(invoice_ids, []) AS invoice_ids,
    coalesce(charge_line_ids, []) AS charge_line_ids, coalesce(charge_invoice_ids, []) AS charge_invoice_ids
FROM compared;
