"""The repair card renews itself, and an answer is shown sentence by sentence while the model still speaks."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from integrations.http_limits import Pace
from remediation import worker
from remediation.advisor.model import Model
from store import operational
from store.operational_tables import Signal
from tests.e2e.axe import violations
from tests.e2e.conftest import Served
from tests.peers.openai import Turn, running, say
from tests.remediation.advisor.desk import endpoint
from tests.web.company import Home
from tests.web.test_repair import remedy

pytestmark = pytest.mark.e2e


def test_what_is_under_way_shows_itself(open_browser: Callable[..., Page], home: Home) -> None:
    served, made, go_on = Served(home, advisor="peer-1"), remedy(home), threading.Event()

    def slowly(turn: Turn) -> None:
        turn.start()
        turn.chunk({"content": "The root cause is pricing. [cause]\n"})
        go_on.wait(20)
        turn.chunk({"content": "This is certain. [cause]\nIt costs 5 USD. [cause]\n"})
        turn.end()

    with operational.reading(home.engine()) as session:
        number = session.scalars(select(Signal.id).where(Signal.code == "TU-19")).one()
    try:
        with running() as peer:
            page = open_browser(width=390)
            peer.will(say({"explanation": [], "order": [], "doubts": []}), slowly)
            page.goto(f"{served.address}/signals/SIG-{number}")
            page.locator("#repair header button").click()
            expect(page.locator("#repair")).to_contain_text("The advice is being worked out")
            worker.work(made)
            expect(page.locator("#repair")).to_contain_text("is usually a matter of pricing")
            page.locator("#question").fill("Why?")
            page.locator("#questions form button").click()
            talk = threading.Thread(target=worker.talk, args=(made, Model(endpoint(peer), Pace())))
            talk.start()
            said = page.locator("#questions .said li")
            expect(said).to_have_count(1)
            expect(page.locator("#questions")).to_contain_text("Looking at the evidence")
            go_on.set()
            expect(said).to_have_count(2)
            expect(page.locator("#questions")).to_contain_text("1 sentence dropped")
            talk.join()
            assert violations(page) == []
    finally:
        served.stop()
