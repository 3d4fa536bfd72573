"""`trueup sync` against a Stripe-speaking server: an integration that fails does not keep the others from coming in."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Commands
from tests.peers.stripe.process import KEY, Peer, running

CUSTOMER = {
    "integration": "stripe",
    "customer_id": "cus_1",
    "name": "Acme",
    "currency": "USD",
    "status": "active",
    "created_at": "2026-01-01T00:00:00+00:00",
}


@pytest.fixture(scope="module")
def peer():  # type: ignore[no-untyped-def]
    with running() as started:
        started.load({"customers": [CUSTOMER]})
        yield started


def configured(commands: Commands, peer: Peer) -> None:
    """Two integrations on the peer, the first with a key that it refuses."""
    for name, key in (("BROKEN", "sk_wrong"), ("STRIPE", KEY)):
        settings = {"TYPE": "stripe", "API_KEY_ENV": f"{name}_KEY", "BASE_URL": peer.url, "REQUESTS_PER_SECOND": "1000"}
        for setting, value in settings.items():
            commands.monkeypatch.setenv(f"TRUEUP__INTEGRATIONS__{name}__{setting}", value)
        commands.monkeypatch.setenv(f"{name}_KEY", key)


def test_what_changed_comes_in_and_what_did_not_is_left_alone(trueup_in: Commands, peer: Peer) -> None:
    configured(trueup_in, peer)
    first = trueup_in("sync", "stripe", "--json").json
    assert first["rows"]["inserted"] == 1
    again = trueup_in("sync", "stripe", "--full", "--json").json
    assert again["rows"]["inserted"] == again["rows"]["updated"] == 0
    assert again["rows"]["unchanged"] >= 1
    assert trueup_in("sync", "stripe").out.startswith("stripe: ")


def test_one_that_fails_says_why_and_the_others_come_in(trueup_in: Commands, peer: Peer) -> None:
    configured(trueup_in, peer)
    answer = trueup_in("sync", "--json")
    assert answer.code == 1
    assert [each["name"] for each in answer.json["syncs"]] == ["stripe"]
    assert len(answer.lines) == 1
    assert answer.lines[0].startswith("trueup: sync broken: ")
    assert "sk_wrong" not in answer.err
    ill = trueup_in("doctor")
    assert "NOT WELL  data of broken: the last sync failed" in ill.out
    assert "well      data of stripe: last came in" in ill.out


def test_a_key_that_is_not_set_is_a_matter_of_configuration(trueup_in: Commands, peer: Peer) -> None:
    configured(trueup_in, peer)
    trueup_in.monkeypatch.delenv("STRIPE_KEY")
    answer = trueup_in("sync", "stripe")
    assert answer.code == 2
    assert answer.lines == ["trueup: integrations.stripe.api_key_env: set the environment variable STRIPE_KEY"]


def test_an_integration_that_is_not_configured_is_named(trueup_in: Commands, peer: Peer) -> None:
    configured(trueup_in, peer)
    answer = trueup_in("sync", "zuora")
    assert answer.code == 2
    assert "there is no integration zuora in the configuration; it has broken, stripe" in answer.err
