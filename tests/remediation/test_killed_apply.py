"""Three kills in the middle of applying; `make chaos` does two hundred."""

from __future__ import annotations

import random
from pathlib import Path

from tests.peers.stripe.process import running
from tests.remediation.fire import Fire
from tests.remediation.small import NOW


def test_killed_in_the_middle_everything_is_done_once(tmp_path: Path) -> None:
    with running("--now", NOW.isoformat()) as peer:
        fire = Fire(tmp_path, peer, random.Random(3))
        fire.lay(12)
        fire.burn(3)
        assert fire.check()["done"] == 12
        assert fire.landed == 3
