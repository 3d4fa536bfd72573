"""What a worker is asked for: its jobs, the runs that go on, and the integrations that are read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from flask import Response, request
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from detector import claims, deliveries, requests
from detector.connections import Configured, Connection, connections
from detector.detail import instant
from store import operational
from store.operational_tables import Job, Run
from web import integrations as console_page
from web.api.answers import Answer, Instant
from web.api.bodies import Body, Empty
from web.api.operations import Asked, Operation, body, operation, query
from web.api.queries import Limit, one_of
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer

STATES = ("queued", "running", "cancelling", "ok", "partial", "failed", "cancelled")
KINDS = (*requests.KINDS, "dry_run", "calibrate")


class AskedWork(Answer):
    """What a worker was asked for; GET /api/v1/jobs/N says how it goes."""

    job: int
    status: Annotated[str, one_of(STATES)]


class ListedJob(Answer):
    """Work that somebody asked for, and what came of it in a line."""

    id: int
    kind: Annotated[str, one_of(KINDS)]
    args: dict[str, Any]
    about: str | None
    status: Annotated[str, one_of(STATES)]
    requested_by: str
    requested_at: Instant
    finished_at: Instant | None
    done: Annotated[int | None, Field(description="How far it is, of `total`.")]
    total: int | None
    result: str | None


class ShownJob(ListedJob):
    """A job with its whole answer, as the command line prints it."""

    answer: dict[str, Any] | None


class Jobs(Answer):
    """A page of jobs, the newest first."""

    jobs: list[ListedJob]
    next: Annotated[str | None, Field(description="The `after` of the next page; null at the end.")]


class JobsQuery(Asked):
    """Which jobs, and from where on."""

    kind: Annotated[str, one_of(["", *KINDS])] = ""
    status: Annotated[str, one_of(["", *STATES])] = ""
    after: Annotated[int | None, Field(ge=1, lt=2**63, description="The `next` of the page before.")] = None
    limit: Limit = 50


class Cancelled(Answer):
    """Whether there was something to stop."""

    cancelled: bool


class SyncedLoad(Answer):
    """One sync: when it began and ended, and what went wrong."""

    kind: str
    status: str
    started_at: Instant
    finished_at: Instant | None
    error: str | None


class Deliveries(Answer):
    """Webhooks that came in: how many were applied, wait and failed."""

    applied: int
    waiting: int
    failed: int
    last_at: Instant | None


class ComparedBooks(Answer):
    """The latest comparison with the books; `apart`: records missing or different by the latest complete one."""

    at: Instant
    status: Literal["running", "ok", "failed"]
    error: str | None
    apart: int | None


class Integration(Answer):
    """One configured integration, with nothing secret in it, and how it is doing."""

    name: str
    kind: str
    state: Literal["ok", "running", "stale", "failed"]
    why: str | None
    last_good_sync: Instant | None
    rows: Annotated[int, Field(description="How many rows the books hold of it.")]
    writes: Annotated[bool, Field(description="Whether approved actions may write there; the configuration says so.")]
    takes_webhooks: bool
    syncs: list[SyncedLoad]
    deliveries: Deliveries
    compared: ComparedBooks | None
    rejected: Annotated[int, Field(description="How many of the latest records could not be taken over.")]


class Integrations(Answer):
    """Every configured integration, those that are not well first."""

    integrations: list[Integration]


class WantedSync(Body):
    """`full`: everything, not only what changed. `from` and `to`: what was created or changed in between."""

    full: bool = False
    start: Annotated[AwareDatetime | None, Field(alias="from")] = None
    end: Annotated[AwareDatetime | None, Field(alias="to")] = None


class Retried(Answer):
    """How many failed deliveries are applied again."""

    again: int


@operation("/jobs", Operation("List jobs", "What workers were asked for, the newest first.", Jobs, query=JobsQuery))
def jobs() -> Response:
    """The jobs, page by page."""
    asked = query(JobsQuery, request.args)
    wanted = select(Job).order_by(Job.id.desc()).limit(asked.limit + 1)
    for column, value in ((Job.kind, asked.kind), (Job.status, asked.status)):
        wanted = wanted.where(column == value) if value else wanted
    if asked.after is not None:
        wanted = wanted.where(Job.id < asked.after)
    with operational.reading(console().engine) as session:
        found = list(session.scalars(wanted))
    shown = found[: asked.limit]
    after = str(shown[-1].id) if len(found) > asked.limit else None
    return answer(200, {"jobs": [_job(each) for each in shown], "next": after})


@operation("/jobs/<int:number>", Operation("Show a job", "One job, with its answer once it has one.", ShownJob))
def job(number: int) -> Response:
    """One job."""
    with operational.reading(console().engine) as session:
        found = session.get(Job, number)
    if found is None:
        raise Refused(404, "No such job", f"There is no job {number}; GET /api/v1/jobs lists them.")
    return answer(200, {**_job(found), "answer": found.answer})


@operation(
    "/jobs/<int:number>/cancel",
    Operation("Take a job back", "Take back what still waits for a worker.", Cancelled, body=Empty),
    method="POST",
)
def cancel_job(number: int) -> Response:
    """Take back what still waits."""
    body(Empty)
    with operational.writing(console().engine) as session:
        if session.get(Job, number) is None:
            raise Refused(404, "No such job", f"There is no job {number}; GET /api/v1/jobs lists them.")
        stopped = requests.cancel(session, number, actor=preferences().actor, now=now())
    return answer(200, {"cancelled": stopped})


@operation(
    "/runs/<int:number>/cancel",
    Operation("Cancel a run", "Stop a run that is going on; it keeps nothing.", Cancelled, body=Empty),
    method="POST",
)
def cancel_run(number: int) -> Response:
    """Stop a run."""
    body(Empty)
    with operational.writing(console().engine) as session:
        if session.get(Run, number) is None:
            raise Refused(404, "No such run", f"There is no run {number}; GET /api/v1/runs lists them.")
        stopped = claims.cancel(session, number, actor=preferences().actor)
    return answer(200, {"cancelled": stopped})


@operation("/integrations", Operation("List integrations", "Every configured one and how it is doing.", Integrations))
def integrations() -> Response:
    """Every configured integration."""
    return answer(200, {"integrations": [_integration(each) for each in _connections()]})


@operation(
    "/integrations/<integration>", Operation("Show an integration", "How one integration is doing.", Integration)
)
def integration(integration: str) -> Response:
    """One integration."""
    name = _configured(integration).name
    return answer(200, _integration(next(each for each in _connections() if each.configured.name == name)))


@operation(
    "/integrations/<integration>/test",
    Operation("Test an integration", "Ask a worker whether everything can be read.", AskedWork, 202, body=Empty),
    method="POST",
)
def test_integration(integration: str) -> Response:
    """Ask a worker whether everything can be read."""
    body(Empty)
    return _ask("test", {"integration": _configured(integration).name})


@operation(
    "/integrations/<integration>/reconcile",
    Operation(
        "Reconcile an integration",
        "Ask a worker to read everything again and compare it with the books, row by row; nothing is written.",
        AskedWork,
        202,
        body=Empty,
    ),
    method="POST",
)
def reconcile_integration(integration: str) -> Response:
    """Ask a worker to compare."""
    body(Empty)
    return _ask("reconcile", {"integration": _configured(integration).name})


@operation(
    "/integrations/<integration>/sync",
    Operation(
        "Sync an integration",
        "Ask a worker to read what changed, everything, or a stretch of time again.",
        AskedWork,
        202,
        body=WantedSync,
    ),
    method="POST",
)
def sync_integration(integration: str) -> Response:
    """Ask a worker to read."""
    wanted: WantedSync = body(WantedSync)
    name = _configured(integration).name
    window = {"from": _utc(wanted.start), "to": _utc(wanted.end)}
    if wanted.end is not None and (wanted.start is None or wanted.end < wanted.start):
        raise Refused(422, "The body is not as it should be", "/to: it needs a `from` that is before it.")
    kept = {key: value for key, value in window.items() if value}
    return _ask("sync", {"integrations": [name], "full": wanted.full, **kept})


@operation(
    "/integrations/<integration>/retry",
    Operation("Retry deliveries", "Let webhooks that failed be applied again.", Retried, body=Empty),
    method="POST",
)
def retry_deliveries(integration: str) -> Response:
    """Let failed deliveries be applied again."""
    body(Empty)
    with operational.writing(console().engine) as session:
        return answer(200, {"again": deliveries.retry(session, _configured(integration).name, now())})


def _ask(kind: str, args: dict[str, Any]) -> Response:
    with operational.writing(console().engine) as session:
        made = requests.request(session, kind, args, actor=preferences().actor, now=now())
        return answer(202, {"job": made.id, "status": made.status})


def _utc(at: datetime | None) -> str | None:
    try:
        return instant(at.astimezone(UTC)) if at is not None else None
    except OverflowError:
        raise Refused(422, "The body is not as it should be", "An instant is out of what a calendar has.") from None


def _job(found: Job) -> dict[str, Any]:
    names = ("id", "kind", "args", "about", "status", "requested_by", "done", "total", "result")
    times = {name: instant(getattr(found, name)) for name in ("requested_at", "finished_at")}
    return {**{name: getattr(found, name) for name in names}, **times}


def _configured(name: str) -> Configured:
    found = next((each for each in console().integrations if each.name == name), None)
    if found is None:
        raise Refused(404, "No such integration", f"The configuration has no integration {name[:60]}.")
    return found


def _connections() -> list[Connection]:
    configured = console().integrations
    with operational.reading(console().engine) as session:
        tables, holes = console_page.rows_held() if configured else ({}, {})
        found = connections(session, configured, tables, holes, now())
        session.expunge_all()
    return found


def _integration(each: Connection) -> dict[str, Any]:
    return {
        "name": each.configured.name,
        "kind": each.configured.kind,
        "state": each.state,
        "why": each.why,
        "last_good_sync": instant(each.good_at),
        "rows": each.rows,
        "writes": each.configured.writes,
        "takes_webhooks": each.configured.takes_webhooks,
        "syncs": [
            {"kind": load.kind, "status": load.status, "error": load.error}
            | {"started_at": instant(load.started_at), "finished_at": instant(load.finished_at)}
            for load in each.loads
        ],
        "deliveries": {name: getattr(each.tally, name) for name in ("applied", "waiting", "failed")}
        | {"last_at": instant(each.tally.last_at)},
        "compared": {**vars(each.compared), "at": instant(each.compared.at)} if each.compared else None,
        "rejected": len(each.rejections),
    }
