"""The page of whoever is signed in: password, second factor, sessions, API tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Blueprint, abort, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from people import accounts, credentials, second_factor, sessions, tokens
from people.accounts import BadAccount
from people.credentials import BadPassword
from people.roles import Permission, permissions
from people.second_factor import WrongCode
from people.tokens import BadToken
from store import operational
from store.people_tables import ApiToken, Person
from web import rates
from web.access import caller
from web.console import console, now
from web.pages import done, refused, show
from web.rates import limiter
from web.words import sentence

pages = Blueprint("account", __name__)

HERE = "/account"
NOBODY = (
    "Nobody has to sign in here, because nobody has an account yet: there is nothing to show of yours. "
    "An admin makes the first account under Users, and from then on everybody signs in."
)
LENGTHS = (30, 90, 180, 365)
"""Days that a token may last."""


@pages.get(HERE)
def shown() -> tuple[str, int]:
    """What the person may do, and what they sign in with."""
    return _page()


@pages.post("/account/password")
@limiter.limit(rates.BY_ADDRESS)
def change_password() -> Response:
    """Take another password; every other session ends."""
    try:
        with _me() as (session, me):
            _check_password(me)
            accounts.set_password(session, me, request.form.get("new", ""), actor=me.name, now=now())
            sessions.end(session, me, actor=me.name, now=now(), but=caller().session_id or 0)
    except (BadPassword, BadAccount) as reason:
        return _refused(reason)
    return done("Your password is changed, and every other session has ended.", to=HERE)


@pages.post("/account/second-factor")
@limiter.limit(rates.BY_ADDRESS)
def enrol() -> tuple[str, int] | Response:
    """Show the secret for the authenticator; it counts once a code of it was given."""
    try:
        with _me() as (_, me):
            _check_password(me)
            second_factor.begin(me)
    except BadAccount as reason:
        return _refused(reason)
    return _page(enrolling=True)


@pages.post("/account/second-factor/confirm")
@limiter.limit(rates.BY_ADDRESS)
def confirm() -> tuple[str, int]:
    """Let the second factor count, and show its recovery codes once."""
    try:
        with _me() as (session, me):
            codes = second_factor.confirm(session, me, request.form.get("code", ""), now=now())
    except WrongCode as reason:
        return _page(enrolling=True, failure=str(reason), status=400)
    return _page(codes=codes)


@pages.post("/account/second-factor/remove")
@limiter.limit(rates.BY_ADDRESS)
def remove_factor() -> Response:
    """Sign in without a second factor from now on."""
    try:
        with _me() as (session, me):
            _check_password(me)
            second_factor.remove(session, me, actor=me.name, now=now())
    except BadAccount as reason:
        return _refused(reason)
    return done("You sign in without a second factor now.", to=HERE)


@pages.post("/account/sessions/<int:number>/end")
def end_session(number: int) -> Response:
    """End one of the person's sessions."""
    with _me() as (session, me):
        count = sessions.end(session, me, actor=me.name, now=now(), only=number)
    return done("That session has ended." if count else "That session was over already.", to=HERE)


@pages.post("/account/tokens")
@limiter.limit(rates.BY_ADDRESS)
def make_token() -> tuple[str, int] | Response:
    """Make an API token, and show it this once."""
    days = request.form.get("days", "")
    try:
        with _me() as (session, me):
            _, secret = tokens.make(
                session,
                me,
                name=request.form.get("name", ""),
                scopes=request.form.getlist("scope"),
                days=int(days) if days.isascii() and days.isdigit() else 0,
                actor=me.name,
                now=now(),
            )
    except BadToken as reason:
        return _refused(reason)
    return _page(secret=secret)


@pages.post("/account/tokens/<int:number>/revoke")
def revoke_token(number: int) -> Response:
    """Let one of the person's tokens work no more."""
    with _me() as (session, me):
        token = session.get(ApiToken, number)
        if token is None or token.person_id != me.id:
            abort(404)
        tokens.revoke(session, token, actor=me.name, now=now())
    return done(f"{token.name} works no more.", to=HERE)


def _page(
    *, enrolling: bool = False, codes: Sequence[str] = (), secret: str = "", failure: str = "", status: int = 200
) -> tuple[str, int]:
    with operational.reading(console().engine) as session:
        me = _person(session)
        return show(
            "account.html",
            status,
            me=me,
            enrolling=enrolling,
            otpauth=second_factor.address(me) if enrolling else "",
            codes=codes,
            secret=secret,
            failure=failure,
            sessions=sessions.listed(session, me.id, now()),
            tokens=tokens.listed(session, now(), me.id),
            scopes=[each for each in Permission if each in permissions(me.roles)],
            lengths=LENGTHS,
            shortest=credentials.SHORTEST,
        )


@contextmanager
def _me() -> Iterator[tuple[Session, Person]]:
    with operational.writing(console().engine) as session:
        yield session, _person(session)


def _person(session: Session) -> Person:
    """Who is signed in; while nobody has to, there is no such page."""
    if caller().person_id is None:
        abort(404, description=NOBODY)
    return session.get_one(Person, caller().person_id)


def _check_password(me: Person) -> None:
    """What changes how somebody signs in takes their password again. Raises BadAccount."""
    given = request.form.get("password", "")[:1000]
    if me.password_hash is not None and not credentials.matches(given, me.password_hash):
        raise BadAccount("that is not your password")


def _refused(reason: Exception) -> Response:
    text = str(reason)
    return refused(sentence(text), to=HERE)
