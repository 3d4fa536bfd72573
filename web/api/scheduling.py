"""The scheduled exports of the token's owner: lists and reports that come by mail."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Response
from pydantic import Field, model_validator
from sqlalchemy.orm import Session

from detector.detail import instant
from people import posting, scheduled
from people.scheduled import FORMATS, PERIODS, RHYTHMS, BadExport
from store import operational
from store.export_tables import ScheduledExport
from store.notice_tables import Telling
from web.access import caller
from web.api.answers import Answer, Instant
from web.api.bodies import Body
from web.api.operations import Operation, body, operation
from web.api.queries import one_of
from web.console import console, now
from web.problems import Refused, answer
from web.scheduling import NO_MAIL

OURS = {404: "The caller has none of that number.", 409: "It cannot be done; the detail says why."}


class LastSent(Answer):
    """What was last sent, or is to be, and what came in the way."""

    status: Literal["waiting", "sending", "sent", "failed", "dropped"]
    what: str
    due_at: Instant
    sent_at: Instant | None
    error: str | None


class Scheduled(Answer):
    """One scheduled export. Of `view` and `period` (of the report) there is one; neither once the view is gone."""

    id: int
    name: str
    view: int | None
    period: str | None
    format: str
    rhythm: str
    day: int
    at: str
    timezone: str
    paused: bool
    next_at: Instant
    last: LastSent | None


class ScheduledExports(Answer):
    """The scheduled exports of the caller."""

    exports: list[Scheduled]


class When(Body):
    """When it is sent, and as what; `day` is of the month, where it is monthly."""

    format: Annotated[str | None, one_of(FORMATS)] = None
    rhythm: Annotated[str | None, one_of(tuple(RHYTHMS))] = None
    day: Annotated[int | None, Field(ge=1, le=31)] = None
    at: Annotated[str | None, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")] = None
    timezone: Annotated[str | None, Field(max_length=60)] = None
    paused: bool | None = None

    def given(self) -> dict[str, str]:
        """What is named, as the console's form says it."""
        told = self.model_dump(include=set(scheduled.FIELDS), exclude_none=True)
        return {
            name: {True: "yes", False: "no"}[value] if name == "paused" else str(value) for name, value in told.items()
        }


class WantedExport(When):
    """A saved view by its number, or the report of a `period`: exactly one of the two."""

    view: Annotated[int | None, Field(ge=0, lt=2**63)] = None
    period: Annotated[str | None, one_of(tuple(PERIODS))] = None

    @model_validator(mode="after")
    def _one_thing(self) -> WantedExport:
        if (self.view is None) == (self.period is None):
            raise ValueError("name what is sent by either view or period")
        return self


@operation(
    "/exports", Operation("List scheduled exports", "The caller's own, with what was last sent.", ScheduledExports)
)
def scheduled_exports() -> Response:
    """What the caller has scheduled."""
    with operational.reading(console().engine) as session:
        last = posting.latest(session, caller().name)
        return answer(200, {"exports": [_told(each, last) for each in scheduled.of(session, caller().name)]})


@operation(
    "/exports",
    Operation(
        "Schedule an export",
        "A saved view or the report, by mail to the address of the caller's account, as what they may see when it is "
        "sent. What is left out is CSV, every weekday at 08:00.",
        Scheduled, 201, body=WantedExport, refuses={409: "No mail is configured, or the caller has no account."},
    ),
    method="POST",
)  # fmt: skip
def schedule_export() -> Response:
    """Send something to the caller on a schedule."""
    wanted: WantedExport = body(WantedExport)
    if "mail" not in console().ways:
        raise Refused(409, "Not configured", NO_MAIL)
    what = {"view": wanted.view, "period": wanted.period}
    try:
        with operational.writing(console().engine) as session:
            made = scheduled.make(session, caller().name, what, wanted.given(), now=now())
            return answer(201, _told(made, {}))
    except BadExport as bad:
        raise _refused(bad) from None


@operation(
    "/exports/<int:number>",
    Operation("Change a scheduled export", "What is named; `paused` stops it and lets it go on.", Scheduled,
              body=When, refuses=OURS),
    method="PUT",
)  # fmt: skip
def change_export(number: int) -> Response:
    """Change one of the caller's."""
    wanted: When = body(When)
    try:
        with operational.writing(console().engine) as session:
            export = _one(session, number)
            scheduled.change(session, export, wanted.given(), now=now())
            return answer(200, _told(export, posting.latest(session, caller().name)))
    except BadExport as bad:
        raise _refused(bad) from None


@operation("/exports/<int:number>", Operation("End a scheduled export", "Nothing is sent any more.", None, 204,
                                              refuses=OURS), method="DELETE")  # fmt: skip
def end_export(number: int) -> Response:
    """End one of the caller's."""
    with operational.writing(console().engine) as session:
        scheduled.end(session, _one(session, number), now=now())
    return Response(status=204)


def _one(session: Session, number: int) -> ScheduledExport:
    try:
        return scheduled.one(session, number, caller().name)
    except LookupError as gone:
        raise Refused(404, "No such export", f"{gone}; GET /api/v1/exports lists them.") from None


def _refused(bad: BadExport) -> Refused:
    if "who" in bad.problems or "what" in bad.problems:
        return Refused(409, "It cannot be done", str(bad))
    mistakes = [{"place": f"/{name}", "message": why} for name, why in bad.problems.items()]
    return Refused(422, "The body is not as it should be", str(bad), errors=mistakes)


def _told(export: ScheduledExport, last: dict[int, Telling]) -> dict[str, Any]:
    same = ("id", "name", "period", "format", "rhythm", "day", "at", "timezone", "paused")
    row = last.get(export.id)
    sent = None if row is None else {
        "status": row.status, "what": row.line, "due_at": instant(row.due_at), "sent_at": instant(row.sent_at),
        "error": row.error,
    }  # fmt: skip
    return {
        **{name: getattr(export, name) for name in same},
        "view": export.view_id,
        "next_at": instant(export.next_at),
        "last": sent,
    }
