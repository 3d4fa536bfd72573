"""The same company by file import and by Stripe sync gives the same signals; doing either again changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.path.company import AS_OF, Trueup, content, example
from tests.peers.stripe.process import KEY, running

STRIPE_HOLDS = {
    "customers", "plans", "prices", "price_tiers", "subscriptions", "subscription_items", "invoices",
    "invoice_lines", "credit_notes", "payments", "discounts",
}  # fmt: skip
"""What the sync reads from Stripe; the other tables come by file on both routes."""


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example(tmp_path_factory.mktemp("routes") / "books")


@pytest.fixture(scope="module")
def by_file(books: Path) -> Trueup:
    trueup = Trueup(books.parent / "by_file")
    trueup.run("import", str(books))
    trueup.run("run", "--as-of", AS_OF)
    return trueup


@pytest.fixture(scope="module")
def by_stripe(books: Path) -> Iterator[Trueup]:
    rest = books.parent / "rest"
    rest.mkdir()
    for file in books.iterdir():
        if file.stem not in STRIPE_HOLDS:
            shutil.copy(file, rest / file.name)
    with running("--books", str(books), "--integration", "stripe", "--now", AS_OF.replace("Z", "+00:00")) as peer:
        config = books.parent / "config.yaml"
        stripe = {"type": "stripe", "api_key_env": "PEER_KEY", "base_url": peer.url, "requests_per_second": 10_000}
        config.write_text(json.dumps({"integrations": {"stripe": stripe}}))
        trueup = Trueup(books.parent / "by_stripe", {"PEER_KEY": KEY, "TRUEUP_CONFIG": str(config)})
        trueup.run("sync", "stripe")
        trueup.run("import", str(rest))
        trueup.run("run", "--as-of", AS_OF)
        yield trueup


def signals(trueup: Trueup) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = trueup.json("signals", "--status", "open")
    return found


def test_both_routes_give_the_same_signals(by_file: Trueup, by_stripe: Trueup) -> None:
    from_files, from_stripe = content(signals(by_file)), content(signals(by_stripe))
    assert {each["code"] for each in from_files} >= {"TU-01", "TU-19", "TU-39"}
    assert [each["title"] for each in from_stripe] == [each["title"] for each in from_files]
    assert from_stripe == from_files


def test_importing_the_same_folder_again_changes_nothing(by_file: Trueup, books: Path) -> None:
    before = signals(by_file)
    again = by_file.json("import", str(books))["rows"]
    assert (again["inserted"], again["updated"], again["bad"]) == (0, 0, 0)
    by_file.run("run", "--as-of", AS_OF)
    assert content(signals(by_file)) == content(before)
    assert [each["id"] for each in signals(by_file)] == [each["id"] for each in before]


def test_syncing_again_changes_nothing(by_stripe: Trueup) -> None:
    before = signals(by_stripe)
    again = by_stripe.json("sync", "stripe", "--full")["rows"]
    assert (again["inserted"], again["updated"], again["bad"]) == (0, 0, 0)
    by_stripe.run("run", "--as-of", AS_OF)
    assert content(signals(by_stripe)) == content(before)
    assert [each["id"] for each in signals(by_stripe)] == [each["id"] for each in before]
