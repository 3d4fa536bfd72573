"""Signing in and out: password, second factor, and back to the page that was asked for, with what was typed there."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, current_app, redirect, request
from flask import session as browser_session
from werkzeug.wrappers import Response

from people import sessions
from people.sessions import Browser
from store import operational
from store.people_tables import Person
from web import rates
from web.access import COOKIE, caller, is_open
from web.console import console, now
from web.kept import Kept, held
from web.pages import is_own, show
from web.rates import limiter

pages = Blueprint("sign_in", __name__)

WAITING = "trueup_waiting"
"""The cookie of a session that waits for the second factor."""

GENERIC = "That did not work. See that the address and the password are right; after several attempts, wait a while."


@pages.get("/login")
def shown() -> tuple[str, int] | Response:
    """The form to sign in; whoever need not, goes on."""
    if caller().kind == "person" or is_open():
        return redirect(next_page(request.args), 303)
    return _form(next_page(request.args), None)


@pages.post("/login")
@limiter.limit(rates.BY_ADDRESS)
@limiter.limit(rates.BY_EMAIL, key_func=rates.email)
def enter() -> tuple[str, int] | Response:
    """Open a session for the right password, or ask for the second factor."""
    email, password = request.form.get("email", ""), request.form.get("password", "")[:1000]
    with operational.reading(console().engine) as session:
        who = sessions.recognised(session, email, password)
    with operational.writing(console().engine) as session:
        secret = sessions.sign_in(session, email, who, browser(), now=now())
        waits = secret is not None and sessions.waits(session, secret, now())
    if secret is None:
        return _form(next_page(request.form), held(), failure=GENERIC, status=401)
    if not waits:
        return welcome(secret, next_page(request.form), held())
    answer = current_app.make_response(_form(next_page(request.form), held(), template="code.html"))
    _set(answer, WAITING, secret, int(sessions.CODE_WITHIN.total_seconds()))
    return answer


@pages.post("/login/code")
@limiter.limit(rates.BY_ADDRESS)
def code() -> tuple[str, int] | Response:
    """Open the session that waits, for the right second factor."""
    waiting = request.cookies.get(WAITING, "")
    with operational.writing(console().engine) as session:
        secret = sessions.give_code(session, waiting, request.form.get("code", "")[:100], browser(), now=now())
        still = secret is None and sessions.waits(session, waiting, now())
    if secret is not None:
        return welcome(secret, next_page(request.form), held())
    if still:
        failure = "That is not the code of now. Codes change every 30 seconds, and each is taken once."
        return _form(next_page(request.form), held(), failure=failure, status=401, template="code.html")
    return _form(next_page(request.form), held(), failure=GENERIC, status=401)


@pages.post("/logout")
def leave() -> Response:
    """End the session of this browser."""
    with operational.writing(console().engine) as session:
        if (number := caller().session_id) and (person := session.get(Person, caller().person_id)):
            sessions.end(session, person, actor=person.name, now=now(), only=number)
    browser_session.clear()
    answer = redirect("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


def browser() -> Browser:
    """Where this request comes from."""
    return Browser(request.user_agent.string, request.remote_addr or "")


def welcome(secret: str, wanted: str, kept: Kept | None = None) -> Response:
    """Go on with the session: to the page that was asked for, or to what was typed and is not sent yet."""
    browser_session.clear()  # nothing that was put there before signing in stays
    answer = redirect(wanted, 303) if kept is None else current_app.make_response(_resume(wanted, kept))
    _set(answer, COOKIE, secret, int(sessions.LONGEST.total_seconds()))
    answer.delete_cookie(WAITING)
    return answer


def _resume(wanted: str, kept: Kept) -> tuple[str, int]:
    return show("resume.html", kept=kept, next=wanted)


def _form(
    wanted: str, kept: Kept | None, *, failure: str = "", status: int = 200, template: str = "login.html"
) -> tuple[str, int]:
    email = request.form.get("email", "")[:200]
    return show(template, status, next=wanted, kept=kept, failure=failure, email=email)


def next_page(values: Mapping[str, str]) -> str:
    """The page to go on to, as long as it is one of ours and not about signing in."""
    wanted = values.get("next", "")
    path = wanted.partition("?")[0]
    return wanted if is_own(wanted) and path not in ("/login", "/login/code", "/logout", "/") else "/signals"


def _set(answer: Response, name: str, secret: str, seconds: int) -> None:
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"]) or request.is_secure
    answer.set_cookie(name, secret, max_age=seconds, httponly=True, samesite="Lax", secure=secure)
