"""Opens the operational store and brings its tables up to date.

SQLite runs in WAL with foreign keys; a writer takes the write lock when its transaction begins, so that two writers
wait for each other instead of failing half way. PostgreSQL is reached through psycopg. Everything above uses
`reading` and `writing`, one transaction each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from store import (  # noqa: F401 (their tables are among those that are made)
    action_tables,
    advisor_tables,
    audit_tables,
    customer_tables,
    delivery_tables,
    export_tables,
    finding_tables,
    idempotency_tables,
    merge_tables,
    missed_tables,
    notice_tables,
    people_tables,
    reconcile_tables,
    team_tables,
    usage_tables,
    view_tables,
)
from store.operational_tables import Table

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0021"
"""The schema version that this code needs; a test holds it against the newest migration."""

_BUSY_SECONDS = 60
_MIGRATION_LOCK = 7_483_112


def open(url: str) -> Engine:
    """An engine on `url`: `sqlite:////abs/path.sqlite` (its folder is made) or `postgresql://...`.

    Raises sqlalchemy.exc.ArgumentError when the address cannot be read.
    """
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        return create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(address, connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def exists(url: str) -> bool:
    """Whether there is a store at the address; of a server it is taken for granted."""
    address = make_url(url)
    return address.get_backend_name() != "sqlite" or not address.database or Path(address.database).is_file()


def scratch() -> Engine:
    """A store in memory with every table and no row, for what is worked out and thrown away."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"isolation_level": None, "check_same_thread": False}
    )
    event.listen(engine, "begin", _begin)
    Table.metadata.create_all(engine)
    return engine


def migrate(engine: Engine) -> str:
    """Create or upgrade every table, and return the schema version. Safe in several processes at once."""
    if schema_version(engine) == HEAD:
        return HEAD
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        _upgrade(connection)
    return HEAD


def schema_version(engine: Engine) -> str | None:
    """The schema version that the store has; None when it is empty."""
    with engine.execution_options(read_only=True).connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return version


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that sees one consistent state and never waits for a writer. Changes made in it are dropped."""
    with Session(engine.execution_options(read_only=True), autoflush=False) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session in one transaction: committed at the end, rolled back when an exception leaves it."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def alone(session: Session, name: str) -> None:
    """Hold the place of that name until the transaction ends. A writer on SQLite is alone anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, "head")


def _prepare(connection: Any, record: object) -> None:
    """What every SQLite connection needs before its first transaction."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Readers begin deferred, writers take the lock at once (sqlite.org/lang_transaction.html)."""
    reads = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
