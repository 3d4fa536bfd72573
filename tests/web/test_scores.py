"""The scoreboard's page: each number leads to its signals."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from flask.testing import FlaskClient
from sqlalchemy import select

from remediation.scoreboard import miss
from store import operational
from store.operational_tables import Signal
from tests.web.company import NOW, Home
from tests.web.reading import get


def test_every_number_leads_to_the_signals_that_it_counts(client: FlaskClient, home: Home) -> None:
    with operational.writing(home.engine()) as session:
        labels = list(session.scalars(select(Signal.id)))
        day, note = NOW - timedelta(days=2), "<b>told</b> by phone"
        miss(
            session,
            happened_at=day,
            kind="over",
            currency="EUR",
            amount=Decimal("12.5"),
            actor="ann",
            note=note,
            now=NOW,
        )
    html = get(client, "/scoreboard")
    assert "Caught on a draft" in html and "&lt;b&gt;told&lt;/b&gt; by phone" in html and "MISS-1" in html
    listed = {name: get(client, f"/scoreboard?show={name}") for name in ("on_draft", "after_issue", "before_billing")}
    named = [sum(f'href="/signals/SIG-{id}"' in page for id in labels) for page in listed.values()]
    assert sum(named) == len(labels) and named[0] > 0
    assert f'show=on_draft#behind">{named[0]}</a>' in html
    assert "No signal stands behind it." in get(client, "/scoreboard?days=7&show=prevented")
    for wrong in ("days=8", "show=nothing", "days=x"):
        assert client.get(f"/scoreboard?{wrong}").status_code == 404
