"""One company, synced once; each module gets a home and a peer of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.made_once import made_once
from tests.peers.stripe.process import Peer, running
from tests.remediation.house import AS_OF, House, company, filled, house

RULES = {
    "TU-03": "rejected_events",
    "TU-24": "left_on_old_version",
    "TU-19": "wrong_tier_mode",
    "TU-40": "duplicate_line",
    "TU-43": "cancellation_missed",
    "TU-44": "seat_drift",
    "TU-59": "payment_retries_exhausted",
    "TU-60": "no_way_to_collect",
}


@pytest.fixture(scope="session")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the books, and a home into which they were synced and four rules run."""

    def make(folder: Path) -> None:
        """Makes the company and syncs it."""
        filled(folder, company(folder / "books", faults=",".join(RULES)), *RULES.values())

    return made_once("synced", tmp_path_factory, make)


@pytest.fixture(scope="module")
def made(synced: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home of the module's own beside a peer of its own, some minutes later."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(synced / "home", folder / "home")
    with house(folder, synced / "books", AS_OF + timedelta(minutes=10)) as one:
        yield one


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """An empty peer, some hours before the drafts of these tests become final."""
    with running("--now", "2026-11-03T06:00:00+00:00") as started:
        yield started
