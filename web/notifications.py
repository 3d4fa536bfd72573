"""Notifications: what was given to the person of this browser, who mentioned them, what is overdue, what waits."""

from __future__ import annotations

from flask import Blueprint, request
from sqlalchemy import select
from werkzeug.wrappers import Response

from detector import due, notices
from store import operational
from store.action_tables import Action
from web import freshness
from web.console import console, now
from web.pages import done, refused, show
from web.preferences import preferences

pages = Blueprint("notifications", __name__)

LISTED = 50
"""How many approvals are listed."""


@pages.get("/notifications")
def shown() -> tuple[str, int]:
    """Everything that asks for the person, what is new first."""
    who = preferences().who
    with operational.reading(console().engine) as session:
        found = notices.notices(session, who)
        waiting = select(Action).where(Action.status == "proposed").order_by(Action.id.desc()).limit(LISTED)
        hours = due.hours(session)
        return show(
            "notifications.html",
            who=who,
            notices=found,
            unread=sum(not notice.is_read for notice in found),
            newest=max((notice.event.id for notice in found), default=0),
            late=notices.late(session, who, hours, now()),
            due_at=lambda signal: due.due_at(signal.severity, signal.first_seen, hours),
            waiting=session.scalars(waiting).all(),
            broken=[load for load in freshness.latest_loads(session) if load.status == "failed"],
        )


@pages.post("/notifications/read")
def read() -> Response:
    """Everything up to what the page showed is read."""
    newest, who = request.form.get("newest", ""), preferences().who
    if not who or not (newest.isascii() and newest.isdigit() and len(newest) < 19):
        return refused("Say your name in the preferences first.", to="/notifications")
    with operational.writing(console().engine) as session:
        notices.mark_read(session, who, int(newest))
    return done("Everything is read.", to="/notifications")
