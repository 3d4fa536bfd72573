"""What people set rather than the configuration: deadlines, how severities are called, the calendar of reports."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from pydantic import Field

from detector import operator_settings
from detector.operator_settings import BadSettings, ChangedMeanwhile
from store import operational
from web.api.answers import Answer
from web.api.bodies import Body
from web.api.operations import Operation, body, check_match, operation
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer

Key = Annotated[str, Field(max_length=40)]


class Settings(Answer):
    """Every setting as it holds now, by group and key."""

    settings: dict[str, dict[str, str | int]]


class WantedSettings(Body):
    """Settings to change, by group and key; what is not named stays."""

    settings: Annotated[
        dict[Key, dict[Key, Annotated[str, Field(max_length=200)] | int]], Field(min_length=1, max_length=10)
    ]
    reason: Annotated[str | None, Field(max_length=500)] = None


@operation("/settings", Operation("Show the settings", "Every setting as it holds now.", Settings, etag=True))
def settings() -> Response:
    """The settings."""
    with operational.reading(console().engine) as session:
        return _told(operator_settings.read(session))


@operation(
    "/settings",
    Operation("Change settings", "Those that are named; all of them at once, or none.", Settings, body=WantedSettings,
              etag=True, if_match=True),
    method="PUT",
)  # fmt: skip
def change_settings() -> Response:
    """Change settings."""
    wanted: WantedSettings = body(WantedSettings)
    reason = " ".join((wanted.reason or "").split()) or None
    try:
        with operational.writing(console().engine) as session:
            operational.alone(session, "settings")
            before = operator_settings.read(session)
            seen = operator_settings.stamp(before)
            check_match(seen)
            after = operator_settings.typed(operator_settings.changed(before, wanted.settings))
            operator_settings.keep(session, after, seen=seen, actor=preferences().actor, now=now(), reason=reason)
            session.flush()
            return _told(operator_settings.read(session))
    except BadSettings as bad:
        mistakes = [{"place": f"/settings/{'/'.join(place)}", "message": why} for place, why in bad.problems.items()]
        raise Refused(422, "The body is not as it should be", str(bad), errors=mistakes) from None
    except ChangedMeanwhile as meanwhile:
        raise Refused(412, "Changed meanwhile", str(meanwhile)) from None


def _told(values: Any) -> Response:
    told = answer(200, {"settings": {name: dict(own) for name, own in values.items()}})
    told.set_etag(operator_settings.stamp(values))
    return told
