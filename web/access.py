"""Who asks, and whether they may: every request passes here before its page.

While nobody has an account, a console that answers on this machine alone is open, and its changes stand under the name
that was typed (docs/decisions/0013). From the first account on, or as soon as it can be reached from elsewhere, every
page but signing in needs a session, and every call of the API a token.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from urllib.parse import urlencode

from flask import Flask, Response, current_app, g, redirect, request
from limits import parse
from sqlalchemy.orm import Session
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.wrappers import Response as AnyResponse

from people import accounts, roles, sessions, tokens
from people.roles import Permission
from store import audit, operational
from store.audit import ITSELF, ORIGIN, Origin
from web.console import console, now
from web.kept import sent
from web.pages import back, is_partial, show
from web.permissions import needed
from web.rates import BY_TOKEN, WRONG_TOKENS, hold_back, limiter

log = logging.getLogger(__name__)

KEY = "trueup-access"
COOKIE = "trueup_session"
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")
_PORT = re.compile(r":\d*$")
TOLD_TOKENS = parse("10 per minute")
"""How many wrong tokens of one address are audited; the log has them all."""


@dataclass
class Access:
    """How the console is reached. `has_accounts` is looked up until it is so; accounts are never deleted."""

    required: bool = False
    events_token: str | None = None
    has_accounts: bool = field(default=False, init=False)


@dataclass(frozen=True)
class Caller:
    """Who asks: a person by a session or a token, whoever sits at this machine (`local`), or nobody yet."""

    kind: str
    permissions: frozenset[Permission]
    name: str = ""
    via: str | None = None
    person_id: int | None = None
    session_id: int | None = None

    def may(self, permission: str) -> bool:
        """Whether they may do that."""
        return Permission(permission) in self.permissions


NOBODY = Caller("nobody", frozenset())
LOCAL = Caller("local", frozenset(Permission) - {Permission.EVENTS})
"""Events are taken for a token only: a page of another site could make a browser send some to this machine."""


class Denied(Forbidden):
    """The caller may not do that; the description says what it needs, and who has that."""

    def __init__(self, permission: Permission, why: str = "") -> None:
        holders = ", ".join(role.replace("_", " ") for role in roles.holders(permission))
        told = f"It needs the permission {permission}: to {permission.means}. Who has it: {holders}."
        super().__init__(f"{why} {told}".lstrip())


def guard(app: Flask, access: Access) -> None:
    """Lets nothing through that its route does not permit."""
    app.extensions[KEY] = access
    app.before_request(_check)
    app.after_request(_tell_denied)
    app.teardown_request(_forget_origin)
    app.jinja_env.globals["whoami"] = caller  # Jinja has a `caller` of its own


def _forget_origin(error: BaseException | None) -> None:
    ORIGIN.set(ITSELF)


def caller() -> Caller:
    """Who asks."""
    return cast(Caller, g.get("caller", NOBODY))


def require(permission: Permission, why: str = "") -> None:
    """Go on only if the caller may do that as well, else the request is denied. Raises Denied."""
    if permission not in caller().permissions:
        g.denied = permission
        raise Denied(permission, why)


def _tell_denied(answer: Response) -> Response:
    """Audit what was denied, after whatever was begun is taken back."""
    if "denied" in g:
        told = ("route", f"{request.method} {request.path}"[:300])
        with operational.writing(console().engine) as session:
            audit.record(session, "access.denied", told, actor=caller().name or "nobody", now=now(), reason=g.denied)
    return answer


def _check() -> AnyResponse | tuple[str, int] | None:
    if request.endpoint == "asset":
        return None
    g.caller = _by_token() if _is_api() else _by_session()
    ORIGIN.set(Origin(_kind(), g.request_id, caller().via))
    permission = needed(request.endpoint)
    if permission is not None and caller() is NOBODY:
        return _ask_for_token() if _is_api() else _ask_to_sign_in()
    if permission is not None:
        require(permission)
    return None


def _kind() -> str:
    """By what the caller acts, for the audit: who is not known yet tries to be a person, or shows a token."""
    return caller().kind if caller() is not NOBODY else ("token" if _is_api() else "person")


def _is_api() -> bool:
    return request.path.startswith("/api/")


def _by_session() -> Caller:
    """The person of the browser's session; whoever is at this machine while the console is open; else nobody."""
    secret = request.cookies.get(COOKIE)
    if secret:
        with operational.reading(console().engine) as session:
            found = sessions.of_secret(session, secret, now())
            if found is not None and not found[1].waits_for_code:
                person, opened = found
                if sessions.is_stale(opened, now()):
                    _note(sessions.seen, opened.id)
                permitted = roles.permissions(person.roles)
                return Caller("person", permitted, person.name, None, person.id, opened.id)
    return LOCAL if is_open() else NOBODY


