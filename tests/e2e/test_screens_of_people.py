"""The screenshots of signing in, users and the audit, for docs/screens; taken by `make screens`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from detector import triage
from people import invitations, sessions, tokens
from people.sessions import Browser
from store import audit, operational
from store.audit import Origin
from store.people_tables import Person
from tests.e2e.conftest import Serve
from tests.e2e.test_screens import shoot
from tests.web.company import NOW, Home
from tests.web.signing import team
from web.access import COOKIE

pytestmark = [pytest.mark.e2e, pytest.mark.screens]
Window = Callable[..., Page]
FIREFOX = Browser("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Firefox/144.0", "192.0.2.7")


def a_busy_morning(home: Home) -> str:
    """A team with limits, an invitation, a token, some work; the secret of the admin's session."""
    people = team(home)
    audit.ORIGIN.set(Origin("person", "5e1f2a9c04b7"))
    with operational.writing(home.engine()) as session:
        admin, analyst = (session.get_one(Person, people[role].id) for role in ("admin", "analyst"))
        analyst.limits, analyst.totp_since = {"USD": "500", "EUR": "400"}, NOW
        ana = {"actor": analyst.name, "now": NOW}
        triage.assign(session, [1, 2], analyst.name, **ana)
        triage.dismiss(session, [3], "expected", detail="agreed with the customer in March", **ana)
        given = {"roles": ["analyst", "rule_author"], "limits": {"USD": "50"}}
        invitations.invite(session, "joy@example.com", actor=admin.name, now=NOW, **given)
        tokens.make(session, admin, name="Nightly export", scopes=["read"], days=90, actor=admin.name, now=NOW)
        sessions.fail(session, "eve@example.com", now=NOW)
        secret = sessions.open_for(session, admin, FIREFOX, now=NOW, by="password")
    audit.ORIGIN.set(audit.ITSELF)
    return secret


def test_screens_of_people(
    open_browser: Window, serve: Serve, many_signals: Home, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = many_signals.copy(tmp_path_factory.mktemp("screens") / "home")
    secret = a_busy_morning(home)
    base = serve(home)
    for look, width, scheme in (("light", 1440, "light"), ("dark", 1440, "dark"), ("narrow", 390, "light")):
        page = open_browser(width=width, scheme=scheme)
        shoot(page, f"{base}/login", f"login-{look}", whole=False)
        page.context.add_cookies([{"name": COOKIE, "value": secret, "url": base}])
        for name in ("users", "audit", "account"):
            shoot(page, f"{base}/{name}", f"{name}-{look}", whole=look == "narrow")
