"""The audit cannot be changed unseen: a row comes with its change or not at all, in one chain, whoever writes."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from store import audit, operational
from store.audit import Origin
from store.audit_tables import AuditEntry

NOW = datetime(2026, 11, 21, 9, 30, 1, 234567, tzinfo=UTC)
ANN = Origin("person", "req-1")


def note(engine: Engine, *reasons: str) -> None:
    with operational.writing(engine) as session:
        for reason in reasons:
            audit.record(
                session,
                "signal.status",
                ("signal", "SIG-1"),
                actor="Ann Ä",
                now=NOW,
                before={"status": "unhandled", "amount": Decimal("12.50"), "at": NOW},
                after={"status": "triaged"},
                reason=reason,
                origin=ANN,
            )


def tamper(engine: Engine, statement: str) -> None:
    """What somebody does who has the database itself: take the guard away, and write."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_stays"))
        else:
            connection.execute(text("DROP TRIGGER IF EXISTS audit_stays_update"))
            connection.execute(text("DROP TRIGGER IF EXISTS audit_stays_delete"))
        connection.execute(text(statement))


def verified(engine: Engine, known: str | None = None) -> audit.Verified:
    with operational.reading(engine) as session:
        return audit.verify(session, known)


def test_a_row_says_who_what_from_what_to_what_and_why(engine: Engine) -> None:
    note(engine, "looked at it")
    with operational.reading(engine) as session:
        (row,) = session.scalars(select(AuditEntry))
    assert (row.at, row.actor_kind, row.actor, row.action, row.reason) == (
        NOW, "person", "Ann Ä", "signal.status", "looked at it")  # fmt: skip
    assert row.before == '{"amount":"12.50","at":"2026-11-21T09:30:01.234567+00:00","status":"unhandled"}'
    assert (row.object_type, row.object_id, row.request_id) == ("signal", "SIG-1", "req-1")


def test_a_chain_that_nobody_touched_is_whole(engine: Engine) -> None:
    assert verified(engine) == audit.Verified(0, audit.START)
    note(engine, "one", "two")
    note(engine, "three")
    found = verified(engine)
    assert (found.rows, found.whole) == (3, True)
    with operational.reading(engine) as session:
        assert audit.head(session) == found.head


def test_a_change_that_fails_leaves_no_row(engine: Engine) -> None:
    note(engine, "kept")
    with pytest.raises(RuntimeError), operational.writing(engine) as session:
        audit.record(session, "rule.set", ("rule", "r"), actor="ann", now=NOW)
        raise RuntimeError("pulled the plug")
    assert verified(engine).rows == 1


def test_the_database_refuses_to_change_or_remove_a_row(engine: Engine) -> None:
    note(engine, "one")
    for statement in ("UPDATE audit SET reason = 'another'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="only ever added to"), engine.begin() as connection:
            connection.execute(text(statement))
    assert verified(engine).whole


TAMPERED = [
    ("UPDATE audit SET reason = 'another' WHERE id = 3", 3, "not as it was written"),
    ("UPDATE audit SET reason = 'three', actor = 'Bob' WHERE id = 3", 3, "not as it was written"),
    ("DELETE FROM audit WHERE id = 2", 3, "missing"),
    ("DELETE FROM audit WHERE id = 1", 3, "missing"),
]


def test_what_was_tampered_with_is_named(engine: Engine) -> None:
    note(engine, "one", "two", "three", "four")
    for deed, row, why in TAMPERED:
        tamper(engine, deed)
        found = verified(engine)
        assert (found.whole, found.broken) == (False, row), deed
        assert why in str(found.why)


def test_an_end_that_was_cut_off_shows_by_a_hash_that_was_noted(engine: Engine) -> None:
    note(engine, "one", "two")
    noted = verified(engine).head
    note(engine, "three")
    assert verified(engine, noted).whole, "the chain has grown since"
    tamper(engine, "DELETE FROM audit WHERE id > 1")
    assert verified(engine).whole
    assert "cut off" in str(verified(engine, noted).why)


def test_writers_at_once_make_one_chain(engine: Engine) -> None:
    def write(name: str) -> None:
        for number in range(8):
            note(engine, f"{name}{number}", f"{name}{number} again")

    threads = [threading.Thread(target=write, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verified(engine)
    assert (found.rows, found.whole) == (64, True)
