"""Admins look after people, invitations and tokens by the API; others see and change only what is theirs."""

from __future__ import annotations

import pytest

from tests.web.api.conftest import Program
from tests.web.api.contract import Asking

Of = dict[str, Asking]


@pytest.fixture(scope="module")
def of(program: Program) -> Of:
    return {role: program.asking(role) for role in ("viewer", "analyst", "manager", "admin")}


def test_an_admin_sets_a_person_only_as_they_saw_them(of: Of) -> None:
    admin = of["admin"]
    vic = next(each for each in admin("GET /people")["people"] if each["name"] == "Vic Viewer")
    seen = admin.answer(f"GET /people/{vic['id']}").headers["ETag"]
    wanted = {"roles": ["viewer"], "limits": {"USD": "250"}}
    assert admin(f"PUT /people/{vic['id']}", wanted, If_Match=seen)["limits"] == {"USD": "250"}
    admin(f"PUT /people/{vic['id']}", wanted, 412, If_Match=seen)
    admin(f"PUT /people/{vic['id']}", {"roles": ["king"]}, 422)
    admin("GET /people/999999", None, 404)


def test_the_last_admin_stays_and_who_is_disabled_is_out_at_once(of: Of) -> None:
    admin = of["admin"]
    people = {each["name"]: each for each in admin("GET /people")["people"]}
    last = people["Ada Admin"]["id"]
    assert "the last admin" in admin(f"PUT /people/{last}", {"roles": ["viewer"]}, 409)["detail"]
    assert "the last admin" in admin(f"POST /people/{last}/disable", {}, 409)["detail"]
    number = people["Max Manager"]["id"]
    assert of["manager"]("GET /me")["name"] == "Max Manager"
    assert admin(f"POST /people/{number}/disable", {})["disabled"]
    of["manager"]("GET /me", None, 401)
    assert not admin(f"POST /people/{number}/enable", {})["disabled"]
    of["manager"]("GET /me", None, 401)  # the token stays revoked
    assert admin(f"POST /people/{number}/sign-out", {}) == {"ended": 0}
    admin(f"POST /people/{number}/no-second-factor", {})


def test_an_invitation_shows_its_link_once_and_can_be_withdrawn(of: Of) -> None:
    admin = of["admin"]
    body = {"email": "new@example.com", "roles": ["analyst"], "limits": {}}
    made = admin("POST /invitations", body, 201, Idempotency_Key="invite-1")
    assert "/invitation/" in made["link"]
    assert "secret is shown once" in admin("POST /invitations", body, 409, Idempotency_Key="invite-1")["detail"]
    assert [each["email"] for each in admin("GET /invitations")["invitations"]] == ["new@example.com"]
    admin.answer(f"DELETE /invitations/{made['id']}", None, 204)
    admin(f"DELETE /invitations/{made['id']}", None, 404)


def test_a_token_makes_none_that_may_do_more_and_everybody_revokes_their_own(of: Of) -> None:
    made = of["admin"]("POST /tokens", {"name": "nightly", "scopes": ["read"], "days": 3}, 201)
    assert made["secret"].startswith("trueup_")
    assert "secret" not in of["admin"]("GET /tokens")["tokens"][0]
    of["viewer"]("POST /tokens", {"name": "mine", "scopes": ["read"]}, 403)
    assert {each["owner"] for each in of["viewer"]("GET /tokens")["tokens"]} == {"vic@example.com"}
    of["viewer"](f"DELETE /tokens/{made['id']}", None, 404)
    of["admin"].answer(f"DELETE /tokens/{made['id']}", None, 204)
    of["admin"](f"DELETE /tokens/{made['id']}", None, 404)


def test_nobody_else_looks_after_people(of: Of) -> None:
    for role in ("viewer", "analyst"):
        of[role]("GET /people", None, 403)
        of[role]("POST /invitations", {"email": "x@example.com", "roles": ["admin"]}, 403)
