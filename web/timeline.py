"""Spans of time as geometry: lanes with a name and the spans on each, on one time axis, with the table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from web.charts import percent
from web.moments import aware, day

LABELS = 5
LEAST = Decimal("0.004")
"""The part of the width that the shortest span takes, so that it can be seen."""


@dataclass(frozen=True)
class Span:
    """A stretch of time on a lane; `end` None: it goes on. `look` is its class: service, trial, leaving, invoice ..."""

    start: datetime
    end: datetime | None
    label: str
    look: str = "service"


@dataclass(frozen=True)
class Lane:
    """One row of a timeline: its name and what lies on it."""

    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Block:
    """A span as it is drawn."""

    look: str
    x: str
    width: str
    label: str


@dataclass(frozen=True)
class Timeline:
    """The lanes with their blocks, the dates along them, where the present is, and the table that says the same."""

    title: str
    note: str
    lanes: tuple[tuple[str, tuple[Block, ...]], ...]
    along: tuple[str, ...]
    present: str | None
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[tuple[str, str], ...]


def timeline(
    title: str, note: str, lanes: Sequence[Lane], start: datetime, end: datetime, now: datetime,
    legend: Sequence[tuple[str, str]] = (),
) -> Timeline:  # fmt: skip
    """The lanes between two aware instants; what lies outside is cut off, what does not end reaches the end."""
    length = Decimal((end - start).total_seconds()) or Decimal(1)

    def place(at: datetime | None) -> Decimal:
        """Where an instant lies between start and end, from 0 to 1."""
        moment = aware(at) or end
        return min(max(Decimal((moment - start).total_seconds()) / length, Decimal(0)), Decimal(1))

    def block(span: Span) -> Block:
        """A span as a block of the drawing."""
        left, right = place(span.start), place(span.end)
        wide = max(right - left, LEAST)
        return Block(span.look, percent(min(left, 1 - wide)), percent(wide), span.label)

    seen = [
        Lane(lane.name, tuple(span for span in lane.spans if place(span.start) < 1 and place(span.end) > 0))
        for lane in lanes
    ]
    steps = [start + (end - start) * index / (LABELS - 1) for index in range(LABELS)]
    used = {span.look for lane in seen for span in lane.spans}
    return Timeline(
        title=title,
        note=note,
        lanes=tuple((lane.name, tuple(map(block, lane.spans))) for lane in seen),
        along=tuple(day(step) for step in steps),
        present=percent(place(now)) if start < now < end else None,
        columns=("What", "From", "Until", ""),
        rows=tuple(
            (lane.name, day(span.start), day(span.end) if span.end else "goes on", span.label)
            for lane in lanes
            for span in lane.spans
        ),
        legend=tuple(pair for pair in legend if pair[0] in used),
    )
