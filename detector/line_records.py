"""The records of one invoice line: what its expected amount depends on, read by small queries.

Reads the same books by the same conventions as detector/derived (which item a line belongs to, which price holds,
until when an item is served), but for a single line, so that it is explained without building anything. Instants are
naive UTC in the books, aware everywhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import duckdb

from billing.dialects import Dialect, Dialects, dialect_of
from billing.discounts import Discount, Scope
from billing.periods import Period
from billing.prices import TIERED, Override, Price, Tier, overridden, tiers_from

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
        """The rows of a query by column name, its instants aware and in UTC; `$as_of` is always there to use."""
        if "$as_of" in query:
            parameters["as_of"] = self.as_of
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


@dataclass(frozen=True)
class Terms:
    """What the line's subscription item is charged by; `catalog` is None when the books do not hold the price."""

    item_id: str
    subscription_id: str
    quantity: Decimal | None
    timezone: str
    billing_anchor: datetime
    service_start: datetime | None
    service_end: datetime | None
    price_id: str
    price_name: str | None
    price_plan_id: str | None
    cadence: str | None
    meter_id: str | None
    event_type: str | None
    aggregation: str | None
    value_property: str | None
    catalog: Price | None


@dataclass(frozen=True)
class HeldPrice:
    """The price that holds for a line: the item's, with the customer's override; `since` an instant, or always.

    `as_set` names the columns that a what-if has set otherwise.
    """

    price: Price
    override_id: str | None
    since: datetime | None
    as_set: frozenset[str] = frozenset()


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

_USAGE_OF_ITEM = """
    AND l.integration = $integration AND l.kind = 'usage' AND i.status <> 'void'
    AND (l.item_id = $item OR (
        l.item_id IS NULL AND l.price_id = $price AND coalesce(l.subscription_id, i.subscription_id) = $subscription))
ORDER BY i.created_at, l.line_id"""

_TERMS = """
SELECT i.item_id, i.subscription_id, i.quantity, i.active_from, i.active_to, i.price_id,
    s.status, s.started_at, s.trial_end, s.timezone, s.billing_anchor,
    coalesce(s.ended_at, s.cancel_at, CASE WHEN s.status = 'ended' THEN s.canceled_at END) AS ended_at
FROM books.subscription_items AS i
JOIN books.subscriptions AS s ON s.integration = i.integration AND s.subscription_id = i.subscription_id
WHERE i.integration = $integration AND i.active_from <= $as_of AND s.started_at <= $as_of
    AND {item}
ORDER BY i.active_from <= $start DESC, i.active_from DESC, i.item_id
LIMIT 1"""

_TIERS = """
SELECT tier, up_to, unit_amount, flat_amount, percent_rate FROM books.price_tiers
WHERE integration = $integration AND price_id = $price"""

_OVERRIDES = """
SELECT override_id, unit_amount, flat_amount, minimum_amount, maximum_amount, tiers, valid_from, valid_to
FROM books.price_overrides
WHERE customer_id = $customer AND price_id = $price AND valid_from <= $start
    AND valid_from < coalesce(valid_to, TIMESTAMP 'infinity')
ORDER BY valid_from, override_id"""

_OTHER_VERSIONS = """
SELECT p.*, v.version
FROM books.plans AS own
JOIN books.plans AS v ON v.integration = own.integration AND v.plan_key = own.plan_key AND v.plan_id <> own.plan_id
JOIN books.prices AS p ON p.integration = v.integration AND p.plan_id = v.plan_id
WHERE own.integration = $integration AND own.plan_id = $plan AND p.currency = $currency
    AND (p.name = $name OR p.meter_id = $meter)
ORDER BY v.version, p.price_id"""

_VERSIONS = """
SELECT v.plan_key, v.version, p.price_id, p.name
FROM books.plans AS own
JOIN books.plans AS v ON v.integration = own.integration AND v.plan_key = own.plan_key
LEFT JOIN books.prices AS p ON p.integration = v.integration AND p.plan_id = v.plan_id
    AND (p.name = $name OR p.meter_id = $meter) AND p.currency IS NOT DISTINCT FROM $currency
WHERE own.integration = $integration AND own.plan_id = $plan
ORDER BY v.version, p.price_id"""

