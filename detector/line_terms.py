"""What invoice lines are charged by: item, subscription, price and meter, the customer's override and discounts.

Reads the same books by the same conventions as detector/derived (which item a line belongs to, which price holds,
until when an item is served), but for the lines of one invoice, so that they are explained without building anything.
Every table is read once for all of them, by its keys.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from billing.discounts import Discount, DiscountedLine, Scope
from billing.prices import TIERED, Override, Price, Tier, overridden, tiers_from
from detector import attribution
from detector.line_records import Books, Line, Row, lines_of_invoice, lines_of_items


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


_ITEMS = """
SELECT item_id, subscription_id, quantity, active_from, active_to, price_id FROM books.subscription_items
WHERE integration = $integration AND active_from <= $as_of AND {column} IN $ids"""

_SUBSCRIPTIONS = """
SELECT subscription_id, status, started_at, trial_end, timezone, billing_anchor,
    coalesce(ended_at, cancel_at, CASE WHEN status = 'ended' THEN canceled_at END) AS ended_at
FROM books.subscriptions
WHERE integration = $integration AND started_at <= $as_of AND subscription_id IN $ids"""

_PRICES = "SELECT * FROM books.prices WHERE integration = $integration AND price_id IN $ids"

_METERS = """
SELECT meter_id, event_type, aggregation, value_property FROM books.meters WHERE meter_id IN $ids
ORDER BY integration = $integration, integration DESC"""

_TIERS = """
SELECT price_id, tier, up_to, unit_amount, flat_amount, percent_rate FROM books.price_tiers
WHERE integration = $integration AND price_id IN $ids"""

_OVERRIDES = """
SELECT override_id, price_id, unit_amount, flat_amount, minimum_amount, maximum_amount, tiers, valid_from, valid_to
FROM books.price_overrides
WHERE customer_id = $customer AND valid_from < coalesce(valid_to, TIMESTAMP 'infinity')
ORDER BY valid_from, override_id"""

_OTHER_VERSIONS = """
SELECT p.*, v.version, own.plan_id AS of_plan
FROM books.plans AS own
JOIN books.plans AS v ON v.integration = own.integration AND v.plan_key = own.plan_key AND v.plan_id <> own.plan_id
JOIN books.prices AS p ON p.integration = v.integration AND p.plan_id = v.plan_id
WHERE own.integration = $integration AND own.plan_id IN $plans
ORDER BY v.version, p.price_id"""

_VERSIONS = """
SELECT v.plan_key, v.version, p.price_id, p.name
FROM books.plans AS own
JOIN books.plans AS v ON v.integration = own.integration AND v.plan_key = own.plan_key
LEFT JOIN books.prices AS p ON p.integration = v.integration AND p.plan_id = v.plan_id
    AND (p.name = $name OR p.meter_id = $meter) AND p.currency IS NOT DISTINCT FROM $currency
