"""The runs: what ran, when, why, on which snapshot, how long, what it skipped and why; and who keeps a rule aside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, abort, request
from werkzeug.wrappers import Response

from detector import claims, ledger, requests, schedule
from store import operational
from web import jobs
from web.console import console, now
from web.pages import back, done, refused, show
from web.preferences import preferences

pages = Blueprint("runs", __name__)

LENGTHS = {"PT1H": timedelta(hours=1), "P1D": timedelta(days=1), "P7D": timedelta(days=7), "": None}
"""For how long a rule can be paused; the empty one is until somebody resumes it."""


@pages.get("/runs")
def listed() -> tuple[str, int]:
    """The ledger by rule and status, what waits, and the rules that are paused."""
    rule, status = request.args.get("rule", ""), request.args.get("status", "")
    if status and status not in ledger.STATUSES:
        abort(404, description=f"A run is {', '.join(ledger.STATUSES)}, and never {status[:40]}.")
    before = request.args.get("before", "")
    with operational.reading(console().engine) as session:
        return show(
            "runs.html",
            page=ledger.page(session, rule=rule, status=status, before=int(before) if before.isdigit() else None),
            rule=rule,
            ended=status,
            statuses=ledger.STATUSES,
            rules=sorted(console().rules),
            paused=schedule.paused(session, now()),
            asked=[*jobs.recent(session, "run"), *jobs.recent(session, "event")],
            why=ledger.why,
            took=ledger.took,
        )


@pages.post("/runs/<int:number>/cancel")
def cancel(number: int) -> Response:
    """Stop a run that is going on; it keeps nothing."""
    with operational.writing(console().engine) as session:
        stopped = claims.cancel(session, number, actor=preferences().actor)
    if not stopped:
        return refused(f"Run {number} is over already.", to=back("/runs"))
    return done(f"Run {number} stops within a second and keeps nothing.", to=back("/runs"))


@pages.post("/jobs/<int:number>/cancel")
def take_back(number: int) -> Response:
    """Take back what still waits for a worker."""
    with operational.writing(console().engine) as session:
        stopped = requests.cancel(session, number, actor=preferences().actor, now=now())
    if not stopped:
        return refused("A worker has begun already; cancel its runs instead.", to=back("/runs"))
    return done("Taken back.", to=back("/runs"))


@pages.post("/rules/<name>/pause")
def pause(name: str) -> Response:
    """Keep the clock and events from running a rule, for a while or until it is resumed."""
    length = request.form.get("for", "")
    if name not in console().rules or length not in LENGTHS:
        return refused("There is no such rule, or no such length of time.", to=back("/runs"))
    until = _until(LENGTHS[length])
    with operational.writing(console().engine) as session:
        schedule.pause(session, name, until, actor=preferences().actor, now=now())
    ends = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until it is resumed"
    return done(f"{name} is paused {ends}. It can still be run by hand.", to=back("/runs"))


@pages.post("/rules/<name>/resume")
def resume(name: str) -> Response:
    """Let a rule run by its schedule again."""
    with operational.writing(console().engine) as session:
        schedule.resume(session, name, actor=preferences().actor, now=now())
    return done(f"{name} runs by its schedule again; what it missed is one run.", to=back("/runs"))


def _until(length: timedelta | None) -> datetime | None:
    return (now() + length).astimezone(UTC) if length else None
