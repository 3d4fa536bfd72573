"""Random prices, overrides and lines: as books rows for the SQL, and as values for the reference beside it."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.dialects import BOOKS
from billing.money import Rounding
from billing.prices import Model, Override, Price, Tier, overridden

CURRENCIES = ("USD", "EUR", "JPY", "KWD", "CLF")
ROUNDING = {f"files_{mode}": replace(BOOKS, rounding=mode) for mode in Rounding}
"""The dialects of the integrations: rating.md itself, in every rounding mode."""
SEATS = (Model.FLAT, Model.PER_UNIT, Model.GRADUATED, Model.VOLUME, Model.PACKAGE)
"""The models that subscribed quantities are charged by."""
START = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    """A quantity to be rated under a catalog price, perhaps overridden; `share` for flat and seat charges."""

    number: int
    price: Price
    override: Override | None
    quantity: Decimal | None
    before: Decimal | None
    share: Fraction
    events: int | None = None
    rounding: Rounding = Rounding.HALF_UP

    @property
    def integration(self) -> str:
        """The integration that bills it, named for how it rounds."""
        return f"files_{self.rounding}"

    @property
    def terms(self) -> Price:
        """The price after the override."""
        return overridden(self.price, self.override)


def lines(count: int, seed: int) -> list[Line]:
    """`count` lines over all models, currencies and features, some of which cannot be rated."""
    chance = random.Random(seed)
    return [_line(number, chance) for number in range(count)]


def _line(number: int, chance: random.Random) -> Line:
    price = _price(chance)
    override = _override(price, chance) if chance.random() < 0.3 else None
    whole = chance.randint(1, 366)
    return Line(
        number,
        price,
        override,
        None if chance.random() < 0.02 else _quantity(chance, price, override),
        _quantity(chance, price, override) if price.metered and chance.random() < 0.4 else None,
        Fraction(1) if price.metered else Fraction(chance.randint(0, whole), whole),
        chance.randint(0, 50) if chance.random() < 0.9 else None,
        Rounding.HALF_UP if chance.random() < 0.5 else chance.choice(list(Rounding)),
    )


def _decimal(chance: random.Random, top: int, places: int) -> Decimal:
    return Decimal(chance.randint(0, top * 10**places)).scaleb(-places)


def _price(chance: random.Random) -> Price:
    model = chance.choice(list(Model))
    metered = model not in SEATS or chance.random() < 0.6
    price = Price(
        model,
        "XXX" if chance.random() < 0.01 else chance.choice(CURRENCIES),
        unit_amount=_decimal(chance, 20, chance.choice((0, 2, 4, 12))),
        flat_amount=_decimal(chance, 100, chance.choice((0, 2, 4))) if chance.random() < 0.6 else None,
        percent_rate=_decimal(chance, 30, chance.choice((0, 1, 12))),
        package_size=Decimal(chance.choice(("1", "20", "1000", "0.5", "3.3", "0"))),
        free_units=_decimal(chance, 300, chance.choice((0, 3))) if chance.random() < 0.3 else None,
        maximum_amount=_decimal(chance, 500, 2) if chance.random() < 0.3 else None,
        minimum_amount=_decimal(chance, 500, 2) if chance.random() < 0.3 else None,
        tiers=_tiers(chance),
        metered=metered,
    )
    return replace(price, **_conversion(chance)) if chance.random() < 0.3 else price


def _conversion(chance: random.Random) -> dict[str, Any]:
    convert = chance.choice(("multiply", "divide"))
    factors = ("0.001", "0.7", "3", "60", "1000", "0") + (("1024", "1000000000") if convert == "divide" else ())
    return {
        "convert": convert,
        "convert_factor": Decimal(chance.choice(factors)),
        "convert_rounding": chance.choice((None, "none", "ceiling", "floor", "half_up")),
    }


def _tiers(chance: random.Random) -> tuple[Tier, ...]:
    places = chance.choice((0, 0, 2))
    bounds: list[Decimal | None] = sorted({_decimal(chance, 2000, places) for _ in range(chance.randint(0, 4))})
    if chance.random() < 0.98:
        bounds.append(None)
    if chance.random() < 0.02:
        chance.shuffle(bounds)
    first = 1 if chance.random() < 0.98 else 2
    return tuple(
        Tier(
            number,
            bound,
            _decimal(chance, 5, chance.choice((0, 2, 6))) if chance.random() < 0.95 else None,
            _decimal(chance, 50, 2) if chance.random() < 0.3 else None,
            _decimal(chance, 9, 1) if chance.random() < 0.95 else None,
        )
        for number, bound in enumerate(bounds, start=first)
    )


def _override(price: Price, chance: random.Random) -> Override:
    def maybe(value: Decimal) -> Decimal | None:
        return value if chance.random() < 0.5 else None

    return Override(
        unit_amount=maybe(_decimal(chance, 20, 4)),
        flat_amount=maybe(_decimal(chance, 100, 2)),
        minimum_amount=maybe(_decimal(chance, 200, 2)),
        maximum_amount=maybe(_decimal(chance, 900, 2)),
        tiers=_tiers(chance) if chance.random() < 0.4 else None,
    )


def _quantity(chance: random.Random, price: Price, override: Override | None) -> Decimal:
    """Often on, just below or just above a bound, where mistakes show; sometimes negative."""
    bounds = [tier.up_to for tier in overridden(price, override).tiers if tier.up_to is not None]
    kind = chance.random()
    if kind < 0.3 and bounds:
        return chance.choice(bounds) + chance.choice((Decimal(-1), Decimal(0), Decimal(1), Decimal("0.000000001")))
    if kind < 0.35:
        return Decimal(0)
    if kind < 0.36:
        return Decimal(-3)
    return _decimal(chance, chance.choice((10, 3000, 10_000_000)), chance.choice((0, 0, 3, 9)))


def price_rows(given: list[Line]) -> dict[str, list[dict[str, Any]]]:
    """The prices, tiers and overrides of the lines as books rows; price `p7` is the one of line 7."""
    books: dict[str, list[dict[str, Any]]] = {"prices": [], "price_tiers": [], "price_overrides": []}
    for line in given:
        price_id = f"p{line.number}"
        fields = {name: value for name, value in asdict(line.price).items() if name not in ("tiers", "metered")}
        fields |= {"meter_id": "m" if line.price.metered else None, "price_id": price_id, "name": price_id}
        books["prices"].append(
            fields
            | {"cadence": "P1M", "payment_term": "in_arrears", "status": "active", "integration": line.integration}
        )
        books["price_tiers"] += [
            tier | {"price_id": price_id, "integration": line.integration} for tier in _tier_rows(line.price.tiers)
        ]
        if line.override:
            books["price_overrides"].append(_override_row(line))
    return books


def _override_row(line: Line) -> dict[str, Any]:
    override = line.override
    assert override is not None
    tiers = None
    if override.tiers is not None:
        rows = [
            {name: str(value) if isinstance(value, Decimal) else value for name, value in row.items()}
            for row in _tier_rows(override.tiers)
        ]
        tiers = json.dumps(rows)
    amounts = {name: value for name, value in asdict(override).items() if name != "tiers"}
    return amounts | {
        "override_id": f"o{line.number}",
        "customer_id": "c",
        "price_id": f"p{line.number}",
        "tiers": tiers,
        "valid_from": START,
        "integration": line.integration,
    }


def _tier_rows(tiers: tuple[Tier, ...]) -> list[dict[str, Any]]:
    return [{"tier": tier.number, **{k: v for k, v in asdict(tier).items() if k != "number"}} for tier in tiers]
