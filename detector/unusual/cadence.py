"""How often a series reports, and how far back each comparison looks at that rhythm."""

from __future__ import annotations

from dataclasses import dataclass

HOUR, DAY = 3600, 86400


@dataclass(frozen=True)
class Cadence:
    """Lengths are in steps: a step is one bucket of usage, `seconds` long."""

    name: str
    seconds: int
    season: int
    """After how many steps the profile repeats: a week."""
    weeks: int
    """How many earlier seasons tell what is usual at this place of the profile."""
    level: int
    """How many recent steps tell the present level."""
    scale: int
    """How many recent steps tell how much a series varies."""
    refresh: int
    """After how many steps slow statistics are worked out again."""
    shifts: tuple[int, int, int]
    """Spans over which a changed level is looked for."""
    reference: int
    """Span before a shift that it is compared with."""
    memory: int
    """Span of what a sparse series is compared with, and of the longest look back for pools."""

    @property
    def day(self) -> int:
        """Steps of a day."""
        return max(1, DAY // self.seconds)

    @property
    def month(self) -> float:
        """Steps of a month of 30 days."""
        return 30 * DAY / self.seconds


DAILY = Cadence("daily", DAY, 7, 8, 7, 42, 7, (7, 14, 21), 28, 84)
HOURLY = Cadence("hourly", HOUR, 168, 5, 24, 336, 24, (24, 72, 168), 336, 672)
