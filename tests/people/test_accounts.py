"""Accounts: one name per person, always an admin, changes audited without a secret; tokens do what both sides allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, select

from people import accounts, credentials, invitations, tokens
from people.accounts import BadAccount
from people.credentials import BadPassword
from people.invitations import NoInvitation
from people.roles import ROLES, Permission, UnknownRole
from people.tokens import BadToken
from store import operational
from store.audit_tables import AuditEntry
from store.people_tables import ApiToken, Person

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


def add(engine: Engine, name: str, *roles: str, **limits: str) -> Person:
    with operational.writing(engine) as session:
        return accounts.add(
            session, email=f"{name}@example.com", name=name, roles=roles, limits=limits, actor="tests", now=NOW
        )


def actions(engine: Engine) -> list[str]:
    with operational.reading(engine) as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def test_what_each_role_includes() -> None:
    assert all(Permission.READ in permitted for permitted in ROLES.values())
    assert ROLES["analyst"] < ROLES["manager"] < ROLES["admin"] == frozenset(Permission)
    assert Permission.RULES in ROLES["rule_author"] - ROLES["manager"]
    assert Permission.ACTIVATE_OWN not in ROLES["rule_author"]


def test_nobody_can_pass_for_somebody_else(sqlite_engine: Engine) -> None:
    add(sqlite_engine, "Ann", "admin")
    for name in ("ANN", " ann ", "trueup", "rule:x", "a", "Ann\x00"):
        with pytest.raises(BadAccount), operational.writing(sqlite_engine) as session:
            accounts.add(session, email="b@example.com", name=name, roles=["viewer"], limits={}, actor="x", now=NOW)
    with pytest.raises(BadAccount, match="has an account already"), operational.writing(sqlite_engine) as session:
        accounts.add(session, email="ANN@example.com", name="Bea", roles=["viewer"], limits={}, actor="x", now=NOW)


def test_the_first_account_is_an_admin_and_the_last_admin_stays_one(sqlite_engine: Engine) -> None:
    with pytest.raises(BadAccount, match="first account"):
        add(sqlite_engine, "Vic", "viewer")
    add(sqlite_engine, "Ann", "admin")
    add(sqlite_engine, "Ben", "analyst")
    with pytest.raises(BadAccount, match="last admin"), operational.writing(sqlite_engine) as session:
        accounts.disable(session, accounts.find(session, "Ann"), actor="Ann", now=NOW)
    with pytest.raises(BadAccount, match="last admin"), operational.writing(sqlite_engine) as session:
        accounts.change(session, accounts.find(session, "Ann"), roles=["viewer"], limits={}, actor="Ann", now=NOW)
    with operational.writing(sqlite_engine) as session:
        accounts.change(session, accounts.find(session, "Ben"), roles=["admin"], limits={}, actor="Ann", now=NOW)
        accounts.disable(session, accounts.find(session, "Ann"), actor="Ben", now=NOW)
    with pytest.raises(BadAccount, match="last admin"), operational.writing(sqlite_engine) as session:
        accounts.disable(session, accounts.find(session, "Ben"), actor="Ben", now=NOW)


def test_limits_are_money_by_currency() -> None:
    assert accounts.read_limits("USD 500, eur=400.50\nJPY 0") == {"USD": "500", "EUR": "400.50", "JPY": "0"}
    for wrong in ("500", "USD", "USD -1", "USD NaN", "DOLLARS 5", "USD 1e15"):
        with pytest.raises(BadAccount, match="write a limit as"):
            accounts.read_limits(wrong)


def test_limits_are_found_by_name(sqlite_engine: Engine) -> None:
    add(sqlite_engine, "Ann", "admin", USD="500")
    with operational.reading(sqlite_engine) as session:
        assert accounts.limits_of(session, "ann") == {"USD": Decimal(500)}
        assert accounts.limits_of(session, "somebody") is None


def test_passwords_are_long_not_obvious_and_kept_as_argon2() -> None:
    for weak in ("short", "a" * 40, "ann@example.com", "x" * 201):
        with pytest.raises(BadPassword):
            credentials.checked(weak, "Ann", "ann@example.com")
    kept = credentials.hashed(PASSWORD)
    assert kept.startswith("$argon2id$")
    assert credentials.matches(PASSWORD, kept)
    assert not credentials.matches("another", kept)
    assert not credentials.matches(PASSWORD, None)


def test_an_invitation_works_once_for_its_address_and_not_for_ever(sqlite_engine: Engine) -> None:
    add(sqlite_engine, "Ann", "admin")

    def invite(email: str = "ben@example.com") -> str:
        with operational.writing(sqlite_engine) as session:
            given = {"roles": ["analyst"], "limits": {"USD": "50"}, "actor": "Ann", "now": NOW}
            return invitations.invite(session, email, **given)[1]  # type: ignore[arg-type]

    def accept(secret: str, at: datetime = NOW) -> Person:
        with operational.writing(sqlite_engine) as session:
            return invitations.accept(session, secret, name="Ben", password=PASSWORD, email="eve@example.com", now=at)

    older, secret = invite(), invite()
    with pytest.raises(NoInvitation):
        accept(older)
    with pytest.raises(NoInvitation):
        accept(secret, NOW + timedelta(days=8))
    ben = accept(secret)
    assert (ben.email, ben.roles, ben.limits, ben.created_by) == ("ben@example.com", ["analyst"], {"USD": "50"}, "Ann")
    with pytest.raises(NoInvitation):
        accept(secret)
    with pytest.raises(BadAccount, match="has an account already"):
        invite()
    with pytest.raises(UnknownRole), operational.writing(sqlite_engine) as session:
        invitations.invite(session, "c@example.com", roles=["boss"], limits={}, actor="Ann", now=NOW)


def test_changes_are_audited_and_no_secret_is(sqlite_engine: Engine) -> None:
    add(sqlite_engine, "Ann", "admin")
    add(sqlite_engine, "Ben", "viewer")
    with operational.writing(sqlite_engine) as session:
        ann, ben = accounts.find(session, "Ann"), accounts.find(session, "ben@example.com")
        accounts.change(session, ben, roles=["analyst"], limits={"USD": "5"}, actor="Ann", now=NOW)
        accounts.set_password(session, ben, PASSWORD, actor="Ann", now=NOW)
        _, secret = tokens.make(session, ann, name="CI", scopes=["read"], days=9, actor="Ann", now=NOW)
        accounts.disable(session, ben, actor="Ann", now=NOW)
    assert actions(sqlite_engine)[2:] == [
        "person.changed", "person.password_changed", "token.made", "person.disabled"]  # fmt: skip
    with operational.reading(sqlite_engine) as session:
        rows = session.scalars(select(AuditEntry)).all()
        told = " ".join(f"{row.before} {row.after} {row.reason}" for row in rows)
        assert '"roles":["viewer"]' in told
        assert '"roles":["analyst"]' in told
        hashes = [*session.scalars(select(Person.password_hash)), *session.scalars(select(ApiToken.token_hash))]
        assert not [kept for kept in (secret, PASSWORD, *hashes) if kept and kept in told]


def test_a_token_does_what_its_scopes_and_its_owner_both_may(sqlite_engine: Engine) -> None:
    add(sqlite_engine, "Ann", "admin")
    add(sqlite_engine, "Ben", "analyst")

    def make(**more: object) -> str:
        given = {"name": "CI", "scopes": ["read", "act"], "days": 30, "actor": "Ben", "now": NOW, **more}
        with operational.writing(sqlite_engine) as session:
            return tokens.make(session, accounts.find(session, "Ben"), **given)[1]  # type: ignore[arg-type]

    def permitted(secret: str, at: datetime = NOW) -> frozenset[Permission] | None:
        with operational.reading(sqlite_engine) as session:
            found = tokens.of_secret(session, secret, at)
            return found and tokens.permits(*found)

    for wrong in (
        {"scopes": ["people"]},
        {"scopes": ["all"]},
        {"scopes": []},
        {"days": 0},
        {"days": 999},
        {"name": ""},
    ):
        with pytest.raises(BadToken):
            make(**wrong)
    secret = make()
    assert secret.startswith("trueup_")
    assert permitted(secret) == {Permission.READ, Permission.ACT}
    assert permitted(secret + "x") is None
    assert permitted(secret, NOW + timedelta(days=30)) is None
    with operational.writing(sqlite_engine) as session:
        accounts.change(session, accounts.find(session, "Ben"), roles=["viewer"], limits={}, actor="Ann", now=NOW)
    assert permitted(secret) is None, "it asks for more than its owner may by now"
    secret = make(scopes=["read"])
    with operational.writing(sqlite_engine) as session:
        session.get_one(Person, 2).roles = []
    assert permitted(secret) == frozenset()
    with operational.writing(sqlite_engine) as session:
        session.get_one(Person, 2).roles = ["viewer"]
    assert permitted(secret) == {Permission.READ}
    with operational.writing(sqlite_engine) as session:
        tokens.revoke(
            session, session.scalars(select(ApiToken).order_by(ApiToken.id.desc())).first(), actor="Ann", now=NOW
        )
    assert permitted(secret) is None
    with operational.writing(sqlite_engine) as session:
        accounts.disable(session, accounts.find(session, "Ben"), actor="Ann", now=NOW)
    assert permitted(make(scopes=["read"])) is None
