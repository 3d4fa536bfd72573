"""The folder that holds everything Trueup keeps, and whether the demo may use it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = "demo.json"
"""The file that says that a home is the demo's, and how far it is made."""

_OURS = ("operational.sqlite", "operational.sqlite-wal", "operational.sqlite-shm", "warehouse", "demo-books", MARK)


class HomeInUse(RuntimeError):  # noqa: N818 (named for what is in the way)
    """The home holds data of somebody's own; the message says what to do instead."""


@dataclass(frozen=True)
class DemoHome:
    """A home for the example company. `ready` is what was made in it earlier, None when nothing is complete."""

    place: Path
    ready: dict[str, Any] | None

    @property
    def books(self) -> Path:
        """The folder for the example company's files."""
        return self.place / "demo-books"

    def complete(self, facts: dict[str, Any]) -> None:
        """Note that the demo is made, so that the next one only serves it."""
        (self.place / MARK).write_text(json.dumps({"complete": True, **facts}), encoding="utf-8")


def for_demo(place: Path) -> DemoHome:
    """The home for the demo: one that it made completely is used again, one that it began is made anew.

    Raises HomeInUse when the folder holds anything else.
    """
    mark = place / MARK
    if mark.is_file():
        facts = _read(mark)
        if facts.get("complete"):
            return DemoHome(place, facts)
        for name in _OURS:
            _remove(place / name)
    elif place.exists() and any(place.iterdir()):
        raise HomeInUse(
            f"{place} already holds data that is not the demo's; choose another folder for it: "
            f"TRUEUP_HOME={place.parent / 'trueup-demo'} trueup demo"
        )
    place.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps({"complete": False}), encoding="utf-8")
    return DemoHome(place, None)


def _read(mark: Path) -> dict[str, Any]:
    try:
        facts = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
