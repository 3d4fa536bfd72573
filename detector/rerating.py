"""Re-rating: the lines of a past period rated again under a draft price, for every customer on it. Keeps nothing.

The derived relations are made twice on one connection, from the books as they are and from the same books with the
draft in the price's place: whatever rates a line (detector/derived) rates it both times, and nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import duckdb

from billing.books import BY_NAME
from billing.dialects import NAMED, Dialects
from billing.model import Column
from billing.prices import Tier
from detector import derived, rerating_text
from detector.line_records import Books, UnknownRecordError
from detector.price_settings import TIERS
from store.lake import name, text
from store.schema import sql_type

__all__ = ["CustomerChange", "RatedLine", "Rerating", "UnknownPriceError", "rerate"]

_NOTHING = Decimal(0)


class UnknownPriceError(UnknownRecordError):
    """The books hold no such price, or several."""


@dataclass(frozen=True)
class RatedLine:
    """One line: what it should be now and under the draft, after percent discounts; None has a reason."""

    line_id: str
    invoice_id: str
    customer_id: str
    customer_name: str | None
    currency: str
    kind: str
    period_start: datetime | None
    period_end: datetime | None
    now: Decimal | None
    now_reason: str | None
    draft: Decimal | None
    draft_reason: str | None

    @property
    def change(self) -> Decimal | None:
        """What the draft makes of it: positive is dearer; None where one side cannot be rated."""
        return None if self.now is None or self.draft is None else self.draft - self.now


@dataclass(frozen=True)
class CustomerChange:
    """The lines of one customer in one currency that could be rated both ways; up and down stand apart."""

    customer_id: str
    customer_name: str | None
    currency: str
    lines: int
    now: Decimal
    draft: Decimal
    up: Decimal
    down: Decimal


@dataclass(frozen=True)
class Rerating:
    """Every line of a past period on one price, rated now and under a draft of the price."""

    price_id: str
    start: datetime
    end: datetime
    columns: Mapping[str, Any]
    lines: tuple[RatedLine, ...]

    @property
    def changes(self) -> tuple[CustomerChange, ...]:
        """By customer and currency, those first that it moves most in their currency."""
        found = [_change(list(lines)) for _, lines in groupby(self._rated(), key=_customer)]
        return tuple(sorted(found, key=lambda each: (each.currency, -max(each.up, each.down), each.customer_id)))

    @property
    def unrated(self) -> tuple[RatedLine, ...]:
        """The lines that cannot be rated now or under the draft."""
        return tuple(line for line in self.lines if line.change is None)

    @property
    def totals(self) -> tuple[CustomerChange, ...]:
        """All customers together, a row per currency; never netted across currencies."""
        rated = sorted(self._rated(), key=lambda line: line.currency)
        return tuple(_change(list(lines), everyone=True) for _, lines in groupby(rated, key=lambda line: line.currency))

    def as_text(self) -> str:
        """The re-rating as plain text: a row per customer and currency, the totals, and what cannot be rated."""
        return rerating_text.as_text(self)

    def as_json(self) -> dict[str, Any]:
        """The re-rating as JSON values, every line with both amounts."""
        return rerating_text.as_json(self)

    def _rated(self) -> list[RatedLine]:
        return sorted((line for line in self.lines if line.change is not None), key=_customer)


def _customer(line: RatedLine) -> tuple[str, str]:
    return line.customer_id, line.currency


def _change(lines: list[RatedLine], everyone: bool = False) -> CustomerChange:
    changes = [line.change or _NOTHING for line in lines]
    first = lines[0]
    return CustomerChange(
        customer_id="" if everyone else first.customer_id,
        customer_name=None if everyone else first.customer_name,
        currency=first.currency,
        lines=len(lines),
        now=sum((line.now or _NOTHING for line in lines), _NOTHING),
        draft=sum((line.draft or _NOTHING for line in lines), _NOTHING),
        up=sum((each for each in changes if each > 0), _NOTHING),
        down=sum((-each for each in changes if each < 0), _NOTHING),
    )


_RATED = """
SELECT r.line_id, r.invoice_id, r.customer_id, c.name AS customer_name, r.currency, r.kind, r.period_start,
    r.period_end, r.expected_net AS amount, r.reason
