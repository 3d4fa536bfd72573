"""What Stripe recorded as used, as `reported_usage` of the books: one row for an invoice, item and period.

A draft is asked for: the summaries of its meters say what Stripe has counted by now. The lines of an invoice that is
issued say what Stripe counted when it was made; that never changes, so nothing is asked. Stripe gives no raw usage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from integrations.stripe.amounts import moment, quantity
from integrations.stripe.objects import Object, Row, ident

MINUTE = 60

Counted = Callable[[str, str, int, int], Decimal | None]
"""What a meter (its id) counted of a customer (its id) from a second until another; None when Stripe does not say."""


def recorded_rows(
    invoice: Object, lines: Iterable[Row], meter_of: Callable[[str], str | None], ask: Counted
) -> list[Row]:
    """Rows of `reported_usage` for an invoice and its rows of `invoice_lines`.

    `meter_of`: the meter of a price by the price's id. Lines of one item and period, as tiers leave them, are one row.
    Lines whose quantity Stripe states after conversion only say nothing where the invoice is issued.
    """
    found: dict[tuple[str, datetime, datetime], Decimal | None] = {}
    meters: dict[str, str] = {}
    for line in lines:
        item, start, end = line["item_id"], line["period_start"], line["period_end"]
        if (
            line["kind"] != "usage"
            or line["proration"]
            or not isinstance(start, datetime)
            or not isinstance(end, datetime)
        ):
            continue
        meter = meter_of(str(line["price_id"])) if item and line["price_id"] else None
        if meter is None:
            continue
        meters[str(item)] = meter
        key, units = (str(item), start, end), line["raw_quantity"]
        before = found.get(key, Decimal(0))
        found[key] = before + units if isinstance(units, Decimal) and before is not None else None
    if invoice.get("status") == "void":
        return []
    if invoice.get("status") == "draft":
        customer = str(ident(invoice.get("customer")))
        found = {key: ask(meters[key[0]], customer, *_minutes(*key[1:])) for key in found}
    return [_row(key, units, invoice) for key, units in found.items() if units is not None]


def _minutes(start: datetime, end: datetime) -> tuple[int, int]:
    """The period in seconds since 1970, cut to minutes, as summaries must be asked for."""
    first, last = (int(at.timestamp()) // MINUTE * MINUTE for at in (start, end))
    return first, max(last, first + MINUTE)


def _row(key: tuple[str, datetime, datetime], units: Decimal, invoice: Object) -> Row:
    from_on, until = key[1:]
    return {
        "record_id": f"{invoice['id']}/{key[0]}/{int(from_on.timestamp())}/{int(until.timestamp())}",
        "item_id": key[0],
        "period_start": from_on,
        "period_end": until,
        "quantity": units,
        "recorded_at": moment(invoice.get("created")),
        "status": "processed",
    }


def summed(summaries: Iterable[Object]) -> Decimal:
    """What the summaries of one meter and customer add up to; without a grouping window there is one at most."""
    return sum((quantity(each["aggregated_value"]) for each in summaries), Decimal(0))
