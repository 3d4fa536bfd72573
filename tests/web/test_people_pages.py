"""The pages of users and of the audit: who is who, what was done by whom, and that nobody altered it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy import text as statement

from store import audit, operational
from store.audit_tables import AuditEntry
from store.operational_tables import Signal
from store.people_tables import Person
from tests.web.company import NOW, Home
from tests.web.reading import Page, act, get, text, token
from tests.web.signing import PASSWORD, browser_of, person, team


@pytest.fixture(scope="module")
def home(many_signals: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return many_signals.copy(tmp_path_factory.mktemp("people") / "home")


@pytest.fixture(scope="module")
def people(home: Home) -> dict[str, Person]:
    return team(home)


@pytest.fixture(scope="module")
def app(home: Home, people: dict[str, Person]) -> Flask:
    return home.app()


@pytest.fixture
def admin(app: Flask, home: Home, people: dict[str, Person]) -> FlaskClient:
    return browser_of(app, home, people["admin"])


def of(home: Home, email: str) -> Person:
    with operational.reading(home.engine()) as session:
        return session.scalars(select(Person).where(Person.email == email)).one()


def latest(home: Home) -> AuditEntry:
    with operational.reading(home.engine()) as session:
        return session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()  # type: ignore[return-value]


def test_an_admin_invites_somebody_who_joins_by_the_link(admin: FlaskClient, app: Flask, home: Home) -> None:
    form = {"csrf_token": token(get(admin, "/users")), "email": "Joy@Example.com", "role": ["analyst", "rule_author"]}
    assert "Write a limit" in text(follow(admin, "/users/invitations", {**form, "limits": "lots"}))
    html = admin.post("/users/invitations", data={**form, "limits": "USD 500, EUR 400"}).get_data(as_text=True)
    link = re.search(r"http://localhost(/invitation/[\w-]+)<", html)
    assert link, "the link is shown once"
    assert link[1] not in get(admin, "/users")
    joy = app.test_client()
    page = get(joy, link[1])
    assert "Ada Admin invited you as analyst and rule author." in text(page)
    answer = joy.post(link[1], data={"csrf_token": token(page), "name": "Joy", "password": PASSWORD})
    assert answer.location == "/signals"
    assert get(joy, "/rules")
    row = next(row for row in re.findall(r"<tr>.*?</tr>", get(admin, "/users"), re.DOTALL) if "Joy" in row)
    assert "joy@example.com Analyst, Rule author 500.00 USD 400.00 EUR" in text(row)


def follow(client: FlaskClient, address: str, data: dict[str, object]) -> str:
    return client.post(address, data=data, follow_redirects=True).get_data(as_text=True)


def test_an_admin_changes_what_somebody_may_do_signs_them_out_and_disables_them(
    admin: FlaskClient, app: Flask, home: Home
) -> None:
    tim = person(home, "Tim Temp", "viewer")
    page, browser = f"/users/{tim.id}", browser_of(app, home, tim)
    act(admin, page, page, deed="set", role="analyst", limits="USD 20")
    assert (of(home, "tim@example.com").roles, of(home, "tim@example.com").limits) == (["analyst"], {"USD": "20"})
    row = latest(home)
    assert (row.action, row.actor, row.before) == (
        "person.changed", "Ada Admin",
        '{"email":"tim@example.com","limits":{},"name":"Tim Temp","roles":["viewer"]}')  # fmt: skip
    act(admin, page, page, deed="sign_out")
    assert browser.get("/signals").status_code == 303
    browser = browser_of(app, home, tim)
    act(admin, page, page, deed="disable")
    assert browser.get("/signals").status_code == 303
    assert "disabled" in get(admin, page)
    act(admin, page, page, deed="enable")
    assert of(home, "tim@example.com").disabled_at is None


def test_the_last_admin_cannot_be_taken_away(admin: FlaskClient, home: Home, people: dict[str, Person]) -> None:
    page = f"/users/{people['admin'].id}"
    for form in ({"deed": "disable"}, {"deed": "set", "role": "viewer"}):
        html = follow(admin, page, {"csrf_token": token(get(admin, page)), **form})
        assert "Ada Admin is the last admin" in text(html)
    assert of(home, "ada@example.com").roles == ["admin"]


def test_a_token_is_shown_once_opens_the_api_and_can_be_revoked(admin: FlaskClient, app: Flask, home: Home) -> None:
    def events(secret: str) -> int:
        return app.test_client().get("/api/v1/events", headers={"Authorization": f"Bearer {secret}"}).status_code

    def make(*scopes: str) -> str:
        form = {"csrf_token": token(get(admin, "/account")), "name": "Collector", "scope": list(scopes), "days": "30"}
        html = admin.post("/account/tokens", data=form).get_data(as_text=True)
        return str(re.search(r'<code class="secret">(trueup_[\w-]+)<', html)[1])  # type: ignore[index]

    reads, sends = make("read"), make("read", "events")
    assert sends not in get(admin, "/account")
    assert (events(sends), events(reads), events("trueup_unknown"), events("")) == (200, 403, 401, 401)
    assert app.test_client().get("/signals", headers={"Authorization": f"Bearer {sends}"}).status_code == 303
    number = re.findall(r"/account/tokens/(\d+)/revoke", get(admin, "/account"))[0]
    act(admin, f"/account/tokens/{number}/revoke", "/account")
    assert events(sends) == 401
    with operational.reading(home.engine()) as session:
        told = {(row.action, row.actor, row.via) for row in session.scalars(select(AuditEntry))}
    assert {("token.made", "Ada Admin", None), ("token.revoked", "Ada Admin", None),
            ("access.denied", "Ada Admin", "Collector"), ("token.refused", "nobody", None)} <= told  # fmt: skip


def test_a_change_of_a_signal_is_a_row_of_the_audit_with_its_request(
    app: Flask, home: Home, people: dict[str, Person], admin: FlaskClient
) -> None:
    ana = browser_of(app, home, people["analyst"])
    answer = act(ana, "/signals/act", id="1", deed="dismiss", reason="expected", detail="=HYPERLINK(1)")
    row = latest(home)
    assert (row.action, row.actor, row.actor_kind, row.object_id) == ("signal.status", "Ana Analyst", "person", "SIG-1")
    assert row.request_id == answer.headers["X-Request-ID"]
    assert '"status":"suppressed"' in str(row.after)
    undo = re.search(r"/changes/([0-9a-f]+)/undo", get(ana, "/signals"))
    act(ana, undo[0])  # type: ignore[index]
    shown = text(get(admin, "/audit?about=SIG-1"))
    assert "Signal: Undo" in shown
    assert "expected: =HYPERLINK(1)" in shown
    assert "Status unhandled → suppressed" in shown
    with operational.reading(home.engine()) as session:
        assert session.get_one(Signal, 1).status == "unhandled"


def test_rows_are_found_by_who_what_and_when_and_come_page_by_page(admin: FlaskClient, home: Home) -> None:
    with operational.writing(home.engine()) as session:
        for number in range(60):
            at = NOW - timedelta(days=number % 3)
            audit.record(session, "rule.set", ("rule", f"r{number}"), actor="Zoe", now=at, reason=f"n{number}")

    def reasons(query: str) -> list[str]:
        return re.findall(r"<td>(n\d+)</td>", get(admin, f"/audit?{query}"))

    first = get(admin, "/audit?actor=Zoe")
    older = re.search(r'href="(/audit\?actor=Zoe&amp;before=\d+)"', first)
    assert older
    assert len(reasons("actor=Zoe")) == 50
    assert len(reasons(older[1].partition("?")[2].replace("&amp;", "&"))) == 10
    assert len(reasons("actor=Zoe&since=2026-11-21")) == 20
    assert len(reasons("actor=Zoe&until=2026-11-19")) == 20
    assert reasons("action=rule&about=r7") == ["n7"]
    assert "No row is like that" in get(admin, "/audit?actor=Zoe&action=person")
    assert "No row is like that" in get(admin, "/audit?actor=%27--&since=never&kind=model")


def test_the_export_is_exactly_what_is_shown_and_calculates_nothing(
    admin: FlaskClient, app: Flask, home: Home, people: dict[str, Person]
) -> None:
    ana = browser_of(app, home, people["analyst"])
    act(ana, "/signals/act", id="2", deed="comment", comment="=HYPERLINK(1)")
    with operational.writing(home.engine()) as session:
        audit.record(session, "rule.set", ("rule", "x"), actor="Yan", now=NOW, reason="=1+1")
    answer = admin.get("/audit/export?actor=Yan")
    lines = answer.get_data(as_text=True).splitlines()
    assert (answer.mimetype, len(lines)) == ("text/csv", 2)
    assert lines[0].startswith("id,at,actor_kind,actor,")
    assert ",'=1+1," in lines[1]


def test_the_chain_is_verified_on_the_page_and_a_broken_row_is_named(admin: FlaskClient, home: Home) -> None:
    act(admin, "/audit/verify", "/audit")
    assert "The chain is whole" in get(admin, "/audit")
    with home.engine().begin() as connection:
        connection.execute(statement("DROP TRIGGER audit_stays_update"))
        connection.execute(statement("UPDATE audit SET actor = 'Eve' WHERE id = 3"))
    act(admin, "/audit/verify", "/audit")
    assert "row 3: it is not as it was written" in get(admin, "/audit")


def test_the_pages_are_sound_html_and_say_what_is_not_there_yet(
    admin: FlaskClient, empty_company: Home, people: dict[str, Person]
) -> None:
    for address in ("/users", f"/users/{people['viewer'].id}", "/audit", "/account"):
        assert Page(get(admin, address)).problems == [], address
    alone = empty_company.app().test_client()
    assert "Nobody has an account yet" in get(alone, "/users")
    assert "Nothing was changed yet" in get(alone, "/audit")
    assert alone.get("/account").status_code == 404
    for address in ("/login", "/users/999", "/first-run/none"):
        answer = alone.get(address)
        assert answer.status_code in (303, 404)


def test_while_nobody_has_to_sign_in_the_account_says_why_there_is_none(many_signals: Home) -> None:
    shown = text(get(many_signals.app().test_client(), "/account", 404))
    assert "There is nothing here Nobody has to sign in here" in shown
    assert "An admin makes the first account under Users" in shown
