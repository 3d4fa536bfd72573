"""Stripe and the way to it fail in every way that they do; a reading waits, tries again, or says why it cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.http import Client, SourceError, UnreachableError
from integrations.http_limits import Limiter, Rate
from integrations.http_retry import Retry, asked_wait
from integrations.stripe import from_config
from tests.integrations.fake_time import FakeTime
from tests.integrations.stripe_company import connected, differences, pulled, rows_of
from tests.peers.stripe.process import KEY, Peer, running
from tests.peers.stripe.sample import NOW, company

URL = "/v1/customers"


@pytest.fixture(scope="module")
def loaded() -> Iterator[Peer]:
    with running("--now", NOW.isoformat()) as started:
        started.load(company(), announce=False)
        yield started


@pytest.fixture
def peer(loaded: Peer) -> Iterator[Peer]:
    loaded.control("calm")
    loaded.control("forget")
    yield loaded
    loaded.control("calm")


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def client(time: FakeTime, **settings: float) -> Client:
    return Client(retry=Retry(**settings), pace=time.pace)  # type: ignore[arg-type]


def get(peer: Peer, sender: Client, path: str = URL) -> int:
    return sender.send("get", peer.url + path, headers={"Authorization": f"Bearer {KEY}"}).status


@pytest.mark.parametrize("kind", ["429", "500", "503", "409", "html502", "html200", "cut", "truncated"])
def test_a_reading_survives_it_and_brings_the_same_company(peer: Peer, time: FakeTime, kind: str) -> None:
    peer.fault(kind, path="/v1/prices")
    peer.fault(kind, path="/v1/invoices", times=3)
    peer.fault(kind, path="/v1/payment_intents", times=2)
    held = rows_of(pulled(connected(peer, pace=time.pace)))
    assert differences(company(), held) == []
    assert len(time.slept) == 6


def test_retry_after_is_waited_for(peer: Peer, time: FakeTime) -> None:
    peer.fault("429", retry_after="7")
    assert get(peer, client(time)) == 200
    assert 7 <= sum(time.slept) < 8


def test_a_date_in_retry_after_counts_from_the_answers_own_clock() -> None:
    said = {"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT", "date": "Fri, 20 Nov 2026 12:00:00 GMT"}
    assert asked_wait(said) == 30
    assert asked_wait({"retry-after": "soon"}) is None
    assert asked_wait({"ratelimit-reset": "12"}) == 12
    assert asked_wait({}) is None


def test_backoff_doubles_and_stops_after_the_last_attempt(peer: Peer, time: FakeTime) -> None:
    peer.fault("500", times=100)
    assert get(peer, client(time, attempts=5, first_wait=1.0)) == 500
    assert time.slept == [0.75, 1.5, 3.0, 6.0]
    assert len(peer.requests()) == 5


def test_nobody_waits_past_the_deadline(peer: Peer, time: FakeTime) -> None:
    peer.fault("429", times=100, retry_after="200")
    assert get(peer, client(time, deadline=300.0)) == 429
    assert len(peer.requests()) == 2


@pytest.mark.parametrize(("path", "status"), [("/v1/customers?limit=500", 400), ("/v1/customers/cus_nobody", 404)])
def test_what_will_not_get_better_is_asked_once(peer: Peer, time: FakeTime, path: str, status: int) -> None:
    assert get(peer, client(time), path) == status
    assert len(peer.requests()) == 1


def test_a_write_without_an_idempotency_key_is_sent_once(peer: Peer, time: FakeTime) -> None:
    peer.fault("500", times=2)
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{peer.url}/v1/invoices/in_paid"
    assert client(time).send("post", url, headers=headers, body="description=x").status == 500
    keyed = headers | {"Idempotency-Key": "k-9", "Content-Type": "application/x-www-form-urlencoded"}
    assert client(time).send("post", url, headers=keyed, body="description=x").status == 200


def test_a_server_that_is_not_there_is_named(time: FakeTime) -> None:
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 did not answer .* tried 3 times"):
        client(time, attempts=3).send("get", "http://127.0.0.1:9/v1/customers", headers={})


def test_a_reading_that_cannot_go_on_says_so_without_the_key(peer: Peer, time: FakeTime) -> None:
    peer.fault("500", path="/v1/invoices", times=100)
    with pytest.raises(SourceError) as failed:
        pulled(connected(peer, pace=time.pace))
    assert str(failed.value) == "Stripe did not give invoices (500): This is fault 500."
    assert not failed.value.permanent
    with pytest.raises(SourceError) as refused:
        pulled(connected(peer, key="sk_test_secret", pace=time.pace))
    assert refused.value.permanent
    assert "secret" not in f"{refused.value!r} {connected(peer, key='sk_test_secret')!r}"


def test_requests_keep_to_the_rate_of_their_endpoint_and_of_the_account() -> None:
    time = FakeTime()
    limiter = Limiter({"all": Rate(10, burst=1), "each": Rate(5, burst=2)}, time.pace)
    for _ in range(11):
        limiter.wait(("all", "invoices"))
    assert time.seconds - 100 == pytest.approx(9 / 5)
    limiter.wait(("all", "customers"))
    assert time.seconds - 100 == pytest.approx(9 / 5)


def test_a_sandbox_is_asked_at_most_twenty_times_a_second(peer: Peer, time: FakeTime) -> None:
    stripe = from_config(
        "stripe", {"api_key": KEY, "base_url": peer.url, "recorded_usage": True}, page_size=1, pace=time.pace
    )
    began = time.seconds
    assert differences(company(), rows_of(pulled(stripe))) == []
    asked = len(peer.requests())
    assert asked > 200
    assert time.seconds - began >= (asked - 20) / 20


def test_every_request_names_the_api_version_and_sends_no_telemetry(peer: Peer) -> None:
    pulled(connected(peer))
    requests = peer.requests()
    assert {request["version"] for request in requests} == {"2026-10-28.endive"}
    assert not [request for request in requests if request["telemetry"] or "telemetry_id" in str(request["client"])]
