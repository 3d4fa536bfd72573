"""Takes in usage events: CloudEvents 1.0, one or many, for whoever has the configured token or one with the scope.

202: everything is stored; what cannot count is stored too and named with its place. 4xx: problem details (RFC 9457).
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from decimal import Decimal
from typing import cast

import duckdb
from flask import Blueprint, Response, current_app, request

from billing.cloud_events import Reads, Usage, read
from store import plain_events
from store.intake import Intake
from store.lake import LakeError
from web.console import now
from web.problems import Refused, answer, problem, speak_problems

pages = Blueprint("events", __name__, url_prefix="/api/v1/events")
speak_problems(pages)

log = logging.getLogger(__name__)

KEY = "trueup-events"
LARGEST = 16_000_000
"""Bytes of one request."""
MOST = 10_000
"""Events of one request."""
_SHOWN = 100
_TYPES = {
    "application/cloudevents+json": "one",
    "application/cloudevents-batch+json": "many",
    "application/json": "either",
}


def intake() -> Intake:
    """The way in; who may use it was checked before."""
    return cast(Intake, current_app.extensions[KEY])


@pages.post("")
def take() -> Response:
    """Store the events of the request, and say what became of them."""
    request.max_content_length = LARGEST
    way, received_at = intake(), now()
    one, usages = _usages(received_at, way.reads())
    taken = way.add(usages, received_at)
    flawed = [(place, usage) for place, usage in enumerate(usages) if usage.flaws]
    told: dict[str, object] = {"accepted": taken.accepted, "duplicates": taken.duplicates, "invalid": len(flawed)}
    if taken.conflicts:
        told["conflicts"] = taken.conflicts
    errors = [error for place, usage in flawed[:_SHOWN] for error in _errors(None if one else place, usage)]
    if usages and len(flawed) == len(usages):
        detail = "None of the events can count. They are kept, and listed at GET /api/v1/events."
        return problem(400, "Invalid events", detail, {**told, "errors": errors})
    return answer(202, told | ({"errors": errors} if errors else {}))


@pages.get("")
def refused() -> Response:
    """The latest events that cannot count, with their reasons."""
    rows = [{**row, "received_at": f"{row['received_at']:%Y-%m-%dT%H:%M:%S.%fZ}"} for row in intake().invalid()]
    return answer(200, {"invalid": rows})


def _usages(received_at: datetime, reads: Reads) -> tuple[bool, list[Usage]]:
    """Whether the request is one event, and its events. Raises Refused."""
    kind = _TYPES.get(request.mimetype)
    if kind is None:
        raise Refused(415, "This content type is not taken", f"Send one of {', '.join(_TYPES)}.")
    body = request.get_data(cache=False)
    plain = plain_events.read(body, received_at, reads) if kind != "one" else None
    if plain is not None and len(plain) <= MOST:
        return False, plain
    one, events = _events(kind, body)
    return one, [read(event, received_at, reads) for event in events]


def _events(kind: str, sent: bytes) -> tuple[bool, list[object]]:
    """Whether the body is one event, and its events. Raises Refused."""
    try:
        body = json.loads(sent, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "The body is no JSON", str(error)[:200]) from None
    one = kind == "one" or (kind == "either" and not isinstance(body, list))
    if not one and not isinstance(body, list):
        raise Refused(400, "The body is no batch", "A batch is a JSON array of events.")
    events = [body] if one else body
    if len(events) > MOST:
        raise Refused(413, "Too many events", f"Send at most {MOST} in one request.")
    return one, events


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is no JSON number")


def _errors(place: int | None, usage: Usage) -> list[dict[str, str]]:
    at = "" if place is None else f"/{place}"
    return [{"place": f"{at}{flaw.place}", "message": flaw.message} for flaw in usage.flaws]


@pages.errorhandler(LakeError)
@pages.errorhandler(duckdb.Error)
def _not_now(error: Exception) -> Response:
    log.error("events could not be stored: %s", error)
    refusal = problem(503, "The books cannot be written right now", "Nothing was stored. Send the same events again.")
    refusal.headers["Retry-After"] = "5"
    return refusal
