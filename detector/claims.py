"""Makes one run out of any number of workers: the row of `runs` is the claim, and it has a lease.

A rule runs once at a time. Who wants to run it while another run of it is alive is told so. A run whose process is
gone, or whose lease is over, is taken over when its slot is wanted again, and otherwise closed as abandoned. What its
process would still write is refused, because the row names another owner by then.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import operational
from store.operational_tables import Run

LEASE = timedelta(minutes=15)
"""How long a claim holds without being renewed when the process that has it cannot be looked up."""


class LeaseLost(RuntimeError):  # noqa: N818 (named for what happened)
    """Another worker has taken the run over; nothing of this one may be written."""


@dataclass(frozen=True)
class Wanted:
    """A run that somebody wants: of which rule text, for which slot and instant, and who will do it."""

    rule: str
    rule_hash: str
    slot: str
    trigger: str
    as_of: datetime
    snapshot: int | None
    worker: str
    missed: int = 0
    missed_from: datetime | None = None


class Cancelled(RuntimeError):  # noqa: N818
    """Somebody stopped the run; nothing of it is kept."""


class Refused(NamedTuple):
    """Why a run was not claimed: `already_running` or `already_done`, and the run that has it."""

    reason: str
    run_id: int


def claim(session: Session, wanted: Wanted, now: datetime) -> Run | Refused:
    """The run, now claimed by `wanted.worker`, or why not. Call it inside a writing transaction."""
    operational.alone(session, f"claim/{wanted.rule}")
    slot = session.scalars(select(Run).where(Run.rule == wanted.rule, Run.slot == wanted.slot)).first()
    if slot is not None and slot.status != "running":
        return Refused("already_done", slot.id)
    running = session.scalars(select(Run).where(Run.rule == wanted.rule, Run.status == "running")).all()
    for other in running:
        if holds(other, now):
            return Refused("already_running", other.id)
    for other in running:
        if other is not slot:
            _abandon(other, now)
    return _take(session, slot, wanted, now)


def renew(session: Session, run_id: int, worker: str, now: datetime) -> None:
    """Extend the lease. Raises LeaseLost when the run is another worker's by now, Cancelled when it was stopped."""
    run = owned(session, run_id, worker)
    if run.cancelled_by:
        raise Cancelled(run.cancelled_by)
    run.lease_until = now + LEASE


def owned(session: Session, run_id: int, worker: str) -> Run:
    """The run, locked, for its owner to write. Raises LeaseLost for anybody else."""
    run = session.scalars(select(Run).where(Run.id == run_id).with_for_update()).one()
    if run.status != "running" or run.claimed_by != worker:
        raise LeaseLost(f"run {run_id} of {run.rule} was taken over by {run.claimed_by}")
    return run


def cancel(session: Session, run_id: int, *, actor: str) -> bool:
    """Ask whoever works at a run to stop; False when it is over. It keeps nothing of what it found."""
    run = session.get(Run, run_id, with_for_update=True)
    if run is None or run.status != "running":
        return False
    run.cancelled_by = actor
    return True


def worker_name() -> str:
    """This process: host, pid namespace, pid and start time, so that it cannot be mistaken for a later one."""
    return f"{socket.gethostname()}/{_namespace()}/{os.getpid()}/{_started(os.getpid())}"


def is_gone(worker: str) -> bool:
    """Whether that process certainly ended: it ran on this machine, and is not there any more."""
    parts = worker.rsplit("/", 3)
    if len(parts) != 4 or parts[:2] != [socket.gethostname(), _namespace()] or not parts[2].isdigit():
        return False
    return _started(int(parts[2])) != parts[3]


def holds(run: Run, now: datetime) -> bool:
    """Whether somebody is still working at a running run, as far as can be known."""
    return run.lease_until > now and not is_gone(run.claimed_by)


def _abandon(run: Run, now: datetime) -> None:
    run.status, run.reason, run.finished_at = "failed", "abandoned", now
    run.error = f"the process {run.claimed_by} ended before the run did"


def _take(session: Session, slot: Run | None, wanted: Wanted, now: datetime) -> Run:
    run = slot or Run(rule=wanted.rule, slot=wanted.slot)
    run.reason = "taken_over" if slot else None
    run.rule_hash, run.trigger = wanted.rule_hash, wanted.trigger
    run.as_of, run.snapshot = wanted.as_of, wanted.snapshot
    run.status, run.claimed_by, run.lease_until = "running", wanted.worker, now + LEASE
    run.started_at, run.finished_at, run.error = now, None, None
    run.missed, run.missed_from, run.cancelled_by = wanted.missed or None, wanted.missed_from, None
    session.add(run)
    session.flush()
    return run


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "-"


def _started(pid: int) -> str:
    """When the process started, in ticks since the machine did; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
