"""Questions about a signal to the language model, where there is one: a form, and the answers as they come.

The page writes a row and reads it; a worker asks the model. Without JavaScript the page shows what there is by now.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from threading import BoundedSemaphore

from flask import Blueprint, Response, abort, render_template, request, stream_with_context
from werkzeug.wrappers import Response as AnyResponse

from detector import inbox
from remediation.advisor import exchanges
from store import operational
from store.advisor_tables import Exchange
from store.operational_tables import Signal
from web.console import console, now
from web.pages import done, refused
from web.preferences import preferences

pages = Blueprint("asking", __name__)

STREAMS = BoundedSemaphore(6)
"""Answers that are streamed at once: each keeps a thread of the server."""

OVER = ("answered", "failed")

LOOK = 0.25
"""Seconds between two looks at a row."""

LONGEST = 90.0
"""Seconds that one stream lasts; the browser opens another one if the answer is not whole by then."""


@pages.post("/signals/<label>/questions")
def ask(label: str) -> AnyResponse:
    """Ask what the form asks, and go back to where the answer will be."""
    number, to = inbox.number(label), f"/signals/{label}#questions"
    if not console().advisor:
        return refused("No language model is configured: name one under advisor in config.yaml.", to=to)
    try:
        with operational.writing(console().engine) as session:
            if number is None or session.get(Signal, number) is None:
                abort(404)
            question = request.form.get("question", "")
            made = exchanges.ask(session, number, question=question, actor=preferences().actor, now=now())
            exchanges.hand_over(session, made, now=now())
    except ValueError as error:
        return refused(f"{str(error).capitalize()}.", to=to)
    return done("Asked. The answer comes as it is checked.", to=to)


@pages.get("/signals/<label>/questions/<int:id>")
def answered(label: str, id: int) -> Response:
    """One answer as server-sent events: `part` with its HTML each time there is more, `end` when it is whole."""
    if _read(label, id) is None:
        abort(404)
    answer = stream_with_context(_events(label, id))
    return Response(answer, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _events(label: str, id: int) -> Iterator[str]:
    """What there is, each time there is more; when too many are streamed, once: the browser asks again by itself."""
    alone = STREAMS.acquire(blocking=False)
    until, last = time.monotonic() + (LONGEST if alone else 0), ""
    try:
        while (exchange := _read(label, id)) is not None:
            html, over = render_template("parts/answer.html", asked=exchange), exchange.status in OVER
            if html != last or over:
                last = html
                yield f"event: {'end' if over else 'part'}\ndata: {json.dumps(html)}\n\n"
            if over or time.monotonic() >= until:
                return
            yield ": waiting\n\n"  # finds out whether anybody still listens
            time.sleep(LOOK)
    finally:
        if alone:
            STREAMS.release()


def _read(label: str, id: int) -> Exchange | None:
    with operational.reading(console().engine) as session:
        found = session.get(Exchange, id)
        session.expunge_all()
    return found if found is not None and found.signal_id == inbox.number(label) else None
