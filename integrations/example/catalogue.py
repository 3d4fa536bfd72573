"""What the example company sells: meters, plans in every currency, and a price for each thing that a plan charges.

Amounts are written once in dollars and turned into list prices of the other currencies by fixed rates, so that a yen
price is whole yen and a dinar price has three places.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import round_money
from integrations.example.places import CURRENCIES
from integrations.example.records import Meter, Plan, PriceRecord, PriceTier

MONTHLY, YEARLY = "P1M", "P1Y"

METERS = (
    Meter("meter_api", "API requests", "api.request", "sum", "$.count", "request"),
    Meter("meter_storage", "Storage", "storage.sample", "sum", "$.mb_hours", "MB-hour"),
    Meter("meter_compute", "Compute", "compute.run", "sum", "$.seconds", "second"),
    Meter("meter_documents", "Documents", "document.processed", "count", None, "document"),
    Meter("meter_users", "Active users", "user.active", "unique_count", "$.user_id", "user"),
    Meter("meter_nodes", "Peak nodes", "node.sample", "max", "$.nodes", "node"),
    Meter("meter_gpu", "GPU hours", "gpu.job", "sum", "$.gpu_hours", "hour"),
    Meter("meter_messages", "Messages", "message.batch", "sum", "$.messages", "message"),
)

_RATES = {
    "USD": Decimal(1),
    "EUR": Decimal("0.9"),
    "GBP": Decimal("0.8"),
    "JPY": Decimal(150),
    "KWD": Decimal("0.3"),
}


@dataclass(frozen=True)
class Card:
    """One thing that a plan charges, in dollars. `daily` is what a middling customer uses of the meter on a weekday.

    `tiers` are (up to, unit amount, flat amount). `seats` is the usual subscribed quantity.
    """

    key: str
    name: str
    model: str
    meter: str | None = None
    unit: str | None = None
    flat: str | None = None
    tiers: tuple[tuple[int | None, str, str | None], ...] = ()
    term: str = "in_arrears"
    monthly: bool = True
    package_size: int | None = None
    free_units: int | None = None
    divide: int | None = None
    minimum: str | None = None
    maximum: str | None = None
    proration: str | None = None
    daily: float = 0.0
    seats: int | None = None


@dataclass(frozen=True)
class Offer:
    """One version of a plan with its cards; `since` is the day of the company's books on which it went on sale."""

    key: str
    version: int
    name: str
    cadence: str
    cards: tuple[Card, ...]
    since: int = 0
    until: int | None = None

    @property
    def slug(self) -> str:
        """The part of ids that names the version and cadence."""
        return f"{self.key}_v{self.version}_{'y' if self.cadence == YEARLY else 'm'}"


def _fee(amount: str, *, monthly: bool = True, proration: str = "second") -> Card:
    return Card("fee", "Platform fee", "flat", flat=amount, term="in_advance", monthly=monthly, proration=proration)


def _seats(amount: str, seats: int, *, monthly: bool = True, proration: str = "day") -> Card:
    return Card(
        "seats",
        "Seats",
        "per_unit",
        unit=amount,
        term="in_advance",
        monthly=monthly,
        proration=proration,
        seats=seats,
    )


def _api(model: str, *tiers: tuple[int | None, str, str | None], daily: float, minimum: str | None = None) -> Card:
    return Card("api", "API requests", model, "meter_api", tiers=tiers, daily=daily, minimum=minimum)


_STORAGE = Card(
    "storage",
    "Storage (GB-hours)",
    "per_unit",
    "meter_storage",
    unit="0.004",
    divide=1024,
    free_units=5000,
    daily=2_400_000,
)
_GROWTH_API = _api(
    "graduated",
    (1_000_000, "0.0005", None),
    (3_000_000, "0.0004", None),
    (None, "0.0003", None),
    daily=70_000,
)
_GROWTH_API_V2 = _api(
    "graduated",
    (1_000_000, "0.0006", None),
    (3_000_000, "0.00045", None),
    (None, "0.00035", None),
    daily=70_000,
)
_GPU_TIERS = ((200, "2.9", None), (600, "2.4", None), (None, "1.9", None))

