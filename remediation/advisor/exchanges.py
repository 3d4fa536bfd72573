"""Keeps what is said with a model: who asked what, what was sent and came back, what it cost, what was kept of it.

The budget of a day (UTC) is held by reserving, before anything is sent, the most that an exchange can cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from detector import requests
from remediation.advisor.endpoint import Endpoint
from store import operational
from store.advisor_tables import Exchange
from store.operational_tables import Job

PROMPTS = {"advice": "advice-1", "question": "ask-1"}
"""The prompt in use, by kind of exchange: a file in prompts/. A change of a prompt is a new file."""

LONGEST_QUESTION = 2000
"""Letters of one question."""

HISTORY = 4
"""Earlier questions with their answers that a new one is sent with."""

SHOWN = 50

GIVEN_UP = timedelta(hours=2)
"""After this an exchange that still answers is taken for one whose process is gone."""


class OverBudgetError(RuntimeError):
    """Today's budget does not allow another exchange; the message says what raises it."""


def ask(session: Session, signal_id: int, *, question: str | None, actor: str, now: datetime) -> Exchange:
    """A new exchange that waits: a question about a signal, or without one the explanation of its advice.

    Raises ValueError for a question that is empty or too long.
    """
    text = None if question is None else " ".join(question.split())
    if text is not None and not 0 < len(text) <= LONGEST_QUESTION:
        raise ValueError(f"a question has 1 to {LONGEST_QUESTION} letters")
    kind = "advice" if text is None else "question"
    made = Exchange(signal_id=signal_id, kind=kind, question=text, asked_by=actor, asked_at=now, status="waiting",
                    prompt=PROMPTS[kind])  # fmt: skip
    session.add(made)
    session.flush()
    return made


def hand_over(session: Session, exchange: Exchange, *, now: datetime) -> Job:
    """Let a worker answer it."""
    args = {"exchange": exchange.id, "signal": exchange.signal_id}
    return requests.request(session, "ask", args, actor=exchange.asked_by, now=now)


def of_signal(session: Session, signal_id: int, kind: str) -> list[Exchange]:
    """The newest exchanges of a kind about a signal, oldest first."""
    query = select(Exchange).where(Exchange.signal_id == signal_id, Exchange.kind == kind)
    return list(session.scalars(query.order_by(Exchange.id.desc()).limit(SHOWN)))[::-1]


def before(session: Session, exchange: Exchange) -> list[Exchange]:
    """The answered questions before this one, oldest first."""
    query = select(Exchange).where(
        Exchange.signal_id == exchange.signal_id, Exchange.kind == "question", Exchange.status == "answered",
        Exchange.id < exchange.id,
    )  # fmt: skip
    return list(session.scalars(query.order_by(Exchange.id.desc()).limit(HISTORY)))[::-1]


def spent(session: Session, now: datetime, currency: str) -> Decimal:
    """What the exchanges of this UTC day cost, with what those under way can cost at most.

    One whose process was killed ends with nothing said: after GIVEN_UP it holds back nothing any more.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    query = select(Exchange.cost).where(Exchange.asked_at >= midnight, Exchange.currency == currency)
    query = query.where((Exchange.status != "answering") | (Exchange.asked_at > now - GIVEN_UP))
    return sum((cost for cost in session.scalars(query) if cost is not None), Decimal(0))


def begin(
    session: Session, id: int, endpoint: Endpoint, *, digest: str, sent: list[str], most: Decimal, now: datetime
) -> Exchange:
    """Begin an exchange: answered at once by an equal one that is young enough, else with its cost reserved.

    Raises OverBudgetError.
    """
    operational.alone(session, "advisor")
    row = session.get_one(Exchange, id, with_for_update=True)
    row.model, row.digest, row.currency, row.sent = endpoint.model, digest, endpoint.currency, sent
    row.cost, row.answer = None, None
    known = select(Exchange).where(
        Exchange.digest == digest, Exchange.status == "answered", Exchange.asked_at > now - endpoint.cache,
        Exchange.id != id, Exchange.cached_from.is_(None),
    )  # fmt: skip
    found = session.scalars(known.order_by(Exchange.id.desc()).limit(1)).first()
    if found is not None:
        row.status, row.cached_from, row.answer, row.cost = "answered", found.id, found.answer, Decimal(0)
        row.tokens_in, row.tokens_out, row.milliseconds = 0, 0, 0
        return row
    used = spent(session, now, endpoint.currency)
    if endpoint.daily_budget is not None and used + most > endpoint.daily_budget:
        raise OverBudgetError(
            f"today's budget of {endpoint.daily_budget:f} {endpoint.currency} has {used:f} spent and an answer may "
            f"cost {most:f}; advisor.daily_budget raises it"
        )
    row.status, row.cost = "answering", most
    return row


def say(session: Session, id: int, answer: dict[str, Any]) -> None:
    """Keep what is known of an answer by now, so that whoever waits can read it."""
    session.get_one(Exchange, id).answer = answer


def fail(engine: Engine, id: int, reason: str) -> None:
    """Say that an exchange came to nothing, for a reason that is none of the model's; what it cost stays counted."""
    with operational.writing(engine) as session:
        row = session.get_one(Exchange, id, with_for_update=True)
        if row.status not in ("answered", "failed"):
            end(session, id, status="failed", reason=reason)


def end(
    session: Session,
    id: int,
    *,
    status: str,
    reason: str | None = None,
    answer: dict[str, Any] | None = None,
    replies: Sequence[str] = (),
    tokens: tuple[int, int] = (0, 0),
    cost: Decimal = Decimal(0),
    milliseconds: int = 0,
) -> Exchange:
    """Keep how an exchange ended."""
    row = session.get_one(Exchange, id, with_for_update=True)
    row.status, row.reason, row.answer, row.replies = status, reason, answer, list(replies)
    (row.tokens_in, row.tokens_out), row.cost, row.milliseconds = tokens, cost, milliseconds
    return row
