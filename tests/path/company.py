"""Trueup as a user runs it: one home, commands in processes of their own, the example company in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
AS_OF = "2026-11-20T12:00:00Z"


@dataclass(frozen=True)
class Trueup:
    """A home of its own. `settings` are environment variables that every command sees."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    def command(self, *words: str) -> list[str]:
        """The words as a process takes them."""
        return [sys.executable, str(ROOT / "trueup.py"), *words]

    def environment(self) -> dict[str, str]:
        """What such a process sees."""
        return {**os.environ, "TRUEUP_HOME": str(self.home), **self.settings}

    def run(self, *words: str, code: int = 0) -> str:
        """Run one command to its end, hold it to its exit code, return what it printed."""
        done = subprocess.run(
            self.command(*words), env=self.environment(), cwd=self.home.parent, capture_output=True, text=True
        )
        assert done.returncode == code, f"{words} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Any:
        """The JSON that a command prints."""
        return json.loads(self.run(*words, "--json"))


FAULTS = ",".join(f"TU-{number:02}" for number in (1, 2, 5, 6, 13, 19, 20, 22, 34, 38, 39, 40, 42, 52, 59))
"""What is wrong in the company that takes both routes; Stripe cannot hold the records of every fault."""


def example(folder: Path, *, customers: int = 80, seed: int = 7, faults: str = FAULTS) -> Path:
    """A books folder of the example company."""
    maker = Trueup(folder.parent / "maker")
    words = ["--customers", str(customers), "--seed", str(seed), "--faults", faults, "--as-of", AS_OF]
    maker.run("example", str(folder), *words)
    return folder


def content(signals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What signals say, without their numbers and the moments at which they were seen, in a fixed order."""
    passing = {"id", "first_seen", "last_seen", "entities"}
    said = [
        {key: value for key, value in signal.items() if key not in passing}
        | {"entities": sorted(signal["entities"], key=lambda each: (each["type"], each["id"], each["role"]))}
        for signal in signals
    ]
    return sorted(said, key=lambda each: (each["rule"], each["cause"], each["period_start"] or "", each["title"]))
