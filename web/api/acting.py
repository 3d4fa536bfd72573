"""What the API changes: signals, by the deeds of the console's forms; their undo; runs that a worker is asked for."""

from __future__ import annotations

from urllib.parse import parse_qsl

from flask import Response, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from detector import inbox, requests, triage
from store import operational
from store.operational_tables import Signal
from web import triage as deeds
from web.api import answers, bodies
from web.api.operations import Operation, body, operation, query
from web.api.queries import SignalsQuery
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer

CHANGED = "The signal is no longer as If-Match says."
REFUSED = {
    404: "One of the signals does not exist, or the query matches none.",
    409: "The state of the signals does not allow it.",
    412: CHANGED,
}


@operation(
    "/signals/actions",
    Operation(
        "Change signals",
        "One deed to the named signals, or to all that a query matches. What the state of some does not allow is done "
        "to the others, and told. More than 100 signals at once need the permission `bulk`.",
        answers.Change,
        body=bodies.Deed,
        refuses=REFUSED,
        etag=True,
        if_match=True,
    ),
    method="POST",
)
def act() -> Response:
    """Do what the body says; the ETag is the version that a single signal has then."""
    wanted: bodies.Deed = body(bodies.Deed)
    try:
        with operational.writing(console().engine) as session:
            ids = _chosen(session, wanted)
            _check_match(session, ids)
            told = _answered(deeds.perform(session, wanted.op, ids, wanted.form()))
            if len(ids) == 1:
                told.set_etag(str(session.get_one(Signal, ids[0]).version))
    except deeds.Incomplete as refusal:
        raise Refused(422, "The body is not as it should be", str(refusal)) from None
    except triage.UnknownSignal as refusal:
        raise Refused(404, "No such signal", str(refusal)) from None
    except triage.ChangedMeanwhile as meanwhile:
        raise Refused(412, "Changed meanwhile", str(meanwhile)) from None
    except triage.IllegalTransition as refusal:
        raise Refused(409, "Not in this state", str(refusal)) from None
    return told


@operation(
    "/changes/<change>/undo",
    Operation(
        "Undo a change",
        "Restore what a change replaced, for every signal that still stands as the change left it.",
        answers.Change,
        body=bodies.Empty,
        refuses={404: "There is no such change.", 409: "Nothing of it can be undone any more."},
    ),
    method="POST",
)
def undo(change: str) -> Response:
    """Take a change back."""
    body(bodies.Empty)
    try:
        with operational.writing(console().engine) as session:
            return _answered(deeds.take_back(session, change))
    except LookupError as refusal:
        raise Refused(404, "No such change", str(refusal)) from None
    except triage.IllegalTransition as refusal:
        raise Refused(409, "Not any more", str(refusal)) from None


@operation(
    "/runs",
    Operation(
        "Ask for a run",
        "Ask a worker to run rules. An equal request that still waits is answered instead of a second one.",
        answers.AskedRun,
        status=202,
        body=bodies.WantedRun,
    ),
    method="POST",
)
def start_run() -> Response:
    """Ask a worker to run rules."""
    wanted: bodies.WantedRun = body(bodies.WantedRun)
    if unknown := [name for name in wanted.rules if name not in console().rules]:
        detail = f"No rule {unknown[0][:60]} runs; GET /api/v1/rules lists them."
        raise Refused(422, "No such rule", detail)
    with operational.writing(console().engine) as session:
        job = requests.request(session, "run", {"rules": wanted.rules}, actor=preferences().actor, now=now())
        return answer(202, {"job": job.id, "status": job.status, "rules": wanted.rules})


def _chosen(session: Session, wanted: bodies.Chosen) -> list[int]:
    """The numbers of the signals that are meant. Raises Refused when a query matches none."""
    if wanted.query is None:
        return sorted({number for label in wanted.ids or () if (number := inbox.number(label)) is not None})
    args = MultiDict(parse_qsl(wanted.query.removeprefix("?"), keep_blank_values=True))
    query(SignalsQuery, args)
    if found := deeds.matching(session, args):
        return found
    raise Refused(404, "No such signals", "No signal matches the query; GET /api/v1/signals with it shows what does.")


def _check_match(session: Session, ids: list[int]) -> None:
    """Only go on if the one signal is still as the caller saw it. Raises Refused, ChangedMeanwhile."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return
    if len(ids) != 1:
        raise Refused(400, "If-Match is for one signal", "Leave it out to change several signals at once.")
    (signal,) = triage.load(session, ids)
    if not request.if_match.contains(str(signal.version)):
        raise triage.changed_meanwhile(session, signal)


def _answered(change: triage.Change) -> Response:
    told = {
        "id": change.id,
        "changed": [f"SIG-{event.signal_id}" for event in change.events],
        "refused": [vars(each) for each in change.refused],
    }
    return answer(200, told)
