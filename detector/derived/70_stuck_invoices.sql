-- stuck_invoices: drafts that should have been issued, or that say themselves why they cannot be.
-- in: invoices, bill_runs
-- grain: one row per draft invoice with a total
-- columns:
--   integration VARCHAR     the source of the invoice
--   invoice_id VARCHAR      the draft
--   bill_run_id VARCHAR     the bill run that made it, where that run failed in part or was never posted
--   due_at TIMESTAMP        when it should have been final
--   reason VARCHAR          the billing system's own reason, else what is known
-- A draft without a time of its own is due after its period's end and as long as drafts of that billing system usually
-- take, three days at least; one that somebody has to release (auto_advance false) seven days at least.
CREATE OR REPLACE TEMP VIEW stuck_invoices AS
WITH incomplete_runs AS (
    SELECT integration, bill_run_id FROM bill_runs
    WHERE status IN ('error', 'completed', 'pending') OR status = 'posted' AND invoices_failed > 0
), usual AS (
    SELECT integration, to_seconds(CAST(quantile_disc(epoch(issued_at - gathered_at), 0.99) AS BIGINT)) AS lag
    FROM (SELECT *, greatest(created_at, coalesce(period_end, created_at)) AS gathered_at FROM invoices)
    WHERE issued_at >= created_at
    GROUP BY integration
)
SELECT i.integration, i.invoice_id, r.bill_run_id,
    CASE WHEN i.finalizes_at IS NOT NULL AND i.auto_advance IS DISTINCT FROM FALSE THEN i.finalizes_at
        ELSE greatest(i.created_at, coalesce(i.period_end, i.created_at)) + greatest(
            coalesce(u.lag, INTERVAL 0 DAY), CASE WHEN i.auto_advance IS FALSE THEN INTERVAL 7 DAY ELSE INTERVAL 3 DAY END)
    END AS due_at,
    coalesce(nullif(trim(i.error), ''), CASE i.tax_status WHEN 'failed' THEN 'its tax could not be worked out'
        WHEN 'requires_location' THEN 'the customer''s location for tax is missing' END,
        CASE WHEN i.auto_advance IS FALSE THEN 'nobody released it' ELSE 'it was not made final in time' END) AS reason
FROM invoices AS i
LEFT JOIN incomplete_runs AS r ON r.integration = i.integration AND r.bill_run_id = i.bill_run_id
LEFT JOIN usual AS u ON u.integration = i.integration
WHERE i.status = 'draft' AND i.total > 0;
