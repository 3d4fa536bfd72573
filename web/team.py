"""The team: who has what and what is overdue, handing signals out, standing in, and who gets new signals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flask import Blueprint, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector import due, overview, team
from detector.inbox import Filter
from detector.team import BadTeam
from detector.triage import Change, UnknownSignal
from store import operational
from web import addresses
from web.console import console, now
from web.pages import done, refused, show
from web.preferences import preferences
from web.words import sentence

pages = Blueprint("team", __name__)

_UNASSIGNED = {"unassigned": Filter(view="unassigned")}


@pages.get("/team")
def shown() -> tuple[str, int]:
    """Everybody's load and deadlines, and what the team has agreed on."""
    with operational.reading(console().engine) as session:
        hours = due.hours(session)
        return show(
            "team.html",
            loads=team.loads(session, hours, now()),
            unassigned=overview.counts(session, _UNASSIGNED, now())["unassigned"],
            rules=team.rules(session),
            fields=team.FIELDS,
            hours=hours,
            address=lambda name: addresses.address(Filter(view="every", assignee=(name,))),
        )


@pages.post("/team/hand-out")
def hand_out() -> Response:
    """Give what nobody has to those who have least."""
    return _do(lambda session: _handed_out(team.hand_out(session, actor=preferences().actor, now=now())))


@pages.post("/team/reassign")
def reassign() -> Response:
    """Give all that one person has to another."""
    who, to = _name("who"), _name("to")

    def deed(session: Session) -> tuple[str, str | None]:
        """Give them over; what was done, and its undo."""
        change = team.reassign(session, who, to, actor=preferences().actor, now=now())
        return f"{len(change.events):,} signals of {who} are {to}'s now.", change.id

    return _do(deed)


@pages.post("/team/people")
def person() -> Response:
    """Add a person, or say that one is away or back."""
    name, cover, until = _name("name"), _name("cover") or None, _day("until")

    def deed(session: Session) -> tuple[str, str | None]:
        """Keep it; what was done."""
        team.set_away(session, name, until, cover, actor=preferences().actor, now=now())
        stands_in = f", and {cover} stands in" if cover and until else ""
        return f"{name} is away until {until:%Y-%m-%d}{stands_in}." if until else f"{name} is there.", None

    return _do(deed)


@pages.post("/team/rules")
def add_rule() -> Response:
    """Say who gets new signals of a kind."""
    field, value, to = request.form.get("field", ""), request.form.get("value", "").strip()[:200], _name("to")

    def deed(session: Session) -> tuple[str, str | None]:
        """Keep the rule; what was done."""
        team.add_rule(session, field, value, to, actor=preferences().actor, now=now())
        return f"{to} gets new signals with {team.FIELDS[field].lower()} {value}.", None

    return _do(deed)


@pages.post("/team/rules/<int:number>/remove")
def remove_rule(number: int) -> Response:
    """Take such a rule away."""

    def deed(session: Session) -> tuple[str, str | None]:
        """Take it away; what was done."""
        team.remove_rule(session, number, actor=preferences().actor, now=now())
        return "The rule is gone; what is assigned stays so.", None

    return _do(deed)


def _do(deed: Callable[[Session], tuple[str, str | None]]) -> Response:
    """Do it in one transaction and go back to the team, with an undo where there is one."""
    try:
        with operational.writing(console().engine) as session:
            text, change = deed(session)
    except (BadTeam, UnknownSignal) as bad:
        return refused(sentence(bad), to="/team")
    return done(text, change, to="/team")


def _handed_out(changes: list[Change]) -> tuple[str, str | None]:
    told = ", ".join(f"{len(change.events)} to {change.events[0].detail}" for change in changes)
    return f"Handed out: {told}.", changes[0].id if len(changes) == 1 else None


def _name(field: str) -> str:
    return " ".join(request.form.get(field, "").split())[:60]


def _day(field: str) -> datetime | None:
    """The end of the day that the form names."""
    try:
        return datetime.strptime(request.form.get(field, ""), "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(
            days=1, seconds=-1
        )
    except ValueError:
        return None
