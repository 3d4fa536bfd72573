"""What signals say of a customer's money: by month as a chart, by invoice beside what was billed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from detector.shares import Share, Sums, by_invoice, by_month
from web.charts import Axis, Bar, Chart, axis, percent
from web.figures import money, plain_amount

FEWEST, MONTHS = 6, 12
"""How many months a chart shows; what is older is one bar before them."""

WIDEST = Decimal("0.07")
"""The part of the width that a bar takes at most."""

LOOKS = (("under", "underbilled"), ("over", "overbilled"), ("exposure", "exposed"))
EARLIER, UNDATED = "earlier", "undated"
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Checked:
    """An invoice and what open signals say of it: amounts before tax; `expected` None where they say nothing."""

    row: Mapping[str, Any]
    billed: Decimal
    expected: Decimal | None
    said: Sums | None


def exposure_charts(shares: Iterable[Share], now: datetime) -> list[Chart]:
    """One chart per currency: each month's money at risk by kind, with the signals that it comes from."""
    found: dict[str, dict[str, Sums]] = {}
    for (currency, month), sums in by_month(shares).items():
        found.setdefault(currency, {})[month] = sums
    return [_chart(currency, months, now) for currency, months in sorted(found.items())]


def checked(invoices: Sequence[Mapping[str, Any]], shares: Iterable[Share]) -> list[Checked]:
    """Each invoice beside what signals say should have been billed on it."""
    said = by_invoice(shares)
    return [_checked(row, said.get((row["currency"], row["invoice_id"]))) for row in invoices]


def linked(numbers: Iterable[int]) -> Markup:
    """The signals by their labels, each a link."""
    links = [Markup('<a href="/signals/SIG-{0}">SIG-{0}</a>').format(number) for number in numbers]
    return Markup(", ").join(links)


def _checked(row: Mapping[str, Any], said: Sums | None) -> Checked:
    billed = row["subtotal"] - row["discount_total"]
    return Checked(row, billed, billed + said.under - said.over if said else None, said)


def _chart(currency: str, by_name: Mapping[str, Sums], now: datetime) -> Chart:
    slots = _slots(by_name, now)
    scale = axis(max(sum((one.at_risk for one in sums), _NOTHING) for _, sums in slots))
    return Chart(
        title=f"At risk by month, {currency}",
        note="By the month in which the billing period begins; open signals only.",
        axis=scale,
        along=tuple(label.partition(" ")[0] for label, _ in slots),
        slots=True,
        columns=("Month", "Underbilled", "Overbilled", "Exposed", "Signals"),
        rows=tuple(_row(label, sums, currency) for label, sums in slots),
        legend=tuple((look, words) for look, words in LOOKS if any(getattr(one, look) for one in by_name.values())),
        bars=tuple(
            bar for place, (label, sums) in enumerate(slots) for bar in _stack(place, len(slots), label, sums, scale)
        ),
    )


def _slots(by_name: Mapping[str, Sums], now: datetime) -> list[tuple[str, list[Sums]]]:
    """The months up to now in their order, quiet ones too, what is older than them first, what has no period last."""
    newest = max([f"{now:%Y-%m}", *by_name])
    months = [newest]
    oldest = min(filter(None, by_name), default=newest)
    while len(months) < FEWEST or (len(months) < MONTHS and months[-1] > oldest):
        months.append(_before(months[-1]))
    found = [(_label(month), [by_name[month]] if month in by_name else []) for month in reversed(months)]
    older = [sums for month, sums in by_name.items() if month and month < months[-1]]
    if older:
        found.insert(0, (EARLIER, older))
    if "" in by_name:
        found.append((UNDATED, [by_name[""]]))
    return found


def _before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year - (number == 1)}-{number - 1 or 12:02}"


def _label(month: str) -> str:
    return f"{date(int(month[:4]), int(month[5:]), 1):%b %Y}"


def _row(label: str, sums: Sequence[Sums], currency: str) -> tuple[str, ...]:
    signals = sorted({number for one in sums for number in one.signals})
    amounts = (sum((getattr(one, look) for one in sums), _NOTHING) for look, _ in LOOKS)
    return label, *(money(amount or None, currency) for amount in amounts), linked(signals) or "\u2013"


def _stack(place: int, count: int, label: str, sums: Sequence[Sums], scale: Axis) -> list[Bar]:
    slot = Decimal(1) / count
    wide = min(slot * Decimal("0.6"), WIDEST)
    left = slot * place + (slot - wide) / 2
    bars, below = [], _NOTHING
    for look, words in LOOKS:
        part = sum((getattr(one, look) for one in sums), _NOTHING)
        if part:
            below += part
            told = f"{label}: {plain_amount(part, sums[0].currency)} {sums[0].currency} {words}"
            bars.append(Bar(look, percent(left), scale.down(below), percent(wide), scale.height(part), told))
    return bars
