"""One home whose signals the tests of the API share, and programs that ask it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from people import tokens
from people.roles import ROLES
from store import operational
from store.people_tables import Person
from tests.web.company import NOW, Home
from tests.web.signing import team

Program = Callable[[str], FlaskClient]


@pytest.fixture(scope="module")
def home(example_company: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return example_company.copy(tmp_path_factory.mktemp("api") / "home")


@pytest.fixture(scope="module")
def app(home: Home) -> Flask:
    return home.app()


@pytest.fixture(scope="module")
def client(app: Flask) -> FlaskClient:
    """A program on this machine while nobody has an account."""
    return app.test_client()


@pytest.fixture(scope="module")
def program(many_signals: Home, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Programs with the token of a person of each role, in a home where people have accounts."""
    home = many_signals.copy(tmp_path_factory.mktemp("roles") / "home")
    secrets = {role: _token(home, person) for role, person in team(home).items()}
    app = home.app()

    def of(role: str) -> FlaskClient:
        client = app.test_client()
        if role in secrets:
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {secrets[role]}"
        return client

    return of


def _token(home: Home, person: Person) -> str:
    scopes = ROLES[person.roles[0]]
    with operational.writing(home.engine()) as session:
        return tokens.make(session, person, name="script", scopes=scopes, days=9, actor="tests", now=NOW)[1]
