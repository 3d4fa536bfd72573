"""What the peers of Lago and OpenMeter answer is what the vendors' own OpenAPI descriptions say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.peers.lago import sample as lago
from tests.peers.openmeter import sample as openmeter
from tests.peers.rows import NOW
from tests.peers.stripe.process import Peer
from tests.peers.vendor import KEY, running

FOLDER = Path(os.environ.get("TRUEUP_VENDOR", Path(__file__).parents[2] / "../shared/vendor"))
COMPANIES = {"lago": lago.company, "openmeter": openmeter.company}
BASES = {"lago": "/api/v1", "openmeter": ""}


@cache
def document(vendor: str) -> dict[str, Any]:
    """A vendor's description as JSON Schema reads it: OpenAPI 3.0 says null by `nullable`."""
    assert FOLDER.is_dir(), f"there is no folder {FOLDER}: set TRUEUP_VENDOR to that of the vendors' documents"
    with (FOLDER / f"{vendor}-openapi.yaml").open(encoding="utf-8") as file:
        return _nullable(yaml.load(file, yaml.CSafeLoader))  # type: ignore[no-any-return]


def _nullable(thing: Any) -> Any:
    if isinstance(thing, list):
        return [_nullable(each) for each in thing]
    if not isinstance(thing, dict):
        return thing
    held = {name: _nullable(value) for name, value in thing.items()}
    return {"anyOf": [held, {"type": "null"}]} if held.pop("nullable", False) is True else held


def wrong(vendor: str, template: str, answer: object) -> list[str]:
    """Where an answer differs from the schema of its path."""
    found = document(vendor)["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**found, "components": document(vendor)["components"]})
    errors = list(validator.iter_errors(answer))[:5]
    return [f"{template} {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]


def wrong_request(vendor: str, method: str, path: str, body: object) -> list[str]:
    """Where the body of a write differs from the schema that its path asks for."""
    place = path.removeprefix(BASES[vendor])
    matching = [template for template in document(vendor)["paths"]
                if re.fullmatch(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)), place)
                and method.lower() in document(vendor)["paths"][template]]  # fmt: skip
    if not matching:
        return [f"there is no {method} {place}"]
    asked = document(vendor)["paths"][min(matching, key=lambda each: each.count("{"))][method.lower()]
    schema = (asked.get("requestBody") or {}).get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return []
    validator = Draft202012Validator({**schema, "components": document(vendor)["components"]})
    errors = list(validator.iter_errors(body))[:5]
    return [f"{place} {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]


@pytest.fixture(scope="module", params=sorted(COMPANIES))
def peer(request: pytest.FixtureRequest) -> Iterator[tuple[str, Peer]]:
    with running(request.param, NOW) as started:
        started.load(COMPANIES[request.param]())
        yield request.param, started


def get(vendor: str, peer: Peer, path: str, **query: str) -> Any:
    answer = peer.http.get(f"{peer.url}{BASES[vendor]}{path}", params=query, headers={"Authorization": f"Bearer {KEY}"})
    answer.raise_for_status()
    return answer.json()


LISTS = {
    "lago": "billable_metrics plans customers subscriptions applied_coupons invoices credit_notes payments wallets "
    "events",
    "openmeter": "v1/meters v1/features v1/plans v1/customers v1/billing/invoices v2/entitlements v2/events",
}


def test_every_list_is_as_described(peer: tuple[str, Peer]) -> None:
    vendor, running_peer = peer
    told = []
    for path in LISTS[vendor].split():
        place = f"/{path}" if vendor == "lago" else f"/api/{path}"
        query = {"page": "1", "pageSize": "1000", "expand": "lines"} if path == "v1/billing/invoices" else {}
        query |= {"external_customer_id": "acme"} if path == "wallets" else {}
        answer = get(vendor, running_peer, place, **query)
        held = answer if isinstance(answer, list) else answer.get("items") or answer.get(path)
        assert held, f"{place} is empty"
        told += wrong(vendor, place, answer)
    assert told == []


def test_every_single_object_is_as_described(peer: tuple[str, Peer]) -> None:
    vendor, running_peer = peer
    singles = {
        "lago": [
            ("/invoices/{lago_id}", f"/invoices/{lago.company()['invoices'][0]['invoice_id']}"),
            ("/subscriptions/{external_id}", "/subscriptions/acme-sub"),
            ("/plans/{code}", "/plans/pro"),
            ("/customers/{external_customer_id}", "/customers/acme"),
        ],
        "openmeter": [
            ("/api/v1/subscriptions/{subscriptionId}", f"/api/v1/subscriptions/{openmeter.ulid('01S1')}"),
            ("/api/v1/plans/{planId}", f"/api/v1/plans/{openmeter.ulid('01P2')}"),
        ],
    }
    told = [
        each for template, path in singles[vendor] for each in wrong(vendor, template, get(vendor, running_peer, path))
    ]
    if vendor == "lago":
        (wallet, *_) = get(vendor, running_peer, "/wallets", external_customer_id="acme")["wallets"]
        listed = get(vendor, running_peer, f"/wallets/{wallet['lago_id']}/wallet_transactions")
        told += wrong(vendor, "/wallets/{lago_id}/wallet_transactions", listed)
    assert told == []
