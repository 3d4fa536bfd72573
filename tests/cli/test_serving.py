"""`trueup demo` and `trueup serve` as processes: they print where they answer, answer there, and stop when told to."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from integrations.example import least_for
from store import operational
from store.operational_tables import Run
from tests.cli.conftest import ROOT, Commands, command, environment


@contextmanager
def serving(home: Path, *arguments: object, **variables: str) -> Iterator[tuple[str, list[str]]]:
    """A serving process: its address, and the lines that it printed before."""
    program = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        env={**environment(home), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None
        lines = []
        for line in program.stdout:
            lines.append(line.rstrip())
            if found := re.search(r"http://[\d.]+:\d+", line):
                yield found[0], lines
                break
        else:
            pytest.fail(f"it never answered: {program.stderr.read() if program.stderr else ''}")
    finally:
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=60) == 0


def fetched(url: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return str(answer.read().decode())


def test_the_demo_makes_a_company_runs_every_rule_and_serves_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home, "demo", "--port", 0, "--customers", least_for("all")) as (url, lines):
        assert [line.split()[0] for line in lines[:3]] == ["data", "import", "rules"]
        assert all(re.fullmatch(r"\w+ +\d+\.\d s", line) for line in lines[:3])
        assert "SIG-" in fetched(f"{url}/signals")
    with serving(home, "demo", "--port", 0, "--customers", least_for("all")) as (url, lines):
        assert len(lines) == 1
        assert "SIG-" in fetched(f"{url}/signals")
        by_proxy = fetched(f"{url}/signals", **{"X-Forwarded-For": "203.0.113.9"})
        assert "<h1>Sign in</h1>" in by_proxy, "what others can reach is not open"


def test_the_demo_leaves_a_home_with_other_data_alone(trueup_filled: Commands) -> None:
    before = trueup_filled("signals", "--json").out
    refused = trueup_filled("demo", "--port", "0")
    assert refused.code == 1
    assert len(refused.lines) == 1
    assert "already holds data that is not the demo's" in refused.err
    assert trueup_filled("signals", "--json").out == before


def test_a_port_that_is_taken_is_one_line(trueup_in: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = trueup_in("serve", "--port", taken.getsockname()[1])
    assert answer.code == 1
    assert re.fullmatch(r"trueup: 127.0.0.1:\d+ cannot be used \(.+\); choose another with --port", answer.lines[-1])


def test_serving_runs_what_is_due_by_itself_and_two_servers_run_it_once(tmp_path: Path) -> None:
    home, variables = (
        tmp_path / "home",
        {"TRUEUP__SCHEDULE__TICK_SECONDS": "1", "TRUEUP__RULES": str(two_rules(tmp_path))},
    )
    with (
        serving(home, "serve", "--port", 0, **variables) as (first, _),
        serving(home, "serve", "--port", 0, **variables) as (second, _),
    ):
        assert first != second
        until = time.monotonic() + 120
        while time.monotonic() < until and len(finished(home)) < 2:
            time.sleep(0.5)
        time.sleep(2.5)
    assert sorted(rule for rule, *_ in finished(home)) == ["ledger_imbalance", "payment_retries_exhausted"]


def two_rules(tmp_path: Path) -> Path:
    """A rules folder with two rules that run every hour."""
    folder = tmp_path / "rules"
    for name in ("credits/ledger_imbalance", "collection/payment_retries_exhausted", "cases/company"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text((ROOT / "rules" / f"{name}.yaml").read_text())
    return folder


def finished(home: Path) -> list[tuple[str, str, str]]:
    """The runs that are over: rule, trigger and slot."""
    engine = operational.open(f"sqlite:///{home}/operational.sqlite")
    with operational.reading(engine) as session:
        runs = session.scalars(select(Run).where(Run.status == "ok")).all()
    engine.dispose()
    assert {run.trigger for run in runs} <= {"schedule"}
    return [(run.rule, run.trigger, run.slot) for run in runs]
