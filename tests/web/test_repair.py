"""A signal's page asks for advice and takes decisions; a worker does the rest."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select

from detector import cycle
from remediation import life, worker
from remediation.remedy import Remedy
from store import operational
from store.operational_tables import Signal
from tests.web.company import NOW, Home, pack
from tests.web.reading import act, get


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
