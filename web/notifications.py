"""Notifications: what was given to the person of this browser, who mentioned them, what is overdue, what waits."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, request
from sqlalchemy import select
from werkzeug.wrappers import Response

from detector import due, mutes, notices
from detector.mutes import BadMute
from detector.notices import NoteNotice, Notice
from store import operational
from store.action_tables import Action
from web import freshness
from web.console import console, now
from web.pages import done, refused, show
from web.preferences import preferences
from web.words import sentence

pages = Blueprint("notifications", __name__)

LENGTHS = {"1": "a day", "7": "a week", "30": "30 days"}
"""For how many days a rule or cause can be muted, and how that is called."""

LISTED = 50
"""How many approvals are listed."""


@pages.get("/notifications")
def shown() -> tuple[str, int]:
    """Everything that asks for the person, what is new first."""
    who = preferences().who
    with operational.reading(console().engine) as session:
        muted = mutes.mutes(session, who, now())
        found = [
            each
            for each in notices.notices(session, who)
            if each.kind == "mentioned" or not mutes.silenced(muted, each.signal)
        ]
        noted = notices.in_notes(session, who)
        listed: list[Notice | NoteNotice] = sorted([*found, *noted], key=_at, reverse=True)
        waiting = select(Action).where(Action.status == "proposed").order_by(Action.id.desc()).limit(LISTED)
        hours = due.hours(session)
        return show(
            "notifications.html",
            who=who,
            notices=listed,
            unread=sum(not notice.is_read for notice in listed),
            newest=max((notice.event.id for notice in found), default=0),
            newest_note=max((notice.note.id for notice in noted), default=0),
            late=[each for each in notices.late(session, who, hours, now()) if not mutes.silenced(muted, each)],
            muted=muted,
            lengths=LENGTHS,
            due_at=lambda signal: due.due_at(signal.severity, signal.first_seen, hours),
            waiting=session.scalars(waiting).all(),
            broken=[load for load in freshness.latest_loads(session) if load.status == "failed"],
        )


@pages.post("/notifications/read")
def read() -> Response:
    """Everything up to what the page showed is read."""
    who, newest = preferences().who, [request.form.get(name, "0") for name in ("newest", "newest_note")]
    if not who or not all(each.isascii() and each.isdigit() and len(each) < 19 for each in newest):
        return refused("Say your name in the preferences first.", to="/notifications")
    with operational.writing(console().engine) as session:
        notices.mark_read(session, who, *map(int, newest))
    return done("Everything is read.", to="/notifications")


@pages.post("/notifications/mute")
def mute() -> Response:
    """Hear nothing of a rule or cause for some days, or again."""
    who, days = preferences().who, request.form.get("days", "")
    kind, _, name = request.form.get("what", "")[:300].partition(" ")
    if days and days not in LENGTHS:
        return refused("There is no such length of time.", to="/notifications")
    try:
        with operational.writing(console().engine) as session:
            if days:
                mutes.mute(session, who, kind, name, now() + timedelta(days=int(days)), now=now())
            else:
                mutes.unmute(session, who, kind, name, now=now())
    except BadMute as bad:
        return refused(sentence(bad), to="/notifications")
    told = (
        f"You hear nothing of it for {LENGTHS[days]}; remarks that name you still come."
        if days
        else "It is heard of again."
    )
    return done(told, to="/notifications")


def _at(notice: Notice | NoteNotice) -> datetime:
    return notice.event.at if isinstance(notice, Notice) else notice.note.at
