"""The repair of a signal: its advice, its actions, what people decide about them, and what a worker is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from flask import Response
from flask import request as asked_by
from pydantic import Field
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from detector.detail import instant
from remediation import batch, life, worker
from remediation.advice import action_json
from remediation.advisor import exchanges
from remediation.advisor.report import exchange_json
from store import operational
from store.action_tables import Action
from web.access import caller
from web.api.answers import Amount, Answer, Instant, Label
from web.api.bodies import Body, Empty
from web.api.finding import signal_of
from web.api.operations import Asked, Operation, body, check_match, operation, query
from web.api.queries import Limit, one_of
from web.api.working import AskedWork
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer

STATUSES = ("proposed", "approved", "executing", "succeeded", "verified", "failed", "parked", "rejected", "waived",
            "rolled_back")  # fmt: skip
ActionId = Annotated[str, Field(pattern="^ACT-[0-9]{1,18}$", description="The id of an action, as ACT-7.")]


class ListedAction(Answer):
    """One deed for one signal on one record, as `trueup actions list --json` prints it."""

    id: ActionId
    signal: Label
    kind: str
    phase: Literal["contain", "root_cause", "downstream", "verify"]
    status: Annotated[str, one_of(STATUSES)]
    integration: Annotated[str | None, Field(description="Where it writes; null: it is work of people.")]
    object: Annotated[str, Field(description="The record, as type:id.")]
    change: str
    outcome: str
    risk: str
    reversible: bool
    amount: Amount | None
    currency: str | None
    plan: Annotated[dict[str, Any], Field(description="The exact requests, and the record before and after.")]
    proposed_by: str
    approved_by: str | None
    approved_at: Instant | None
    approval_reason: str | None
    closed_by: str | None
    closing_reason: str | None
    error: str | None
    verdict: dict[str, Any] | None


class Actions(Answer):
    """A page of actions, by signal and in the order of their advice."""

    actions: list[ListedAction]
    next: Annotated[str | None, Field(description="The `after` of the next page; null at the end.")]


class JournalRow(Answer):
    """One thing that happened to an action; a call has a row before and after it."""

    at: Instant
    actor: str
    kind: str
    key: str | None
    request: dict[str, Any] | None
    reply: dict[str, Any] | None
    detail: str | None


class ShownAction(ListedAction):
    """An action with its journal, and why it has to wait where it does."""

    locked: str | None
    journal: list[JournalRow]


class Advice(Answer):
    """What there is of the advice on a signal: nobody asked yet (none), a worker is at it, it is here, or it failed."""

    status: Literal["none", "waiting", "ready", "failed"]
    failed: str | None
    asked_by: str | None
    asked_at: Instant | None
    advice: Annotated[dict[str, Any] | None, Field(description="As `trueup advise --json` prints it.")]
    model: Annotated[dict[str, Any] | None, Field(description="What a language model says of it, where one is asked.")]
    actions: list[ListedAction]


class ActionsQuery(Asked):
    """Which actions, and from where on."""

    signal: Annotated[str, Field(pattern="^(SIG-[0-9]{1,18})?$", description="As SIG-12.")] = ""
    status: Annotated[str, one_of(["", *STATUSES])] = ""
    after: Annotated[str, Field(pattern="^(ACT-[0-9]{1,18})?$", description="The `next` of the page before.")] = ""
    limit: Limit = 50


class Decision(Body):
    """Why, and while nobody has an account, who: an approval stands with a name."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    by: Annotated[str | None, Field(max_length=60, description="Only while nobody has an account.")] = None


class BatchDecision(Decision):
    """Which actions of the signal are one decision: those of a kind, or the first so many of them."""

    kind: Annotated[str, Field(min_length=1, max_length=40)]
    first: Annotated[int | None, Field(ge=1, le=life.MOST)] = None


class Batch(Answer):
    """Actions that were decided about as one, what they move together, and those that were left out, with why."""

    kind: str
    actions: list[ActionId]
    statuses: dict[str, str]
    totals: dict[str, Amount]
    locked: dict[str, str]


class Verification(Body):
    """For work of people: what was done."""

    reason: Annotated[str, Field(max_length=500)] = ""
    by: Annotated[str | None, Field(max_length=60, description="Only while nobody has an account.")] = None


