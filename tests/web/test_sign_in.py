"""Signing in: not needed while nobody has an account, and then by password, second factor and one-time links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from detector.live_rules import LiveRules
from people import invitations, sessions
from store import operational
from store.audit_tables import AuditEntry
from store.people_tables import Person
from tests.web.company import NOW, Home
from tests.web.reading import get, text, token
from tests.web.signing import PASSWORD, browser_of, person, sign_in, team
from web import create_app


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self):  # type: ignore[no-untyped-def]
        return self.at


@pytest.fixture
def home(empty_company: Home, tmp_path: Path) -> Home:
    return empty_company.copy(tmp_path / "home")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(home: Home, clock: Clock) -> Flask:
    return make_app(home, clock)


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


def make_app(home: Home, clock: Clock, **more: object) -> Flask:
    engine = home.engine()
    rules = LiveRules([], engine)
    return create_app(
        engine=engine, warehouse=home.warehouse, rules=rules, clock=clock, secret="of the tests", **more  # type: ignore[arg-type]
    )  # fmt: skip


def audited(home: Home) -> list[tuple[str, str, str]]:
    with operational.reading(home.engine()) as session:
        return [(each.action, each.actor, each.object_id) for each in session.scalars(select(AuditEntry))]


def test_without_an_account_the_console_is_open_to_this_machine_only(home: Home, client: FlaskClient) -> None:
    assert client.get("/signals").status_code == 200
    assert client.get("/signals", headers={"X-Forwarded-For": "203.0.113.9"}).location == "/login?next=%2Fsignals"
    assert client.get("/signals", environ_overrides={"REMOTE_ADDR": "203.0.113.9"}).status_code == 303
    for own in ("http://[::1]:8000", "http://127.0.0.1", "http://localhost:8000"):
        assert client.get("/signals", base_url=own).status_code == 200, own
    assert client.get("/signals", headers={"Host": "[::1"}).status_code in (303, 400)
    rebound = client.get("/signals", base_url="http://evil.example")
    assert rebound.status_code == 303, "a page of another site that names this machine anew reads nothing"


def test_a_console_that_others_can_reach_is_never_open(home: Home, clock: Clock) -> None:
    assert make_app(home, clock, sign_in_required=True).test_client().get("/signals").status_code == 303


def test_the_first_admin_is_made_by_a_link_that_works_once(home: Home, client: FlaskClient, app: Flask) -> None:
    with operational.writing(home.engine()) as session:
        older = invitations.first_run(session, now=NOW)
        secret = invitations.first_run(session, now=NOW)
    assert client.get(f"/first-run/{older}").status_code == 404, "only the link of the latest start works"
    page = get(client, f"/first-run/{secret}")
    form = {"csrf_token": token(page), "email": "ada@example.com", "name": "Ada Admin", "password": "short"}
    assert "12 to 200 characters" in client.post(f"/first-run/{secret}", data=form).get_data(as_text=True)
    answer = client.post(f"/first-run/{secret}", data={**form, "password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/signals")
    assert "Ada Admin" in get(client, "/account")
    assert app.test_client().get("/signals").status_code == 303, "from now on everybody signs in"
    assert app.test_client().get(f"/first-run/{secret}").status_code == 404
    assert ("person.added", "Ada Admin", "ada@example.com") in audited(home)


def test_signing_in_leads_to_the_page_that_was_asked_for(home: Home, client: FlaskClient) -> None:
    person(home, "Ada Admin", "admin", password=PASSWORD)
    asked = client.get("/rules?sort=precision")
    assert asked.location == "/login?next=%2Frules%3Fsort%3Dprecision"
    assert 'name="next" value="/rules?sort=precision"' in get(client, asked.location)
    assert sign_in(client, "ADA@example.com ", next="/rules?sort=precision") == (303, "/rules?sort=precision")
    assert client.get("/rules?sort=precision").status_code == 200


def test_signing_in_never_leads_to_another_site(home: Home, app: Flask) -> None:
    person(home, "Ada Admin", "admin", password=PASSWORD)
    for wanted in ("https://evil.example/", "//[", "//evil.example", "/\\evil.example", "/\t/evil.example"):
        assert sign_in(app.test_client(), "ada@example.com", next=wanted) == (303, "/signals"), wanted


def test_whatever_is_wrong_the_answer_is_the_same(home: Home, client: FlaskClient) -> None:
    person(home, "Ada Admin", "admin", password=PASSWORD)
    gone = person(home, "Gus Gone", "viewer", password=PASSWORD)
    with operational.writing(home.engine()) as session:
        session.get_one(Person, gone.id).disabled_at = NOW
    wrong = [("ada@example.com", "not the password"), ("nobody@example.com", PASSWORD), ("gus@example.com", PASSWORD)]
    answers = [sign_in(client, *given) for given in wrong]
    shown = {re.sub(r'value="[^"]*"', "", html) for _, html in answers}
    assert {status for status, _ in answers} == {401}
    assert len(shown) == 1
    refused = [each[2] for each in audited(home) if each[0] == "session.refused"]
    assert refused == ["ada@example.com", "nobody@example.com", "gus@example.com"]


def test_after_five_attempts_on_one_account_it_has_to_wait(home: Home, client: FlaskClient) -> None:
    person(home, "Ada Admin", "admin", password=PASSWORD)
    statuses = [sign_in(client, "ada@example.com", "wrong password")[0] for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert sign_in(client, "ada@example.com")[0] == 429


def test_a_session_can_be_ended_and_is_over_by_itself(home: Home, app: Flask, clock: Clock) -> None:
    ada = person(home, "Ada Admin", "admin")
    one, two = (browser_of(app, home, ada) for _ in range(2))
    page = get(one, "/account")
    (number,) = re.findall(r"/account/sessions/(\d+)/end", page)
    one.post(f"/account/sessions/{number}/end", data={"csrf_token": token(page)})
    assert two.get("/account").status_code == 303
    clock.at += timedelta(hours=11)
    assert one.get("/account").status_code == 200, "it is used"
    clock.at += timedelta(hours=11)
    assert one.get("/account").status_code == 200
    clock.at += timedelta(hours=13)
    assert one.get("/account").status_code == 303, "nobody used it for twelve hours"


def test_signing_out_ends_the_session(home: Home, app: Flask) -> None:
    browser = browser_of(app, home, person(home, "Ada Admin", "admin"))
    page = get(browser, "/account")
    stolen = app.test_client()
    stolen.set_cookie("trueup_session", browser.get_cookie("trueup_session").value)  # type: ignore[union-attr]
    assert browser.post("/logout", data={"csrf_token": token(page)}).location == "/login"
    assert stolen.get("/account").status_code == 303


def test_what_was_typed_when_the_session_ended_is_sent_after_signing_in(home: Home, app: Flask, clock: Clock) -> None:
    browser = browser_of(app, home, person(home, "Ada Admin", "admin", password=PASSWORD))
    page = get(browser, "/users")
    typed = {"email": "new@example.com", "role": ["analyst", "rule_author"], "limits": "USD <500>"}
    clock.at += timedelta(days=8)
    answer = browser.post("/users/invitations", data={"csrf_token": token(page), **typed})
    html = answer.get_data(as_text=True)
    assert answer.status_code == 401
    assert "What you typed is kept" in html
    kept = dict(re.findall(r'name="(kept|next)" value="([^"]*)"', html))
    kept = {name: value.replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">") for name, value in kept.items()}
    form = {"csrf_token": token(html), "email": "ada@example.com", "password": PASSWORD, **kept}
    html = browser.post("/login", data=form).get_data(as_text=True)
    assert "What you typed before was not sent yet." in html
    assert 'action="/users/invitations"' in html
    assert html.count('name="role"') == 2
    assert 'value="USD &lt;500&gt;"' in html


def test_a_part_of_a_page_leads_to_signing_in_and_back_to_the_whole_page(home: Home, client: FlaskClient) -> None:
    person(home, "Ada Admin", "admin")
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/signals?sev=high"}
    answer = client.get("/signals?after=9", headers=headers)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login?next=%2Fsignals%3Fsev%3Dhigh")


def test_over_https_a_session_is_for_https_only(home: Home, clock: Clock) -> None:
    person(home, "Ada Admin", "admin", password=PASSWORD)
    client = make_app(home, clock, https=True).test_client()
    page = get(client, "/login")
    form = {"csrf_token": token(page), "email": "ada@example.com", "password": PASSWORD}
    headers = {"Referer": "http://localhost/login"}
    cookies = client.post("/login", data=form, headers=headers).headers.getlist("Set-Cookie")
    (session,) = [cookie for cookie in cookies if cookie.startswith("trueup_session=")]
    assert all(part in session for part in ("Secure", "HttpOnly", "SameSite=Lax"))


def test_behind_a_proxy_everybody_is_counted_by_their_own_address(home: Home, clock: Clock) -> None:
    ada = person(home, "Ada Admin", "admin", password=PASSWORD)
    client = make_app(home, clock, sign_in_required=True, proxies=1).test_client()
    page = get(client, "/login")

    def enter(address: str, number: int) -> int:
        form = {"csrf_token": token(page), "email": f"{number}@example.com", "password": "wrong"}
        return client.post("/login", data=form, headers={"X-Forwarded-For": f"198.51.100.1, {address}"}).status_code

    assert [enter("203.0.113.1", number) for number in range(21)] == [401] * 20 + [429]
    assert enter("203.0.113.2", 30) == 401
    form = {"csrf_token": token(page), "email": "ada@example.com", "password": PASSWORD}
    client.post("/login", data=form, headers={"X-Forwarded-For": "203.0.113.3"})
    with operational.reading(home.engine()) as session:
        (opened,) = sessions.listed(session, ada.id, NOW)
        assert opened.address == "203.0.113.3"


def test_a_kept_form_goes_to_no_other_site(home: Home, client: FlaskClient) -> None:
    person(home, "Ada Admin", "admin", password=PASSWORD)
    status, leads = sign_in(client, "ada@example.com", kept='{"to": "https://evil.example", "fields": []}')
    assert (status, leads) == (303, "/signals")


def test_a_second_factor_is_set_up_and_asked_for(home: Home, app: Flask, clock: Clock) -> None:
    ada = person(home, "Ada Admin", "admin", password=PASSWORD)
    browser = browser_of(app, home, ada)
    form = {"csrf_token": token(get(browser, "/account")), "password": PASSWORD}
    shown = browser.post("/account/second-factor", data=form).get_data(as_text=True)
    secret = re.search(r'id="secret">(\w+)<', shown)[1]  # type: ignore[index]
    assert f"otpauth://totp/Trueup:ada%40example.com?secret={secret}" in shown
    totp = pyotp.TOTP(secret)
    wrong = browser.post("/account/second-factor/confirm", data={**form, "code": "000000"})
    assert wrong.status_code == 400
    right = browser.post("/account/second-factor/confirm", data={**form, "code": totp.at(NOW)}).get_data(as_text=True)
    codes = re.findall(r"<li><code>([a-z0-9-]+)</code>", right)
    assert len(codes) == 10

    other = app.test_client()
    status, html = sign_in(other, "ada@example.com")
    assert (status, "Code of your authenticator" in html) == (200, True)
    assert other.get("/signals").status_code == 303, "the password alone opens nothing"

    def give(code: str) -> int:
        return other.post("/login/code", data={"csrf_token": token(html), "code": code, "next": "/rules"}).status_code

    assert give(totp.at(NOW)) == 401, "each code is taken once"
    clock.at += timedelta(seconds=60)
    assert give(totp.at(clock.at)) == 303
    assert other.get("/signals").status_code == 200

    for expected in (303, 401):
        lost = app.test_client()
        html = sign_in(lost, "ada@example.com")[1]
        answer = lost.post("/login/code", data={"csrf_token": token(html), "code": codes[0]})
        assert answer.status_code == expected, "a recovery code lets in once"


def test_wrong_codes_end_the_attempt(home: Home, app: Flask) -> None:
    ada = person(home, "Ada Admin", "admin", password=PASSWORD)
    with operational.writing(home.engine()) as session:
        kept = session.get_one(Person, ada.id)
        kept.totp_secret, kept.totp_since = pyotp.random_base32(), NOW
    client = app.test_client()
    html = sign_in(client, "ada@example.com")[1]
    for _ in range(5):
        client.post("/login/code", data={"csrf_token": token(html), "code": "123456"})
    good = pyotp.TOTP(kept.totp_secret).at(NOW)
    assert client.post("/login/code", data={"csrf_token": token(html), "code": good}).status_code == 401


def test_another_password_takes_the_one_before_and_ends_other_sessions(home: Home, app: Flask) -> None:
    ada = person(home, "Ada Admin", "admin", password=PASSWORD)
    one, two = (browser_of(app, home, ada) for _ in range(2))
    form = {"csrf_token": token(get(one, "/account")), "new": "a very new password of mine"}
    one.post("/account/password", data={**form, "password": "guessed it wrong"})
    assert "That is not your password." in text(get(one, "/account"))
    one.post("/account/password", data={**form, "password": PASSWORD})
    assert two.get("/account").status_code == 303
    assert one.get("/account").status_code == 200
    assert sign_in(app.test_client(), "ada@example.com", "a very new password of mine")[0] == 303


def test_changes_stand_under_the_name_of_the_account(home: Home, app: Flask) -> None:
    browser = browser_of(app, home, team(home)["analyst"])
    page = get(browser, "/signals")
    assert 'id="who"' not in page
    assert "Signed in as" in page
    browser.post("/preferences", data={"csrf_token": token(page), "who": "Somebody Else"})
    assert "Ana Analyst" in get(browser, "/signals")
    assert "Somebody Else" not in get(browser, "/signals")
