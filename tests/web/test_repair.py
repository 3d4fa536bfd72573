"""A signal's page asks for advice and takes decisions; a worker does the rest."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

from flask.testing import FlaskClient
from sqlalchemy import select

from detector import cycle
from integrations.writing import Deed
from remediation import life, worker
from remediation.life import Approvals
from remediation.remedy import Remedy
from store import operational
from store.action_tables import Action
from store.operational_tables import Signal
from tests.remediation import small
from tests.web.company import NOW, Home, pack
from tests.web.reading import act, get, text


def remedy(home: Home) -> Remedy:
    """What a worker of this home works with; no billing system is connected."""
    setting = cycle.Setting(home.warehouse, home.engine(), lambda: NOW, "tests")
    return Remedy(setting, pack, {}, frozenset(), lambda name, records: None)


def test_advice_is_asked_for_worked_out_and_decided_about(client: FlaskClient, home: Home) -> None:
    with operational.reading(home.engine()) as session:
        number = session.scalars(select(Signal.id).where(Signal.code == "TU-19")).one()
    page = f"/signals/SIG-{number}"
    assert "Nobody has asked for advice yet." in get(client, page)
    act(client, f"{page}/advise", back=page)
    html = get(client, page)
    assert "The advice is being worked out" in html
    start = f'hx-get="{page}/repair?seen='
    assert start in html
    seen = html.partition(start)[2].partition('"')[0]
    card = f"{page}/repair?seen={seen}"
    assert client.get(card).status_code == 204  # nothing new yet
    worker.work(remedy(home))
    renewed = client.get(card)
    assert renewed.status_code == 200 and "is usually a matter of pricing" in renewed.text
    assert f'name="back" value="{page}"' in renewed.text and start not in renewed.text
    html = get(client, page)
    assert "is usually a matter of pricing" in html and "work of people" in html
    with operational.reading(home.engine()) as session:
        ticket = next(each for each in life.of_signal(session, number) if each.kind == "open_ticket")
    act(client, f"/actions/{ticket.id}/decide", back=page, deed="approve", reason="agreed")
    assert "Say who you are first" in get(client, page)
    act(client, "/preferences", who="Dee Patel", theme="light", density="compact", keys="off")
    act(client, f"/actions/{ticket.id}/decide", back=page, deed="approve", reason=" ")
    assert "A reason is needed." in get(client, page)
    act(client, f"/actions/{ticket.id}/decide", back=page, deed="approve", reason="agreed")
    assert f"ACT-{ticket.id} is approved." in get(client, page)
    worker.work(remedy(home))
    with operational.reading(home.engine()) as session:
        kinds = [each.kind for each in life.journal(session, ticket.id)]
        assert kinds == ["proposed", "approved", "claimed", "succeeded"]
        assert session.get_one(type(ticket), ticket.id).approved_by == "Dee Patel"


def test_what_a_systemic_cause_calls_for_is_decided_as_one_up_to_a_cap(client: FlaskClient, home: Home) -> None:
    signal = small.signal(home.engine(), "systemic")
    ids = [small.action(home.engine(), signal, small.credit(f"in_{number}"), "proposed") for number in range(30)]
    page = f"/signals/SIG-{signal}"
    html = get(client, page)
    assert "<strong>30 × credit note</strong> · " in html and "at most 25 at once" in html
    assert "300.00" in html and 'name="first" type="number" min="1" max="25" value="25"' in html
    assert "30 × credit note, one by one" in html
    many = {"back": page, "kind": "credit_note", "reason": "the price was wrong for all of them"}
    act(client, "/preferences", who="Dee Patel", theme="light", density="compact", keys="off")
    for count, said in (("", "Say how many"), ("30", "30 actions are more than the 25"), ("0", "Say how many")):
        act(client, f"{page}/batch", **many, first=count)
        assert said in get(client, page)
    act(client, f"{page}/batch", **many, first="12")
    html = get(client, page)
    assert "12 actions are approved as one" in html and "<strong>18 × credit note</strong>" in html
    assert f'hx-get="{page}/repair?seen=' in html  # it renews itself while they are carried out
    with operational.reading(home.engine()) as session:
        statuses = [session.get_one(Action, id).status for id in ids]
        assert statuses == ["approved"] * 12 + ["proposed"] * 18
    act(client, f"{page}/batch", back=page, kind="open_ticket", reason="r", first="1")
    assert "No open_ticket of SIG-" in get(client, page)


def test_the_first_that_does_not_go_as_planned_sends_the_others_back(home: Home) -> None:
    signal = small.signal(home.engine(), "stops")
    ids = [small.action(home.engine(), signal, small.credit(f"in_gone_{number}")) for number in range(3)]
    writes = Gone()
    working = replace(remedy(home), writes={"stripe": cast(Any, writes)}, allowed=frozenset({"stripe"}))
    worker.work(working)
    with operational.reading(home.engine()) as session:
        held = [session.get_one(Action, id) for id in ids]
        assert {each.status for each in held} == {"proposed"} and writes.asked == ["in_gone_0"]
        assert "is not there any more" in str(held[2].error)


class Gone:
    """A billing system from which every invoice is gone."""

    can = frozenset({"credit"})

    def __init__(self) -> None:
        self.asked: list[str] = []

    def state(self, type: str, id: str) -> None:
        self.asked.append(id)


def test_what_was_done_is_verified_undone_or_tried_again_by_a_worker(client: FlaskClient, home: Home) -> None:
    signal = small.signal(home.engine(), "asked")
    hold = {"before": {"auto_advance": "true"}, "after": {"auto_advance": "false"}, "reversible": True}
    done = small.action(home.engine(), signal, small.plan("hold_draft", Deed("hold", "invoice", "in_1"), **hold),
                        "succeeded")  # fmt: skip
    failed = small.action(home.engine(), signal, small.credit("in_2"), "failed")
    page = f"/signals/SIG-{signal}"
    shown = text(get(client, page))
    assert "keep a draft from becoming final by itself, invoice in_1" in shown
    assert "Auto advance true → false" in shown
    act(client, "/preferences", who="Dee Patel", theme="light", density="compact", keys="off")
    act(client, f"/actions/{done}/ask", back=page, deed="reverse", reason=" ")
    assert "A reason is needed." in get(client, page)
    act(client, f"/actions/{done}/ask", back=page, deed="reverse", reason="held by mistake")
    html = get(client, page)
    assert "A worker is at it" in html and f'hx-get="{page}/repair?seen=' in html
    assert f'action="/actions/{done}/ask"' not in html, "one wish at a time"
    worker.work(remedy(home))
    assert "stripe is not connected; name it under integrations" in text(get(client, page))
    act(client, f"/actions/{failed}/ask", back=page, deed="verify", reason="")
    assert f"ACT-{failed} is failed; to verify it" in get(client, page)
    assert re.search(rf'action="/actions/{failed}/ask".*?value="apply">Try again', get(client, page), re.DOTALL)


def test_above_the_limit_the_button_proposes_and_then_waits_for_somebody_else(home: Home) -> None:
    signal = small.signal(home.engine(), "above")
    number = small.action(home.engine(), signal, small.credit("in_1"), "proposed")
    app = home.app(approvals=Approvals({"USD": Decimal(1)}))
    ana, ben = app.test_client(), app.test_client()
    act(ana, "/preferences", who="Ana Ruiz")
    act(ben, "/preferences", who="Ben Okafor")
    page = f"/signals/SIG-{signal}"
    assert "Above the limit of one person: you propose it" in text(get(ana, page))
    act(ana, f"/actions/{number}/decide", back=page, deed="approve", reason="seen")
    assert re.search(r'value="approve" disabled aria-describedby="second-\d+"', get(ana, page))
    assert "Ana Ruiz has proposed it, somebody else must approve it" in text(get(ana, page))
    assert "Approve 10.00" in text(get(ben, page))
    act(ben, f"/actions/{number}/decide", back=page, deed="approve", reason="seen too")
    assert f"ACT-{number} is approved." in get(ben, page)