class Application(Body):
    """`again`: somebody has looked at a parked action, and it was not done."""

    again: bool = False
    by: Annotated[str | None, Field(max_length=60, description="Only while nobody has an account.")] = None


@operation(
    "/signals/<label>/advice",
    Operation("Show the advice on a signal", "Its root cause and what to do, as last worked out.", Advice),
)
def advice(label: str) -> Response:
    """The latest advice and the actions as they stand."""
    with operational.reading(console().engine) as session:
        signal = signal_of(session, label)
        job = worker.latest(session, signal.id)
        said = next(iter(exchanges.of_signal(session, signal.id, "advice")[-1:]), None)
        status = "none" if job is None else {"ok": "ready", "failed": "failed"}.get(job.status, "waiting")
        told = {
            "status": status,
            "failed": job.result if job is not None and status == "failed" else None,
            "asked_by": job.requested_by if job is not None else None,
            "asked_at": instant(job.requested_at) if job is not None else None,
            "advice": job.answer if job is not None else None,
            "model": exchange_json(said) if said is not None else None,
            "actions": [action_json(each) for each in life.of_signal(session, signal.id)],
        }
    return answer(200, told)


@operation(
    "/signals/<label>/advice",
    Operation(
        "Ask for the advice on a signal",
        "A worker finds the root cause and proposes actions; the language model, where there is one, explains.",
        AskedWork,
        status=202,
        body=Empty,
    ),
    method="POST",
)
def ask_advice(label: str) -> Response:
    """Ask a worker, and the model where there is one."""
    body(Empty)
    actor = preferences().actor
    with operational.writing(console().engine) as session:
        signal = signal_of(session, label)
        job = worker.ask(session, signal.id, actor=actor, now=now())
        if console().advisor:
            made = exchanges.ask(session, signal.id, question=None, actor=actor, now=now())
            exchanges.hand_over(session, made, now=now())
        return answer(202, {"job": job.id, "status": job.status})


@operation(
    "/actions", Operation("List actions", "The actions of a signal, or of all, of one status or any.", Actions,
                          query=ActionsQuery)
)  # fmt: skip
def actions() -> Response:
    """The actions, page by page."""
    asked = query(ActionsQuery, asked_by.args)
    wanted = select(Action).order_by(Action.signal_id, Action.position, Action.id)
    if asked.signal:
        wanted = wanted.where(Action.signal_id == int(asked.signal.removeprefix("SIG-")))
    if asked.status:
        wanted = wanted.where(Action.status == asked.status)
    with operational.reading(console().engine) as session:
        last = session.get(Action, int(asked.after.removeprefix("ACT-"))) if asked.after else None
        if asked.after and last is None:
            raise Refused(400, "The query cannot be used", f"There is no action {asked.after} to go on after.")
        if last is not None:
            place = tuple_(Action.signal_id, Action.position, Action.id)
            wanted = wanted.where(place > (last.signal_id, last.position, last.id))
        found = list(session.scalars(wanted.limit(asked.limit + 1)))
        shown = found[: asked.limit]
        told = {
            "actions": [action_json(each) for each in shown],
            "next": shown[-1].label if len(found) > asked.limit else None,
        }
    return answer(200, told)


@operation("/actions/<action>", Operation("Show an action", "One action with its journal.", ShownAction, etag=True))
def action(action: str) -> Response:
    """One action; its version is the ETag."""
    with operational.reading(console().engine) as session:
        return _told(session, session.get(Action, _number(action)), action)


def _decide(title: str, says: str, deed: Callable[..., Action]) -> None:
    """Make a deed about an action an operation: approve, reject or waive."""
    name = title.split()[0].lower()

    def decide(action: str) -> Response:
        """Decide about one action and show it."""
        wanted: Decision = body(Decision)
        with _refusals(), operational.writing(console().engine) as session:
            row = life.get(session, _number(action))
            check_match(_version(session, row))
            more = {"approvals": console().approvals} if deed is life.approve else {}
            deed(session, row.id, actor=_who(wanted.by), reason=wanted.reason, now=now(), **more)
            return _told(session, row, action)

    decide.__name__ = f"{name}_action"
    told = Operation(title, says, ShownAction, body=Decision, refuses=REFUSED, etag=True, if_match=True)
    operation(f"/actions/<action>/{name}", told, method="POST")(decide)


