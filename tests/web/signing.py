"""People with accounts, and browsers in which they are signed in."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask
from flask.testing import FlaskClient

from people import accounts, sessions
from people.sessions import Browser
from store import operational
from store.people_tables import Person
from tests.web.company import NOW, Home
from tests.web.reading import get, token
from web.access import COOKIE

PASSWORD = "correct horse battery staple"


def person(home: Home, name: str, *roles: str, limits: Mapping[str, str] | None = None, password: str = "") -> Person:
    """An account at `<first name>@example.com`; the first of a home has to be an admin's."""
    with operational.writing(home.engine()) as session:
        email = f"{name.split()[0].lower()}@example.com"
        return accounts.add(
            session, email=email, name=name, roles=roles, limits=limits or {}, actor="tests", now=NOW,
            password=password or None,
        )  # fmt: skip


def team(home: Home) -> dict[str, Person]:
    """One person of each role, by role, and an author who is an analyst as well."""
    made = {"admin": person(home, "Ada Admin", "admin")}
    for name, role in (("Vic Viewer", "viewer"), ("Ana Analyst", "analyst"), ("Rae Author", "rule_author")):
        made[role] = person(home, name, role)
    made["manager"] = person(home, "Max Manager", "manager")
    return made


def browser_of(app: Flask, home: Home, who: Person) -> FlaskClient:
    """A browser in which that person is signed in."""
    with operational.writing(home.engine()) as session:
        secret = sessions.open_for(session, who, Browser("Firefox", "127.0.0.1"), now=NOW, by="password")
    client = app.test_client()
    client.set_cookie(COOKIE, secret)
    return client


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD, **more: str) -> tuple[int, str]:
    """Fill in the form of signing in; the status, and where it leads."""
    page = get(client, "/login")
    data = {"csrf_token": token(page), "email": email, "password": password, "next": "/signals", **more}
    answer = client.post("/login", data=data)
    return answer.status_code, answer.location or answer.get_data(as_text=True)
