"""The peer of a test module's `vendor`, with its company, and nothing left of what an earlier test made go wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integrations.vendors import Vendor
from tests.peers.rows import NOW
from tests.peers.stripe.process import Peer
from tests.peers.vendor import running


@pytest.fixture(scope="module")
def loaded(vendor: Vendor) -> Iterator[Peer]:
    with running(vendor.name, NOW) as started:
        started.load(vendor.company())
        yield started


@pytest.fixture
def peer(loaded: Peer) -> Iterator[Peer]:
    loaded.control("calm")
    loaded.control("forget")
    yield loaded
    loaded.control("calm")
