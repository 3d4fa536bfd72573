-- period_breaks: where the billed periods of an item do not join: a gap between two, or an overlap.
-- in: billed_lines
-- grain: one row per billed period of an item that begins after, or inside, what was billed before
-- columns:
--   item_no INTEGER           the item's number in terms
--   defect VARCHAR            gap or overlap
--   break_start TIMESTAMP     the stretch that is billed by neither, or by both: its start
--   break_end TIMESTAMP       its end, which is not part of it
--   period_start TIMESTAMP    the later period
--   period_end TIMESTAMP      its end, which is not part of it
--   kind VARCHAR              usage or recurring
--   quantity DECIMAL(38,9)    what the later period's lines charge, in metered units
--   net DECIMAL(38,4)         their amount, less discounts and credit notes
--   line_ids VARCHAR[]        the later period's lines
--   invoice_ids VARCHAR[]     their invoices
--   before_line_ids VARCHAR[] the lines of the period before
--   before_invoice_ids VARCHAR[] their invoices
-- Prorated lines, corrections inside a period that was billed, periods billed twice and stretches of half a period or
-- more are no breaks; nor is what another line of the item charges, or takes back.
CREATE OR REPLACE TEMP VIEW period_breaks AS
WITH windows AS (
    SELECT item_no, kind, period_start, period_end, sum(billed_quantity) AS quantity, sum(net) AS net,
        list(line_id ORDER BY line_id) AS line_ids, list(DISTINCT invoice_id ORDER BY invoice_id) AS invoice_ids
    FROM billed_lines
    WHERE item_no IS NOT NULL AND kind IN ('usage', 'recurring') AND NOT proration AND period_start < period_end
        AND amount >= 0 AND (net > 0 OR amount = 0)
    GROUP BY item_no, kind, period_start, period_end
), chained AS (
    SELECT *, max(period_end) OVER earlier AS covered_to, arg_max(period_start, period_end) OVER earlier AS before_start,
        arg_max(line_ids, period_end) OVER earlier AS before_line_ids,
        arg_max(invoice_ids, period_end) OVER earlier AS before_invoice_ids
    FROM windows
    WINDOW earlier AS (
        PARTITION BY item_no, kind ORDER BY period_start, period_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), broken AS (
    SELECT *, CASE WHEN covered_to < period_start THEN 'gap' ELSE 'overlap' END AS defect,
        least(covered_to, period_start) AS break_start, greatest(covered_to, period_start) AS break_end
    FROM chained
    WHERE covered_to < period_start OR before_start < period_start AND period_start < covered_to AND covered_to < period_end
)
SELECT b.item_no, b.defect, b.break_start, b.break_end, b.period_start, b.period_end, b.kind, b.quantity, b.net, b.line_ids,
    b.invoice_ids, b.before_line_ids, b.before_invoice_ids
FROM broken AS b
WHERE 2 * (epoch_us(b.break_end) - epoch_us(b.break_start)) < epoch_us(b.period_end) - epoch_us(b.period_start)
    AND NOT EXISTS (
        SELECT 1 FROM billed_lines AS l
        WHERE l.item_no = b.item_no AND l.period_start < b.break_end AND b.break_start < l.period_end
            AND CASE b.defect WHEN 'gap' THEN l.amount > 0 ELSE l.amount < 0 END);
