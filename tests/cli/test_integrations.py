"""`trueup integrations`: what is apart is told and mended, and what became of webhooks; `trueup sync --from`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from detector import deliveries
from integrations.webhooks import Delivery as Proven
from integrations.webhooks import ForgedError
from store import operational
from store.warehouse import Warehouse
from tests.cli.conftest import AS_OF, Commands
from tests.peers.stripe.process import KEY, Peer, running
from tests.peers.stripe.sample import NOW, company


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running("--now", NOW.isoformat()) as started:
        started.load(company(), announce=False)
        yield started


@pytest.fixture
def commands(trueup_in: Commands, peer: Peer) -> Commands:
    settings = {"KIND": "stripe", "API_KEY_ENV": "STRIPE_KEY", "BASE_URL": peer.url, "REQUESTS_PER_SECOND": "1000"}
    for setting, value in settings.items():
        trueup_in.monkeypatch.setenv(f"TRUEUP__INTEGRATIONS__STRIPE__{setting}", value)
    trueup_in.monkeypatch.setenv("STRIPE_KEY", KEY)
    return trueup_in


def forget(commands: Commands, what: str) -> None:
    warehouse = Warehouse(f"sqlite:{commands.home}/warehouse/catalog.sqlite", commands.home / "warehouse" / "files")
    with closing(warehouse.connect()) as con:
        con.execute(f"DELETE FROM books.{what}")
    warehouse.close()


def test_an_account_is_asked_for_every_capability(commands: Commands, peer: Peer) -> None:
    assert commands("sync", "stripe").code == 0
    commands.monkeypatch.setenv("TRUEUP__INTEGRATIONS__STRIPE__WEBHOOK_SECRET_ENV", "STRIPE_SECRET")
    commands.monkeypatch.setenv("STRIPE_SECRET", "whsec_x")
    told = {
        each["capability"]: each for each in commands("integrations", "verify", "stripe", "--json").json["capabilities"]
    }
    tried = [name for name, each in told.items() if each["state"] == "ok"]
    assert tried == [
        "lists",
        *(f"single {k}" for k in ("customer", "subscription", "invoice", "credit_note")),
        "webhooks",
    ]
    assert told["writes"]["said"].startswith("drafts can be held: per invoice; writes offered: hold_draft")

    peer.control("forbid", paths=["disputes"])
    try:
        refused = commands("integrations", "verify", "stripe")
        assert (refused.code, "The key may not read disputes" in refused.err) == (1, True)
    finally:
        peer.control("forbid", paths=[])


def test_what_is_apart_is_told_and_mended(commands: Commands) -> None:
    assert commands("sync", "stripe").code == 0
    agreed = commands("integrations", "reconcile", "stripe")
    assert (agreed.code, "agrees  invoices: 8 there, 8 in the books" in agreed.out) == (0, True)

    forget(commands, "customers WHERE customer_id = 'cus_tokyo'")
    apart = commands("integrations", "reconcile", "stripe", "--json")
    assert apart.code == 1
    (customers,) = (each for each in apart.json["tables"] if not each["agrees"])
    assert (customers["table"], customers["missing"]) == ("customers", {"rows": 1, "keys": ["cus_tokyo"]})
    assert "trueup integrations repair stripe TYPE ID..." in apart.err

    mended = commands("integrations", "repair", "stripe", "customer", "cus_tokyo")
    assert (mended.code, mended.out.splitlines()[-1]) == (0, "customer cus_tokyo: 1 row written")
    assert commands("integrations", "repair", "stripe", "customer", "cus_tokyo").out.endswith("as it was\n")
    odd = commands("integrations", "repair", "stripe", "moon", "m")
    assert (odd.code, "customer, subscription, invoice, credit_note, not moon" in odd.err) == (2, True)
    gone = commands("integrations", "repair", "stripe", "invoice", "in_nobody")
    assert (gone.code, len(gone.lines)) == (1, 1)

    forget(commands, "invoices")
    assert commands("sync", "stripe", "--from", "2026-11-01", "--to", "2026-11-02").code == 0
    assert commands("integrations", "reconcile", "stripe").code == 0
    assert commands("sync", "stripe", "--to", "2026-11-02").lines == ["trueup: --to needs --from: from when on to read"]
    assert commands("integrations", "reconcile", "nobody").code == 2


def test_webhooks_are_counted_listed_and_retried(commands: Commands) -> None:
    assert commands("integrations", "deliveries").out == "no webhook has come in\n"
    engine, now = operational.open(f"sqlite:///{commands.home}/operational.sqlite"), datetime.now(UTC)

    def forged(body: bytes, headers: object, at: datetime) -> Proven:
        raise ForgedError("wrong secret")

    deliveries.take(engine, "stripe", lambda b, h, n: Proven("evt_1", "invoice.updated", {}), b"{}", {}, now)
    deliveries.take(engine, "stripe", forged, b"{}", {}, now)
    with operational.writing(engine) as session:
        (row,) = session.query(deliveries.Delivery).all()
        row.status, row.attempts, row.error = "failed", 8, "api.stripe.com did not answer"
    engine.dispose()
    told = commands("integrations", "deliveries", "stripe")
    assert told.out.splitlines() == [
        "stripe: 0 applied, 0 waiting, 1 failed",
        "stripe: invoice.updated evt_1 failed after 8: api.stripe.com did not answer",
        "stripe: 1 refused as forged, last: wrong secret",
    ]
    assert commands("integrations", "deliveries", "stripe", "--retry").out == (
        "stripe: 1 will be applied again by trueup serve\n"
    )  # fmt: skip
    again = commands("integrations", "deliveries", "--json").json
    assert again["deliveries"][0]["waiting"] == 1
    assert again["failures"] == []


def test_every_event_is_accounted_for(trueup_filled: Commands) -> None:
    span = ("--from", "2026-10-01", "--to", "2026-11-01", "--as-of", AS_OF)
    told = trueup_filled("events", *span, "--json").json
    assert told["events"] == sum(told["outcomes"].values()) > 0
    in_order = sum(told["outcomes"][outcome] for outcome in ("billed", "on_draft", "running"))
    assert in_order > told["events"] * 0.8
    assert "billed: a line of an invoice counts it" in trueup_filled("events", *span).out
    assert trueup_filled("events", "nobody").code == 2