WHERE own.integration = $integration AND own.plan_id = $plan
ORDER BY v.version, p.price_id"""

_DISCOUNTS = """
SELECT discount_id, kind, value, currency, starts_at, ends_at, item_id, subscription_id
FROM books.discounts
WHERE item_id IN $items OR (item_id IS NULL AND subscription_id IN $subscriptions)
    OR (item_id IS NULL AND subscription_id IS NULL AND customer_id = $customer)"""

_FROM_PRICE = ("cadence", "meter_id", "event_type", "aggregation", "value_property")
_CHARGED_BY_NOTHING: Row = dict.fromkeys(("price_name", "price_plan_id", *_FROM_PRICE, "catalog"))


Owner = str | tuple[str | None, str | None] | None
"""An item by its id, or by its subscription and its price."""

Scoped = tuple[Scope, str | None]
"""An item, a subscription or a customer, by its id where there may be several."""


@dataclass(eq=False)
class Around:
    """Lines of one invoice and what the books hold around them; each table is read when it is first asked for.

    `is_whole`: they are all of the invoice's lines.
    """

    books: Books
    lines: Sequence[Line]
    is_whole: bool = False
    _prices: dict[str, tuple[Row, Price] | None] = field(default_factory=dict)

    @property
    def integration(self) -> str:
        """The integration of the invoice."""
        return self.lines[0].integration

    @property
    def customer_id(self) -> str:
        """The customer of the invoice."""
        return self.lines[0].customer_id

    @cached_property
    def invoice(self) -> Around:
        """All lines of the invoice."""
        return self if self.is_whole else Around(self.books, lines_of_invoice(self.books, self.lines[0]), True)

    @cached_property
    def items(self) -> Sequence[Row]:
        """The items that lines name, and those of the subscriptions of lines that name none; with the subscription."""
        unnamed = {line.subscription_id for line in self.lines if line.item_id is None}
        found = [
            *self._rows(_ITEMS.format(column="item_id"), {line.item_id for line in self.lines}),
            *self._rows(_ITEMS.format(column="subscription_id"), unnamed),
        ]
        rows = self._rows(_SUBSCRIPTIONS, {item["subscription_id"] for item in found})
        subscriptions = {row["subscription_id"]: row for row in rows}
        return [
            item | subscriptions[item["subscription_id"]] for item in found if item["subscription_id"] in subscriptions
        ]

    @cached_property
    def overrides(self) -> Sequence[Row]:
        """The negotiated prices of the customer."""
        return self.books.rows(_OVERRIDES, customer=self.customer_id)

    @cached_property
    def items_by_owner(self) -> Mapping[Owner, Sequence[Row]]:
        """The items by what lines of theirs may name."""
        found: dict[Owner, list[Row]] = {}
        for item in self.items:
            for owner in (item["item_id"], (item["subscription_id"], item["price_id"])):
                found.setdefault(owner, []).append(item)
        return found

    @cached_property
    def discounts(self) -> Mapping[Scoped, Sequence[Discount]]:
        """The discounts of the customer, the subscriptions and the items, by what they are for."""
        items = {*(line.item_id for line in self.lines), *(item["item_id"] for item in self.items)} - {None}
        subscriptions = {
            *(line.subscription_id for line in self.lines),
            *(item["subscription_id"] for item in self.items),
        } - {None}
        of = {"items": tuple(sorted(items)), "subscriptions": tuple(sorted(subscriptions))}
        found: dict[Scoped, list[Discount]] = {}
        for row in self.books.rows(_DISCOUNTS, customer=self.customer_id, **of):
            discount = _discount(row)
            found.setdefault((discount.scope, row["item_id"] or row["subscription_id"]), []).append(discount)
        return found

    @cached_property
    def discounted(self) -> Sequence[DiscountedLine]:
        """The lines with the discounts that count for them as they stand."""
        return [DiscountedLine(line.line_id, line.amount, discounts_for(self, line)) for line in self.lines]

    @cached_property
    def _billed(self) -> Mapping[Owner, Sequence[Line]]:
        items = {item["item_id"] for item in self.items}
        subscriptions = {item["subscription_id"] for item in self.items}
        found: dict[Owner, list[Line]] = {}
        for line in lines_of_items(self.books, self.integration, items, subscriptions):
            found.setdefault(owner_of(line), []).append(line)
        return found

    def billed(self, terms: Terms) -> Sequence[Line]:
        """The usage and recurring lines of an item on every invoice that is not void, by when it was made."""
        unnamed = self._billed.get((terms.subscription_id, terms.price_id), ())
        found = [*self._billed.get(terms.item_id, ()), *unnamed]
        return sorted(found, key=lambda line: (line.invoice_created_at, line.line_id)) if unnamed else found

    @cached_property
    def subjects(self) -> Sequence[attribution.Subject]:
        """The customer's event subjects."""
        return attribution.subjects_of(self.books, self.customer_id)

    def price(self, price_id: str) -> tuple[Row, Price] | None:
        """A price by its row of `prices`, with its meter's, and as it is rated; None when the books do not hold it."""
        if price_id not in self._prices:
            at_once = {*(item["price_id"] for item in self.items), *(line.price_id for line in self.lines), price_id}
            self._read_prices({each for each in at_once if each is not None} - self._prices.keys())
        return self._prices[price_id]

    def charged_by(self, price_id: str) -> Row | None:
        """What terms say about their price and its meter; None when the books do not hold the price."""
        found = self.price(price_id)
        if found is None:
            return None
        row, catalog = found
        named = {name: row.get(name) for name in _FROM_PRICE}
        return {"price_name": row["name"], "price_plan_id": row["plan_id"], **named, "catalog": catalog}

    def prices_of(self, rows: Sequence[Row]) -> list[Price]:
        """The prices of rows of `prices`, with their tiers."""
        tiers: dict[str, list[Row]] = {}
        for tier in self._rows(_TIERS, {row["price_id"] for row in rows if row["model"] in TIERED}):
            tiers.setdefault(tier["price_id"], []).append(tier)
        return [
            _price(row, tiers_from(tiers.get(row["price_id"], ())) if row["model"] in TIERED else ()) for row in rows
        ]

    def versions(self, plans: Iterable[str | None]) -> list[tuple[Row, Price]]:
        """The prices of the other versions of these plans; each row says of which plan, as `of_plan`."""
        ids = tuple({plan for plan in plans if plan is not None})
        rows = self.books.rows(_OTHER_VERSIONS, integration=self.integration, plans=ids) if ids else []
        return list(zip(rows, self.prices_of(rows), strict=True))

    def _read_prices(self, ids: Collection[str]) -> None:
        """Reads prices with their meters: of several of one id the integration's own, else the first integration's."""
        rows = self._rows(_PRICES, ids)
        found = self._rows(_METERS, {row["meter_id"] for row in rows})
        meters = {meter["meter_id"]: meter for meter in found}  # the last one stays
        self._prices |= dict.fromkeys(ids)
        for row, price in zip(rows, self.prices_of(rows), strict=True):
            self._prices[row["price_id"]] = row | meters.get(row["meter_id"], {}), price

    def _rows(self, query: str, ids: Collection[str | None]) -> list[Row]:
        """The rows of some ids, of the invoice's integration; without any id nothing is asked."""
        known = tuple(sorted(id for id in ids if id is not None))
        return self.books.rows(query, integration=self.integration, ids=known) if known else []


