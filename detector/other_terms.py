"""Other terms for one invoice line: what a what-if sets in place of the line's own price, quantity or plan version."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from billing.model import Kind
from detector.line_records import Row
from detector.line_terms import Around, HeldPrice, Terms, plan_versions, terms_under
from detector.price_settings import COLUMNS, BadSettingError, decimal, price_columns

PRICE = "price."
NAMES = ("quantity", "plan_version", "price")


@dataclass(frozen=True)
class OtherTerms:
    """What is set otherwise; what is not set stays as it is.

    `columns`: of the price, after the customer's override; `quantity`: in metered units, or the subscribed number;
    `plan_version`: of the price's plan; `price_id`: another price of the line's integration.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    quantity: Decimal | None = None
    plan_version: int | None = None
    price_id: str | None = None

    def terms(self, around: Around, terms: Terms) -> Terms:
        """The line's terms with the other plan version, price and cadence. Raises BadSettingError."""
        price_id = self.price_id
        if self.plan_version is not None:
            price_id = _price_of_version(plan_versions(around, terms), terms, self.plan_version)
        if price_id is not None:
            found = terms_under(around, terms, price_id)
            if found is None:
                raise BadSettingError(f"the books of {around.integration} hold no price {price_id}")
            terms = found
        return replace(terms, cadence=self.columns["cadence"]) if "cadence" in self.columns else terms

    def price(self, held: HeldPrice) -> HeldPrice:
        """The price that holds, with the columns that are set."""
        columns = {name: value for name, value in self.columns.items() if name != "cadence"}
        return replace(held, price=replace(held.price, **columns), as_set=frozenset(columns))


def other_terms(settings: Mapping[str, str]) -> OtherTerms:
    """The terms that `name=value` settings ask for: `price.<column>`, `quantity`, `plan_version`, `price`.

    Raises BadSettingError: an unknown name or a value that does not parse, with what is allowed.
    """
    columns = {}
    for name, text in settings.items():
        if name.startswith(PRICE) and name.removeprefix(PRICE) in COLUMNS:
            columns[name.removeprefix(PRICE)] = text
        elif name not in NAMES:
            allowed = ", ".join((*NAMES, *(f"{PRICE}{column}" for column in COLUMNS)))
            raise BadSettingError(f"{name} cannot be set; what can be is {allowed}")
    if "plan_version" in settings and "price" in settings:
        raise BadSettingError("plan_version and price each name another price; set one of them")
    return OtherTerms(
        columns=price_columns(columns),
        quantity=decimal("quantity", settings["quantity"], Kind.QTY) if "quantity" in settings else None,
        plan_version=_version(settings["plan_version"]) if "plan_version" in settings else None,
        price_id=settings.get("price"),
    )


def _version(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text.strip()):
        raise BadSettingError(f"plan_version={text} is not a whole number such as 3")
    return int(text)


def _price_of_version(versions: Sequence[Row], terms: Terms, wanted: int) -> str:
    """The price of that plan version that stands for the item's: the one of its name, else the one of its meter."""
    if not versions:
        raise BadSettingError(f"price {terms.price_id} belongs to no plan, so there is no plan version {wanted} of it")
    known = sorted({row["version"] for row in versions})
    plan = versions[0]["plan_key"]
    if wanted not in known:
        raise BadSettingError(f"plan {plan} has no version {wanted}; it has {', '.join(map(str, known))}")
    prices = [row for row in versions if row["version"] == wanted and row["price_id"] is not None]
    named = [row for row in prices if row["name"] == terms.price_name] or prices
    if len(named) != 1:
        found = ", ".join(row["price_id"] for row in named) or "none"
        raise BadSettingError(
            f"version {wanted} of plan {plan} has {len(named)} prices like {terms.price_id} ({found}); set price to one"
        )
    return str(named[0]["price_id"])
