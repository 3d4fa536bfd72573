"""Two hundred kills while actions are applied, with replies lost, delayed and doubled at the peer: counted there."""

from __future__ import annotations

import os
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

pytestmark = pytest.mark.chaos

KILLS = int(os.environ.get("TRUEUP_CHAOS_KILLS", "200"))
SEED = int(os.environ.get("TRUEUP_CHAOS_SEED", "50"))


def test_no_action_is_done_twice_none_is_forgotten_none_is_unapproved(tmp_path: Path) -> None:
    with running("--now", NOW.isoformat()) as peer:
        fire = Fire(tmp_path, peer, random.Random(SEED))
        fire.lay(KILLS * 3 // 2)
        fire.burn(KILLS)
        counted = fire.check()
        print(counted, fire.caught)
        assert counted["kills"] >= KILLS * 3 // 4
        assert fire.caught.get("calling", 0) >= KILLS // 20


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_system_without_keys_does_anything_twice(tmp_path: Path, vendor: str) -> None:
    with running_vendor(vendor, VENDORS_NOW) as peer:
        fire = VendorFire(tmp_path, peer, random.Random(SEED), vendor=vendor, books=books(vendor, peer))
        fire.lay(KILLS // 5 * 3 // 2)
        fire.burn(KILLS // 5)
        counted = fire.check()
        print(vendor, counted, fire.caught)
        assert counted["kills"] >= KILLS // 5 * 3 // 4
