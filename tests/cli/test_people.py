"""`trueup people` and `trueup audit`: invite, list, set, disable, tokens; who did what; and whether the chain holds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

import config
import trueup
from people import invitations
from store import operational
from tests.cli.conftest import Commands

PASSWORD = "correct horse battery staple"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_people_are_invited_set_disabled_and_told_of(trueup_in: Commands) -> None:
    assert trueup_in("people", "invite", "ben@example.com", "--role", "viewer").lines == [
        "trueup: nobody has an account yet, so invite an admin first"
    ]
    link = trueup_in("people", "first").out.strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/first-run/[\w-]{40,}", link)
    add_admin(trueup_in)
    assert trueup_in("people", "first").code == 1

    invited = trueup_in("people", "invite", "ben@example.com", "--role", "analyst", "--limit", "USD 500")
    assert "/invitation/" in invited.out
    told = trueup_in("people", "list", "--json").json
    assert [(each["name"], each["roles"], each["second_factor"]) for each in told["people"]] == [
        ("Ann", ["admin"], False)
    ]
    assert [each["email"] for each in told["invited"]] == ["ben@example.com"]

    assert trueup_in("people", "disable", "Ann").lines == [
        "trueup: Ann is the last admin; make somebody else one first"
    ]
    assert "there is nobody 'Zoe'" in trueup_in("people", "set", "Zoe", "--role", "viewer").err
    trueup_in("people", "set", "Ann", "--limit", "EUR 10.50")
    assert trueup_in("people", "list", "--json").json["people"][0]["limits"] == {"EUR": "10.50"}
    assert trueup_in("people", "password", "Ann", "--password", "short").code == 2

    token = trueup_in("people", "token", "Ann", "--name", "CI", "--scope", "read", "--days", "7").out.strip()
    assert token.startswith("trueup_")
    (made,) = trueup_in("people", "tokens", "--json").json
    assert (made["name"], made["owner"], made["scopes"]) == ("CI", "ann@example.com", ["read"])
    trueup_in("people", "revoke", made["id"])
    assert trueup_in("people", "tokens", "--json").json == []


def test_the_audit_tells_of_it_and_its_chain_is_verified(trueup_in: Commands) -> None:
    add_admin(trueup_in)
    trueup_in("people", "set", "Ann", "--limit", "USD 5", "--as", "ops")
    (row,) = trueup_in("audit", "list", "--actor", "ops", "--json").json
    assert (row["action"], row["actor_kind"], row["object_id"]) == ("person.changed", "cli", "ann@example.com")
    assert (row["before"]["limits"], row["after"]["limits"]) == ({}, {"USD": "5"})
    assert "person.changed" in trueup_in("audit", "list", "--action", "person").out

    whole = trueup_in("audit", "verify", "--json")
    assert (whole.code, whole.json["whole"], whole.json["rows"]) == (0, True, 2)
    assert trueup_in("audit", "verify", "--known", whole.json["head"]).code == 0
    missing = trueup_in("audit", "verify", "--known", "f" * 64)
    assert (missing.code, "noted hash" in missing.err) == (1, True)
    with store(trueup_in).begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_stays_update")
        connection.exec_driver_sql("UPDATE audit SET actor = 'Eve' WHERE id = 1")
    broken = trueup_in("audit", "verify", "--json")
    assert (broken.code, broken.json["broken"]) == (1, 1)
    assert "row 1: it is not as it was written" in broken.err


def test_serving_prints_the_link_of_the_first_admin_while_there_is_none(
    trueup_in: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    home = trueup.Home(config.load())
    trueup.announce(home, "http://127.0.0.1:8000")
    told = capsys.readouterr()
    assert told.out == "http://127.0.0.1:8000\n"
    assert re.search(r"this link makes the first admin, once: http://127.0.0.1:8000/first-run/[\w-]{40,}", told.err)
    add_admin(trueup_in)
    trueup.announce(home, "http://127.0.0.1:8000")
    assert "first-run" not in capsys.readouterr().err


def add_admin(trueup_in: Commands) -> None:
    """What the page behind the first link does."""
    trueup_in("people", "list")
    with operational.writing(store(trueup_in)) as session:
        secret = invitations.first_run(session, now=NOW)
        assert secret
        invitations.accept(session, secret, name="Ann", password=PASSWORD, email="ann@example.com", now=NOW)


def store(trueup_in: Commands) -> Engine:
    """The home's operational store."""
    return operational.open(f"sqlite:///{trueup_in.home / 'operational.sqlite'}")


def test_what_is_sent_on_a_schedule_is_made_changed_and_ended(trueup_in: Commands) -> None:
    add_admin(trueup_in)
    view = trueup_in("views", "save", "mine", "sev=critical", "--as", "Ann").out.split()[0]
    made = trueup_in("exports", "add", "Ann", "--view", view, "rhythm=monthly", "day=31", "timezone=Europe/Berlin")
    assert made.out == "1 mine every month on day 31 at 08:00, Europe/Berlin\n"
    assert "no mail is configured" in made.err
    assert trueup_in("exports", "add", "Ann", "--report", "last_month").code == 0
    assert "did you mean rhythm?" in trueup_in("exports", "set", "Ann", 1, "rythm=daily").err
    assert trueup_in("exports", "set", "Ann", 1, "paused=yes").out.endswith("Europe/Berlin, paused\n")
    assert trueup_in("exports", "set", "Ben", 1, "paused=no").lines == ["trueup: Ben has no scheduled export 1"]
    told = trueup_in("exports", "--of", "Ann", "--json").json
    assert [(each["name"], each["period"], each["paused"], each["last"]) for each in told] == [
        ("mine", None, "yes", None), ("Manager's report", "last_month", "no", None)
    ]  # fmt: skip
    assert trueup_in("exports", "end", "Ann", 2).code == 0
    assert len(trueup_in("exports", "--of", "Ann").out.splitlines()) == 1
    assert trueup_in("exports", "add", "Ann").code == 2
