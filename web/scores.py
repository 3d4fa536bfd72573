"""The scoreboard: what was caught in time and what was not, its money, and the signals behind each number."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, abort, request

from remediation.scoreboard import CAUGHT, MONEY_OF, TITLES, heaviest, scoreboard
from store import operational
from web import agreed
from web.console import console, now
from web.moments import duration
from web.pages import show
from web.words import sentence

pages = Blueprint("scores", __name__)

SPANS = {"7": "a week", "30": "30 days", "90": "90 days", "365": "a year"}
"""Days that the numbers go back, and how that is called."""

USUAL = "30"
MOST = 200

MEANINGS = {
    "on_draft": "The wrong invoice was still a draft.",
    "after_issue": "The wrong invoice had gone out already.",
    "before_billing": "It was on no invoice yet.",
    "missed": "Somebody else found it first; labelled by trueup scoreboard miss.",
    **{name: sentence(said) for name, said in MONEY_OF.items()},
    "time_to_detect": "From the end of the first wrong period until it was seen.",
    "time_to_resolve": "From when it was seen until people resolved it.",
}


@pages.get("/scoreboard")
def shown() -> tuple[str, int]:
    """The numbers of the last days that `days` says; `show` names the one whose signals are listed."""
    days, name = request.args.get("days", USUAL), request.args.get("show", "")
    if days not in SPANS or name not in ("", *TITLES):
        abort(404, description="There is no such number on the scoreboard, or no such stretch of time.")
    since, until = span(days)
    with operational.reading(console().engine) as session:
        found = scoreboard(session, since, until)
        signals = heaviest(session, found, name, MOST) if name else ()
        return show(
            "scoreboard.html",
            found=found,
            days=days,
            spans=SPANS,
            caught=CAUGHT,
            money_of=MONEY_OF,
            titles=TITLES,
            meanings=MEANINGS,
            chosen=name,
            signals=signals,
            of_number=found.count(name) if name else 0,
            long=duration,
            last=_last(until),
        )


def span(days: str) -> tuple[datetime, datetime]:
    """The last so many whole days, today with them."""
    today = now().astimezone(agreed.zone())
    until = (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return until - timedelta(days=int(days)), until


def _last(until: datetime) -> datetime:
    """The last day of a half-open stretch."""
    return until - timedelta(days=1)
