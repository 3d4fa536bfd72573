"""The people who may sign in: invited, given roles and limits, disabled; their sessions and tokens."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from people import accounts, invitations, second_factor, sessions, tokens
from people.accounts import BadAccount
from people.roles import ROLES, UnknownRole
from store import operational
from store.people_tables import ApiToken, Invitation, Person
from web.access import caller, is_open
from web.console import console, now
from web.pages import done, refused, show
from web.preferences import preferences
from web.words import sentence

pages = Blueprint("users", __name__)

ALL = "/users"
NOTES = {
    "viewer": "sees everything, changes nothing",
    "analyst": "handles signals, approves up to a limit",
    "rule_author": "writes rules, and activates those of others",
    "manager": "an analyst who also changes many at once, activates rules, reads the audit",
    "admin": "everything, and people",
}
"""What each role is, for whoever gives it."""


@pages.get(ALL)
def listed() -> tuple[str, int]:
    """Everybody, who is invited, and the form of an invitation."""
    return _list()


@pages.post("/users/invitations")
def invite() -> tuple[str, int] | Response:
    """Make an invitation and show its link this once; while there is no account, the way to the first admin's."""
    with operational.writing(console().engine) as session:
        first = invitations.first_run(session, now=now()) if is_open() else None
    if first is not None:
        return redirect(f"/first-run/{first}", 303)
    try:
        with operational.writing(console().engine) as session:
            invited, secret = invitations.invite(
                session,
                request.form.get("email", ""),
                roles=request.form.getlist("role"),
                limits=accounts.read_limits(request.form.get("limits", "")),
                actor=caller().name,
                now=now(),
            )
    except (BadAccount, UnknownRole) as reason:
        return _refused(reason, ALL)
    return _list(link=f"{request.host_url}invitation/{secret}", invited=invited.email or "")


@pages.post("/users/invitations/<int:number>/withdraw")
def withdraw(number: int) -> Response:
    """Make the link of an invitation lead nowhere."""
    with operational.writing(console().engine) as session:
        invitation = session.get(Invitation, number)
        if invitation is None:
            abort(404)
        invitations.withdraw(session, invitation, actor=caller().name, now=now())
    return done(f"The invitation of {invitation.email} is withdrawn.", to=ALL)


@pages.get("/users/<int:number>")
def shown(number: int) -> tuple[str, int]:
    """One person: what they may do, their sessions and tokens."""
    with operational.reading(console().engine) as session:
        person = _person(session, number)
        return show(
            "user.html",
            person=person,
            roles=ROLES,
            notes=NOTES,
            sessions=sessions.listed(session, person.id, now()),
            tokens=tokens.listed(session, now(), person.id),
        )


@pages.post("/users/<int:number>")
def change(number: int) -> Response:
    """Do with a person what the button says."""
    here, deed = f"/users/{number}", request.form.get("deed", "")
    try:
        with operational.writing(console().engine) as session:
            told = _done(session, _person(session, number), deed)
    except (BadAccount, UnknownRole) as reason:
        return _refused(reason, here)
    return done(told, to=here)


def _done(session: Session, person: Person, deed: str) -> str:
    """Do the deed, and say so. Raises BadAccount, UnknownRole."""
    actor = preferences().actor
    if deed == "set":
        limits = accounts.read_limits(request.form.get("limits", ""))
        accounts.change(session, person, roles=request.form.getlist("role"), limits=limits, actor=actor, now=now())
        return f"{person.name} is set. It holds from their next click on."
    if deed == "disable":
        accounts.disable(session, person, actor=actor, now=now())
        return f"{person.name} is disabled, signed out, and their tokens work no more."
    if deed == "enable":
        accounts.enable(session, person, actor=actor, now=now())
        return f"{person.name} may sign in again."
    if deed == "sign_out":
        count = sessions.end(session, person, actor=actor, now=now())
        return f"{person.name} is signed out of {count} {'browser' if count == 1 else 'browsers'}."
    if deed == "no_factor":
        second_factor.remove(session, person, actor=actor, now=now())
        return f"{person.name} signs in without a second factor, until they set one up again."
    if deed == "revoke":
        token = session.get(ApiToken, int(request.form.get("token", "0")))
        if token is None or token.person_id != person.id:
            abort(404)
        tokens.revoke(session, token, actor=actor, now=now())
        return f"{token.name} works no more."
    raise BadAccount("choose what to do")


def _list(link: str = "", invited: str = "") -> tuple[str, int]:
    with operational.reading(console().engine) as session:
        return show(
            "users.html",
            people=accounts.listed(session),
            invitations=invitations.pending(session, now()),
            tokens=_counts(tokens.listed(session, now())),
            roles=ROLES,
            notes=NOTES,
            link=link,
            invited=invited,
        )


def _counts(found: list[ApiToken]) -> dict[int, int]:
    """How many tokens of each person work."""
    owners = [token.person_id for token in found]
    return {owner: owners.count(owner) for owner in owners}


def _person(session: Session, number: int) -> Person:
    person = session.get(Person, number)
    if person is None:
        abort(404)
    return person


def _refused(reason: Exception, to: str) -> Response:
    text = str(reason)
    return refused(sentence(text), to=to)
