"""Whatever goes wrong on the way to any vendor, a reading brings the same company, or says why it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from integrations.http import Client
from tests.integrations.fake_time import FakeTime
from tests.integrations.fault_cases import ACCOUNTS, CASES, DOCUMENT, Account, Case, drifted, refused, suffer
from tests.integrations.pulling import pulled
from tests.integrations.stripe_company import cursors_of, differences, rows_of
from tests.integrations.vendors import CHARGEBEE
from tests.peers.rows import NOW
from tests.peers.stripe.process import Peer
from tests.peers.vendor import running


@pytest.fixture(scope="module", params=ACCOUNTS, ids=lambda account: account.name)
def account(request: pytest.FixtureRequest) -> Account:
    chosen: Account = request.param
    return chosen


@pytest.fixture(scope="module")
def peer(account: Account) -> Iterator[Peer]:
    with account.loaded() as started:
        yield started


@pytest.fixture(scope="module")
def calm(account: Account, peer: Peer) -> int:
    """How many requests a reading takes when nothing goes wrong."""
    quiet = suffer(account, peer, None)
    assert quiet.same
    return quiet.requests


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_is_lost_or_doubled(account: Account, peer: Peer, calm: int, case: Case) -> None:
    got = suffer(account, peer, case)
    assert got.different == ()
    assert got.requests == calm + got.failures  # every failed request is sent once more, no other one
    least = 7 * got.failures if "Retry-After: 7" in case.name else 0.25 * got.failures
    assert got.waited >= least


@pytest.mark.parametrize("what", ["expired key", "revoked scope"])
def test_a_refusal_is_for_good_and_says_what_to_do(account: Account, peer: Peer, calm: int, what: str) -> None:
    said, permanent, asked = refused(account, peer, what)
    assert permanent
    assert "secret-key" not in said
    assert ("refused the key; set" if what == "expired key" else "may not read") in said
    assert asked == 1 if what == "expired key" else asked <= calm


def test_an_answer_that_does_not_come_counts_as_none() -> None:
    with running("chargebee", NOW) as peer:
        peer.load(CHARGEBEE.company())
        peer.fault("slow", path="*", seconds=0.6, times=2, skip=2)
        time = FakeTime()
        source = CHARGEBEE.connected(peer, pace=time.pace)
        hasty = replace(source.lists.api, client=Client(pace=time.pace, timeout=0.3))
        found = pulled(replace(source, lists=replace(source.lists, api=hasty)))
        assert differences(CHARGEBEE.company(), rows_of(found)) == []
        assert hasty.client.tally.retries == 2


def test_records_that_come_in_while_pages_are_read_are_there_once_and_none_is_lost() -> None:
    for account in ACCOUNTS:
        assert drifted(account) == (), account.name


@pytest.mark.parametrize("skew", [timedelta(minutes=5), -timedelta(minutes=5)])
def test_clocks_that_are_five_minutes_apart_lose_no_change(skew: timedelta) -> None:
    with running("chargebee", NOW + skew) as peer:
        peer.load(CHARGEBEE.company())
        source = CHARGEBEE.connected(peer)
        cursors = cursors_of(pulled(source, now=NOW))
        changed = int((NOW + skew).timestamp())
        peer.control("set", list="customers", key="id", id=CHARGEBEE.company()["customers"][0]["customer_id"],
                     fields={"updated_at": changed, "company": "Renamed"})  # fmt: skip
        found = rows_of(pulled(source, cursors, now=NOW + timedelta(minutes=1)))
        assert len(found["customers"]) == 1


def test_the_documents_table_has_every_fault_of_every_vendor() -> None:
    text = DOCUMENT.read_text()
    for account in ACCOUNTS:
        for case in CASES:
            assert f"| {case.name} | {account.name} |" in text
            row = next(line for line in text.splitlines() if line.startswith(f"| {case.name} | {account.name} |"))
            assert row.endswith("| 0 |")
        for fault in ("the vendor's clock +5 minutes", "the vendor's clock -5 minutes", "5 records come in"):
            row = next(line for line in text.splitlines() if fault in line and f"| {account.name} |" in line)
            assert row.endswith("| 0 |")
