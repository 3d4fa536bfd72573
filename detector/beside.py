"""What a run knows besides the books: what was learned of usage, and how the outside systems are doing."""

from __future__ import annotations

from dataclasses import dataclass

from detector import learned, sources
from detector.learned import Learned
from detector.sources import Sources


@dataclass(frozen=True)
class Beside:
    """Both as they were known at one instant."""

    learned: Learned = learned.NOTHING
    sources: Sources = sources.NOTHING


NOTHING = Beside()
"""Only the books are known."""