REFUSED = {409: "Its state or the policy of approvals does not allow it; the detail says what would."}

_decide(
    "Approve an action",
    "Allow one action, for a reason; a worker carries it out. Above the limit of one person this proposes it under "
    "your name, and somebody else approves.",
    life.approve,
)
_decide("Reject an action", "Say that it is not to be done.", life.reject)
_decide("Waive an action", "Say that it need not be done, so that what waits for it is free.", life.waive)


@operation(
    "/signals/<label>/batch",
    Operation(
        "Approve a batch",
        "Approve the actions of one kind for a signal as one decision, their sum held to the limit; the first is "
        "verified before the others are begun.",
        Batch,
        body=BatchDecision,
        refuses=REFUSED,
    ),
    method="POST",
)
def approve_batch(label: str) -> Response:
    """Approve many as one."""
    wanted: BatchDecision = body(BatchDecision)
    with _refusals(), operational.writing(console().engine) as session:
        signal = signal_of(session, label)
        found = batch.approve(
            session, signal.id, wanted.kind, actor=_who(wanted.by), reason=wanted.reason, now=now(),
            approvals=console().approvals, first=wanted.first,
        )  # fmt: skip
        return answer(200, found.as_json())


def _ask(title: str, says: str, model: type[Body]) -> None:
    """Make what a worker does with an action an operation: apply, verify or reverse."""
    deed = title.split()[0].lower()

    def ask(action: str) -> Response:
        """Ask a worker, and tell which job it is."""
        wanted: Any = body(model)
        actor, reason = _who(wanted.by), getattr(wanted, "reason", "")
        with _refusals(), operational.writing(console().engine) as session:
            row = life.get(session, _number(action))
            check_match(_version(session, row))
            again = getattr(wanted, "again", False)
            job = worker.ask_deed(session, row.id, deed, actor=actor, reason=reason, again=again, now=now())
            return answer(202, {"job": job.id, "status": job.status})

    ask.__name__ = f"{deed}_action"
    told = Operation(title, says, AskedWork, status=202, body=model, refuses=REFUSED, if_match=True)
    operation(f"/actions/<action>/{deed}", told, method="POST")(ask)


_ask(
    "Apply an action",
    "Ask a worker to carry out what is approved and stopped: failed, or parked and looked at. What was approved just "
    "now needs no asking.",
    Application,
)
_ask(
    "Verify an action",
    "Ask a worker to pull what it touched, run the rule on it and compare with what was promised.",
    Verification,
)
_ask("Reverse an action", "Ask a worker to undo what it did, where that can be.", Decision)


def _who(by: str | None) -> str:
    """Who decides. Raises Refused where nobody is named, or somebody else than the token's owner."""
    named = " ".join((by or "").split())
    if caller().person_id is not None:
        if named and named != caller().name:
            raise Refused(403, "In another's name", f"The token is {caller().name}'s; leave `by` out.")
        return caller().name
    if not named and not preferences().who:
        raise Refused(422, "The body is not as it should be", "/by: an approval stands with a name; say whose it is.")
    return named or preferences().who


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except life.Refused as refusal:
        raise Refused(409, "Not in this state", str(refusal)) from None
    except life.UnknownAction as refusal:
        raise Refused(404, "No such action", str(refusal)) from None


def _number(text: str) -> int:
    found = life.number(text)
    if found is None:
        raise Refused(404, "No such action", f"There is no action {text[:40]}; GET /api/v1/actions lists them.")
    return found


def _version(session: Session, row: Action) -> int:
    """The id of the newest row of the journal, which every change of an action adds to."""
    return max((entry.id for entry in life.journal(session, row.id)), default=0)


def _told(session: Session, row: Action | None, label: str) -> Response:
    if row is None:
        raise Refused(404, "No such action", f"There is no action {label[:40]}; GET /api/v1/actions lists them.")
    waits = row.status in ("proposed", "approved")
    journal = [
        {name: getattr(each, name) for name in ("actor", "kind", "key", "request", "reply", "detail")}
        | {"at": instant(each.at)}
        for each in life.journal(session, row.id)
    ]
    locked = life.locked(session, row) if waits else None
    told = answer(200, {**action_json(row), "locked": locked, "journal": journal})
    told.set_etag(str(_version(session, row)))
    return told
