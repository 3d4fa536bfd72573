"""The ledger of runs as people read it: what ran, when, why, on which snapshot, how long, what it skipped and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector.detail import instant
from store.operational_tables import Run

STATUSES = ("running", "ok", "failed", "skipped")


@dataclass(frozen=True)
class Page:
    """Some runs, the newest first, and the id before which the next page starts."""

    runs: tuple[Run, ...]
    next: int | None


def page(session: Session, *, rule: str = "", status: str = "", before: int | None = None, limit: int = 50) -> Page:
    """The newest runs of a rule or of all, with one status or any."""
    query = select(Run).order_by(Run.id.desc()).limit(limit + 1)
    if rule:
        query = query.where(Run.rule == rule)
    if status:
        query = query.where(Run.status == status)
    if before is not None:
        query = query.where(Run.id < before)
    runs = session.scalars(query).all()
    return Page(tuple(runs[:limit]), runs[limit - 1].id if len(runs) > limit else None)


def took(run: Run) -> timedelta | None:
    """How long its own work took, without waiting for the others of its cycle; None while it runs."""
    if run.milliseconds is not None:
        return timedelta(milliseconds=run.milliseconds)
    return run.finished_at - run.started_at if run.finished_at else None


def why(run: Run) -> str:
    """What made it run, in words: its slot, an event, somebody."""
    said = {
        "schedule": "by the clock",
        "event": f"on {run.slot.partition('/')[0]} of {_event_source(run.slot)}",
        "manual": "from the command line",
        "request": "asked for",
        "verify": "to verify",
    }.get(run.trigger, run.trigger)
    return f"{said}, {catch_up(run)}" if run.missed and run.missed_from else said


def catch_up(run: Run) -> str:
    """What a catch-up covers besides its own slot; empty for any other run."""
    if not run.missed or not run.missed_from:
        return ""
    slots = "1 missed slot" if run.missed == 1 else f"{run.missed} missed slots"
    return f"catches up {slots} since {_minute(run.missed_from)}"


def as_json(run: Run) -> dict[str, Any]:
    """A run as `trueup runs --json` prints it."""
    length = took(run)
    return {
        "id": run.id,
        "rule": run.rule,
        "rule_hash": run.rule_hash,
        "status": run.status,
        "reason": run.reason,
        "error": run.error,
        "trigger": run.trigger,
        "why": why(run),
        "slot": run.slot,
        "missed": run.missed or 0,
        "missed_from": instant(run.missed_from),
        "as_of": instant(run.as_of),
        "snapshot": run.snapshot,
        "started_at": instant(run.started_at),
        "finished_at": instant(run.finished_at),
        "seconds": round(length.total_seconds(), 3) if length is not None else None,
        "findings": run.findings,
        "worker": run.claimed_by,
    }


def _event_source(slot: str) -> str:
    return slot.split("/")[1] if slot.count("/") >= 2 else "a source"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
