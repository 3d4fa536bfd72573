"""Fixtures that run a test once on SQLite and once on a real PostgreSQL; import `engine` where it is wanted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pgserver
import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from store import operational


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL server of this test session.

    Its folder is not pytest's own: another session that starts meanwhile closes those to the server's user.
    """
    with tempfile.TemporaryDirectory(prefix="trueup-postgres-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty operational store, SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/operational.sqlite"
    return fresh_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """An open, migrated operational store."""
    opened = operational.open(store_url)
    operational.migrate(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """An open, migrated store on SQLite, where both kinds would show the same."""
    opened = operational.open(f"sqlite:///{tmp_path}/operational.sqlite")
    operational.migrate(opened)
    yield opened
    opened.dispose()


def fresh_database(server_url: str) -> str:
    """The address of a new, empty database on the server."""
    name = f"trueup_{uuid4().hex}"
    address = make_url(server_url).set(drivername="postgresql+psycopg")
    admin = create_engine(address, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return address.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