OFFERS = (
    Offer(
        "starter",
        1,
        "Starter",
        MONTHLY,
        (
            _fee("49", proration="day"),
            Card("api", "API requests", "per_unit", "meter_api", unit="0.0006", free_units=100_000, daily=14_000),
            Card("documents", "Documents", "per_unit", "meter_documents", unit="0.45", free_units=50, daily=9),
        ),
    ),
    Offer("growth", 1, "Growth", MONTHLY, (_fee("249"), _seats("25", 8), _GROWTH_API, _STORAGE), until=210),
    Offer("growth", 2, "Growth", MONTHLY, (_fee("279"), _seats("27", 8), _GROWTH_API_V2, _STORAGE), since=210),
    Offer(
        "growth",
        1,
        "Growth, yearly",
        YEARLY,
        (_fee("2490", monthly=False), _seats("250", 9, monthly=False), _GROWTH_API, _STORAGE),
    ),
    Offer(
        "scale",
        1,
        "Scale",
        MONTHLY,
        (
            _fee("899"),
            _seats("39", 15, proration="second"),
            _api(
                "volume",
                (5_000_000, "0.00045", None),
                (15_000_000, "0.00036", None),
                (None, "0.00028", None),
                daily=420_000,
            ),
            Card(
                "compute",
                "Compute (minutes)",
                "package",
                "meter_compute",
                unit="18",
                package_size=1000,
                divide=60,
                daily=90_000,
            ),
            Card(
                "nodes",
                "Peak nodes",
                "graduated",
                "meter_nodes",
                tiers=((5, "60", None), (20, "48", None), (None, "40", None)),
                daily=12,
            ),
        ),
    ),
    Offer(
        "enterprise",
        1,
        "Enterprise",
        YEARLY,
        (
            _fee("24000", monthly=False),
            _api(
                "graduated",
                (10_000_000, "0.0003", "200"),
                (30_000_000, "0.00022", "150"),
                (None, "0.00018", None),
                daily=600_000,
                minimum="2500",
            ),
            Card(
                "users",
                "Active users",
                "volume",
                "meter_users",
                tiers=((25, "8", None), (60, "6.5", "20"), (None, "5", "60")),
                daily=12,
            ),
            Card("gpu", "GPU hours", "graduated", "meter_gpu", tiers=_GPU_TIERS, daily=26, maximum="3200"),
        ),
    ),
    Offer(
        "messaging",
        1,
        "Messaging",
        MONTHLY,
        (
            _fee("99"),
            Card(
                "numbers",
                "Dedicated numbers",
                "flat",
                flat="15",
                term="in_advance",
                proration="day",
                seats=3,
            ),
            Card(
                "messages",
                "Messages",
                "package",
                "meter_messages",
                unit="7",
                package_size=1000,
                free_units=5000,
                daily=4200,
            ),
        ),
    ),
    Offer(
        "insights",
        1,
        "Insights",
        MONTHLY,
        (
            Card("support", "Support retainer", "flat", flat="150", term="in_arrears", proration="second"),
            Card(
                "viewers",
                "Viewers",
                "graduated",
                tiers=((10, "12", None), (None, "9", None)),
                term="in_advance",
                proration="day",
                seats=14,
            ),
            Card("gpu", "GPU hours", "graduated", "meter_gpu", tiers=_GPU_TIERS, daily=14),
        ),
    ),
)

SECOND_PRODUCTS = ("messaging", "insights")
"""Plans that a customer takes beside its first one; they share no meter with starter, growth and scale."""


def local(dollars: str, currency: str) -> Decimal:
    """A list price in the currency, exact: unit prices keep all their digits."""
    return (Decimal(dollars) * _RATES[currency]).normalize() + 0


def local_fee(dollars: str, currency: str) -> Decimal:
    """A fee in the currency, in whole minor units."""
    return round_money(Decimal(dollars) * _RATES[currency], currency)


def in_dollars(amount: Decimal, currency: str) -> Decimal:
    """About what the amount is worth in dollars: to compare sizes, never to bill."""
    return amount / _RATES[currency]


def plan_id(offer: Offer, currency: str) -> str:
    """The id of the offer's plan row in a currency."""
    return f"plan_{offer.slug}_{currency.lower()}"


def price_id(offer: Offer, card: Card, currency: str) -> str:
    """The id of the card's price in a currency."""
    return f"price_{offer.slug}_{card.key}_{currency.lower()}"


def offer_of(key: str, cadence: str = MONTHLY, version: int = 1) -> Offer:
    """The offer of that plan, cadence and version. Raises StopIteration when there is none."""
    return next(each for each in OFFERS if (each.key, each.cadence, each.version) == (key, cadence, version))


def plans(opened: datetime, day_at: list[datetime]) -> list[Plan]:
    """A row per offer and currency. `day_at[n]` is the instant at which day `n` of the books begins."""
    return [
        Plan(
            plan_id(offer, currency),
            offer.key,
            offer.version,
            offer.name,
            currency,
            offer.cadence,
            effective_from=day_at[offer.since],
            effective_to=None if offer.until is None else day_at[offer.until],
            status="active" if offer.until is None else "archived",
        )
        for offer in OFFERS
        for currency in CURRENCIES
    ]


def prices(day_at: list[datetime]) -> list[PriceRecord]:
    """A price per card of every offer and currency, its tiers inside."""
    return [
        _price(offer, card, currency, day_at[offer.since])
        for offer in OFFERS
        for currency in CURRENCIES
        for card in offer.cards
    ]


def _price(offer: Offer, card: Card, currency: str, since: datetime) -> PriceRecord:
    identity = price_id(offer, card, currency)
    return PriceRecord(
        identity,
        plan_id(offer, currency),
        card.meter,
        f"{card.name} · {offer.name}",
        card.model,
        currency,
        MONTHLY if card.monthly else YEARLY,
        card.term,
        unit_amount=local(card.unit, currency) if card.unit else None,
        flat_amount=local_fee(card.flat, currency) if card.flat else None,
        package_size=_quantity(card.package_size),
        free_units=_quantity(card.free_units),
        convert="divide" if card.divide else None,
        convert_factor=_quantity(card.divide),
        convert_rounding="ceiling" if card.divide else None,
        minimum_amount=local_fee(card.minimum, currency) if card.minimum else None,
        maximum_amount=local_fee(card.maximum, currency) if card.maximum else None,
        proration=card.proration,
        tax_behavior="inclusive" if currency == "JPY" else "exclusive",
        effective_from=since,
        tiers=[
            PriceTier(
                identity,
                number,
                _quantity(up_to),
                local(unit, currency),
                local_fee(flat, currency) if flat else None,
            )
            for number, (up_to, unit, flat) in enumerate(card.tiers, start=1)
        ],
    )


def _quantity(number: int | None) -> Decimal | None:
    return None if number is None else Decimal(number)
