"""Fixtures that run a test once on SQLite and once on a real PostgreSQL; import `engine` where it is wanted."""

from __future__ import annotations

import shutil
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


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store that the migrations have made, to be copied: running them costs most."""
    path = tmp_path_factory.mktemp("migrated") / "operational.sqlite"
    made = operational.open(f"sqlite:///{path}")
    operational.migrate(made)
    made.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_database(postgres_url: str) -> str:
    """The name of a PostgreSQL database that the migrations have made, to be copied."""
    address = fresh_database(postgres_url)
    made = operational.open(address)
    operational.migrate(made)
    made.dispose()
    return str(make_url(address).database)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty operational store, SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/operational.sqlite"
    return fresh_database(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An open, migrated operational store, on SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        yield from _opened(_copied(request.getfixturevalue("migrated_file"), tmp_path))
    else:
        template = request.getfixturevalue("migrated_database")
        yield from _opened(fresh_database(request.getfixturevalue("postgres_url"), template))


@pytest.fixture
def sqlite_engine(migrated_file: Path, tmp_path: Path) -> Iterator[Engine]:
    """An open, migrated store on SQLite, where both kinds would show the same."""
    yield from _opened(_copied(migrated_file, tmp_path))


def _copied(file: Path, folder: Path) -> str:
    shutil.copyfile(file, folder / "operational.sqlite")
    return f"sqlite:///{folder}/operational.sqlite"


def _opened(url: str) -> Iterator[Engine]:
    engine = operational.open(url)
    yield engine
    engine.dispose()


def fresh_database(server_url: str, template: str = "template1") -> str:
    """The address of a new database on the server: empty, or a copy of another."""
    name = f"trueup_{uuid4().hex}"
    address = make_url(server_url).set(drivername="postgresql+psycopg")
    admin = create_engine(address, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    admin.dispose()
    return address.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
