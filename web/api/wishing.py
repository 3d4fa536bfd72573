"""How the token's owner is told of things outside the console."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Response
from pydantic import Field
from sqlalchemy.orm import Session

from detector.detail import instant
from people import telling, wishes
from people.telling import TooSoon
from people.wishes import BadWishes
from store import operational
from store.notice_tables import Telling
from web.api.answers import Answer, Instant
from web.api.bodies import Body
from web.api.operations import Operation, body, operation
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer
from web.words import sentence

OURS = "Wishes are somebody's; ask with the token of an account."


class Told(Answer):
    """What was last sent by a way, or is to be."""

    way: str
    status: Literal["waiting", "sending", "sent", "failed", "dropped"]
    line: str
    due_at: Instant
    sent_at: Instant | None
    error: str | None


class Wishes(Answer):
    """By name: when to tell what by which way (`mentioned.mail`), quiet hours, digest, time zone."""

    wishes: dict[str, str]
    configured: list[str]
    latest: list[Told]


class WantedWishes(Body):
    """What is to be changed, by the names of GET; what is not named stays."""

    wishes: Annotated[
        dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=60)]],
        Field(min_length=1, max_length=30),
    ]


class WantedTest(Body):
    """By which way a test is to come."""

    way: Literal["mail", "chat"]


@operation("/notifications/wishes", Operation("Show how one is told", "And what was last sent.", Wishes))
def wishes_of_caller() -> Response:
    """The caller's wishes."""
    with operational.reading(console().engine) as session:
        return _told(session)


@operation(
    "/notifications/wishes",
    Operation("Say how one is told", "What is named; all of it, or nothing.", Wishes, body=WantedWishes,
              refuses={409: OURS}),
    method="PUT",
)  # fmt: skip
def set_wishes() -> Response:
    """Change the caller's wishes."""
    wanted: WantedWishes = body(WantedWishes)
    who = _somebody()
    try:
        with operational.writing(console().engine) as session:
            wishes.keep(session, who, wishes.read(wishes.of(session, who), wanted.wishes), now=now())
            session.flush()
            return _told(session)
    except BadWishes as bad:
        mistakes = [{"place": f"/wishes/{name}", "message": why} for name, why in bad.problems.items()]
        raise Refused(422, "The body is not as it should be", str(bad), errors=mistakes) from None


@operation(
    "/notifications/test",
    Operation("Try a way", "A test message, sent within a minute; GET tells what came of it.", Wishes, 202,
              body=WantedTest, refuses={409: "The way is not configured, or a test is on its way already."}),
    method="POST",
)  # fmt: skip
def test_way() -> Response:
    """Ask for a test message."""
    wanted: WantedTest = body(WantedTest)
    who = _somebody()
    if wanted.way not in console().ways:
        raise Refused(409, "Not configured", f"No {wanted.way} is configured; notify in config.yaml names it.")
    try:
        with operational.writing(console().engine) as session:
            telling.test(session, who, wanted.way, now=now())
            return _told(session, 202)
    except TooSoon as soon:
        raise Refused(409, "Too soon", sentence(soon)) from None


def _somebody() -> str:
    if not preferences().who:
        raise Refused(409, "Nobody's", OURS)
    return preferences().who


def _told(session: Session, status: int = 200) -> Response:
    who = preferences().who
    latest = telling.latest(session, who)
    told: dict[str, Any] = {
        "wishes": wishes.fields(wishes.of(session, who)),
        "configured": list(console().ways),
        "latest": [_row(latest[way]) for way in sorted(latest)],
    }
    return answer(status, told)


def _row(row: Telling) -> dict[str, Any]:
    return {
        "way": row.way,
        "status": row.status,
        "line": row.line,
        "due_at": instant(row.due_at),
        "sent_at": instant(row.sent_at),
        "error": row.error,
    }
