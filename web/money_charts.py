"""The geometry of charts of money: a unit price by period, an invoice as it should be and as it is, a credit ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from web.charts import Axis, Bar, Bound, Chart, Line, Mark, along, axis, path, percent
from web.figures import plain_amount
from web.moments import day

PARTS = 6
"""How many lines of an invoice have a shade of their own; what follows is one part together."""

WIDTH = Decimal("0.6")
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Rate:
    """What a unit of one period was agreed to cost, and what it was charged at."""

    label: str
    agreed: Decimal
    charged: Decimal


@dataclass(frozen=True)
class Part:
    """One line of an invoice: what it should be (None: it cannot be rated), and what it is."""

    name: str
    expected: Decimal | None
    billed: Decimal


@dataclass(frozen=True)
class Movement:
    """One row of a credit ledger; `named`: the finding is about it."""

    sequence: int
    kind: str
    amount: Decimal
    before: Decimal
    after: Decimal
    booked_at: datetime
    named: bool

    @property
    def leads_to(self) -> Decimal:
        """What the balance before it and its amount come to."""
        return self.before + self.amount


def rate_chart(rates: Sequence[Rate], currency: str, per: str) -> Chart:
    """The agreed and the charged price of a unit, period by period; where they part stands out."""
    scale = axis(max((value for rate in rates for value in (rate.agreed, rate.charged)), default=_NOTHING))
    off = [place for place, rate in enumerate(rates) if rate.agreed != rate.charged]
    return Chart(
        title="What a unit costs, period by period",
        note=f"{currency} per {per}; the circles are periods that were charged at another price than agreed.",
        axis=scale,
        along=tuple(rate.label.split()[1] for rate in rates),
        columns=("Period", "Agreed", "Charged", "Difference"),
        rows=tuple(
            (
                rate.label,
                plain_amount(rate.agreed, currency),
                plain_amount(rate.charged, currency),
                plain_amount(rate.agreed - rate.charged, currency),
            )
            for rate in rates
        ),
        legend=(("usual", "agreed"), ("actual", "charged"), ("mark", "charged otherwise than agreed"))[
            : 3 if off else 2
        ],
        lines=(
            Line("usual", path([rate.agreed for rate in rates], scale.top)),
            Line("actual", path([rate.charged for rate in rates], scale.top)),
        ),
        marks=tuple(
            Mark(percent(along(place, len(rates))), scale.down(rates[place].charged), _told(rates[place], currency))
            for place in off
        ),
    )


def invoice_chart(parts: Sequence[Part], extra: Decimal, unexplained: Decimal, stated: Decimal, currency: str) -> Chart:
    """An invoice as it should be beside the invoice as it is, each a stack of its lines.

    `extra` is tax that comes on top of both; `unexplained` what the total states beyond its lines and tax (negative:
    short of them); `stated`: the total, drawn as a line.
    """
    shown = _folded(parts)
    columns = (
        ("expected", [part.billed if part.expected is None else part.expected for part in shown], _NOTHING),
        ("billed", [part.billed for part in shown], max(unexplained, _NOTHING)),
    )
    due = sum(columns[0][1], extra)
    heights = [sum((max(one, _NOTHING) for one in lines), extra + more) for _, lines, more in columns]
    scale = axis(max([*heights, stated]))
    looks = [(f"part-{place + 1}", part.name) for place, part in enumerate(shown)]
    looks += [("tax", "tax")] if extra > 0 else []
    looks += [("unexplained", "in the total, and in none of its parts")] if unexplained > 0 else []
    return Chart(
        title="The invoice as it should be, and as it is",
        note=f"{currency}, after discounts; the dashed line is the total that the invoice states.",
        axis=scale,
        along=tuple(name for name, _, _ in columns),
        slots=True,
        columns=("Part", "Expected", "Billed", "Difference"),
        rows=(
            *(_part_row(part, currency) for part in parts),
            *([("Tax", plain_amount(extra, currency), plain_amount(extra, currency), "0")] if extra else []),
            _part_row(Part("Total", due, stated), currency),
        ),
        legend=tuple(looks),
        bars=tuple(
            bar
            for place, (name, lines, more) in enumerate(columns)
            for bar in _stack(place, name, [*lines, *([extra] if extra > 0 else []), more], looks, scale, currency)
        ),
        bounds=(Bound(scale.down(stated), f"stated: {plain_amount(stated, currency)} {currency}"),),
    )


def ledger_chart(movements: Sequence[Movement], currency: str) -> Chart:
    """A credit ledger as steps: each movement from the balance before it to the balance after it, as it was booked."""
    values = [value for one in movements for value in (one.before, one.after, one.leads_to)]
    scale = axis(max([*values, _NOTHING]), least=min([*values, _NOTHING]))
    looks = {"in": "credit that came in", "out": "credit that was spent", "off": "what the finding is about"}
    used = {_look(one) for one in movements}
    wrong = [(place, one) for place, one in enumerate(movements) if one.leads_to != one.after]
    return Chart(
        title="The credit ledger, step by step",
        note=f"{currency}; each bar leads from the balance before a movement to the balance after it. Where one bar "
        "does not begin at the height where the last one ended, the ledger does not add up.",
        axis=scale,
        along=tuple(str(one.sequence) for one in movements),
        slots=True,
        columns=("Movement", "Booked", "Kind", "Amount", "Before", "After"),
        rows=tuple(
            (
                f"{one.sequence}{' (named)' if one.named else ''}",
                day(one.booked_at),
                one.kind.replace("_", " "),
                *(plain_amount(value, currency) for value in (one.amount, one.before, one.after)),
            )
            for one in movements
        ),
        legend=(
            *((look, words) for look, words in looks.items() if look in used),
            *([("mark", "where the amount would lead")] if wrong else []),
        ),
        bars=tuple(_step(place, len(movements), one, scale, currency) for place, one in enumerate(movements)),
        marks=tuple(
            Mark(percent((place + Decimal("0.5")) / len(movements)), scale.down(one.leads_to), _led(one, currency))
            for place, one in wrong
        ),
    )


def _led(one: Movement, currency: str) -> str:
    before, amount, end = (plain_amount(value, currency) for value in (one.before, one.amount, one.leads_to))
    return f"{one.sequence}: {before} and {amount} come to {end}"


def _told(rate: Rate, currency: str) -> str:
    charged, agreed = (plain_amount(value, currency) for value in (rate.charged, rate.agreed))
    return f"{rate.label}: {charged} {currency} instead of {agreed}"


def _folded(parts: Sequence[Part]) -> list[Part]:
    """The largest lines, and all others as one."""
    if len(parts) <= PARTS:
        return list(parts)
    ordered = sorted(parts, key=lambda part: max(part.billed, part.expected or _NOTHING), reverse=True)
    rest = ordered[PARTS - 1 :]
    expected = sum((part.billed if part.expected is None else part.expected for part in rest), _NOTHING)
    billed = sum((part.billed for part in rest), _NOTHING)
    return [*ordered[: PARTS - 1], Part(f"{len(rest)} smaller lines", expected, billed)]


def _part_row(part: Part, currency: str) -> tuple[str, ...]:
    if part.expected is None:
        return part.name, "not rated", plain_amount(part.billed, currency), ""
    amounts = (part.expected, part.billed, part.expected - part.billed)
    return part.name, *(plain_amount(amount, currency) for amount in amounts)


def _stack(
    place: int, name: str, values: Sequence[Decimal], looks: Sequence[tuple[str, str]], scale: Axis, currency: str
) -> list[Bar]:
    """One column from below; what gives money back has no height, and stands in the table."""
    slot = Decimal(1) / 2
    wide = slot * Decimal("0.5")
    left = slot * place + (slot - wide) / 2
    bars, below = [], _NOTHING
    for (look, words), value in zip(looks, values, strict=False):
        if value > 0:
            below += value
            label = f"{words}: {plain_amount(value, currency)} {currency} {name}"
            bars.append(Bar(look, percent(left), scale.down(below), percent(wide), scale.height(value), label))
    return bars


def _look(one: Movement) -> str:
    return "off" if one.named else "in" if one.amount >= 0 else "out"


def _step(place: int, count: int, one: Movement, scale: Axis, currency: str) -> Bar:
    slot = Decimal(1) / count
    wide = slot * WIDTH
    top = max(one.before, one.after)
    label = f"{one.sequence}, {one.kind}: {plain_amount(one.before, currency)} to {plain_amount(one.after, currency)}"
    return Bar(
        _look(one),
        percent(slot * place + (slot - wide) / 2),
        scale.down(top),
        percent(wide),
        scale.height(abs(one.after - one.before)),
        label,
    )
