"""A repair by two people in a real browser, against a Stripe-speaking server: proposed, approved, applied, verified."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import waitress
from playwright.sync_api import Page, expect

import config as configuration
import home as homes
from people import accounts, sessions
from people.sessions import Browser
from remediation import worker
from store import operational
from tests.e2e.axe import violations
from tests.remediation.house import AS_OF, House, company, filled, house
from web import create_app
from web.access import COOKIE
from web.server import close

pytestmark = pytest.mark.e2e
Window = Callable[..., Page]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[House]:
    """A home beside a peer, with one doubled line on a draft."""
    folder = tmp_path / "synced"
    filled(folder, company(folder / "books", faults="TU-40", customers=20), "duplicate_line")
    shutil.copytree(folder / "home", tmp_path / "home")
    with house(tmp_path, folder / "books", AS_OF + timedelta(minutes=10)) as one:
        yield one


@pytest.fixture
def served(made: House) -> Iterator[tuple[homes.Home, str]]:
    """The console on that home, as `trueup serve` makes it, and where it answers."""
    home = homes.Home(configuration.load())
    app = create_app(
        engine=home.engine, warehouse=home.warehouse, rules=home.live, clock=home.clock,
        approvals=home.remedy.approvals, secret="a secret of the tests",
    )  # fmt: skip
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    yield home, f"http://127.0.0.1:{server.effective_port}"
    close(server)
    server.task_dispatcher.shutdown()


def signed_in(page: Page, home: homes.Home, base: str, name: str, *roles: str, limits: dict[str, str]) -> Page:
    """A window in which a new person is signed in."""
    with operational.writing(home.engine) as session:
        email = f"{name.split()[0].lower()}@example.com"
        told = {"limits": limits, "actor": "tests", "now": home.clock()}
        person = accounts.add(session, email=email, name=name, roles=roles, **told)  # type: ignore[arg-type]
        secret = sessions.open_for(session, person, Browser("Firefox", "127.0.0.1"), now=home.clock(), by="password")
    page.context.add_cookies([{"name": COOKIE, "value": secret, "url": base}])
    return page


def approve(page: Page, address: str, action: str, reason: str) -> None:
    page.goto(address)
    form = page.locator(f'form[action="/actions/{action.removeprefix("ACT-")}/decide"]')
    form.locator("[name=reason]").fill(reason)
    form.locator("button[value=approve]").click()


def test_what_moves_much_is_proposed_by_one_approved_by_another_and_then_proven(
    open_browser: Window, made: House, served: tuple[homes.Home, str]
) -> None:
    home, base = served
    signal = made.signal("TU-40")
    made.run("advise", signal["id"])
    for ticket in made.actions(signal["id"], "open_ticket"):
        made.run("actions", "waive", ticket["id"], "--as", "ann", "--reason", "the draft goes first")
    (correction,) = made.actions(signal["id"], "correct_draft")
    currency, address = correction["currency"], f"{base}/signals/{signal['id']}"
    signed_in(open_browser(), home, base, "Ada Admin", "admin", limits={})
    ana = signed_in(open_browser(), home, base, "Ana Ruiz", "analyst", limits={currency: "0"})
    max_ = signed_in(open_browser(), home, base, "Max Okafor", "manager", limits={currency: "900000"})

    approve(ana, address, correction["id"], "the line is there twice")
    expect(ana.locator("#notices")).to_contain_text(
        "is proposed by Ana Ruiz; above the limit somebody else approves it"
    )
    form = ana.locator(f'form[action="/actions/{correction["id"].removeprefix("ACT-")}/decide"]')
    expect(form).to_contain_text("Ana Ruiz has proposed it, somebody else must approve it")
    expect(form.locator("button[value=approve]")).to_be_disabled()
    assert violations(ana) == []
    max_.goto(f"{base}/notifications")
    expect(max_.get_by_text("proposed by Ana Ruiz")).to_be_visible()
    approve(max_, address, correction["id"], "seen on the draft")
    expect(max_.locator("#notices")).to_contain_text("is approved")

    worker.work(home.remedy)
    max_.goto(address)
    expect(max_.locator("#repair")).to_contain_text("verified")
    expect(max_.locator("#repair").get_by_role("button", name="Verify again")).to_be_visible()
    pack = max_.goto(f"{address}/pack")
    assert pack
    told = max_.locator("main")
    expect(told).to_contain_text("proposed by Ana Ruiz, approved by Max Okafor")
    expect(told).to_contain_text("seen on the draft")
