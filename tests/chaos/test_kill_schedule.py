"""500 slots of five schedules, the process killed at random and restarted: each is run once, or covered by one run."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from pathlib import Path

import pytest

from tests.chaos.ledger import START, Fire, slots

SEED = int(os.environ.get("TRUEUP_CHAOS_SEED", "50"))


@pytest.mark.chaos
def test_every_one_of_500_slots_is_run_once_or_covered_by_a_named_run(tmp_path: Path) -> None:
    fire = Fire(tmp_path, random.Random(SEED), START + timedelta(hours=105))
    fire.make()
    fire.burn(kills=40, longest=0.8)
    counted = [slots(fire, rule) for rule in fire.rules()]
    assert sum(number for number, _ in counted) >= 500
    assert sum(covered for _, covered in counted) >= 20
    assert fire.kills >= 15


def test_a_few_slots_under_fire_are_each_told_once(tmp_path: Path) -> None:
    fire = Fire(tmp_path, random.Random(SEED), START + timedelta(hours=9))
    fire.make()
    fire.burn(kills=3, longest=3.0)
    counted = [slots(fire, rule) for rule in fire.rules()]
    assert sum(number for number, _ in counted) >= 40
    assert fire.kills
