"""Questions about a signal to the language model: asked by a body, answered as JSON or as server-sent events."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from flask import Response, request
from pydantic import Field

from remediation.advisor import exchanges
from remediation.advisor.report import exchange_json
from store import operational
from store.advisor_tables import Exchange
from web.api.answers import Amount, Answer, Instant
from web.api.bodies import Body
from web.api.finding import signal_of
from web.api.operations import JSON, Operation, body, operation
from web.asking import OVER
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer
from web.streams import EVENTS, as_it_comes


class Message(Answer):
    """A question and what came back, each sentence with the evidence that it cites."""

    id: int
    kind: Literal["advice", "question"]
    question: str | None
    status: Literal["waiting", "answering", "answered", "failed"]
    reason: str | None
    model: str | None
    prompt: str
    asked_at: Instant
    answer: dict[str, Any] | None
    tokens_in: int | None
    tokens_out: int | None
    cost: Amount | None
    currency: str | None
    milliseconds: int | None
    cached_from: int | None


class Messages(Answer):
    """The latest questions about a signal, oldest first."""

    messages: list[Message]


class Question(Body):
    """What to ask. Every sentence of the answer cites its evidence, or is dropped."""

    question: Annotated[str, Field(min_length=1, max_length=exchanges.LONGEST_QUESTION)]


@operation(
    "/signals/<label>/messages",
    Operation("List messages", "What was asked of the language model about a signal, and its answers.", Messages),
)
def messages(label: str) -> Response:
    """The latest questions."""
    with operational.reading(console().engine) as session:
        found = exchanges.of_signal(session, signal_of(session, label).id, "question")
        return answer(200, {"messages": [exchange_json(each) for each in found]})


@operation(
    "/signals/<label>/messages",
    Operation(
        "Ask about a signal",
        "Ask the language model. The answer is read by GET of the message's id, as it comes where that is asked for "
        f"with `Accept: {EVENTS}`.",
        Message,
        status=202,
        body=Question,
        refuses={409: "No language model is configured."},
    ),
    method="POST",
)
def ask_question(label: str) -> Response:
    """Ask the model by a worker."""
    wanted: Question = body(Question)
    with operational.writing(console().engine) as session:
        signal = signal_of(session, label)
        if not console().advisor:
            raise Refused(409, "No model", "No language model is configured: name one under advisor in config.yaml.")
        try:
            made = exchanges.ask(session, signal.id, question=wanted.question, actor=preferences().actor, now=now())
        except ValueError as error:
            raise Refused(422, "The body is not as it should be", f"/question: {error}.") from None
        exchanges.hand_over(session, made, now=now())
        return answer(202, exchange_json(made))


@operation(
    "/signals/<label>/messages/<int:number>",
    Operation(
        "Show a message",
        f"One question with its answer. With `Accept: {EVENTS}` the message as it grows: events `part`, then `end`, "
        "each with the message as JSON.",
        Message,
        also=(EVENTS,),
    ),
)
def message(label: str, number: int) -> Response:
    """One answer, whole or as it comes."""
    found = _read(label, number)
    if found is None:
        raise Refused(404, "No such message", f"{label[:40]} has no message {number}.")
    if request.accept_mimetypes.best_match((JSON, EVENTS)) != EVENTS:
        return answer(200, exchange_json(found))
    return as_it_comes(lambda: _part(label, number))


def _part(label: str, number: int) -> tuple[str, bool] | None:
    found = _read(label, number)
    return None if found is None else (json.dumps(exchange_json(found)), found.status in OVER)


def _read(label: str, number: int) -> Exchange | None:
    with operational.reading(console().engine) as session:
        signal = signal_of(session, label)
        found = session.get(Exchange, number)
        session.expunge_all()
    return found if found is not None and found.signal_id == signal.id else None
