"""Signing in by the company's OpenID provider, against one that speaks HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from detector.live_rules import LiveRules
from people.oidc import Provider
from store import operational
from store.audit_tables import AuditEntry
from store.people_tables import Person
from tests.peers.oidc import CLIENT, SECRET, Issuer, serving
from tests.web.company import NOW, Home
from tests.web.reading import get
from tests.web.signing import person
from web import create_app

ANA = {"sub": "u-1", "email": "Ana@Example.com", "email_verified": True, "name": "Ana Ruiz"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with serving() as started:
        yield started


@pytest.fixture
def home(empty_company: Home, tmp_path: Path) -> Home:
    made = empty_company.copy(tmp_path / "home")
    person(made, "Ada Admin", "admin")
    return made


@pytest.fixture
def app(home: Home, issuer: Issuer) -> Flask:
    issuer.user, issuer.spoil, issuer.forged, issuer.down = dict(ANA), {}, False, False
    return make_app(home, Provider(issuer.url, CLIENT, SECRET, "Example", frozenset({"example.com"}), "analyst"))


def make_app(home: Home, provider: Provider) -> Flask:
    engine = home.engine()
    return create_app(
        engine=engine,
        warehouse=home.warehouse,
        rules=LiveRules([], engine),
        clock=lambda: NOW,
        secret="of the tests",
        provider=provider,
    )


def enter(client: FlaskClient, wanted: str = "/rules") -> str:
    """What a browser does: go to the provider, and come back with what it says; where that leads."""
    away = client.get("/login/provider", query_string={"next": wanted})
    if "127.0.0.1" not in (away.location or ""):
        return str(away.location)
    returned = httpx.get(away.location, follow_redirects=False, trust_env=False).headers["Location"]
    return str(client.get(returned.replace("http://localhost", "")).location)


def people(home: Home) -> dict[str, list[str]]:
    with operational.reading(home.engine()) as session:
        return {each.name: each.roles for each in session.scalars(select(Person))}


def refusals(home: Home) -> list[str | None]:
    with operational.reading(home.engine()) as session:
        query = select(AuditEntry.reason).where(AuditEntry.action == "session.refused")
        return list(session.scalars(query.order_by(AuditEntry.id)))


def test_somebody_of_the_company_is_let_in_as_what_newcomers_are(app: Flask, home: Home) -> None:
    client = app.test_client()
    assert "Sign in with Example" in get(client, "/login?next=/rules")
    assert enter(client) == "/rules"
    assert "Ana Ruiz" in get(client, "/account")
    assert people(home) == {"Ada Admin": ["admin"], "Ana Ruiz": ["analyst"]}
    assert enter(app.test_client()) == "/rules"
    assert len(people(home)) == 2, "the second time they are known"


def test_somebody_who_has_an_account_keeps_it_whatever_their_address_becomes(
    app: Flask, home: Home, issuer: Issuer
) -> None:
    issuer.user = {**ANA, "email": "ada@example.com"}
    assert enter(app.test_client()) == "/rules"
    issuer.user = {**ANA, "email": "ada.new@elsewhere.example", "email_verified": False}
    assert enter(app.test_client()) == "/rules"
    assert people(home) == {"Ada Admin": ["admin"]}
    issuer.user = {**ANA, "sub": "u-2", "email": "ada@example.com"}
    assert enter(app.test_client()) == "/login", "somebody else with the address is not them"


def test_who_is_not_let_in_is_told_nothing_and_the_audit_everything(app: Flask, home: Home, issuer: Issuer) -> None:
    for user in ({**ANA, "email": "eve@evil.example"}, {**ANA, "email_verified": False}, {"sub": "u-9"}):
        issuer.user = user
        client = app.test_client()
        assert enter(client) == "/login"
        assert "That did not work. Ask an admin" in get(client, "/login")
        assert client.get("/signals").status_code == 303
    issuer.user = dict(ANA)
    assert enter(app.test_client()) == "/rules"
    with operational.writing(home.engine()) as session:
        session.scalars(select(Person).where(Person.name == "Ana Ruiz")).one().disabled_at = NOW
    assert enter(app.test_client()) == "/login"
    assert refusals(home) == [
        "the address is of none of the domains that are let in",
        "the provider has not confirmed the address",
        "the provider has not confirmed the address",
        "disabled",
    ]


def test_an_answer_that_the_provider_did_not_give_for_us_and_now_lets_nobody_in(
    app: Flask, home: Home, issuer: Issuer
) -> None:
    for spoiled in ({"aud": "another"}, {"iss": "https://evil.example"}, {"nonce": "older"}, {"exp": 1}):
        issuer.spoil = spoiled
        assert enter(app.test_client()) == "/login", spoiled
    issuer.spoil, issuer.forged = {}, True
    assert enter(app.test_client()) == "/login", "signed by another key"
    assert app.test_client().get("/login/provider/back?code=x&state=y").location == "/login", "nobody left for there"
    assert people(home) == {"Ada Admin": ["admin"]}
    assert len(refusals(home)) == 6


def test_a_provider_that_does_not_answer_is_named(home: Home, issuer: Issuer, app: Flask) -> None:
    issuer.down = True
    client = make_app(home, replace(app.extensions["trueup-provider"][0], name="Example")).test_client()
    assert enter(client) == "/login"
    assert "The provider does not answer right now" in get(client, "/login")


def test_without_a_provider_there_is_no_such_way(home: Home) -> None:
    client = home.app().test_client()
    assert "Sign in with" not in get(client, "/login")
    assert client.get("/login/provider").status_code == 404