def _by_token() -> Caller:
    """Whose token the request shows; whoever is at this machine while the console is open; else nobody."""
    given = request.headers.get("Authorization", "")
    if not given:
        return LOCAL if is_open() else NOBODY
    (scheme, _, secret), access = given.partition(" "), _access()
    secret = secret.strip() if scheme.lower() == "bearer" else ""
    if access.events_token and hmac.compare_digest(secret.encode(), access.events_token.encode()):
        return Caller("token", frozenset({Permission.EVENTS}), "events token", "web.events_token_env")
    if secret.startswith(tokens.PREFIX):
        with operational.reading(console().engine) as session:
            found = tokens.of_secret(session, secret, now())
            if found is not None:
                person, token = found
                hold_back(BY_TOKEN, "token", token.token_hash)
                if tokens.is_stale(token, now()):
                    _note(tokens.used, token.id)
                return Caller("token", tokens.permits(person, token), person.name, token.name, person.id)
    _tell_wrong_token()
    return NOBODY


def is_open() -> bool:
    """Whether nobody needs to sign in: no account, and neither the console nor this request comes from elsewhere."""
    access = _access()
    if access.required or not _is_local():
        return False
    if not access.has_accounts:
        with operational.reading(console().engine) as session:
            access.has_accounts = accounts.exist(session)
    return not access.has_accounts


def _is_local() -> bool:
    """Whether a browser on this machine asks by a name of this machine, with no proxy between."""
    named = request.host.rpartition(":")[0] if _PORT.search(request.host) else request.host
    return (
        is_loopback(request.remote_addr or "")
        and is_loopback(named.strip("[]"))
        and not any(header in request.headers for header in FORWARDED)
    )


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _access() -> Access:
    return cast(Access, current_app.extensions[KEY])


def _ask_for_token() -> AnyResponse:
    if _access().events_token is None and is_open():
        raise Forbidden("No token is known here. Name the variable of one, web.events_token_env, or make an account.")
    raise Unauthorized("Send Authorization: Bearer with a token that is known here and not over.")


def _ask_to_sign_in() -> AnyResponse | tuple[str, int]:
    """The way to sign in and back; what a form held is kept on the page and sent on afterwards."""
    if request.method == "POST":
        return show("login.html", 401, kept=sent(), next=back())
    if is_partial():
        shown = request.headers.get("HX-Current-URL", "").removeprefix(request.host_url)
        return Response(status=401, headers={"HX-Redirect": _sign_in_for(f"/{shown}")})
    return redirect(_sign_in_for(request.full_path.rstrip("?")), 303)


def _sign_in_for(page: str) -> str:
    """The address of signing in, and then of a page; one that is none of ours is left out there."""
    return f"/login?{urlencode({'next': page[:2000]})}"


def _note(used: Callable[[Session, int, datetime], None], number: int) -> None:
    with operational.writing(console().engine) as session:
        used(session, number, now())


def _tell_wrong_token() -> None:
    where = request.remote_addr or ""
    hold_back(WRONG_TOKENS, "wrong", where)
    log.warning("request %s: a token that is not known, or is over, from %s", g.request_id, where)
    if limiter.limiter.hit(TOLD_TOKENS, "token", where):
        with operational.writing(console().engine) as session:
            audit.record(session, "token.refused", ("route", request.path[:300]), actor="nobody", now=now())
