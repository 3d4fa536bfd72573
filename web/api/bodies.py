"""The bodies that the API takes. What is asked of signals has the names of the console's forms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from detector import triage
from detector.learned import Verdict
from store.operational_tables import OPEN_STATUSES
from web.api.answers import Label
from web.api.operations import Asked
from web.api.queries import one_of

LONGEST_SNOOZE = 24 * 366
"""Hours."""


class Body(Asked):
    """A body, which has nothing but what it names."""

    model_config = ConfigDict(extra="forbid")


class Empty(Body):
    """Nothing: the address says it all."""


class Chosen(Body):
    """Which signals: by id, or all that a query matches. Exactly one of the two."""

    ids: Annotated[list[Label] | None, Field(min_length=1, max_length=10_000)] = None
    query: Annotated[str | None, Field(max_length=4000, description="The query of GET /api/v1/signals.")] = None

    @model_validator(mode="after")
    def _one_way(self) -> Chosen:
        if (self.ids is None) == (self.query is None):
            raise ValueError("name the signals by either ids or query")
        return self

    def form(self) -> dict[str, str]:
        """What to do, as the console's form says it."""
        told = self.model_dump(exclude={"ids", "query", "op"}, exclude_none=True)
        return {name: str(value) for name, value in told.items()}


class Assign(Chosen):
    """Hand signals to a person, or with null to nobody."""

    op: Literal["assign"]
    assignee: Annotated[str | None, Field(max_length=60)]


class Status(Chosen):
    """Move signals to another open state."""

    op: Literal["status"]
    status: Annotated[str, one_of(OPEN_STATUSES)]


class Priority(Chosen):
    """Set how soon signals are to be handled."""

    op: Literal["priority"]
    priority: Annotated[str, one_of(triage.PRIORITIES)]


class Snooze(Chosen):
    """Take signals out of the list for some hours (0 wakes them), or until what `wakes` names."""

    op: Literal["snooze"]
    hours: Annotated[int | None, Field(ge=0, le=LONGEST_SNOOZE)] = None
    wakes: Annotated[str | None, one_of(triage.WAKES)] = None

    @model_validator(mode="after")
    def _one_end(self) -> Snooze:
        if (self.hours is None) == (self.wakes is None):
            raise ValueError("say for how long by either hours or wakes")
        return self

    def form(self) -> dict[str, str]:
        """The console's form has one field for both."""
        return {"hours": self.wakes or str(self.hours)}


class Dismiss(Chosen):
    """Put signals aside with a reason."""

    op: Literal["dismiss"]
    reason: Annotated[str, one_of(triage.DISMISSALS)]
    detail: Annotated[str | None, Field(max_length=500)] = None


class Resolve(Chosen):
    """Close signals, saying what it was. `waiver`: why without an outcome that was verified."""

    op: Literal["resolve"]
    cause: Annotated[str, Field(min_length=1, max_length=500)]
    waiver: Annotated[str | None, Field(max_length=500)] = None


class Comment(Chosen):
    """Write a remark into the timeline."""

    op: Literal["comment"]
    comment: Annotated[str, Field(min_length=1, max_length=5000)]


class Merge(Chosen):
    """Make one case of several signals."""

    op: Literal["merge"]
    why: Annotated[str | None, Field(max_length=500)] = None


class Split(Chosen):
    """Take signals out of their case again."""

    op: Literal["split"]


class Labelled(Chosen):
    """Say of one signal of unusual usage what it was; the next model learns from it."""

    op: Literal["label"]
    verdict: Annotated[str, one_of(Verdict)]


Deed = Annotated[
    Assign | Status | Priority | Snooze | Dismiss | Resolve | Comment | Merge | Split | Labelled,
    Field(discriminator="op"),
]


class WantedRun(Body):
    """Which rules to run; an empty list means all."""

    rules: Annotated[list[str], Field(default_factory=list, max_length=1000)]
