"""The people who may sign in, invitations, and API tokens: for admins, but for one's own tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, Literal

from flask import Response, request
from pydantic import Field
from sqlalchemy.orm import Session

from detector.detail import instant
from people import accounts, invitations, second_factor, sessions, tokens
from people.roles import ROLES, Permission
from store import operational
from store.people_tables import ApiToken, Invitation, Person
from web.access import caller, require
from web.api.answers import Amount, Answer, Instant
from web.api.bodies import Body, Empty
from web.api.operations import Operation, body, check_match, operation
from web.api.queries import one_of
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer
from web.words import sentence

RoleName = Annotated[str, one_of(ROLES)]
Scope = Annotated[str, one_of(Permission)]
Limits = Annotated[
    dict[Annotated[str, Field(pattern="^[A-Z]{3}$")], Amount],
    Field(description="What they may approve alone: amounts in major units by currency."),
]
REFUSED = {409: "It cannot be: the address or name is taken, or nobody would be left as an admin."}


class Account(Answer):
    """One person: what they may do, and when they were last seen."""

    id: int
    email: str
    name: str
    roles: list[RoleName]
    limits: Limits
    second_factor: bool
    sessions: Annotated[int, Field(description="In how many browsers they are signed in.")]
    last_seen: Instant | None
    disabled: bool


class People(Answer):
    """Everybody, those who are disabled last."""

    people: list[Account]


class WantedAccount(Body):
    """What the person may do, as a whole."""

    roles: Annotated[list[RoleName], Field(min_length=1, max_length=10)]
    limits: Annotated[Limits, Field(default_factory=dict, max_length=200)]


class Ended(Answer):
    """How many sessions ended."""

    ended: int


class Invited(Answer):
    """An invitation that can still be used."""

    id: int
    email: str
    roles: list[RoleName]
    limits: Limits
    invited_by: str
    until: Instant


class NewInvitation(Invited):
    """An invitation with its link, which is shown this once."""

    link: str


class Invitations(Answer):
    """The invitations that can still be used, the newest first."""

    invitations: list[Invited]


class WantedInvitation(WantedAccount):
    """Whom to invite, and as what."""

    email: Annotated[str, Field(min_length=3, max_length=241)]


class Token(Answer):
    """An API token that works, without its secret."""

    id: int
    name: str
    owner: str
    scopes: list[Scope]
    until: Instant
    last_used: Instant | None


class NewToken(Token):
    """A token with its secret, which is shown this once."""

    secret: str


class Tokens(Answer):
    """The tokens that work, the newest first."""

    tokens: list[Token]


class WantedToken(Body):
    """What uses it, what it may do (no more than the token that asks), and for how many days."""

    name: Annotated[str, Field(min_length=2, max_length=60)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Permission))]
    days: Annotated[int, Field(ge=1, le=tokens.LONGEST.days)] = 90


class Me(Answer):
    """Who asks, and what they may do."""

    name: str
    kind: Literal["token", "local"]
    permissions: list[Scope]


@operation("/me", Operation("Show who asks", "Whose token it is, and what may be done with it.", Me))
def me() -> Response:
    """Who asks."""
    kept = [permission for permission in Permission if caller().may(permission)]
    return answer(200, {"name": caller().name, "kind": caller().kind, "permissions": kept})


@operation("/people", Operation("List people", "Everybody with an account.", People))
def people() -> Response:
    """Everybody."""
    with operational.reading(console().engine) as session:
        return answer(200, {"people": [_account(session, each) for each in accounts.listed(session)]})


@operation("/people/<int:number>", Operation("Show a person", "One person.", Account, etag=True))
def person(number: int) -> Response:
    """One person; the ETag is of what they may do."""
    with operational.reading(console().engine) as session:
        return _told(session, _person(session, number))


@operation(
    "/people/<int:number>",
    Operation("Set a person", "Set roles and limits; it holds from their next request on.", Account, body=WantedAccount,
              refuses=REFUSED, etag=True, if_match=True),
    method="PUT",
)  # fmt: skip
def set_person(number: int) -> Response:
    """Set what somebody may do."""
    wanted: WantedAccount = body(WantedAccount)
    return _changed(number, partial(accounts.change, roles=wanted.roles, limits=wanted.limits))


@operation(
    "/people/<int:number>/disable",
    Operation("Disable a person", "Shut them out: their sessions end, their tokens are revoked.", Account, body=Empty,
              refuses=REFUSED, etag=True, if_match=True),
    method="POST",
)  # fmt: skip
def disable_person(number: int) -> Response:
    """Shut somebody out."""
    body(Empty)
    return _changed(number, accounts.disable)


@operation(
    "/people/<int:number>/enable",
    Operation("Enable a person", "Let them sign in again; their tokens stay revoked.", Account, body=Empty,
              refuses=REFUSED, etag=True, if_match=True),
    method="POST",
)  # fmt: skip
def enable_person(number: int) -> Response:
    """Let somebody sign in again."""
    body(Empty)
    return _changed(number, accounts.enable)


@operation(
    "/people/<int:number>/sign-out",
    Operation("Sign a person out", "End every session of theirs.", Ended, body=Empty),
    method="POST",
)
def sign_out_person(number: int) -> Response:
    """End somebody's sessions."""
    body(Empty)
    with operational.writing(console().engine) as session:
        found = _person(session, number)
        return answer(200, {"ended": sessions.end(session, found, actor=preferences().actor, now=now())})


