"""Where the example company's customers are, what they are called and how they are taxed. All names are invented.

The seller is in the Netherlands: Dutch customers pay Dutch VAT, businesses elsewhere in the EU and in the United
Kingdom account for it themselves (reverse charge) by a verified VAT number, consumers in the EU pay their country's
rate, prices in yen hold the tax inside.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

ZERO = Decimal(0)


@dataclass(frozen=True)
class Place:
    """A country with what depends on it. `vat` is the pattern of a tax number: 9 a digit, A a letter, else itself."""

    country: str
    currency: str
    timezones: tuple[str, ...]
    forms: tuple[str, ...]
    tax_id_type: str | None = None
    vat: str = ""
    business_rate: Decimal = ZERO
    consumer_rate: Decimal = ZERO
    weight: int = 1


def _percent(text: str) -> Decimal:
    return Decimal(text) / 100


PLACES = (
    Place(
        "US",
        "USD",
        ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Phoenix"),
        ("Inc.", "LLC", "Corp."),
        weight=34,
    ),
    Place("CA", "USD", ("America/Toronto", "America/Vancouver"), ("Inc.", "Ltd."), weight=5),
    Place("AU", "USD", ("Australia/Sydney", "Australia/Perth"), ("Pty Ltd",), "au_abn", "99999999999", weight=4),
    Place("IN", "USD", ("Asia/Kolkata",), ("Pvt Ltd",), "in_gst", "22AAAAA9999A1Z9", weight=3),
    Place("BR", "USD", ("America/Sao_Paulo",), ("Ltda.",), "br_cnpj", "99999999999999", weight=3),
    Place(
        "DE", "EUR", ("Europe/Berlin",), ("GmbH", "AG"), "eu_vat", "DE999999999", consumer_rate=_percent("19"), weight=9
    ),
    Place(
        "FR",
        "EUR",
        ("Europe/Paris",),
        ("SAS", "SARL"),
        "eu_vat",
        "FR99999999999",
        consumer_rate=_percent("20"),
        weight=6,
    ),
    Place(
        "NL",
        "EUR",
        ("Europe/Amsterdam",),
        ("B.V.",),
        "eu_vat",
        "NL999999999B99",
        business_rate=_percent("21"),
        consumer_rate=_percent("21"),
        weight=5,
    ),
    Place("ES", "EUR", ("Europe/Madrid",), ("S.L.",), "eu_vat", "ESB99999999", consumer_rate=_percent("21"), weight=3),
    Place("IE", "EUR", ("Europe/Dublin",), ("DAC",), "eu_vat", "IE9999999AA", consumer_rate=_percent("23"), weight=2),
    Place("FI", "EUR", ("Europe/Helsinki",), ("Oy",), "eu_vat", "FI99999999", consumer_rate=_percent("25.5"), weight=2),
    Place(
        "GB",
        "GBP",
        ("Europe/London",),
        ("Ltd", "PLC"),
        "gb_vat",
        "GB999999999",
        consumer_rate=_percent("20"),
        weight=12,
    ),
    Place(
        "JP",
        "JPY",
        ("Asia/Tokyo",),
        ("K.K.", "G.K."),
        "jp_trn",
        "T9999999999999",
        business_rate=_percent("10"),
        consumer_rate=_percent("10"),
        weight=8,
    ),
    Place("KW", "KWD", ("Asia/Kuwait",), ("W.L.L.",), weight=6),
)

CURRENCIES = ("USD", "EUR", "GBP", "JPY", "KWD")

_OPENINGS = (
    "Al Bel Bri Cal Cor Dal Del El Fen Gal Hal Hel Ist Jas Kel Lan Lum Mar Mel Nor"
    " Oak Or Pel Quan Ral Ros Sel Sil Tal Ter Tor Ul Val Vel Ver Wil Wyn Yar Zan Zel"
)
_ENDINGS = (
    "adon ament ana andra aris aven bury dale dora enta era field gate grove halla"
    " ica idian ium lark mere mont nova ora oria pine ridge stead tide vane wick"
)
_TRADES = (
    "Analytics Robotics Logistics Health Payments Energy Media Foods Mobility Games Insurance Software Travel Genomics"
    " Networks Retail Learning Security Materials Aerospace Farming Legal Motors Pharma Maritime Labs Studios Optics"
)


def place_of(index: int, rng: np.random.Generator) -> Place:
    """Where customer number `index` is: the first ten go through the currencies twice, then by weight."""
    if index < 2 * len(CURRENCIES):
        wanted = CURRENCIES[index % len(CURRENCIES)]
        return next(place for place in PLACES if place.currency == wanted)
    weights = np.array([place.weight for place in PLACES], dtype=float)
    return PLACES[int(rng.choice(len(PLACES), p=weights / weights.sum()))]


def company_name(index: int, place: Place, rng: np.random.Generator) -> str:
    """An invented name, unlike that of any other index below 33,600."""
    openings, endings, trades = _OPENINGS.split(), _ENDINGS.split(), _TRADES.split()
    spread = (index * 7919 + 613) % (len(openings) * len(endings) * len(trades))  # a prime step: no name comes twice
    rest, trade = divmod(spread, len(trades))
    opening, ending = divmod(rest, len(endings))
    form = place.forms[int(rng.integers(len(place.forms)))]
    return f"{openings[opening]}{endings[ending]} {trades[trade]} {form}"


def tax_number(place: Place, rng: np.random.Generator) -> str:
    """A number that fits the country's pattern."""
    prefix = 2 if place.tax_id_type in {"eu_vat", "gb_vat"} else 0
    return place.vat[:prefix] + "".join(_character(letter, rng) for letter in place.vat[prefix:])


def _character(letter: str, rng: np.random.Generator) -> str:
    if letter == "9":
        return str(int(rng.integers(10)))
    return string.ascii_uppercase[int(rng.integers(26))] if letter == "A" else letter