FROM line_ratings AS r
LEFT JOIN customers AS c ON c.integration = r.integration AND c.customer_id = r.customer_id
WHERE r.integration = $integration AND r.price_id = $price AND r.period_start >= $start AND r.period_start < $end
ORDER BY r.customer_id, r.period_start, r.line_id"""


def rerate(
    con: duckdb.DuckDBPyConnection,
    price_id: str,
    start: datetime,
    end: datetime,
    columns: Mapping[str, Any],
    as_of: datetime,
    integration: str | None = None,
    dialects: Dialects = NAMED,
) -> Rerating:
    """The usage and recurring lines whose period starts in [start, end), rated now and with `columns` set.

    `con`: a connection on one snapshot, on which `books.<table>` resolves; nothing stays on it. `columns` is what
    detector.price_settings.price_columns reads. Lines of void invoices are left out; a customer's override goes before
    the draft as it goes before the price. Raises UnknownPriceError.
    """
    source = _integration(Books(con, as_of), price_id, integration)
    now = _rated(con, as_of, source, price_id, start, end, {}, dialects)
    draft = _rated(con, as_of, source, price_id, start, end, columns, dialects)
    lines = [_line(now.get(line_id), draft.get(line_id)) for line_id in sorted(now | draft)]
    return Rerating(price_id, start, end, columns, tuple(lines))


def _line(now: dict[str, Any] | None, draft: dict[str, Any] | None) -> RatedLine:
    known = now or draft or {}
    names = ("line_id", "invoice_id", "customer_id", "customer_name", "currency", "kind", "period_start", "period_end")
    return RatedLine(
        **{name: known[name] for name in names},
        now=now["amount"] if now else None,
        now_reason=now["reason"] if now else None,
        draft=draft["amount"] if draft else None,
        draft_reason=draft["reason"] if draft else None,
    )


def _integration(books: Books, price_id: str, integration: str | None) -> str:
    query = "SELECT integration FROM books.prices WHERE price_id = $price ORDER BY integration"
    found = [row["integration"] for row in books.rows(query, price=price_id)]
    found = [each for each in found if integration in (None, each)]
    if not found:
        of = f" of {integration}" if integration else ""
        raise UnknownPriceError(f"The books{of} hold no price {price_id!r}; check the id, or import or sync it first.")
    if len(found) > 1:
        raise UnknownPriceError(f"Several integrations hold a price {price_id!r} ({', '.join(found)}); say which one.")
    return str(found[0])


def _rated(
    con: duckdb.DuckDBPyConnection,
    as_of: datetime,
    integration: str,
    price_id: str,
    start: datetime,
    end: datetime,
    columns: Mapping[str, Any],
    dialects: Dialects,
) -> dict[str, dict[str, Any]]:
    """The lines by id, rated with those columns set: with none, as they are."""
    with closing(con.cursor()) as own:
        replaced = _replaced(integration, price_id, columns)
        derived.build(own, as_of, {"line_ratings", "customers"}, dialects, replaced)
        books = Books(own, as_of)
        rows = books.rows(_RATED, integration=integration, price=price_id, start=start, end=end)
    return {row["line_id"]: row for row in rows}


def _replaced(integration: str, price_id: str, columns: Mapping[str, Any]) -> dict[str, str]:
    """What stands in for tables of the books: the items on the price only, and the draft in the price's place.

    Items of lines that name the price stay too: some are on another price, and such lines are not this price's.
    """
    is_it = f"integration = {text(integration)} AND price_id = {text(price_id)}"
    named = f"SELECT integration, item_id FROM books.invoice_lines WHERE {is_it} AND item_id IS NOT NULL"
    items = f"FROM books.subscription_items WHERE {is_it} OR (integration, item_id) IN ({named})"
    replaced = {"subscription_items": items}
    set_columns = {name: value for name, value in columns.items() if name != TIERS}
    if set_columns:
        described = BY_NAME["prices"].by_name
        values = ", ".join(
            f"CASE WHEN {is_it} THEN {_literal(value, described[column])} ELSE {name(column)} END AS {name(column)}"
            for column, value in set_columns.items()
        )
        replaced["prices"] = f"SELECT * REPLACE ({values}) FROM books.prices"
    if TIERS in columns:
        others = f"SELECT * FROM books.price_tiers WHERE NOT ({is_it})"
        drafted = " UNION ALL BY NAME ".join([others, *(_tier(tier, integration, price_id) for tier in columns[TIERS])])
        replaced["price_tiers"] = drafted
    return replaced


def _tier(tier: Tier, integration: str, price_id: str) -> str:
    described = BY_NAME["price_tiers"].by_name
    values = {"tier": tier.number, "up_to": tier.up_to, "unit_amount": tier.unit_amount,
              "flat_amount": tier.flat_amount, "percent_rate": tier.percent_rate}  # fmt: skip
    told = ", ".join(f"{_literal(value, described[column])} AS {name(column)}" for column, value in values.items())
    return f"SELECT {text(integration)} AS integration, {text(price_id)} AS price_id, {told}"


def _literal(value: Any, column: Column) -> str:
    if value is None:
        return f"CAST(NULL AS {sql_type(column.kind)})"
    told = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return f"CAST({text(told)} AS {sql_type(column.kind)})"