@operation(
    "/people/<int:number>/no-second-factor",
    Operation("Take a second factor away", "From somebody who has lost it.", Account, body=Empty, etag=True),
    method="POST",
)
def remove_second_factor(number: int) -> Response:
    """Take the second factor away."""
    body(Empty)
    with operational.writing(console().engine) as session:
        found = _person(session, number)
        second_factor.remove(session, found, actor=preferences().actor, now=now())
        return _told(session, found)


@operation("/invitations", Operation("List invitations", "Those that can still be used.", Invitations))
def pending_invitations() -> Response:
    """Who is invited."""
    with operational.reading(console().engine) as session:
        return answer(200, {"invitations": [_invited(each) for each in invitations.pending(session, now())]})


@operation(
    "/invitations",
    Operation("Invite a person", "Make a one-time link that makes an account; it is shown this once.", NewInvitation,
              201, body=WantedInvitation, refuses=REFUSED, shows_secret=True),
    method="POST",
)  # fmt: skip
def invite_person() -> Response:
    """Invite somebody."""
    wanted: WantedInvitation = body(WantedInvitation)
    with _refusals(), operational.writing(console().engine) as session:
        made, secret = invitations.invite(
            session, wanted.email, roles=wanted.roles, limits=wanted.limits, actor=preferences().actor, now=now()
        )
        return answer(201, {**_invited(made), "link": f"{request.host_url}invitation/{secret}"})


@operation(
    "/invitations/<int:number>",
    Operation("Withdraw an invitation", "Make its link lead nowhere.", None, 204),
    method="DELETE",
)
def withdraw_invitation(number: int) -> Response:
    """Withdraw an invitation."""
    with operational.writing(console().engine) as session:
        found = next((each for each in invitations.pending(session, now()) if each.id == number), None)
        if found is None:
            raise Refused(404, "No such invitation", f"There is no invitation {number} that can still be used.")
        invitations.withdraw(session, found, actor=preferences().actor, now=now())
    return Response(status=204)


@operation("/tokens", Operation("List tokens", "One's own tokens; with the permission `people` everybody's.", Tokens))
def api_tokens() -> Response:
    """The tokens that work."""
    whose = None if caller().may(Permission.PEOPLE) else caller().person_id
    with operational.reading(console().engine) as session:
        return answer(200, {"tokens": [_token(session, each) for each in tokens.listed(session, now(), whose)]})


@operation(
    "/tokens",
    Operation(
        "Make a token",
        "A token of one's own, which may do no more than the one that asks for it; its secret is shown this once.",
        NewToken,
        201,
        body=WantedToken,
        refuses={409: "Nobody has an account yet."},
        shows_secret=True,
    ),
    method="POST",
)
def make_token() -> Response:
    """Make a token of whoever asks."""
    wanted: WantedToken = body(WantedToken)
    for scope in wanted.scopes:
        require(Permission(scope), "A token makes none that may do more than itself.")
    with operational.writing(console().engine) as session:
        owner = session.get(Person, caller().person_id) if caller().person_id else None
        if owner is None:
            raise Refused(409, "Nobody's", "A token is somebody's: make an account first (trueup people first).")
        try:
            made, secret = tokens.make(
                session, owner, name=wanted.name, scopes=wanted.scopes, days=wanted.days, actor=owner.name, now=now()
            )
        except tokens.BadToken as reason:
            raise Refused(422, "The body is not as it should be", str(reason)) from None
        return answer(201, {**_token(session, made), "secret": secret})


@operation(
    "/tokens/<int:number>",
    Operation("Revoke a token", "One's own; with the permission `people` anybody's.", None, 204),
    method="DELETE",
)
def revoke_token(number: int) -> Response:
    """Let a token work no more."""
    with operational.writing(console().engine) as session:
        found = session.get(ApiToken, number)
        mine = found is not None and found.person_id == caller().person_id
        if found is None or found.revoked_at is not None or not (mine or caller().may(Permission.PEOPLE)):
            raise Refused(404, "No such token", f"There is no token {number} that works.")
        tokens.revoke(session, found, actor=preferences().actor, now=now())
    return Response(status=204)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except ValueError as reason:
        raise Refused(409, "It cannot be", sentence(reason)) from None


def _person(session: Session, number: int) -> Person:
    found = session.get(Person, number)
    if found is None:
        raise Refused(404, "No such person", f"There is no person {number}; GET /api/v1/people lists them.")
    return found


def _version(found: Person) -> str:
    """Of everything that the operations of a person change."""
    said = repr((accounts.facts(found), found.disabled_at is not None, found.totp_since is not None))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _changed(number: int, deed: Callable[..., None]) -> Response:
    """Do something to the account, as its version still stands; what it is then."""
    with _refusals(), operational.writing(console().engine) as session:
        found = _person(session, number)
        check_match(_version(found))
        deed(session, found, actor=preferences().actor, now=now())
        return _told(session, found)


def _told(session: Session, found: Person) -> Response:
    told = answer(200, _account(session, found))
    told.set_etag(_version(found))
    return told


def _account(session: Session, found: Person) -> dict[str, Any]:
    return {
        "id": found.id,
        **accounts.facts(found),
        "second_factor": found.totp_since is not None,
        "sessions": len(sessions.listed(session, found.id, now())),
        "last_seen": instant(found.seen_at),
        "disabled": found.disabled_at is not None,
    }


def _invited(each: Invitation) -> dict[str, Any]:
    names = ("id", "email", "roles", "limits", "invited_by")
    return {**{name: getattr(each, name) for name in names}, "until": instant(each.expires_at)}


def _token(session: Session, each: ApiToken) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "owner": session.get_one(Person, each.person_id).email,
        "scopes": each.scopes,
        "until": instant(each.expires_at),
        "last_used": instant(each.used_at),
    }
