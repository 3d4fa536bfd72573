"""A home that holds a small example company, made once by the commands themselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import trueup
from tests.made_once import made_once

ROOT = Path(__file__).parents[2]
AS_OF = "2026-11-03T06:00:00Z"


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON; it must be that and nothing else."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """Standard error by line."""
        return self.err.splitlines()


class Commands:
    """Runs commands in this process, with one home and nothing else of this machine's configuration."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.capture = capture
        self.monkeypatch = monkeypatch
        for name in [name for name in os.environ if name.startswith("TRUEUP")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("TRUEUP_HOME", str(home))

    def __call__(self, *arguments: object) -> Answer:
        """`trueup` with these arguments."""
        self.capture.readouterr()
        with pytest.raises(SystemExit) as left:
            trueup.main([str(argument) for argument in arguments])
        out, err = self.capture.readouterr()
        return Answer(int(left.value.code or 0), out, err)


def by_process(home: Path, *arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """`trueup` as a process of its own."""
    return subprocess.run(
        command(*arguments), cwd=ROOT, env=environment(home), text=True, capture_output=True, timeout=300, **more
    )


def command(*arguments: object) -> list[str]:
    """The command line of `trueup`."""
    return [sys.executable, "-m", "trueup", *map(str, arguments)]


def environment(home: Path) -> dict[str, str]:
    """This process's environment with another home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRUEUP")}
    return {**kept, "TRUEUP_HOME": str(home)}


FAULTS = ",".join(f"TU-{number:02}" for number in (1, 2, 5, 6, 13, 19, 20, 22, 34, 38, 39, 40, 42, 52, 59))
"""What is wrong in the company of these tests."""


@pytest.fixture(scope="session")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example company's folder, with faults of every category."""

    def make(folder: Path) -> None:
        """Has the command make it."""
        more = ("--customers", 60, "--seed", 5, "--faults", FAULTS, "--as-of", AS_OF)
        made = by_process(folder, "example", folder / "company", *more)
        assert made.returncode == 0, made.stderr

    return made_once("books", tmp_path_factory, make) / "company"


@pytest.fixture(scope="session")
def filled(books: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the company imported and every rule run."""

    def make(folder: Path) -> None:
        """Has the commands fill it."""
        for arguments in (("import", books), ("run", "--as-of", AS_OF)):
            done = by_process(folder / "home", *arguments)
            assert done.returncode == 0, done.stderr

    return made_once("filled", tmp_path_factory, make) / "home"


@pytest.fixture
def trueup_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Commands]:
    """Commands with an empty home, started in an empty folder."""
    monkeypatch.chdir(tmp_path)
    yield Commands(tmp_path / "home", capsys, monkeypatch)


@pytest.fixture
def trueup_filled(trueup_in: Commands, filled: Path) -> Commands:
    """Commands with a home of their own that holds the company and its signals."""
    shutil.copytree(filled, trueup_in.home)
    return trueup_in
