"""What `web/events.py` takes and answers, for the document: it reads CloudEvents itself, keeping every digit."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from web.api.answers import Answer, Instant, Mistake
from web.api.operations import OPERATIONS, Operation


class UsageEvent(BaseModel):
    """A CloudEvent 1.0 (docs/books.md says which of its parts count)."""

    model_config = ConfigDict(extra="allow")

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: Instant
    data: dict[str, Any]


class TakenEvents(Answer):
    """What became of the events of a request. `conflicts`: duplicates that came with other content than before."""

    accepted: int
    duplicates: int
    invalid: int
    conflicts: Annotated[list[str], Field(default_factory=list)]
    errors: Annotated[list[Mistake], Field(default_factory=list)]


class InvalidEvent(BaseModel):
    """An event that cannot count, with its reason."""

    model_config = ConfigDict(extra="allow")

    received_at: Instant
    error: Annotated[str, Field(description="The place in the event, and what is wrong there.")]


class InvalidEvents(Answer):
    """The latest events that cannot count."""

    invalid: list[InvalidEvent]


OPERATIONS["events.take"] = Operation(
    "Send usage events",
    "Takes one event or a batch of at most 10,000: all that can count is stored once, what cannot is kept and named.",
    TakenEvents,
    status=202,
    body=UsageEvent | list[UsageEvent],
    takes=("application/cloudevents+json", "application/cloudevents-batch+json", "application/json"),
)
OPERATIONS["events.refused"] = Operation(
    "List invalid events", "The latest usage events that cannot count, with their reasons.", InvalidEvents
)
