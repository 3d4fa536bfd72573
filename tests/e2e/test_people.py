"""Signing in, in a real browser: password, second factor, a page that is refused, what was typed and is kept."""

from __future__ import annotations

from collections.abc import Callable

import pyotp
import pytest
from playwright.sync_api import Page, expect

from people import invitations, scheduled, sessions
from people.sessions import Browser
from store import operational
from store.people_tables import Person
from tests.e2e.axe import violations
from tests.e2e.conftest import Serve, Served
from tests.web.company import NOW, Home
from tests.web.signing import PASSWORD, person
from web.access import COOKIE

pytestmark = pytest.mark.e2e
Window = Callable[..., Page]


@pytest.fixture
def home(many_signals: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return many_signals.copy(tmp_path_factory.mktemp("people") / "home")


def sideways(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def sound(page: Page, where: str) -> None:
    """Accessible, and no wider than its window."""
    assert violations(page) == [], where
    assert sideways(page) == 0, where


def test_signing_in_with_a_second_factor_and_a_role_that_is_refused(
    open_browser: Window, serve: Serve, home: Home
) -> None:
    person(home, "Ada Admin", "admin")
    ana = person(home, "Ana Analyst", "analyst", password=PASSWORD)
    page = open_browser(expect_errors=True)
    base = serve(home)
    page.goto(f"{base}/signals/SIG-1")
    expect(page).to_have_url(f"{base}/login?next=%2Fsignals%2FSIG-1")
    page.get_by_label("Email address").fill("ana@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{base}/signals/SIG-1")

    page.get_by_role("link", name="Your account").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Set it up").click()
    secret = page.locator("#secret").inner_text()
    sound(page, "enrolling")
    page.get_by_label("The code that it shows").fill(pyotp.TOTP(secret).at(NOW))
    page.get_by_role("button", name="Turn it on").click()
    recovery = page.locator(".codes code").all_inner_texts()
    assert len(recovery) == 10
    page.get_by_role("button", name="Sign out").click()

    page.get_by_label("Email address").fill("ana@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    sound(page, "second factor")
    page.get_by_label("Code of your authenticator").fill("000 000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("That is not the code of now.")
    page.get_by_label("Code of your authenticator").fill(recovery[0])
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{base}/signals")

    assert page.get_by_role("link", name="Users").count() == 0
    page.goto(f"{base}/users")
    expect(page.get_by_role("heading", level=1)).to_have_text("You may not do that")
    expect(page.locator("main")).to_contain_text("It needs the permission people")
    sound(page, "refused")

    page.goto(f"{base}/signals/SIG-1")
    with operational.writing(home.engine()) as session:
        sessions.end(session, session.get_one(Person, ana.id), actor="Ada Admin", now=NOW)
    page.locator("#comment").fill("we agreed on this in March")
    page.get_by_role("button", name="Add remark").click()
    expect(page.locator("main")).to_contain_text("What you typed is kept")
    sound(page, "session over")
    page.get_by_label("Email address").fill("ana@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code of your authenticator").fill(recovery[1])
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("we agreed on this in March")
    sound(page, "resuming")
    page.get_by_role("button", name="Send it now").click()
    expect(page).to_have_url(f"{base}/signals/SIG-1")
    expect(page.locator("main")).to_contain_text("we agreed on this in March")


def test_the_pages_of_people_and_audit_in_every_look(open_browser: Window, serve: Serve, home: Home) -> None:
    ada = person(home, "Ada Admin", "admin", limits={"USD": "500"})
    with operational.writing(home.engine()) as session:
        secret = sessions.open_for(session, ada, Browser("Firefox", "192.0.2.7"), now=NOW, by="password")
        given = {"roles": ["analyst"], "limits": {"USD": "50"}, "actor": "Ada Admin"}
        _, link = invitations.invite(session, "joy@example.com", now=NOW, **given)
    base = serve(home)
    for width, scheme in ((1440, "light"), (390, "dark")):
        page = open_browser(width=width, scheme=scheme)
        for address in ("/login", f"/invitation/{link}"):
            page.goto(f"{base}{address}")
            sound(page, address)
        page.context.add_cookies([{"name": COOKIE, "value": secret, "url": base}])
        for address in ("/users", f"/users/{ada.id}", "/audit", "/account"):
            page.goto(f"{base}{address}")
            sound(page, address)


def test_what_is_sent_on_a_schedule_in_every_look(open_browser: Window, home: Home) -> None:
    ada = person(home, "Ada Admin", "admin")
    with operational.writing(home.engine()) as session:
        secret = sessions.open_for(session, ada, Browser("Firefox", "192.0.2.7"), now=NOW, by="password")
        for period in ("last_month", "this_month"):
            scheduled.make(session, "Ada Admin", {"period": period}, {}, now=NOW)
    served = Served(home, ways=["mail"])
    for width, scheme in ((1440, "light"), (390, "dark")):
        page = open_browser(width=width, scheme=scheme)
        page.context.add_cookies([{"name": COOKIE, "value": secret, "url": served.address}])
        page.goto(f"{served.address}/notifications")
        page.locator(".scheduled summary").first.click()
        expect(page.get_by_label("Day of the month").first).to_be_hidden()
        page.get_by_label("How often").first.select_option("monthly")
        expect(page.get_by_label("Day of the month").first).to_be_visible()
        sound(page, "notifications")
        page.goto(f"{served.address}/reports/manager")
        page.get_by_role("button", name="Schedule").first.click()
        form = page.locator("#schedule > form")
        expect(form.get_by_label("How often")).to_have_value("monthly")
        sound(page, "the sheet")
        page.locator("#schedule summary").first.click()
        page.locator("#schedule .scheduled").get_by_label("At", exact=True).first.fill("09:15")
        page.locator("#schedule .scheduled").get_by_label("Time zone").first.press("Enter")
        expect(page.locator("#notices")).to_contain_text("at 09:15, UTC")
    served.stop()
    with operational.reading(home.engine()) as session:
        assert len(scheduled.of(session, "Ada Admin")) == 2, "Enter changes what it stands in, and makes nothing new"
