"""The usage behind invoice lines: the events of their customer's subjects in a stretch of time, added up by a meter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.money import as_decimal
from billing.periods import Period
from detector import attribution
from detector.line_records import Row
from detector.line_terms import Around, Terms


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


@dataclass(frozen=True)
class Stretch:
    """A stretch of time in which usage is wanted, by whose meter; it was known when a report of it was recorded, and
    where there is none at `cutoff`.
    """

    terms: Terms
    period: Period
    cutoff: datetime
    reports: Sequence[Report] = ()

    @property
    def served(self) -> Period:
        """The part of it in which the item is in service."""
        return self.period.clip(self.terms.service_start, self.terms.service_end)

    @property
    def is_metered(self) -> bool:
        """Whether its meter is known."""
        return self.terms.aggregation in _AGGREGATES and self.terms.event_type is not None

    @property
    def is_served(self) -> bool:
        """Whether the item is in service at all in it."""
        return self.terms.service_start is not None and not self.served.is_empty


_REPORTS = """
SELECT item_id, period_start, period_end, quantity, recorded_at FROM books.reported_usage
WHERE item_id IN $items AND period_start >= $start AND period_end <= $end AND recorded_at <= $as_of
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
WITH stretches AS (
    SELECT unnest(CAST($places AS INTEGER[])) AS place, unnest(CAST($types AS VARCHAR[])) AS event_type,
        unnest(CAST($properties AS VARCHAR[])) AS property, unnest(CAST($starts AS TIMESTAMP[])) AS starts,
        unnest(CAST($ends AS TIMESTAMP[])) AS ends, unnest(CAST($cutoffs AS TIMESTAMP[])) AS cutoff
), reports AS (
    SELECT unnest(CAST($of AS INTEGER[])) AS place, unnest(CAST($report_starts AS TIMESTAMP[])) AS report_start,
        unnest(CAST($report_ends AS TIMESTAMP[])) AS report_end, unnest(CAST($recorded AS TIMESTAMP[])) AS recorded_at
), counted AS (
    SELECT DISTINCT ON (s.place, e.source, e.event_id) s.place, s.cutoff, e.time, e.value, e.received_at, e.event_id,
        coalesce(TRY(json_extract_string(e.properties, s.property)), CAST(e.value AS VARCHAR)) AS distinct_value
    FROM books.usage_events AS e
    JOIN stretches AS s ON s.event_type = e.event_type AND s.starts <= e.time AND e.time < s.ends
    WHERE {owned} AND e.event_type IN $counted AND e.status = 'accepted'
        AND e.time >= $first AND e.time < $last AND e.received_at <= $as_of
    ORDER BY e.received_at, e.integration
), told AS (
    SELECT c.*, c.received_at <= coalesce(r.recorded_at, c.cutoff) AS in_time
    FROM counted AS c
    LEFT JOIN reports AS r ON r.place = c.place AND r.report_start <= c.time AND c.time < r.report_end
)
SELECT place, count(*) AS events, count(*) FILTER (NOT in_time) AS late_events, {sums}
FROM told
GROUP BY place"""


def usages_of(around: Around, wanted: Sequence[Stretch]) -> list[Usage | None]:
    """The usage of the customer in each stretch, all of it read at once; None where the meter is unknown.

    Events count by their own time, inside the item's service, for the customer their subject belonged to then. Known
    at the cut-off is what was received when the billing system recorded it, else when the invoice was made.
    """
    asked = {place: each for place, each in enumerate(wanted) if each.is_metered and each.is_served}
    found = {row["place"]: row for row in _added_up(around, asked)} if asked else {}
    nothing = Usage(Decimal(0), 0, Decimal(0), 0)
    usages: list[Usage | None] = []
    for place, each in enumerate(wanted):
        counted = _usage(around, each.terms, found.get(place)) if place in asked else nothing
        usages.append(counted if each.is_metered else None)
    return usages


def _added_up(around: Around, asked: Mapping[int, Stretch]) -> list[Row]:
    """One row of each stretch in which there are events."""
    kinds = sorted({each.terms.aggregation or "" for each in asked.values()})
    sums = ", ".join(
        f"{_AGGREGATES[kind].format(known=known)} AS {name}_{kind}"
        for kind in kinds
        for name, known in (("whole", "TRUE"), ("known", "in_time"))
    )
    first = min(each.served.start for each in asked.values())
    last = max(each.served.end for each in asked.values())
    owned, subjects = attribution.owned(around.subjects, first, last, keyed=around.books.keyed)
    reported = [(place, report) for place, each in asked.items() for report in each.reports]
    return around.books.rows(
        _EVENTS.format(owned=owned, sums=sums),
        **subjects,
        counted=tuple({each.terms.event_type for each in asked.values()}),
        first=first,
        last=last,
        places=list(asked),
        types=[each.terms.event_type for each in asked.values()],
        properties=[each.terms.value_property for each in asked.values()],
        starts=[each.served.start for each in asked.values()],
        ends=[each.served.end for each in asked.values()],
        cutoffs=[each.cutoff for each in asked.values()],
        of=[place for place, _ in reported],
        report_starts=[report.period.start for _, report in reported],
        report_ends=[report.period.end for _, report in reported],
        recorded=[report.recorded_at for _, report in reported],
    )


def _usage(around: Around, terms: Terms, row: Row | None) -> Usage:
    """What a row says, or that there are no events where there is none."""
    kind = terms.aggregation
    lowest = around.books.dialect(around.integration).lowest_latest if kind == "latest" else None
    whole, known = (_raised(_quantity(row[f"{part}_{kind}"] if row else 0), lowest) for part in ("whole", "known"))
    return Usage(whole, row["events"] if row else 0, known, row["late_events"] if row else 0)


def _raised(quantity: Decimal, lowest: Decimal | None) -> Decimal:
    return quantity if lowest is None else max(quantity, lowest)


def reports_for(around: Around, of: Sequence[tuple[Terms, Period]]) -> list[tuple[Report, ...]]:
    """What the billing system recorded for each item inside its period, rejected records left out."""
    if not of:
        return []
    items = tuple({terms.item_id for terms, _ in of})
    start, end = min(period.start for _, period in of), max(period.end for _, period in of)
    found: dict[str, list[Row]] = {}
    for row in around.books.rows(_REPORTS, items=items, start=start, end=end):
        found.setdefault(row["item_id"], []).append(row)
    return [
        tuple(
            Report(Period(row["period_start"], row["period_end"]), row["quantity"], row["recorded_at"])
            for row in found.get(terms.item_id, ())
            if row["period_start"] >= period.start and row["period_end"] <= period.end
        )
        for terms, period in of
    ]


def _quantity(aggregate: Decimal | int | tuple[Decimal, int]) -> Decimal:
    """The aggregate, or for an average its sum over its count."""
    if not isinstance(aggregate, tuple):
        return Decimal(aggregate)
    total, count = aggregate
    return as_decimal(Fraction(total) / Fraction(count)) if count else Decimal(0)
