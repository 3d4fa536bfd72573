"""Questions about a signal to the language model, where there is one: a form, and the answers as they come.

The page writes a row and reads it; a worker asks the model. Without JavaScript the page shows what there is by now.
"""

from __future__ import annotations

import json

from flask import Blueprint, Response, abort, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from detector import inbox
from remediation.advisor import exchanges
from store import operational
from store.advisor_tables import Exchange
from store.operational_tables import Signal
from web.console import console, now
from web.pages import done, refused
from web.preferences import preferences
from web.streams import as_it_comes
from web.words import sentence

pages = Blueprint("asking", __name__)

OVER = ("answered", "failed")


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
        return refused(sentence(error), to=to)
    return done("Asked. The answer comes as it is checked.", to=to)


@pages.get("/signals/<label>/questions/<int:id>")
def answered(label: str, id: int) -> Response:
    """One answer as server-sent events: `part` with its HTML each time there is more, `end` when it is whole."""
    if _read(label, id) is None:
        abort(404)
    return as_it_comes(lambda: _part(label, id))


def _part(label: str, id: int) -> tuple[str, bool] | None:
    exchange = _read(label, id)
    if exchange is None:
        return None
    return json.dumps(render_template("parts/answer.html", asked=exchange)), exchange.status in OVER


def _read(label: str, id: int) -> Exchange | None:
    with operational.reading(console().engine) as session:
        found = session.get(Exchange, id)
        session.expunge_all()
    return found if found is not None and found.signal_id == inbox.number(label) else None
