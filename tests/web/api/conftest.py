"""One home whose signals the tests of the API share, and programs that ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient

from people import tokens
from people.roles import ROLES
from store import operational
from store.people_tables import Person
from tests.web.api.contract import Asking, Contract
from tests.web.company import NOW, Home
from tests.web.signing import team


@dataclass(frozen=True)
class Program:
    """Makes programs with the token of a person of a role; without one for any other word."""

    app: Flask
    secrets: Mapping[str, str]

    def __call__(self, role: str) -> FlaskClient:
        """A program of that role."""
        client = self.app.test_client()
        if role in self.secrets:
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {self.secrets[role]}"
        return client

    def asking(self, role: str) -> Asking:
        """The same, its every answer held against the document."""
        return Asking(self(role), Contract(self.app))


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
def ask(client: FlaskClient, app: Flask) -> Asking:
    """The same, its every answer held against the document."""
    return Asking(client, Contract(app))


@pytest.fixture(scope="module")
def asking_model(home: Home) -> Asking:
    """A program beside which a language model is configured."""
    app = home.app(advisor="a-model")
    return Asking(app.test_client(), Contract(app))


@pytest.fixture(scope="module")
def program(many_signals: Home, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Programs with the token of a person of each role, in a home where people have accounts."""
    home = many_signals.copy(tmp_path_factory.mktemp("roles") / "home")
    secrets = {role: token_of(home, person) for role, person in team(home).items()}
    return Program(home.app(), secrets)


def token_of(home: Home, person: Person) -> str:
    """The secret of a token that may do what the person may."""
    scopes = ROLES[person.roles[0]]
    with operational.writing(home.engine()) as session:
        return tokens.make(session, person, name="script", scopes=scopes, days=9, actor="tests", now=NOW)[1]
