"""The books read row by row, and the lines of invoices in them. Instants are naive UTC there, aware everywhere else."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import duckdb

from billing.dialects import Dialect, Dialects, dialect_of
from billing.periods import Period

Row = dict[str, Any]


class UnknownRecordError(LookupError):
    """The record is not in the books, or its id alone does not say which one is meant."""


class UnknownLineError(UnknownRecordError):
    """The books hold no such invoice line, or several."""


class OnInvoice(Protocol):
    """What belongs to an invoice, or is one."""

    @property
    def integration(self) -> str: ...
    @property
    def invoice_id(self) -> str: ...


@dataclass(frozen=True)
class Books:
    """The books as known at an instant: `books.<table>` on a connection, read row by row.

    `dialects` are those of the integrations, by name; one that is left out speaks that of its name.
    `keyed`: the events lie in the order of a key of their subject (store.near), so that few of them need to be read.
    """

    con: duckdb.DuckDBPyConnection
    as_of: datetime
    dialects: Dialects = field(default_factory=dict)
    keyed: bool = False

    def dialect(self, integration: str) -> Dialect:
        """The dialect of an integration's invoices."""
        return self.dialects.get(integration) or dialect_of(integration)

    def rows(self, query: str, **parameters: object) -> list[Row]:
        """The rows of a query by column name, its instants aware and in UTC; `$as_of` is always there to use.

        A tuple stands for its values one by one, as in `IN $ids`, so that a table's own order and bounds are used.
        """
        if "$as_of" in query:
            parameters["as_of"] = self.as_of
        for name, values in [each for each in parameters.items() if isinstance(each[1], tuple)]:
            del parameters[name]
            each = {f"{name}_{place}": value for place, value in enumerate(values)}
            query = re.sub(rf"\${name}\b", f"({', '.join(f'${one}' for one in each) or 'NULL'})", query)
            parameters |= each
        cursor = self.con.execute(query, {name: _stored(value) for name, value in parameters.items()})
        names = [column[0] for column in cursor.description or ()]
        return [{name: _aware(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def _stored(value: object) -> object:
    """An instant as the books store it, UTC without a timezone; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return [_stored(each) for each in value] if isinstance(value, list) else value


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@dataclass(frozen=True)
class Line:
    """An invoice line with what its invoice says; subscription and period are its own, else its invoice's."""

    integration: str
    line_id: str
    invoice_id: str
    invoice_number: str | None
    invoice_status: str
    invoice_total: Decimal
    invoice_created_at: datetime
    customer_id: str
    customer_name: str | None
    currency: str
    kind: str
    description: str | None
    subscription_id: str | None
    item_id: str | None
    price_id: str | None
    period_start: datetime | None
    period_end: datetime | None
    raw_quantity: Decimal | None
    quantity: Decimal | None
    unit_amount: Decimal | None
    amount: Decimal
    discount_amount: Decimal
    proration: bool

    @property
    def billed_quantity(self) -> Decimal | None:
        """What the line charges, in metered units where it says so."""
        return self.quantity if self.raw_quantity is None else self.raw_quantity

    @property
    def period(self) -> Period | None:
        """The line's period; None on a line without one."""
        return Period(self.period_start, self.period_end) if self.period_start and self.period_end else None

    @property
    def is_credit(self) -> bool:
        """The line gives back the unused part of what was charged in advance."""
        return self.proration and self.amount < 0


_LINE = """
SELECT l.integration, l.line_id, l.invoice_id, i.number AS invoice_number, i.status AS invoice_status,
    i.total AS invoice_total, i.created_at AS invoice_created_at, i.customer_id, c.name AS customer_name, i.currency,
    l.kind, l.description, coalesce(l.subscription_id, i.subscription_id) AS subscription_id, l.item_id, l.price_id,
    CASE WHEN l.kind = 'one_time' THEN l.period_start ELSE coalesce(l.period_start, i.period_start) END AS period_start,
    CASE WHEN l.kind = 'one_time' THEN l.period_end ELSE coalesce(l.period_end, i.period_end) END AS period_end,
    l.raw_quantity, l.quantity, l.unit_amount, l.amount, l.discount_amount, l.proration
FROM books.invoice_lines AS l
JOIN books.invoices AS i ON i.integration = l.integration AND i.invoice_id = l.invoice_id
LEFT JOIN books.customers AS c ON c.integration = l.integration AND c.customer_id = i.customer_id
WHERE i.created_at <= $as_of"""

_OF_ITEMS = """
    AND l.integration = $integration AND l.kind IN ('usage', 'recurring') AND i.status <> 'void'
    AND (l.item_id IN $items
        OR (l.item_id IS NULL AND coalesce(l.subscription_id, i.subscription_id) IN $subscriptions))
ORDER BY i.created_at, l.line_id"""


def lines_named(books: Books, line_id: str, integration: str | None = None) -> list[Line]:
    """The lines of that id, one of each integration that has one."""
    found = [Line(**row) for row in books.rows(f"{_LINE} AND l.line_id = $line", line=line_id)]
    return [line for line in found if integration in (None, line.integration)]


def find_line(books: Books, line_id: str, integration: str | None = None) -> Line:
    """The line of that id. Raises UnknownLineError when there is none, or when more than one integration has one."""
    found = lines_named(books, line_id, integration)
    if not found:
        of = f" of {integration}" if integration else ""
        raise UnknownLineError(
            f"The books{of} hold no invoice line {line_id!r} as of {books.as_of:%Y-%m-%d %H:%M} UTC; "
            "check the id, or import or sync its invoice first."
        )
    if len(found) > 1:
        sources = ", ".join(sorted(line.integration for line in found))
        raise UnknownLineError(f"Several integrations hold a line {line_id!r} ({sources}); say which one is meant.")
    return found[0]


def lines_of_invoice(books: Books, of: OnInvoice) -> list[Line]:
    """All lines of the invoice, by their ids."""
    query = f"{_LINE} AND l.integration = $integration AND l.invoice_id = $invoice ORDER BY l.line_id"
    return [Line(**row) for row in books.rows(query, integration=of.integration, invoice=of.invoice_id)]


def lines_of_items(
    books: Books, integration: str, items: Collection[str], subscriptions: Collection[str]
) -> list[Line]:
    """The usage and recurring lines of these items, and those without an item of these subscriptions, by when their
    invoices were made; of invoices that are void none.
    """
    query = f"{_LINE} {_OF_ITEMS}"
    of = {"items": tuple(items), "subscriptions": tuple(subscriptions)}
    return [Line(**row) for row in books.rows(query, integration=integration, **of)]