def owner_of(line: Line) -> Owner:
    """By what a line belongs to an item: the item that it names, else its subscription and its price."""
    return (line.subscription_id, line.price_id) if line.item_id is None else line.item_id


def find_terms(around: Around, line: Line) -> Terms | None:
    """The terms of the line's item, or of the item of its subscription with its price; None when there is none.

    Of several the latest that was active when the line's period began, else the latest.
    """
    named = around.items_by_owner.get(owner_of(line))
    if not named or line.period_start is None:
        return None
    start = line.period_start
    found = sorted(named, key=lambda item: str(item["item_id"]))
    row = max(found, key=lambda item: (item["active_from"] <= start, item["active_from"]))
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
        **(around.charged_by(row["price_id"]) or _CHARGED_BY_NOTHING),
    )


def terms_under(around: Around, terms: Terms, price_id: str) -> Terms | None:
    """The terms with another price of the line's integration; None when the books do not hold it."""
    charged = around.charged_by(price_id)
    return None if charged is None else replace(terms, price_id=price_id, **charged)


def plan_versions(around: Around, terms: Terms) -> list[Row]:
    """Every version of the plan of the terms' price, with its prices of that name or meter; none without a plan.

    Columns plan_key, version, price_id and name; the last two are None for a version that has no such price.
    """
    currency = terms.catalog.currency if terms.catalog else None
    own = {"plan": terms.price_plan_id, "name": terms.price_name, "meter": terms.meter_id, "currency": currency}
    return around.books.rows(_VERSIONS, integration=around.integration, **own)


def held_price(around: Around, line: Line, terms: Terms) -> HeldPrice | None:
    """The price at the line's period start: of several overrides the latest to start. None without a catalog price.

    Raises ValueError where an override's tiers cannot be read.
    """
    if terms.catalog is None or line.period_start is None:
        return None
    start = line.period_start
    found = [row for row in around.overrides if row["price_id"] == terms.price_id and row["valid_from"] <= start]
    changes = [at for row in found for at in (row["valid_from"], row["valid_to"]) if at is not None and at <= start]
    since = max(changes, default=None)
    holding = [row for row in found if row["valid_to"] is None or start < row["valid_to"]]
    if not holding:
        return HeldPrice(terms.catalog, None, since)
    return HeldPrice(overridden(terms.catalog, _override(holding[-1])), holding[-1]["override_id"], since)


def other_prices(around: Around, of: Sequence[tuple[Line, Terms]]) -> list[dict[str, Price]]:
    """For each line the prices that may have been charged by mistake, by what they are: the line's own, other plan
    versions'.
    """
    versions = around.versions(terms.price_plan_id for _, terms in of)
    return [_others(around, line, terms, versions) for line, terms in of]


def _others(around: Around, line: Line, terms: Terms, versions: Sequence[tuple[Row, Price]]) -> dict[str, Price]:
    found: dict[str, Price] = {}
    named = around.price(line.price_id) if line.price_id not in (None, terms.price_id) else None
    if named is not None:
        found[f"price {line.price_id} that the line names"] = named[1]
    for row, price in versions:
        own = {"name": terms.price_name, "meter_id": terms.meter_id}
        is_alike = any(value is not None and row[name] == value for name, value in own.items())
        if row["of_plan"] == terms.price_plan_id and row["currency"] == line.currency and is_alike:
            found[f"price {row['price_id']} of plan version {row['version']}"] = price
    return found


def discounts_for(around: Around, line: Line, terms: Terms | None = None) -> tuple[Discount, ...]:
    """The discounts that count at the line's period start: of its item, its subscription and its customer."""
    if line.period_start is None or line.kind not in ("usage", "recurring"):
        return ()
    item = terms.item_id if terms else line.item_id
    subscription = terms.subscription_id if terms else line.subscription_id
    scopes = ((Scope.ITEM, item), (Scope.SUBSCRIPTION, subscription), (Scope.CUSTOMER, None))
    found = (discount for scoped in scopes for discount in around.discounts.get(scoped, ()))
    return tuple(discount for discount in found if discount.counts_at(line.period_start))


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
