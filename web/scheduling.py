"""Scheduled exports as forms: a list or the report, sent to the person by mail again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Blueprint, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector import view_query, views
from detector.views import BadView
from people import posting, scheduled
from people.scheduled import BadExport
from store import operational
from store.export_tables import ScheduledExport
from store.notice_tables import Telling
from web.access import caller
from web.console import console, now
from web.pages import back, done, refused
from web.words import sentence

pages = Blueprint("scheduling", __name__)

NO_MAIL = "No mail is configured; notify.mail in config.yaml names the server."
DEEDS = ("change", "pause", "resume", "end")


@dataclass(frozen=True)
class Entry:
    """A scheduled export as pages show it: when it is sent, and what came of it last."""

    export: ScheduledExport
    words: str
    last: Telling | None
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """What the sheet beside an export needs; `fields` are those of a new one."""

    entries: Sequence[Entry]
    fields: Mapping[str, str]
    rhythms: Mapping[str, str]
    periods: Mapping[str, str]
    has_account: bool
    has_mail: bool


def sheet() -> Sheet:
    """The person's scheduled exports, and what a new one begins with."""
    who = _who()
    with operational.reading(console().engine) as session:
        found = entries(session, who)
        fields = scheduled.usual(session, who) if who else {}
        session.expunge_all()
    return Sheet(found, fields, scheduled.RHYTHMS, scheduled.PERIODS, bool(who), "mail" in console().ways)


def entries(session: Session, who: str) -> list[Entry]:
    """The scheduled exports of a person, each with what was last sent."""
    found = scheduled.of(session, who)
    last = posting.latest(session, who) if found else {}
    return [Entry(each, scheduled.words(each), last.get(each.id), scheduled.fields(each)) for each in found]


@pages.post("/exports")
def make() -> Response:
    """Schedule a saved view, the list that the form came from under a new name, or the report."""
    if "mail" not in console().ways:
        return refused(NO_MAIL)
    form, who = request.form, _who()
    try:
        with operational.writing(console().engine) as session:
            number = form.get("view", "")
            if form.get("period"):
                what: dict[str, object] = {"period": form["period"]}
            elif number.isascii() and number.isdigit() and len(number) < 19:
                what = {"view": int(number)}
            else:
                what = {"view": _saved(session, who)}
            made = scheduled.make(session, who, what, _given(), now=now())
    except (BadExport, BadView) as bad:
        return refused(sentence(bad))
    return done(f"{made.name} is sent to you {scheduled.words(made)}.")


@pages.post("/exports/<int:number>")
def change(number: int) -> Response:
    """Change, pause, resume or end one of the person's own."""
    deed, who = request.form.get("deed", ""), _who()
    if deed not in DEEDS:
        return refused("There is no such deed.")
    try:
        with operational.writing(console().engine) as session:
            export = scheduled.one(session, number, who)
            if deed == "end":
                scheduled.end(session, export, now=now())
                return done(f"{export.name} is sent to you no more.")
            given = _given() if deed == "change" else {"paused": "yes" if deed == "pause" else "no"}
            scheduled.change(session, export, given, now=now())
            said = "is paused" if export.paused else f"is sent to you {scheduled.words(export)}"
            return done(f"{export.name} {said}.")
    except (BadExport, LookupError) as bad:
        return refused(sentence(bad))


def _who() -> str:
    """Whose exports these are; nobody's without an account, to whose address they could go."""
    return caller().name if caller().person_id else ""


def _given() -> dict[str, str]:
    return {name: request.form[name] for name in scheduled.FIELDS if name in request.form and name != "paused"}


def _saved(session: Session, who: str) -> int:
    """The list of the page that the form came from, kept as an own view under the name given."""
    query = view_query.kept(urlsplit(back()).query)
    view = views.save(
        session, request.form.get("name", ""), query, owner=who, shared=False, is_default=False, now=now()
    )
    return view.id