_PRICE_AND_METER = """
SELECT p.*, m.event_type, m.aggregation, m.value_property
FROM books.prices AS p
LEFT JOIN books.meters AS m ON m.meter_id = p.meter_id
WHERE p.integration = $integration AND p.price_id = $price
ORDER BY m.integration <> p.integration, m.integration
LIMIT 1"""

_PRICE = "SELECT * FROM books.prices WHERE integration = $integration AND price_id = $price"

_DISCOUNTS = """
SELECT discount_id, kind, value, currency, starts_at, ends_at, item_id, subscription_id
FROM books.discounts
WHERE item_id = $item OR (item_id IS NULL AND subscription_id = $subscription)
    OR (item_id IS NULL AND subscription_id IS NULL AND customer_id = $customer)"""


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


def usage_lines_of_item(books: Books, line: Line, terms: Terms) -> list[Line]:
    """The usage lines of the item on invoices that are not void, by when their invoices were made."""
    query = f"{_LINE} {_USAGE_OF_ITEM}"
    item = {"item": terms.item_id, "subscription": terms.subscription_id, "price": terms.price_id}
    return [Line(**row) for row in books.rows(query, integration=line.integration, **item)]


def find_terms(books: Books, line: Line) -> Terms | None:
    """The terms of the line's item, or of the item of its subscription with its price; None when there is none."""
    named: dict[str, object] = {"item": line.item_id}
    query = _TERMS.format(item="i.item_id = $item")
    if line.item_id is None:
        named = {"subscription": line.subscription_id, "price": line.price_id}
        query = _TERMS.format(item="i.subscription_id = $subscription AND i.price_id = $price")
    found = books.rows(query, integration=line.integration, start=line.period_start, **named)
    if not found:
        return None
    row = found[0]
    ends = [end for end in (row["active_to"], row["ended_at"]) if end is not None]
    return Terms(
        item_id=row["item_id"],
        subscription_id=row["subscription_id"],
        quantity=row["quantity"],
        timezone=row["timezone"],
        billing_anchor=row["billing_anchor"],
        service_start=_service_start(row),
        service_end=min(ends) if ends else None,
        price_id=row["price_id"],
        **(_charged_by(books, line, row["price_id"]) or _CHARGED_BY_NOTHING),
    )


def terms_under(books: Books, line: Line, terms: Terms, price_id: str) -> Terms | None:
    """The terms with another price of the line's integration; None when the books do not hold it."""
    charged = _charged_by(books, line, price_id)
    return None if charged is None else replace(terms, price_id=price_id, **charged)


def plan_versions(books: Books, line: Line, terms: Terms) -> list[Row]:
    """Every version of the plan of the terms' price, with its prices of that name or meter; none without a plan.

    Columns plan_key, version, price_id and name; the last two are None for a version that has no such price.
    """
    currency = terms.catalog.currency if terms.catalog else None
    own = {"plan": terms.price_plan_id, "name": terms.price_name, "meter": terms.meter_id, "currency": currency}
    return books.rows(_VERSIONS, integration=line.integration, **own)


_FROM_PRICE = ("cadence", "meter_id", "event_type", "aggregation", "value_property")
_CHARGED_BY_NOTHING: Row = dict.fromkeys(("price_name", "price_plan_id", *_FROM_PRICE, "catalog"))


def _charged_by(books: Books, line: Line, price_id: str) -> Row | None:
    """What terms say about their price and its meter; None when the books do not hold the price."""
    found = books.rows(_PRICE_AND_METER, integration=line.integration, price=price_id)
    if not found:
        return None
    row = found[0]
    catalog = _price(row, _tiers(books, line, row))
    named = {name: row[name] for name in _FROM_PRICE}
    return {"price_name": row["name"], "price_plan_id": row["plan_id"], **named, "catalog": catalog}


