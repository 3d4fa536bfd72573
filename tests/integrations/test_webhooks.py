"""A webhook of any vendor is believed only when it is proven, and brings what its objects are now."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from integrations.catalogue import find
from integrations.webhooks import ForgedError, StaleError, UnreadableError
from tests.integrations.delivering import SECRET, SENDERS, SETTINGS, lago_jwt, public_pem
from tests.integrations.stripe_company import rows_of
from tests.integrations.vendors import CHARGEBEE, LAGO, OPENMETER, ZUORA, Vendor
from tests.peers.rows import NOW
from tests.peers.stripe.process import Peer

ISSUER = "https://api.example.com"


def made(kind: str, **more: object) -> Any:
    """An integration that is never asked anything."""
    settings: Mapping[str, object] = {
        "api_key": "k", "base_url": f"{ISSUER}/api/v1", "client_id": "c", SETTINGS[kind]: SECRET
    }  # fmt: skip
    return find(kind).from_config("main", {**settings, **more})


@pytest.mark.parametrize("kind", SENDERS)
def test_a_delivery_is_proven_by_its_secret_and_names_itself(kind: str) -> None:
    body, headers = SENDERS[kind].delivery("evt_1", "in_1", NOW)
    proven = made(kind).proven(body, headers, NOW + timedelta(minutes=1))
    assert proven.kind.startswith("invoice")
    assert proven.id == ("evt_1" if kind not in ("lago", "zuora") else made(kind).proven(body, headers, NOW).id)
    other, signed = SENDERS[kind].delivery("evt_2", "in_1", NOW)
    assert made(kind).proven(other, signed, NOW).id != proven.id


@pytest.mark.parametrize("kind", SENDERS)
def test_everything_else_is_forged_or_stale(kind: str) -> None:
    sender, source = SENDERS[kind], made(kind)
    body, headers = sender.delivery("evt_1", "in_1", NOW)
    other = "whsec_" + base64.b64encode(b"somebody else's secret 0000000000").decode()
    forged = sender.delivery("evt_1", "in_1", NOW, other)[1]
    for given in ({}, forged, dict.fromkeys(headers, "é"), dict.fromkeys(headers, "")):
        with pytest.raises(ForgedError):
            source.proven(body, given, NOW)
    if kind not in ("chargebee", "zuora"):  # which prove who sends, not what
        with pytest.raises(ForgedError):
            source.proven(body + b" ", headers, NOW)
    with pytest.raises(ForgedError, match="is configured"):
        made(kind, **{SETTINGS[kind]: None}).proven(body, headers, NOW)
    if sender.stamped:
        for late in (timedelta(minutes=6), -timedelta(minutes=6)):
            with pytest.raises(StaleError):
                source.proven(body, headers, NOW + late)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b"{}", b'{"id": 7}', b"{" * 100_000])
@pytest.mark.parametrize("kind", SENDERS)
def test_what_is_proven_and_no_event_is_unreadable(kind: str, body: bytes) -> None:
    if kind == "stripe" and body == b"\xff\xfe":
        return  # the SDK that signs for us takes text only
    headers = SENDERS[kind].signed(body, SECRET, NOW, "evt_1")
    with pytest.raises(UnreadableError):
        made(kind).proven(body, headers, NOW)


@pytest.mark.parametrize("key", [public_pem().decode(), base64.b64encode(public_pem()).decode()])
def test_lago_also_signs_by_jwt(key: str) -> None:
    body, _ = SENDERS["lago"].delivery("evt_1", "in_1", NOW)
    source = made("lago", webhook_public_key=key)
    assert source.proven(body, lago_jwt(body, ISSUER), NOW).kind == "invoice.created"
    for changed, headers in (
        (body + b" ", lago_jwt(body, ISSUER)),
        (body, lago_jwt(body, "https://other.example")),
        (body, {"x-lago-signature": "a.b.c"}),
        (body, {}),
    ):
        with pytest.raises(ForgedError):
            source.proven(changed, headers, NOW)
    with pytest.raises(ForgedError, match="no public key"):
        made("lago", webhook_public_key="bm9uZQ==").proven(body, lago_jwt(body, ISSUER), NOW)


def test_a_callout_that_zuora_sends_again_is_known_and_one_without_a_moment_is_another() -> None:
    sender, source = SENDERS["zuora"], made("zuora")
    body, headers = sender.delivery("evt_1", "in_1", NOW)
    again = source.proven(body, headers | {"zuora-request-id": "another"}, NOW)
    assert again.id == source.proven(body, headers, NOW).id
    plain = json.dumps({"invoice_id": "in_1"}).encode()
    ids = {source.proven(plain, headers | {"zuora-request-id": id}, NOW).id for id in ("one", "two")}
    assert ids == {"one", "two"}


@pytest.fixture(scope="module", params=[LAGO, OPENMETER, CHARGEBEE, ZUORA], ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    chosen: Vendor = request.param
    return chosen


def test_what_deliveries_name_is_asked_for_once_and_what_is_gone_brings_nothing(vendor: Vendor, peer: Peer) -> None:
    expected = vendor.company()["invoices"][0]
    sender, source = SENDERS[vendor.name], vendor.connected(peer)
    told = [
        json.loads(sender.delivery(event, invoice, NOW)[0])
        for event, invoice in (("a", expected["invoice_id"]), ("b", expected["invoice_id"]), ("c", "nobody"))
    ]
    (page,) = source.receive(told)
    (row,) = rows_of([page])["invoices"].values()
    assert (row["invoice_id"], row["total"]) == (expected["invoice_id"], expected["total"])
    assert page.rows["invoice_lines"]
    paths = [path for path in peer.asked() if "invoices" in path]
    assert len(paths) == 2  # one that is there, one that is not
    assert list(source.receive([told[2]])) == []
    assert list(source.receive([{"id": "x", "type": "unheard.of", "content": 7}])) == []


def test_single_records_are_read_again_by_the_types_that_it_names(vendor: Vendor, peer: Peer) -> None:
    source, company = vendor.connected(peer), vendor.company()
    by_number = ("bill_run", "credit_note", "payment") if vendor.name == "zuora" else ()  # see test_zuora.py
    for kind in set(find(vendor.name).capabilities.rereads) - set(by_number):
        expected = company[f"{kind}s"][0]
        page = source.pull_records([(kind, str(expected[f"{kind}_id"]).split(":")[0])])
        assert any(row[f"{kind}_id"] == expected[f"{kind}_id"] for row in page.rows[f"{kind}s"]), kind
    with pytest.raises(ValueError, match="cannot be asked for one moon"):
        source.pull_records([("moon", "1")])
