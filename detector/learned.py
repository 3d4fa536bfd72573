"""What is known of a company's usage beyond its books: the model in force, what people said of it, and their calendar.

A value without numpy or scikit-learn, so that naming it costs nothing; `detector.unusual.company` works with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import log10

REPEATS_FOR = timedelta(days=56)
"""So long after a day that was no fault, the same oddness of the same series is no news."""
HIGHER = 1.0
"""A repeat that is ten times as rare as what was labelled is news all the same."""
MOST_TAKEN, MOST_GIVEN = 1.0, 0.3
"""By how much labels move the score of a segment at most, down and up."""
SILENT_HOURS, HIGH_HOURS = "silent_hours", "high_hours"
OF_HOURS = {SILENT_HOURS: ("silence", "drop"), HIGH_HOURS: ("spike", "unit")}
"""What hours within a day are called, and what their day may be called once it is over."""
SILENCE = "silence"
DIRECTIONS = {"spike": "rise", "drift_up": "rise", "drop": "fall", "drift_down": "fall"}
"""What is one finding of a rule, as in unusual_periods; any other oddness is a direction of its own."""


class Verdict(StrEnum):
    """What a person said of unusual usage."""

    FAULT = "fault"
    NO_FAULT = "no_fault"
    PLANNED = "planned"


@dataclass(frozen=True)
class UsageLabel:
    """A verdict on the days of one series that a signal named; of hours, on the days that they lie in."""

    series: str
    oddness: str
    first_day: date
    last_day: date
    score: float
    verdict: Verdict
    said_at: datetime | None = None


@dataclass(frozen=True)
class Announced:
    """Days, the last with them, on which usage is known to be unlike itself: of everybody, a meter, or a customer."""

    first_day: date
    last_day: date
    is_outage: bool = False
    meter_id: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True)
class Learned:
    """The model in force, by its file and sha256 (None: the screen alone), the labels and the calendar."""

    model: str | None = None
    sha256: str = ""
    labels: tuple[UsageLabel, ...] = ()
    announced: tuple[Announced, ...] = ()

    @property
    def digest(self) -> str:
        """What tells this from anything else that could have been learned."""
        said = (self.sha256, sorted(map(repr, self.labels)), sorted(map(repr, self.announced)))
        return hashlib.sha256(repr(said).encode()).hexdigest()

    def taken_off(self, oddness: str) -> float:
        """What the verdicts on this oddness take off its scores; below zero where they add.

        The log of the odds that it was no fault, with one fault and one other supposed beforehand, so that few
        labels move little.
        """
        said = [label.verdict for label in self.labels if label.oddness == oddness]
        faults = said.count(Verdict.FAULT)
        shift = log10((len(said) - faults + 1) / (faults + 1))
        return max(-MOST_GIVEN, min(MOST_TAKEN, shift))

    def repeats(self, series: str, oddness: str, day: date, score: float, began: date | None = None) -> bool:
        """Whether a person has said of the same, on this series and lately, that it is no fault: of the day itself, of
        hours in it, of the silence that `began` by then, or of what was no less rare.
        """
        return any(
            label.series == series
            and label.verdict is not Verdict.FAULT
            and label.first_day <= day <= label.last_day + REPEATS_FOR
            and _is_same(label, oddness, day, score, began or day)
            for label in self.labels
        )

    @property
    def hours_let_pass(self) -> list[UsageLabel]:
        """What was said of hours to be no fault."""
        return [label for label in self.labels if label.oddness in OF_HOURS and label.verdict is not Verdict.FAULT]


def _is_same(label: UsageLabel, oddness: str, day: date, score: float, began: date) -> bool:
    """Whether what was labelled is this, or the like of it."""
    if day <= label.last_day:
        alike = DIRECTIONS.get(oddness, oddness) == DIRECTIONS.get(label.oddness, label.oddness)
        return alike or oddness in OF_HOURS.get(label.oddness, ())
    if label.oddness != oddness:
        return False
    return score < label.score + HIGHER or (oddness == SILENCE and began <= label.last_day)


NOTHING = Learned()
"""No model, no labels, and an empty calendar."""
