"""Some kills in the middle of applying, at every billing system; `make chaos` does two hundred and more."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.peers.rows import NOW as VENDORS_NOW
from tests.peers.stripe.process import running
from tests.peers.vendor import running as running_vendor
from tests.remediation.by_vendor import VENDORS, books
from tests.remediation.fire import Fire
from tests.remediation.small import NOW
from tests.remediation.vendor_fire import VendorFire


def test_killed_in_the_middle_everything_is_done_once(tmp_path: Path) -> None:
    with running("--now", NOW.isoformat()) as peer:
        fire = Fire(tmp_path, peer, random.Random(3))
        fire.lay(12)
        fire.burn(3)
        assert fire.check()["done"] == 12
        assert fire.landed == 3


@pytest.mark.parametrize("vendor", VENDORS)
def test_killed_in_the_middle_every_system_does_it_once(tmp_path: Path, vendor: str) -> None:
    with running_vendor(vendor, VENDORS_NOW) as peer:
        fire = VendorFire(tmp_path, peer, random.Random(4), vendor=vendor, books=books(vendor, peer))
        fire.lay(6)
        fire.burn(2)
        assert fire.check()["done"] == 6
