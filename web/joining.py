"""The page behind a one-time link: an invitation, or the first admin's of a console without accounts."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug.wrappers import Response

from people import invitations, sessions
from people.accounts import BadAccount
from people.credentials import SHORTEST, BadPassword
from people.invitations import NoInvitation
from store import operational
from store.people_tables import Invitation
from web import rates
from web.console import console, now
from web.pages import show
from web.rates import limiter
from web.sign_in import browser, welcome
from web.words import sentence

pages = Blueprint("joining", __name__)


@pages.get("/invitation/<secret>")
@pages.get("/first-run/<secret>")
def shown(secret: str) -> tuple[str, int]:
    """The form that makes the account; what is wrong with the link, where it leads to none."""
    with operational.reading(console().engine) as session:
        try:
            return _page(secret, invitations.of_link(session, secret, now()))
        except NoInvitation as reason:
            return _nothing(reason)


@pages.post("/invitation/<secret>")
@pages.post("/first-run/<secret>")
@limiter.limit(rates.BY_ADDRESS)
def join(secret: str) -> tuple[str, int] | Response:
    """Make the account and sign in with it."""
    name, email, password = (request.form.get(field, "") for field in ("name", "email", "password"))
    try:
        with operational.writing(console().engine) as session:
            person = invitations.accept(session, secret, name=name, password=password, email=email, now=now())
            opened = sessions.open_for(session, person, browser(), now=now(), by="invitation")
    except NoInvitation as reason:
        return _nothing(reason)
    except (BadAccount, BadPassword) as reason:
        with operational.reading(console().engine) as session:
            return _page(secret, invitations.of_link(session, secret, now()), str(reason))
    return welcome(opened, "/signals")


def _page(secret: str, invitation: Invitation, failure: str = "") -> tuple[str, int]:
    return show(
        "join.html",
        400 if failure else 200,
        invitation=invitation,
        path=request.path,
        failure=failure,
        given=request.form,
        shortest=SHORTEST,
    )


def _nothing(reason: NoInvitation) -> tuple[str, int]:
    text = str(reason)
    return show("error.html", 404, title="This link leads nowhere", remedy=sentence(text), guess="")
