"""A process that runs what is due, on a clock that lies in a file and moves on by itself after every beat.

`python tests/chaos/schedule_worker.py HOME MINUTES UNTIL`: until it is killed, or the clock has reached UNTIL.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

from detector import cycle, rules, schedule
from detector.claims import worker_name
from store import operational
from store.warehouse import Warehouse


def main(home: Path, minutes: int, until: datetime) -> None:
    """Beat, move the clock on, beat again."""
    engine = operational.open(f"sqlite:///{home}/operational.sqlite")
    warehouse = Warehouse(f"sqlite:{home}/lake/catalog.sqlite", home / "lake" / "files")
    loaded, _ = rules.load(home / "rules")
    clock = home / "clock"
    while (now := datetime.fromisoformat(clock.read_text())) <= until:
        setting = cycle.Setting(warehouse, engine, lambda now=now: now, worker_name())  # type: ignore[misc]
        with operational.reading(engine) as session:
            slots = schedule.due(session, loaded, now)
        due = [rule for rule in loaded if rule.name in slots]
        if due:
            cycle.run(setting, due, now, trigger="schedule", slots=slots)
        moved = home / "clock.new"
        moved.write_text((now + timedelta(minutes=minutes)).isoformat())
        moved.replace(clock)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), datetime.fromisoformat(sys.argv[3]))
