"""Webhooks at /hooks/<integration>: what is proven is stored once, the rest is refused and counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from detector import deliveries
from integrations.catalogue import find
from store import operational
from store.delivery_tables import Delivery
from tests.integrations.delivering import SECRET, SENDERS, SETTINGS
from tests.web.company import Home, live
from web import create_app

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
OTHER = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCAwMDAwMDA="


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("hooks"))


@pytest.fixture(scope="module")
def client(home: Home) -> FlaskClient:
    made = {
        kind: find(kind).from_config(
            kind, {"api_key": "k", "base_url": "https://x.example", "client_id": "c", setting: SECRET}
        )
        for kind, setting in SETTINGS.items()
    }
    proofs: dict[str, Any] = {kind: integration.proven for kind, integration in made.items()}  # type: ignore[attr-defined]
    engine = home.engine()
    app = create_app(engine=engine, warehouse=home.warehouse, rules=live(engine), clock=lambda: NOW, proofs=proofs)
    return app.test_client()


def send(client: FlaskClient, kind: str, event: str, *, at: datetime = NOW, secret: str = SECRET) -> TestResponse:
    body, headers = SENDERS[kind].delivery(event, "in_1", at, secret)
    return client.post(f"/hooks/{kind}", data=body, headers=headers)


def refused(home: Home, kind: str) -> dict[str, int]:
    with operational.reading(home.engine()) as session:
        return {each.reason: each.count for each in deliveries.refusals(session) if each.integration == kind}


def held(home: Home, kind: str) -> list[Delivery]:
    with operational.reading(home.engine()) as session:
        return list(session.scalars(select(Delivery).where(Delivery.integration == kind).order_by(Delivery.id)))


@pytest.mark.parametrize("kind", SENDERS)
def test_every_vendors_delivery_is_taken_once_and_what_is_not_its_own_is_refused_and_counted(
    client: FlaskClient, home: Home, kind: str
) -> None:
    taken = send(client, kind, "evt_1")
    assert (taken.status_code, taken.json) == (202, {"taken": True})
    again = send(client, kind, "evt_1", at=NOW - timedelta(seconds=30))
    assert (again.status_code, again.json and again.json["taken"]) == (200, False)
    forged = send(client, kind, "evt_2", secret=OTHER)
    assert (forged.status_code, forged.mimetype) == (401, "application/problem+json")
    expected = {"replayed": 1, "forged": 1}
    if SENDERS[kind].stamped:
        assert send(client, kind, "evt_3", at=NOW - timedelta(hours=1)).status_code == 401
        expected["stale"] = 1
    body, headers = SENDERS[kind].delivery("evt_4", "in_1", NOW)
    for wrong in (
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-encoding": "gzip"},
    ):
        assert client.post(f"/hooks/{kind}", data=body, headers={**headers, **wrong}).status_code == 415
    broken = b'{"id": "evt_5"'
    answer = client.post(
        f"/hooks/{kind}",
        data=broken,
        headers={"content-type": "application/json", **SENDERS[kind].signed(broken, SECRET, NOW, "evt_5")},
    )
    assert answer.status_code == 400
    large = client.post(f"/hooks/{kind}", data=b" " * 4_000_001, headers=headers)
    assert large.status_code == 413
    assert refused(home, kind) == {**expected, "wrong_type": 3, "unreadable": 1, "too_large": 1}
    (row,) = held(home, kind)
    assert (row.status, row.received_at, row.attempts) == ("queued", NOW, 0)
    assert row.kind.startswith("invoice")


def test_nothing_is_taken_for_an_integration_that_is_not_configured(client: FlaskClient, home: Home) -> None:
    answer = client.post("/hooks/elsewhere", json={})
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert client.get("/hooks/stripe").status_code == 405
    assert refused(home, "elsewhere") == {}


def test_a_store_that_cannot_be_written_asks_the_vendor_to_send_again(
    client: FlaskClient, home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from sqlalchemy.exc import OperationalError

    def broken(*given: object, **more: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr(deliveries, "take", broken)
    answer = send(client, "stripe", "evt_9")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
