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
    """One state of the books as known at an instant: `books.<table>` on a connection, read row by row.

    What was asked once is not asked again. `dialects` are those of the integrations, by name; one that is left out
    speaks that of its name. `keyed`: the events lie in the order of a key of their subject (store.near), so that few of
    them need to be read.
    """

    con: duckdb.DuckDBPyConnection
    as_of: datetime
    dialects: Dialects = field(default_factory=dict)
    keyed: bool = False
    _read: dict[tuple[str, str], list[Row]] = field(default_factory=dict)

    def dialect(self, integration: str) -> Dialect:
        """The dialect of an integration's invoices."""
        return self.dialects.get(integration) or dialect_of(integration)

    def rows(self, query: str, **parameters: object) -> list[Row]:
        """The rows of a query by column name, its instants aware and in UTC; `$as_of` is always there to use.

        A tuple stands for its values one by one, as in `IN $ids`, so that a table's own order and bounds are used.
        """
        if "$as_of" in query:
            parameters["as_of"] = self.as_of
        listed = {name: value for name, value in parameters.items() if isinstance(value, tuple)}
        for name, values in listed.items():
            del parameters[name]
            each = {f"{name}_{place}": value for place, value in enumerate(values)}
            query = re.sub(rf"\${name}\b", f"({', '.join(f'${one}' for one in each) or 'NULL'})", query)
            parameters |= each
        asked = (query, repr(parameters))
        if asked not in self._read:
            cursor = self.con.execute(query, {name: _stored(value) for name, value in parameters.items()})
            names = [column[0] for column in cursor.description or ()]
            self._read[asked] = [
                {name: _aware(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()
            ]
        return self._read[asked]


def _stored(value: object) -> object:
    """An instant as the books store it, UTC without a timezone; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, dict):
        return {name: _stored(each) for name, each in value.items()}
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
    tax_amount: Decimal
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


_LINES = """
SELECT integration, line_id, invoice_id, kind, description, subscription_id, item_id, price_id,
    period_start, period_end, raw_quantity, quantity, unit_amount, amount, discount_amount, tax_amount, proration
FROM books.invoice_lines
WHERE {which}
ORDER BY line_id"""

_OF_ITEMS = """
    integration = $integration AND kind IN ('usage', 'recurring') AND (item_id IN $items OR (item_id IS NULL AND (
        subscription_id IN $subscriptions OR (subscription_id IS NULL AND invoice_id IN (
            SELECT invoice_id FROM books.invoices
            WHERE integration = $integration AND subscription_id IN $subscriptions)))))"""

_INVOICES = """
SELECT integration, invoice_id, number, status, customer_id, currency, subscription_id, period_start, period_end,
    created_at, paid_at, subtotal, discount_total, tax_total, total, credits_applied, amount_paid, amount_due
FROM books.invoices
WHERE created_at <= $as_of AND invoice_id IN $ids
ORDER BY integration"""

_CUSTOMERS = "SELECT integration, customer_id, name FROM books.customers WHERE customer_id IN $ids"


def lines_named(books: Books, line_id: str, integration: str | None = None) -> list[Line]:
    """The lines of that id, one of each integration that has one."""
    found = _lines_where(books, "line_id = $line", line=line_id)
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
    which = "integration = $integration AND invoice_id = $invoice"
    return _lines_where(books, which, integration=of.integration, invoice=of.invoice_id)


def lines_of_items(
    books: Books, integration: str, items: Collection[str], subscriptions: Collection[str]
) -> list[Line]:
    """The usage and recurring lines of these items, and those without an item of these subscriptions, by when their
    invoices were made; of invoices that are void none.
    """
    of = {"items": tuple(sorted(items)), "subscriptions": tuple(sorted(subscriptions))}
    lines = _lines_where(books, _OF_ITEMS, integration=integration, **of)
    return sorted((line for line in lines if line.invoice_status != "void"), key=lambda line: line.invoice_created_at)


def invoices(books: Books, ids: Collection[str]) -> list[Row]:
    """The invoices of these ids with their customer's name, as `customer_name`, by integration."""
    found = books.rows(_INVOICES, ids=tuple(sorted(ids)))
    customers = tuple(sorted({row["customer_id"] for row in found}))
    named = books.rows(_CUSTOMERS, ids=customers) if found else []
    names = {(row["integration"], row["customer_id"]): row["name"] for row in named}
    return [row | {"customer_name": names.get((row["integration"], row["customer_id"]))} for row in found]


def _lines_where(books: Books, which: str, **values: object) -> list[Line]:
    """Lines with what their invoices say, those of invoices that are not known left out."""
    rows = books.rows(_LINES.format(which=which), **values)
    found = invoices(books, {row["invoice_id"] for row in rows}) if rows else []
    of = {(invoice["integration"], invoice["invoice_id"]): invoice for invoice in found}
    keys = [(row["integration"], row["invoice_id"]) for row in rows]
    return [_line(row, of[key]) for row, key in zip(rows, keys, strict=True) if key in of]


def _line(row: Row, invoice: Row) -> Line:
    """A line of an invoice, which lends it subscription and period where it has none; no period to a one-time line."""
    lent = ("subscription_id",) if row["kind"] == "one_time" else ("subscription_id", "period_start", "period_end")
    return Line(
        **row | {name: invoice[name] for name in lent if row[name] is None},
        invoice_number=invoice["number"],
        invoice_status=invoice["status"],
        invoice_total=invoice["total"],
        invoice_created_at=invoice["created_at"],
        customer_id=invoice["customer_id"],
        customer_name=invoice["customer_name"],
        currency=invoice["currency"],
    )
