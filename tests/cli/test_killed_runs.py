"""A run that is killed leaves whole rules or nothing of them, and run again it ends as if it had never been killed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from store import operational
from store.operational_tables import Run, Signal, SignalEvent
from tests.cli.conftest import AS_OF, ROOT, by_process, command, environment
from tests.path.company import content


@pytest.fixture(scope="module")
def imported(books: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the company imported and no rule run."""
    home = tmp_path_factory.mktemp("imported") / "home"
    assert by_process(home, "import", books).returncode == 0
    return home


def signals(home: Path) -> list[dict[str, Any]]:
    return content(json.loads(by_process(home, "signals", "--status", "any", "--json").stdout))


def kill_when_done(home: Path, rules: int) -> None:
    """Start a run and kill it once so many rules are done."""
    program = subprocess.Popen(
        command("run", "--as-of", AS_OF), cwd=ROOT, env=environment(home), stdout=subprocess.PIPE
    )
    while program.poll() is None and sum(run.status == "ok" for run in runs(home)) < rules:
        time.sleep(0.02)
    program.send_signal(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL


def runs(home: Path) -> list[Run]:
    if not (home / "operational.sqlite").exists():
        return []
    engine = operational.open(f"sqlite:///{home}/operational.sqlite")
    with operational.reading(engine) as session:
        found = list(session.scalars(select(Run)))
    engine.dispose()
    return found


def half_done(home: Path) -> list[str]:
    """Signals of a run that did not end, and signals without the row of the timeline that opened them."""
    engine = operational.open(f"sqlite:///{home}/operational.sqlite")
    with operational.reading(engine) as session:
        loose = select(Signal).join(Run, Run.id == Signal.last_run_id).where(Run.status.not_in(("ok", "skipped")))
        silent = select(Signal).where(Signal.id.not_in(select(SignalEvent.signal_id)))
        found = [signal.label for query in (loose, silent) for signal in session.scalars(query)]
    engine.dispose()
    return found


@pytest.mark.parametrize("rules", [1, 9])
def test_a_killed_run_run_again_gives_the_same_signals(
    imported: Path, filled: Path, tmp_path: Path, rules: int
) -> None:
    home = tmp_path / "home"
    shutil.copytree(imported, home)
    kill_when_done(home, rules)
    assert half_done(home) == []
    assert any(run.status == "running" for run in runs(home))

    again = by_process(home, "run", "--as-of", AS_OF)

    assert again.returncode == 0, again.stderr
    assert "already_running" not in again.stdout
    assert half_done(home) == []
    assert signals(home) == signals(filled)
    ended = {(run.status, run.reason) for run in runs(home)}
    assert ended == {("ok", None), ("failed", "abandoned"), ("skipped", "unchanged")}
