"""The page of integrations: what is not well comes first with its cause, and every button asks a worker."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from store import operational
from store.delivery_tables import Delivery
from store.operational_tables import Job, Load
from tests.web.company import NOW, Home
from tests.web.connected import CONNECTED, FAILED, fill
from tests.web.reading import act, get, text

PAGE = "/integrations"


@pytest.fixture
def home(empty_company: Home, tmp_path: Path) -> Home:
    copied = empty_company.copy(tmp_path / "connected")
    fill(copied)
    return copied


@pytest.fixture
def client(home: Home) -> FlaskClient:
    return home.app(connected=CONNECTED).test_client()


def asked(home: Home, kind: str) -> list[dict[str, object]]:
    with operational.reading(home.engine()) as session:
        waiting = select(Job).where(Job.kind == kind, Job.status == "queued").order_by(Job.id)
        return [job.args for job in session.scalars(waiting)]


def test_what_is_not_well_comes_first_and_says_why(client: FlaskClient) -> None:
    page = get(client, "/integrations")
    shown = text(page)
    assert shown.index("stripe") < shown.index("metering") < shown.index("lago")
    assert "3 connected, 2 not well" in shown
    assert FAILED in shown
    assert "Nothing came in since 2026-11-21 00:30, the limit is 2:00:00" in shown
    for told in (
        "The key may not read invoices.",
        "api.stripe.com did not answer",
        "it adds up by custom_agg, which the books do not know",
        "1 waiting, 1 failed",
        "3 forged",
        "Everything that it fills can be read.",
        "in the variable STRIPE_API_KEY; to rotate it, set the new one and restart",
        "no secret is configured",
    ):
        assert told in shown, told


def invoice(number: int) -> dict[str, object]:
    amounts = ("subtotal", "discount_total", "tax_total", "credits_applied", "total", "amount_paid", "amount_due")
    row = {"invoice_id": f"in_{number}", "number": f"ACME-{number:04}", "customer_id": "acme", "status": "open"}
    return {**row, "currency": "USD", "created_at": NOW, **dict.fromkeys(amounts, Decimal(0))}


def test_what_came_in_is_held_against_a_usual_day_and_numbers_that_were_left_out_are_named(home: Home) -> None:
    with operational.writing(home.engine()) as session:
        for day, rows in ((1, 300), (2, 340), (3, 360), (4, 5)):
            at = NOW - timedelta(days=day, hours=1)
            brought = {"invoices": {"inserted": rows, "updated": 0, "unchanged": 900}}
            session.add(Load(kind="sync", integration="lago", started_at=at, finished_at=at, status="ok", rows=brought))
    rows = [invoice(number) for number in (*range(1, 30), 32, 33)]
    home.warehouse.upsert_rows({"invoices": rows}, integration="lago", version_at=NOW)
    other = [invoice(number) | {"invoice_id": f"x{number}", "number": str(number * 7)} for number in range(9)]
    home.warehouse.upsert_rows({"invoices": other}, integration="metering", version_at=NOW)
    shown = text(get(home.app(connected=CONNECTED).test_client(), PAGE))
    assert "15 320 on a usual day: far fewer" in shown
    assert "Invoice numbers are missing in the books: 2 between ACME-0029 and ACME-0032." in shown
    assert shown.count("numbers are missing") == 1
    assert "too new to say what is usual" in shown


def test_a_first_run_says_what_is_left_to_do(client: FlaskClient) -> None:
    shown = text(get(client, PAGE))
    assert re.search(r"First run [23] of 6 done", shown), shown[:900]
    assert "Usage events come in by HTTP, from files or by SQL" in shown


def test_every_button_asks_a_worker(client: FlaskClient, home: Home) -> None:
    for deed, fields in (
        ("test", {}),
        ("sync", {}),
        ("sync", {"full": "1"}),
        ("backfill", {"from": "2026-11-01", "to": "2026-11-02"}),
    ):
        act(client, f"/integrations/stripe/{deed}", PAGE, **fields)
    assert asked(home, "test") == [{"integration": "stripe"}]
    assert asked(home, "sync") == [
        {"integrations": ["stripe"], "full": False},
        {"integrations": ["stripe"], "full": True},
        {
            "integrations": ["stripe"],
            "full": False,
            "from": "2026-11-01T00:00:00+00:00",
            "to": "2026-11-02T23:59:59+00:00",
        },
    ]
    act(client, "/integrations/stripe/retry", PAGE)
    with operational.reading(home.engine()) as session:
        held = session.scalars(select(Delivery).order_by(Delivery.id)).all()
    assert [(each.status, each.attempts) for each in held] == [("applied", 1), ("queued", 0), ("queued", 0)]


@pytest.mark.parametrize("days", [{"from": "x", "to": "2026-11-02"}, {"from": "2026-11-03", "to": "2026-11-02"}, {}])
def test_days_that_are_none_are_refused(client: FlaskClient, home: Home, days: dict[str, str]) -> None:
    act(client, "/integrations/stripe/backfill", PAGE, **days)
    assert asked(home, "sync") == []


def test_an_integration_that_is_not_configured_has_no_page(client: FlaskClient) -> None:
    act(client, "/integrations/zuora/test", PAGE, code=404)


def test_before_the_first_one_is_connected_the_page_says_how(empty_company: Home) -> None:
    shown = text(get(empty_company.app().test_client(), "/integrations"))
    assert "Connect the first billing system" in shown
    assert "chargebee, folder, lago, openmeter, sql, stripe, zuora" in shown


def test_a_signal_that_rests_on_stale_data_says_so(many_signals: Home, tmp_path: Path) -> None:
    copied = many_signals.copy(tmp_path / "signals")
    fill(copied)
    client = copied.app(connected=CONNECTED).test_client()
    assert f"Rests on stale data: the last sync failed: {FAILED}" in text(get(client, "/signals/SIG-1"))
    assert "stale data" in text(get(client, "/signals"))
