"""Idempotency-Key: a POST that is sent again under its key is answered as the first time, and not done again.

A key belongs to whoever asks, for a day. What was refused has changed nothing and is not kept: its key is free again.
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

from flask import Response, g, request
from sqlalchemy import delete
from sqlalchemy.orm import Session

from store import operational
from store.idempotency_tables import KeyedRequest
from web.access import caller
from web.api.operations import OPERATIONS, pages
from web.console import console, now
from web.problems import Refused

KEY = "Idempotency-Key"
PATTERN = "^[!-~]{1,200}$"
REPLAYED = "Idempotency-Replayed"
LASTS = timedelta(days=1)


@pages.before_request
def _begin() -> Response | None:
    """The answer of a request that is over; a new one is noted, so that its like waits for its end."""
    key = request.headers.get(KEY)
    if key is None or request.method != "POST":
        return None
    if not re.fullmatch(PATTERN, key):
        raise Refused(400, f"The {KEY} cannot be used", "It has 1 to 200 visible ASCII characters.")
    owner, digest = _owner(), _digest()
    with operational.writing(console().engine) as session:
        found = _known(session, owner, key)
        if found is None:
            session.add(KeyedRequest(owner=owner, key=key, digest=digest, begun_at=now()))
            g.keyed = (owner, key)
            return None
    return _again(found, digest)


@pages.after_request
def _end(answer: Response) -> Response:
    """Keep what was answered under the key, or let the key go where nothing was done."""
    keyed: tuple[str, str] | None = g.pop("keyed", None)
    if keyed is None:
        return answer
    with operational.writing(console().engine) as session:
        row = session.get_one(KeyedRequest, keyed)
        if answer.status_code >= 300 or answer.is_streamed:
            session.delete(row)
        else:
            row.status, row.etag = answer.status_code, answer.get_etag()[0]
            told = OPERATIONS.get(request.endpoint or "")
            row.body = None if told is not None and told.shows_secret else answer.get_data(as_text=True)
    return answer


def _known(session: Session, owner: str, key: str) -> KeyedRequest | None:
    operational.alone(session, f"keys/{owner}/{key}")
    session.execute(delete(KeyedRequest).where(KeyedRequest.begun_at < now() - LASTS))
    return session.get(KeyedRequest, (owner, key))


def _again(found: KeyedRequest, digest: str) -> Response:
    if found.digest != digest:
        raise Refused(422, f"The {KEY} is another request's", "Take a new key for another address or body.")
    if found.status is None:
        detail = f"Its first request began at {found.begun_at:%Y-%m-%d %H:%M:%S} UTC. Wait; if it never ends, look " \
                 "whether it was done before you ask under a new key."  # fmt: skip
        raise Refused(409, "The first request is not over", detail)
    if found.body is None:
        detail = "It was done, and its secret is shown once only. If you do not have it, revoke that and make another."
        raise Refused(409, "Done, and not shown again", detail)
    answer = Response(found.body, found.status, mimetype="application/json", headers={REPLAYED: "true"})
    if found.etag is not None:
        answer.set_etag(found.etag)
    return answer


def _owner() -> str:
    number = caller().person_id
    return "local" if number is None else f"person:{number}"


def _digest() -> str:
    told = hashlib.sha256(f"{request.full_path}\0{request.headers.get('If-Match', '')}\0".encode())
    told.update(request.get_data())
    return told.hexdigest()
