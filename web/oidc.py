"""Signing in by the company's OpenID provider: the code flow with PKCE, by Authlib.

The one place of the console that calls out: to the configured provider, to trade a code for who somebody is.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.oauth2.rfc6749.errors import OAuth2Error
from flask import Blueprint, Flask, abort, current_app, g, request, url_for
from flask import session as browser_session
from joserfc.errors import JoseError
from requests import RequestException
from werkzeug.wrappers import Response

from people import oidc, sessions
from people.oidc import NotLetIn, Provider
from store import operational
from web import rates
from web.console import console, now
from web.pages import refused
from web.rates import limiter
from web.sign_in import browser, next_page, welcome

pages = Blueprint("oidc", __name__)

log = logging.getLogger(__name__)

KEY = "trueup-provider"
SECONDS = 10
"""How long the provider may take for an answer."""


def install(app: Flask, provider: Provider | None) -> None:
    """Adds the provider, and its name to the page of signing in."""
    app.jinja_env.globals["provider"] = provider and provider.name
    if provider is None:
        return
    client = OAuth(app).register(
        "provider",
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        server_metadata_url=f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256", "default_timeout": SECONDS},
    )
    app.extensions[KEY] = (provider, client)


@pages.get("/login/provider")
@limiter.limit(rates.BY_ADDRESS)
def leave_for() -> Response:
    """Send the browser to the provider."""
    _, client = _configured()
    wanted = next_page(request.args)
    scheme = "https" if current_app.config["SESSION_COOKIE_SECURE"] else request.scheme
    try:
        answer: Response = client.authorize_redirect(url_for("oidc.back_from", _external=True, _scheme=scheme))
    except (RequestException, ValueError) as error:
        return _not_now(error)
    browser_session["next"] = wanted
    return answer


@pages.get("/login/provider/back")
@limiter.limit(rates.BY_ADDRESS)
def back_from() -> Response:
    """Let in whom the provider sent back, or say that they are not."""
    provider, client = _configured()
    wanted = next_page({"next": str(browser_session.get("next", ""))})
    expected = {name: {"essential": True, "value": value} for name, value in
                (("iss", provider.issuer), ("aud", provider.client_id))}  # fmt: skip
    try:
        claims = client.authorize_access_token(claims_options=expected)["userinfo"]
    except RequestException as error:
        return _not_now(error)
    except (OAuthError, OAuth2Error, JoseError, KeyError, ValueError) as error:
        return _refused("", f"the provider's answer does not hold: {type(error).__name__}")
    try:
        with operational.writing(console().engine) as session:
            person = oidc.person_of(session, provider, claims, now=now())
            secret = sessions.open_for(session, person, browser(), now=now(), by=provider.name)
    except NotLetIn as reason:
        return _refused(str(claims.get("email", "")), str(reason))
    return welcome(secret, wanted)


def _configured() -> tuple[Provider, Any]:
    found = current_app.extensions.get(KEY)
    if found is None:
        abort(404)
    return cast("tuple[Provider, Any]", found)


def _refused(email: str, why: str) -> Response:
    """Say no more than that it did not work; the audit knows why."""
    with operational.writing(console().engine) as session:
        sessions.fail(session, email, now=now(), why=why)
    return refused("That did not work. Ask an admin whether you may sign in this way.", to="/login")


def _not_now(error: Exception) -> Response:
    log.error("request %s: the provider does not answer: %s", g.request_id, error)
    return refused("The provider does not answer right now. Try again soon, or sign in by password.", to="/login")
