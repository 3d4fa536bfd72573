"""Charts as geometry: fractions of the drawing area and labels, which templates draw as SVG with a table beside it.

Everything is worked out in decimals and written with a few digits; positions are percentages, so that a chart fits any
width while its text and strokes keep their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from markupsafe import Markup

from web.figures import short

SPARK_WIDTH, SPARK_HEIGHT = 80, 20
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True)
class Axis:
    """A vertical axis from zero, or from `bottom` below it: its greatest value and its labels from the top down, evenly
    spaced.
    """

    top: Decimal
    labels: tuple[str, ...]
    bottom: Decimal = Decimal(0)

    @property
    def lines(self) -> tuple[str, ...]:
        """Where the grid lines stand, in percent from the top."""
        parts = max(len(self.labels) - 1, 1)
        return tuple(_percent(Decimal(index) / parts) for index in range(len(self.labels)))

    def down(self, value: Decimal) -> str:
        """How far below the top a value stands, in percent."""
        return _percent((self.top - value) / (self.top - self.bottom))

    def height(self, value: Decimal) -> str:
        """How tall a bar of the value is, in percent."""
        return _percent(value / (self.top - self.bottom))


@dataclass(frozen=True)
class Line:
    """A line through the chart; `look` is its class: actual or usual."""

    look: str
    path: str


@dataclass(frozen=True)
class Bound:
    """A horizontal line at a value, with its label: a tier's upper bound."""

    down: str
    label: str


@dataclass(frozen=True)
class Mark:
    """A value that stands out, and what a reader is told about it."""

    along: str
    down: str
    label: str


@dataclass(frozen=True)
class Bar:
    """A bar or a background band; `look` is its class: expected, billed, billed off, period, band."""

    look: str
    x: str
    y: str
    width: str
    height: str
    label: str = ""


@dataclass(frozen=True)
class Chart:
    """One chart with the table that says the same: what its title, legend and axes say, and what is drawn."""

    title: str
    note: str
    axis: Axis
    along: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[tuple[str, str], ...] = ()
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    bounds: tuple[Bound, ...] = ()
    marks: tuple[Mark, ...] = ()
    slots: bool = False  # the labels stand under slots of equal width, not at points from end to end


def axis(greatest: Decimal, parts: int = 4, least: Decimal = Decimal(0)) -> Axis:
    """An axis in round steps that reaches at least `greatest`, and down to `least` where that is below zero."""
    greatest, depth = max(greatest, Decimal(0)), max(-least, Decimal(0))
    if not greatest and not depth:
        return Axis(Decimal(1), ("1", "0"))
    rough = (greatest + depth) / parts
    size = Decimal(1).scaleb(rough.adjusted())
    step = next(size * step for step in _STEPS if size * step >= rough)
    above, below = (int((value / step).to_integral_value(ROUND_CEILING)) for value in (greatest, depth))
    labels = tuple(short(step * index) for index in range(above, -below - 1, -1))
    return Axis(step * above, labels, -step * below)


def path(values: Sequence[Decimal | None], top: Decimal) -> str:
    """A line through values at even distances in a 1000 by 1000 field; None interrupts it (a gap is not a zero)."""
    steps, drawing = [], False
    for index, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        steps.append(f"{'L' if drawing else 'M'}{_field(along(index, len(values)))} {_field(1 - value / top)}")
        drawing = True
    return "".join(steps)


def along(index: int, count: int) -> Decimal:
    """The place of the index-th of `count` points, from 0 to 1."""
    return Decimal(index) / max(count - 1, 1)


def percent(part: Decimal) -> str:
    """A fraction as SVG takes it: `37.5%`."""
    return _percent(part)


def spark(values: Sequence[Decimal]) -> Markup:
    """A signal's money over its last runs, and a dot at the end where it is more than it ever was.

    Nothing when it never changed: a flat line says nothing.
    """
    if len(values) < 2 or len(set(values)) == 1:
        return Markup("")
    top, *before, last = max(values), *values
    points = [_spark_point(index, value, len(values), top) for index, value in enumerate(values)]
    dot = Markup('<circle cx="{}" cy="{}" r="2.2"/>').format(*points[-1]) if last > max(before) else Markup("")
    return Markup('<svg class="spark" viewBox="0 0 80 20" role="img" aria-label="{}"><path d="M{}"/>{}</svg>').format(
        "growing" if last > before[0] else "shrinking" if last < before[0] else "changing",
        "L".join(f"{x} {y}" for x, y in points),
        dot,
    )


def _spark_point(index: int, value: Decimal, count: int, top: Decimal) -> tuple[Decimal, Decimal]:
    x = along(index, count) * (SPARK_WIDTH - 4) + 2
    y = (1 - value / top) * (SPARK_HEIGHT - 4) + 2
    return round(x, 1), round(y, 1)


def _percent(part: Decimal) -> str:
    return f"{round(part * 100, 2).normalize():f}%"


def _field(part: Decimal) -> str:
    return f"{round(part * 1000, 1).normalize():f}"
