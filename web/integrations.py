"""The integrations: how each is doing, what went wrong and why, and the buttons that test it and read it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from flask import Blueprint, abort, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector import deliveries, flow, requests
from detector.connections import Configured, Connection, connections, kinds
from store import operational
from store.operational_tables import Run
from web import jobs
from web.console import console, now
from web.pages import done, refused, show
from web.preferences import preferences

pages = Blueprint("integrations", __name__)


@pages.get("/integrations")
def listed() -> tuple[str, int]:
    """Every configured integration; how to connect the first where there is none."""
    configured = console().integrations
    tables, holes = rows_held() if configured else ({}, {})
    with operational.reading(console().engine) as session:
        found = connections(session, configured, tables, holes, now())
        return show(
            "integrations.html",
            connections=found,
            kinds=kinds() if not configured else [],
            steps=_steps(session, found),
            asked=[each for kind in ("sync", "test", "reconcile") for each in jobs.recent(session, kind)],
        )


@pages.post("/integrations/<name>/test")
def test(name: str) -> Response:
    """Ask a worker whether everything can be read."""
    _ask("test", {"integration": _configured(name).name})
    return done(f"A worker tests {name} within seconds.", to=f"/integrations#{name}")


@pages.post("/integrations/<name>/reconcile")
def compare(name: str) -> Response:
    """Ask a worker to hold everything that is there beside the books."""
    _ask("reconcile", {"integration": _configured(name).name})
    return done(f"A worker reads all of {name} and compares it with the books.", to=f"/integrations#{name}")


@pages.post("/integrations/<name>/sync")
def sync(name: str) -> Response:
    """Ask a worker to read what changed, or everything."""
    full = request.form.get("full") == "1"
    _ask("sync", {"integrations": [_configured(name).name], "full": full})
    return done(f"A worker reads {'all of ' if full else ''}{name} within seconds.", to=f"/integrations#{name}")


@pages.post("/integrations/<name>/backfill")
def backfill(name: str) -> Response:
    """Ask a worker to read a span of days again."""
    place = f"/integrations#{_configured(name).name}"
    try:
        first, last = (date.fromisoformat(request.form.get(field, "")) for field in ("from", "to"))
    except ValueError:
        return refused("Give the first and the last day as dates, for example 2026-11-01.", to=place)
    if first > last:
        return refused("The first day is after the last.", to=place)
    start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, last))
    window = {"from": start.isoformat(), "to": end.replace(hour=23, minute=59, second=59).isoformat()}
    _ask("sync", {"integrations": [name], "full": False, **window})
    return done(f"A worker reads {name} from {first} to {last} again.", to=place)


@pages.post("/integrations/<name>/retry")
def retry(name: str) -> Response:
    """Let failed deliveries be applied again."""
    with operational.writing(console().engine) as session:
        again = deliveries.retry(session, _configured(name).name, now())
    told = "1 delivery is" if again == 1 else f"{again} deliveries are"
    return done(f"{told} applied again within seconds.", to=f"/integrations#{name}")


def _configured(name: str) -> Configured:
    """The integration of that name, or a page that says there is none."""
    found = next((each for each in console().integrations if each.name == name), None)
    if found is None:
        abort(404, description=f"There is no integration {name[:60]} in the configuration.")
    return found


def _ask(kind: str, args: dict[str, Any]) -> None:
    with operational.writing(console().engine) as session:
        requests.request(session, kind, args, actor=preferences().actor, now=now())


def rows_held() -> tuple[dict[str, list[flow.Held]], dict[str, Sequence[flow.Hole]]]:
    """What the books hold of each integration, and the invoice numbers that they lack."""
    with console().books() as books:
        return flow.held(books), flow.holes(books)


def _steps(session: Session, found: Sequence[Connection]) -> list[tuple[str, str, bool]]:
    """What makes a first run: each with its remedy and whether it is done; empty once all of it is."""
    held = {table.table for each in found for table in each.tables} | ({"usage_events"} if _has_events() else set())
    ran = session.scalar(select(Run.id).where(Run.status == "ok").limit(1)) is not None
    steps = [
        ("An integration is configured", "under integrations in config.yaml", bool(found)),
        ("It can be read", "trueup doctor says what is missing", any(each.good_at for each in found)),
        ("Prices and subscriptions are in the books", "trueup sync NAME", {"prices", "subscriptions"} <= held),
        ("Invoices are in the books", "trueup sync NAME", "invoices" in held),
        (
            "Usage events come in",
            "by HTTP, from files or by SQL: what they add up to is held against the bill",
            "usage_events" in held,
        ),
        ("The rules have run", "trueup run, or trueup serve", ran),
    ]
    return [] if not found or all(done for _, _, done in steps) else steps


def _has_events() -> bool:
    with console().books() as books:
        return books.execute("SELECT 1 FROM books.usage_events LIMIT 1").fetchone() is not None
