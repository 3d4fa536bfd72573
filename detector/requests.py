"""Work that somebody asked for on a page and a worker does: the row of `jobs` is the queue, a claim has a lease."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from detector.claims import is_gone
from store import operational
from store.operational_tables import Job

LEASE = timedelta(hours=1)
"""How long a job may take when its process cannot be looked up."""

KINDS = ("run", "sync", "test", "event", "advise", "ask", "deed", "reconcile")


class NotYet(Exception):  # noqa: N818 (named for what happened)
    """A job cannot be done now and waits again, in its place."""


def request(session: Session, kind: str, args: Mapping[str, Any], *, actor: str, now: datetime) -> Job:
    """Ask a worker for a run (`rules`: names, empty for all), a sync (`integrations`: names, `full`: bool, a window
    `from` and `to`), a test or a comparison with the books (`integration`: name).

    An equal request that still waits is returned instead of a second one. Raises ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of job; use one of {', '.join(KINDS)}")
    waiting = select(Job).where(Job.status == "queued", Job.kind == kind)
    for job in session.scalars(waiting):
        if job.args == dict(args):
            return job
    job = Job(kind=kind, args=dict(args), requested_by=actor, requested_at=now, status="queued")
    session.add(job)
    session.flush()
    return job


def tell(session: Session, event: str, integration: str, snapshot: int, *, now: datetime) -> Job:
    """Say that something came in: `invoice.draft` or `integration.synced`, on this snapshot of the books; or that a
    source was compared: `integration.reconciled`, with the number of the reconciliation.

    One that still waits is moved on to the snapshot: the rules that it runs look at everything anyway.
    """
    for job in session.scalars(select(Job).where(Job.status == "queued", Job.kind == "event")):
        if (job.args["event"], job.args["integration"]) == (event, integration):
            job.args = {**job.args, "snapshot": snapshot}
            return job
    args = {"event": event, "integration": integration, "snapshot": snapshot}
    return request(session, "event", args, actor=integration, now=now)


def cancel(session: Session, job_id: int, *, actor: str, now: datetime) -> bool:
    """Take back what still waits; False when it was begun or is over."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.status != "queued":
        return False
    job.status, job.result, job.finished_at = "failed", f"cancelled by {actor}", now
    return True


def work(
    engine: Engine,
    handlers: Mapping[str, Callable[[Mapping[str, Any]], str]],
    *,
    worker: str,
    clock: Callable[[], datetime],
) -> Job | None:
    """Do the oldest job of the handlers' kinds that waits or whose worker is gone; the job when one was done.

    A handler returns in one line what came of it; what it raises becomes the job's result, and the job failed. After
    NotYet the job waits as before.
    """
    job = take(engine, handlers, worker=worker, clock=clock)
    if job is None:
        return None
    try:
        status, result = "ok", handlers[job.kind](job.args)
    except NotYet:
        _wait_again(engine, job.id, worker)
        return None
    except Exception as error:  # whatever happens is told to who asked
        status, result = "failed", str(error)
    return close(engine, job.id, status, result, worker=worker, clock=clock)


def take(engine: Engine, kinds: Collection[str], *, worker: str, clock: Callable[[], datetime]) -> Job | None:
    """Claim the oldest job of these kinds that waits or whose worker is gone; None when there is none."""
    with operational.writing(engine) as session:
        job = _next(session, kinds, clock())
        if job is not None:
            job.status, job.claimed_by, job.lease_until = "running", worker, clock() + LEASE
        return job


def close(
    engine: Engine,
    job_id: int,
    status: str,
    result: str,
    *,
    worker: str,
    clock: Callable[[], datetime],
    answer: dict[str, Any] | None = None,
) -> Job:
    """Write how a job ended, unless another worker has it by now; the job as it stands then."""
    with operational.writing(engine) as session:
        row = session.get_one(Job, job_id, with_for_update=True)
        if row.claimed_by == worker:
            row.status, row.result, row.finished_at, row.answer = status, result, clock(), answer
        return row


def _wait_again(engine: Engine, job_id: int, worker: str) -> None:
    with operational.writing(engine) as session:
        row = session.get_one(Job, job_id, with_for_update=True)
        if row.claimed_by == worker:
            row.status, row.claimed_by, row.lease_until = "queued", None, None


def _next(session: Session, kinds: Collection[str], now: datetime) -> Job | None:
    operational.alone(session, "jobs")
    waiting = Job.status.in_(("queued", "running", "cancelling"))
    for job in session.scalars(select(Job).where(waiting, Job.kind.in_(kinds)).order_by(Job.id)):
        if job.status == "cancelling" and _is_over(job, now):
            job.status, job.result, job.finished_at = "cancelled", "cancelled", now
        elif job.status == "queued" or _is_over(job, now):
            return job
    return None


def _is_over(job: Job, now: datetime) -> bool:
    return job.lease_until is None or job.lease_until <= now or is_gone(job.claimed_by or "")
