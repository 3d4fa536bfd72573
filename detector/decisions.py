"""What a run may mean for a signal: the named reasons, and how patient folding is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

ENDED = ("resolved", "false_positive")
"""The statuses in which a signal no longer stands for its defect; a later finding may open another."""


class Reason(StrEnum):
    """Why a signal became, or stayed, what it is after a run."""

    OPENED = "opened"  # nothing stood for this defect
    WIDENED = "widened"  # new subjects or periods
    NARROWED = "narrowed"  # some are gone, none is new
    CHANGED = "changed"  # the same ones, other amounts or records
    UNCHANGED = "unchanged"
    REOPENED = "reopened"  # it had been resolved, within the cooldown
    RETURNED = "returned"  # its dismissal is over
    SUPPRESSED_EXPECTED = "suppressed_expected"  # somebody said that this cause behaves so
    SUPPRESSED_DISMISSED = "suppressed_dismissed"  # dismissed for a time that is not over
    SUPPRESSED_FALSE_POSITIVE = "suppressed_false_positive"  # exactly what somebody said is none
    SUPPRESSED_WAIVED = "suppressed_waived"  # exactly what somebody closed without verification
    CLEARING = "clearing"  # not found, but not yet by enough runs
    SELF_HEALED = "self_healed"  # not found by enough complete runs
    KEPT_STALE = "kept_stale"  # not found, but the data was stale
    KEPT_SUPPRESSED = "kept_suppressed"  # not found; it stays as somebody left it
    COVERED = "covered"  # another rule's signal explains all of it better
    COVERED_PARTLY = "covered_partly"  # another rule's signal explains some of it better
    KEPT_COVERED = "kept_covered"  # that signal explains it as before
    UNCOVERED = "uncovered"  # what explained it is gone, and it is still there
    EXPLAINS = "explains"  # findings of another rule that it explains are new
    OLDER_RUN = "older_run"  # the run looked at an instant before the signal was last seen or resolved


QUIET = frozenset(
    {
        Reason.UNCHANGED,
        Reason.SUPPRESSED_EXPECTED,
        Reason.SUPPRESSED_DISMISSED,
        Reason.SUPPRESSED_FALSE_POSITIVE,
        Reason.SUPPRESSED_WAIVED,
        Reason.KEPT_STALE,
        Reason.KEPT_SUPPRESSED,
        Reason.KEPT_COVERED,
        Reason.OLDER_RUN,
    }
)
"""Decisions that leave no row in the timeline: nothing happened to the signal."""


@dataclass(frozen=True)
class Policy:
    """How patient runs and folding are, and how currencies are compared for the order of the inbox."""

    clear_after: int = 2  # complete runs in a row without it until a signal resolves by itself
    cooldown: timedelta = timedelta(days=14)  # a resolved signal found again within this time reopens
    rates: Mapping[str, Decimal] = field(default_factory=dict)  # ranking only
    rhythms: Mapping[str, timedelta] = field(default_factory=dict)  # how often each integration is synced by itself


@dataclass(frozen=True)
class Decision:
    """What one run meant for one signal, and why."""

    signal: str  # SIG-n
    reason: Reason