def held_price(books: Books, line: Line, terms: Terms) -> HeldPrice | None:
    """The price at the line's period start: of several overrides the latest to start. None without a catalog price.

    Raises ValueError where an override's tiers cannot be read.
    """
    if terms.catalog is None or line.period_start is None:
        return None
    start = line.period_start
    found = books.rows(_OVERRIDES, customer=line.customer_id, price=terms.price_id, start=start)
    changes = [at for row in found for at in (row["valid_from"], row["valid_to"]) if at is not None and at <= start]
    since = max(changes, default=None)
    holding = [row for row in found if row["valid_to"] is None or start < row["valid_to"]]
    if not holding:
        return HeldPrice(terms.catalog, None, since)
    return HeldPrice(overridden(terms.catalog, _override(holding[-1])), holding[-1]["override_id"], since)


def other_prices(books: Books, line: Line, terms: Terms) -> dict[str, Price]:
    """Prices that may have been charged by mistake, by what they are: the line's own, other plan versions'."""
    found: dict[str, Price] = {}
    if line.price_id is not None and line.price_id != terms.price_id:
        for row in books.rows(_PRICE, integration=line.integration, price=line.price_id):
            found[f"price {line.price_id} that the line names"] = _price(row, _tiers(books, line, row))
    own = {"plan": terms.price_plan_id, "name": terms.price_name, "meter": terms.meter_id}
    for row in books.rows(_OTHER_VERSIONS, integration=line.integration, currency=line.currency, **own):
        found[f"price {row['price_id']} of plan version {row['version']}"] = _price(row, _tiers(books, line, row))
    return found


def discounts_for(books: Books, line: Line, terms: Terms | None = None) -> tuple[Discount, ...]:
    """The discounts that count at the line's period start: of its item, its subscription and its customer."""
    if line.period_start is None or line.kind not in ("usage", "recurring"):
        return ()
    item = terms.item_id if terms else line.item_id
    subscription = terms.subscription_id if terms else line.subscription_id
    found = books.rows(_DISCOUNTS, item=item, subscription=subscription, customer=line.customer_id)
    discounts = (_discount(row) for row in found)
    return tuple(discount for discount in discounts if discount.counts_at(line.period_start))


def _tiers(books: Books, line: Line, row: Row) -> tuple[Tier, ...]:
    if row["model"] not in TIERED:
        return ()
    return tiers_from(books.rows(_TIERS, integration=line.integration, price=row["price_id"]))


def _service_start(row: Row) -> datetime | None:
    """When charging starts: the item, the subscription and the end of its trial; never on a trial without an end."""
    if row["status"] == "trialing" and row["trial_end"] is None:
        return None
    starts: list[datetime] = [row["active_from"], row["started_at"]]
    return max(starts if row["trial_end"] is None else [*starts, row["trial_end"]])


def _price(row: Row, tiers: tuple[Tier, ...]) -> Price:
    return Price(
        model=row["model"],
        currency=row["currency"],
        unit_amount=row["unit_amount"],
        flat_amount=row["flat_amount"],
        percent_rate=row["percent_rate"],
        package_size=row["package_size"],
        free_units=row["free_units"],
        convert=row["convert"],
        convert_factor=row["convert_factor"],
        convert_rounding=row["convert_rounding"],
        minimum_amount=row["minimum_amount"],
        maximum_amount=row["maximum_amount"],
        proration=row["proration"],
        tiers=tiers,
        metered=row["meter_id"] is not None,
    )


def _override(row: Row) -> Override:
    names = ("unit_amount", "flat_amount", "minimum_amount", "maximum_amount")
    tiers = None if row["tiers"] is None else tiers_from(json.loads(row["tiers"], parse_float=Decimal))
    return Override(tiers=tiers, **{name: row[name] for name in names})


def _discount(row: Row) -> Discount:
    scope = Scope.ITEM if row["item_id"] else Scope.SUBSCRIPTION if row["subscription_id"] else Scope.CUSTOMER
    names = ("discount_id", "kind", "value", "starts_at", "ends_at", "currency")
    return Discount(scope=scope, **{name: row[name] for name in names})
