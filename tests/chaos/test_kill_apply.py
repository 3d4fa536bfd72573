"""Two hundred kills while actions are applied, with replies lost, delayed and doubled at the peer: counted there."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.peers.stripe.process import running
from tests.remediation.fire import Fire
from tests.remediation.small import NOW

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
