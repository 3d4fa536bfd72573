"""Stripe's products, prices and meters as plans, prices, tiers and meters of the books.

A product with a recurring price is a plan; Stripe has no plan versions, because a price never changes its amounts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from integrations.stripe import amounts
from integrations.stripe.amounts import UnreadableError, currency, decimal, quantity
from integrations.stripe.metadata import stated
from integrations.stripe.objects import Object, Row, Rows, ident, known, link, merged, needed, nested

PRICE_EXPAND = ("tiers", "product", "currency_options")
"""What a price must be asked with, so that its rows are complete."""

_CADENCE = {"day": "P{}D", "week": "P{}W", "month": "P{}M", "year": "P{}Y"}
_AGGREGATION = {"sum": "sum", "count": "count", "last": "latest"}
_TAX_BEHAVIOR = {"exclusive": "exclusive", "inclusive": "inclusive"}


@dataclass(frozen=True)
class PriceFacts:
    """What the lines and items that name a price must know of it."""

    model: str
    metered: bool
    converted: bool
    currency: str
    meter: str | None = None


@dataclass
class Catalog:
    """The prices met so far in this process, by id."""

    facts: dict[str, PriceFacts] = field(default_factory=dict)

    def learn(self, price: Object) -> None:
        """Remembers what is needed of a price, if it can be read at all."""
        try:
            self.facts[needed(price.get("id"), "price")] = facts(price)
        except UnreadableError:
            return


def facts(price: Object) -> PriceFacts:
    """How the price charges. Raises UnreadableError for a way that is not known."""
    said = stated("prices", price.get("metadata"))
    model = str(said.get("model") or _model(price))
    converted = bool(said.get("convert") or (model == "per_unit" and price.get("transform_quantity")))
    metered = nested(price, "recurring", "usage_type") == "metered"
    meter = said["meter_id"] if "meter_id" in said else ident(nested(price, "recurring", "meter"))
    return PriceFacts(model, metered, converted, currency(price.get("currency")), None if meter is None else str(meter))


def price_in(price_id: str, how: PriceFacts | None, code: str) -> str:
    """The id of the row of `prices` that holds the price in the currency: one of its options has a row of its own."""
    return price_id if how is None or how.currency == code else f"{price_id}/{code.lower()}"


def cadence(recurring: object) -> str | None:
    """The billing period as an ISO 8601 duration; None for a one-time price. Raises UnreadableError."""
    if recurring is None:
        return None
    form = _CADENCE.get(str(nested(recurring, "interval")))
    if form is None:
        raise UnreadableError(f"it recurs every {nested(recurring, 'interval')!r}, which is not known")
    return form.format(int(decimal(nested(recurring, "interval_count") or 1)))


def price_rows(price: Object) -> Rows:
    """The price's row of `prices`, in each of its currencies, and its rows of `price_tiers`.

    Raises UnreadableError, UnknownCurrencyError.
    """
    code = currency(price.get("currency"))
    options = {currency(name): option for name, option in (price.get("currency_options") or {}).items()}
    parts = [_in_currency(price, price, code)]
    parts += [_in_currency(price, option, other) for other, option in options.items() if other != code]
    return merged(*parts)


def _in_currency(price: Object, option: Object, code: str) -> Rows:
    """The rows of the price as `option` (the price itself, or one of its currency options) states its amounts."""
    how = facts(price)
    row_id = price_in(needed(price.get("id"), "price"), how, code)
    row: Row = {
        "price_id": row_id,
        "plan_id": ident(price.get("product")) if price.get("recurring") else None,
        "meter_id": ident(nested(price, "recurring", "meter")),
        "name": price.get("nickname") or nested(price, "product", "name") or price.get("id"),
        "model": how.model,
        "currency": code,
        "cadence": cadence(price.get("recurring")),
        "payment_term": "in_arrears" if how.metered else "in_advance",
        "proration": "second" if price.get("recurring") and not how.metered else None,
        "tax_behavior": known(option.get("tax_behavior"), _TAX_BEHAVIOR, None),
        "status": "active" if price.get("active", True) else "archived",
        "external_url": link(price, "prices"),
    }
    if price.get("billing_scheme") == "tiered":
        return {"prices": [row | _stated(price)], "price_tiers": _tiers(option, row_id, code, link(price, "prices"))}
    return {"prices": [row | _charge(price, option, how.model, code) | _stated(price)]}


def _stated(price: Object) -> Row:
    return stated("prices", price.get("metadata"))


def _model(price: Object) -> str:
    scheme, transform = price.get("billing_scheme"), price.get("transform_quantity")
    if scheme == "tiered":
        if price.get("tiers_mode") not in {"graduated", "volume"}:
            raise UnreadableError(f"its tiers are {price.get('tiers_mode')!r}, which is not known")
        return str(price["tiers_mode"])
    if scheme != "per_unit":
        raise UnreadableError(f"its billing scheme is {scheme!r}, which is not known")
    return "package" if transform and transform.get("round") == "up" else "per_unit"


def _charge(price: Object, option: Object, model: str, code: str) -> Row:
    """The columns that say how much. Units divided and rounded up are a package, rounded down a conversion."""
    each = _either(option, "unit_amount", code)
    if model == "flat":
        return {"flat_amount": _as_money(each)}
    transform = price.get("transform_quantity")
    row: Row = {"unit_amount": each}
    if transform and model == "package":
        row["package_size"] = quantity(transform["divide_by"])
    elif transform:
        row |= {"convert": "divide", "convert_factor": quantity(transform["divide_by"]), "convert_rounding": "floor"}
    return row


def _as_money(value: Decimal | None) -> Decimal | None:
    if value is not None and value != round(value, 4):
        raise UnreadableError(f"a flat fee of {value} has more than 4 places")
    return value


def _tiers(option: Object, row_id: str, code: str, url: str) -> list[Row]:
    if not option.get("tiers"):
        raise UnreadableError(f"Stripe did not state its tiers in {code}")
    return [
        {
            "price_id": row_id,
            "tier": number,
            "up_to": None if tier.get("up_to") is None else quantity(tier["up_to"]),
            "unit_amount": _either(tier, "unit_amount", code),
            "flat_amount": _as_money(_either(tier, "flat_amount", code)),
            "external_url": url,
        }
        for number, tier in enumerate(option["tiers"], start=1)
    ]


def _either(thing: Object, name: str, code: str) -> Decimal | None:
    """The amount from its exact text, else from its whole number of minor units, which Stripe leaves null for parts."""
    exact = thing.get(f"{name}_decimal")
    stated_amount = exact if exact is not None else thing.get(name)
    return None if stated_amount is None else amounts.price(stated_amount, code)


def plan_rows(product: Object, prices: Iterable[Object]) -> Rows:
    """The row of `plans` for a product, whose currency and cadence are its default price's, else its oldest's.

    No row for a product that nothing recurs of, or whose metadata `trueup_plan_key` is `null`.
    """
    said = stated("plans", product.get("metadata"))
    shown = _shown_price(product, prices)
    row: Row = {
        "plan_id": needed(product.get("id"), "product"),
        "plan_key": product["id"],
        "version": 1,
        "name": product.get("name") or product["id"],
        "status": "active" if product.get("active", True) and not product.get("deleted") else "archived",
        "currency": currency(shown["currency"]) if shown else None,
        "cadence": cadence(shown.get("recurring")) if shown else None,
        "external_url": link(product, "products"),
    } | said
    is_plan = row["plan_key"] and row["currency"] and row["cadence"]
    return {"plans": [row]} if is_plan else {}


def _shown_price(product: Object, prices: Iterable[Object]) -> Object | None:
    recurring = [price for price in prices if price.get("recurring")]
    default = ident(product.get("default_price"))
    chosen = [price for price in recurring if price.get("id") == default] or recurring
    return min(chosen, key=lambda price: (price.get("created") or 0, str(price.get("id"))), default=None)


def meter_rows(meter: Object) -> Rows:
    """The row of `meters`. Raises UnreadableError for a way of adding up that is not known."""
    formula = nested(meter, "default_aggregation", "formula")
    if formula not in _AGGREGATION:
        raise UnreadableError(f"it adds up by {formula!r}, which is not known")
    key = nested(meter, "value_settings", "event_payload_key")
    row: Row = {
        "meter_id": needed(meter.get("id"), "meter"),
        "name": meter.get("display_name") or meter["id"],
        "event_type": needed(meter.get("event_name"), "event"),
        "aggregation": _AGGREGATION[formula],
        "value_property": f"$.{key}" if key and formula != "count" else None,
        "external_url": link(meter, "billing/meters"),
    }
    return {"meters": [row]}
