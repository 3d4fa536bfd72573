"""What protects the console in the browser: a strict content policy, CSRF tokens, and an id for every request."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from flask import Blueprint, Flask, Response, g, request
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect, generate_csrf
from markupsafe import Markup

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


def protect(app: Flask, *, https: bool, without_cookies: Iterable[Blueprint]) -> None:
    """Security headers, CSRF on every form, secure cookies under https. Scripts and styles come from files only.

    `without_cookies` are asked with a proof instead of a session, so no other site can make a browser ask them.
    """
    app.config.update(WTF_CSRF_TIME_LIMIT=None, SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_HTTPONLY=True)
    Talisman(
        app,
        force_https=False,
        strict_transport_security=https,
        session_cookie_secure=https,
        content_security_policy=POLICY,
        frame_options="DENY",
        referrer_policy="same-origin",
        permissions_policy={"geolocation": "()", "camera": "()", "microphone": "()"},
    )
    protection = CSRFProtect(app)
    for pages in without_cookies:
        protection.exempt(pages)
    app.before_request(_name_request)
    app.after_request(_tell_request)
    app.jinja_env.globals["csrf"] = _csrf_field


def _csrf_field() -> Markup:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _name_request() -> None:
    """The id that errors and logs name; one given by a proxy is kept."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(6)


def _tell_request(answer: Response) -> Response:
    answer.headers["X-Request-ID"] = g.get("request_id", "")
    return answer
