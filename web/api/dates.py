"""The calendar of days on which usage is known to be other than usual."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

from flask import Response
from pydantic import Field

from detector import usage_calendar
from detector.detail import instant
from detector.usage_calendar import BadDays, Said
from store import operational
from store.usage_tables import AnnouncedDays
from web.api.answers import Answer, Instant
from web.api.bodies import Body
from web.api.operations import Operation, body, operation
from web.api.queries import one_of
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer
from web.words import sentence

Kind = Annotated[str, one_of(usage_calendar.KINDS)]
Id = Annotated[str, Field(min_length=1, max_length=100)]


class Days(Answer):
    """Announced days, the last one with them; of one meter or customer, or of all."""

    id: int
    name: str
    kind: Kind
    first_day: date
    last_day: date
    meter_id: str | None
    customer_id: str | None
    said_by: str
    said_at: Instant


class Calendar(Answer):
    """What is in the calendar, the latest first."""

    entries: list[Days]


class WantedDays(Body):
    """Days to announce; `last_day` is the first when left out."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Kind = "event"
    first_day: date
    last_day: date | None = None
    meter_id: Id | None = None
    customer_id: Id | None = None


@operation("/calendar", Operation("List announced days", "Events and outages that move what is expected.", Calendar))
def calendar() -> Response:
    """What is in the calendar, the latest first."""
    with operational.reading(console().engine) as session:
        return answer(200, {"entries": [_days(row) for row in usage_calendar.standing(session)]})


@operation(
    "/calendar",
    Operation("Announce days", "What is expected of usage moves with them; nothing is muted.", Days, 201,
              body=WantedDays, refuses={409: "They cannot be announced; the detail says why."}),
    method="POST",
)  # fmt: skip
def announce_days() -> Response:
    """Put days into the calendar."""
    wanted: WantedDays = body(WantedDays)
    said = Said(
        " ".join(wanted.name.split()), wanted.kind, wanted.first_day, wanted.last_day or wanted.first_day,
        wanted.meter_id, wanted.customer_id,
    )  # fmt: skip
    with _refusals(409), console().books() as books, operational.writing(console().engine) as session:
        row = usage_calendar.announce(session, books, said, actor=preferences().actor, now=now())
        return answer(201, _days(row))


@operation(
    "/calendar/<int:number>", Operation("Take days back", "They move nothing any more.", None, 204), method="DELETE"
)
def withdraw_days(number: int) -> Response:
    """Take days out of the calendar."""
    with _refusals(404), operational.writing(console().engine) as session:
        usage_calendar.withdraw(session, number, actor=preferences().actor, now=now())
    return Response(status=204)


def _days(row: AnnouncedDays) -> dict[str, Any]:
    return {"id": row.id, **usage_calendar.told(row), "said_by": row.said_by, "said_at": instant(row.said_at)}


@contextmanager
def _refusals(status: int) -> Iterator[None]:
    try:
        yield
    except BadDays as bad:
        raise Refused(status, "Not in the calendar", sentence(bad)) from None
