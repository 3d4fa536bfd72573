"""The usage behind one invoice line: the events of its customer's subjects in its period, added up by its meter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.money import as_decimal
from billing.periods import Period
from detector.line_records import Books, Line, Terms
from store.near import KEY


@dataclass(frozen=True)
class Usage:
    """What the meter adds up to in a stretch of time: in all, and as far as it was known when it was billed."""

    quantity: Decimal
    events: int
    quantity_at_cutoff: Decimal
    late_events: int


@dataclass(frozen=True)
class Report:
    """What the billing system recorded as used in a window."""

    period: Period
    quantity: Decimal
    recorded_at: datetime


_REPORTS = """
SELECT period_start, period_end, quantity, recorded_at FROM books.reported_usage
WHERE item_id = $item AND period_start >= $start AND period_end <= $end AND recorded_at <= $as_of
    AND coalesce(status, 'processed') <> 'rejected'
ORDER BY period_start, record_id"""

_AGGREGATES = {
    "sum": "coalesce(sum(value) FILTER ({known}), 0)",
    "count": "count(*) FILTER ({known})",
    "unique_count": "count(DISTINCT distinct_value) FILTER ({known})",
    "max": "coalesce(max(value) FILTER ({known}), 0)",
    "min": "coalesce(min(value) FILTER ({known}), 0)",
    "latest": "coalesce(arg_max(value, (time, event_id)) FILTER ({known}), 0)",
    "avg": "row(coalesce(sum(value) FILTER ({known}), 0), count(value) FILTER ({known}))",
}
"""What a meter adds up to, by its aggregation; an average as its sum and count, so that no digit is lost."""

_EVENTS = """
WITH reports AS (
    SELECT unnest(CAST($starts AS TIMESTAMP[])) AS report_start, unnest(CAST($ends AS TIMESTAMP[])) AS report_end,
        unnest(CAST($recorded AS TIMESTAMP[])) AS recorded_at
), counted AS (
    SELECT DISTINCT ON (e.source, e.event_id) e.time, e.value, e.received_at, e.event_id,
        coalesce(TRY(json_extract_string(e.properties, CAST($property AS VARCHAR))), CAST(e.value AS VARCHAR))
            AS distinct_value
    FROM books.usage_events AS e
    SEMI JOIN ({subjects}) AS m ON {own}
    WHERE e.event_type = $event_type AND e.status = 'accepted'
        AND e.time >= $start AND e.time < $end AND e.received_at <= $as_of
    ORDER BY e.received_at, e.integration
), told AS (
    SELECT c.*, c.received_at <= coalesce(r.recorded_at, $cutoff) AS in_time
    FROM counted AS c
    LEFT JOIN reports AS r ON r.report_start <= c.time AND c.time < r.report_end
)
SELECT count(*) AS events, count(*) FILTER (NOT in_time) AS late_events, {whole} AS whole, {known} AS known
FROM told"""


def usage_of(books: Books, line: Line, terms: Terms, period: Period, reports: Sequence[Report] = ()) -> Usage | None:
    """The usage of the line's item in `period`; None when its meter is unknown.

    Events count by their own time, inside the item's service, for the customer their subject belonged to then. Known
    at the cut-off is what was received when the billing system recorded it, else when the invoice was made.
    """
    aggregate = _AGGREGATES.get(terms.aggregation or "")
    if aggregate is None or terms.event_type is None:
        return None
    served = period.clip(terms.service_start, terms.service_end)
    if terms.service_start is None or served.is_empty:
        return Usage(Decimal(0), 0, Decimal(0), 0)
    mine = _subjects_of(books, line.customer_id)
    found = books.rows(
        _EVENTS.format(
            whole=aggregate.format(known="TRUE"),
            known=aggregate.format(known="in_time"),
            keyed=_KEYED if books.keyed else "",
        ),
        subjects=[subject for subject, _, _ in mine],
        counts_from=[start for _, start, _ in mine],
        counts_to=[end for _, _, end in mine],
        event_type=terms.event_type,
        property=terms.value_property,
        start=served.start,
        end=served.end,
        cutoff=line.invoice_created_at,
        starts=[report.period.start for report in reports],
        ends=[report.period.end for report in reports],
        recorded=[report.recorded_at for report in reports],
    )
    row = found[0]
    lowest = books.dialect(line.integration).lowest_latest if terms.aggregation == "latest" else None
    whole, known = (_raised(_quantity(row[part]), lowest) for part in ("whole", "known"))
    return Usage(whole, row["events"], known, row["late_events"])


def _raised(quantity: Decimal, lowest: Decimal | None) -> Decimal:
    return quantity if lowest is None else max(quantity, lowest)


def _subjects_of(books: Books, customer: str) -> list[tuple[str, datetime | None, datetime | None]]:
    """The subjects whose events are the customer's, from when and until when (None: always).

    A subject that no row of `subjects` names and that is itself a customer_id is that customer, always.
    """
    found = books.rows(_SUBJECTS, customer=customer)
    mine = [(row["subject"], row["valid_from"], row["valid_to"]) for row in found if row["customer_id"] == customer]
    named = any(row["subject"] == customer for row in found)
    return mine if named else [*mine, (customer, None, None)]


def reports_for(books: Books, terms: Terms, period: Period) -> tuple[Report, ...]:
    """What the billing system recorded for the item inside the period, rejected records left out."""
    found = books.rows(_REPORTS, item=terms.item_id, start=period.start, end=period.end)
    return tuple(
        Report(Period(row["period_start"], row["period_end"]), row["quantity"], row["recorded_at"]) for row in found
    )


def _quantity(aggregate: Decimal | int | tuple[Decimal, int]) -> Decimal:
    """The aggregate, or for an average its sum over its count."""
    if not isinstance(aggregate, tuple):
        return Decimal(aggregate)
    total, count = aggregate
    return as_decimal(Fraction(total) / Fraction(count)) if count else Decimal(0)
