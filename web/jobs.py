"""Asks for work: a run of rules, a sync of a source. The page writes a row, a worker does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flask import Blueprint, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector import requests
from people.roles import Permission
from store import operational
from store.operational_tables import Job
from web.access import require
from web.console import console, now
from web.pages import back, done, refused
from web.preferences import preferences

pages = Blueprint("jobs", __name__)

RECENT = timedelta(hours=1)
MOST = 5


@pages.post("/jobs")
def ask() -> Response:
    """Ask for a run (of one rule or all) or a sync (of one source or all), and go back."""
    kind, name = request.form.get("kind", ""), request.form.get("name", "")
    if kind == "run" and (not name or name in console().rules):
        args: dict[str, object] = {"rules": [name] if name else []}
    elif kind == "sync":
        require(Permission.INTEGRATIONS)
        args = {"integrations": [name[:200]] if name else [], "full": False}
    else:
        return refused("There is no such work to ask for.", to=back("/rules"))
    with operational.writing(console().engine) as session:
        requests.request(session, kind, args, actor=preferences().actor, now=now())
    return done("Asked for. A worker takes it within seconds.", to=back("/rules"))


def recent(session: Session, kind: str) -> Sequence[Job]:
    """What was asked for lately and how it went, the newest first."""
    query = select(Job).where(Job.kind == kind, Job.requested_at > now() - RECENT).order_by(Job.id.desc())
    return session.scalars(query.limit(MOST)).all()
