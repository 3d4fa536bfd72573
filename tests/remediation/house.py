"""A home that is synced from a Stripe-speaking server with a small company in it, and the commands that people give."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import config as configuration
import home as homes
import trueup
from integrations import example
from tests.peers.stripe.process import KEY, Peer, running

ROOT = Path(__file__).parents[2]
AS_OF = datetime(2026, 11, 3, 6, tzinfo=UTC)
REAL = homes.Home
STRIPE_HOLDS = {
    "customers", "plans", "prices", "price_tiers", "subscriptions", "subscription_items", "invoices",
    "invoice_lines", "credit_notes", "payments", "discounts",
}  # fmt: skip


@dataclass(frozen=True)
class House:
    """One home with its peer. Commands run in this process, at the peer's time of day."""

    folder: Path
    peer: Peer
    at: datetime

    @property
    def environment(self) -> dict[str, str]:
        """What a process of this home sees."""
        return {
            "TRUEUP_HOME": str(self.folder / "home"),
            "TRUEUP_CONFIG": str(self.folder / "config.yaml"),
            "PEER_KEY": KEY,
        }

    def run(self, *words: str, code: int = 0) -> str:
        """One command to its end; held to its exit code, what it printed."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                trueup.main(list(words))
            except SystemExit as left:
                assert (left.code or 0) == code, f"{words} exited {left.code}\n{out.getvalue()}\n{err.getvalue()}"
        return out.getvalue() if code == 0 else err.getvalue()

    def json(self, *words: str) -> Any:
        """The JSON that a command prints."""
        return json.loads(self.run(*words, "--json"))

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command as a process of its own, at the peer's time of day."""
        began = "import datetime as d, home, trueup; t = d.datetime.fromisoformat; n = d.datetime.now; "
        clock = f"s = n(d.UTC); home.now = lambda: t({self.at.isoformat()!r}) + (n(d.UTC) - s); "
        return subprocess.Popen(
            [sys.executable, "-c", f"{began}{clock}trueup.main({list(words)!r})"],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def configure(self, **sections: Any) -> None:
        """Write config.yaml: the peer as an integration that may be written to, and these sections."""
        stripe = {
            "type": "stripe",
            "api_key_env": "PEER_KEY",
            "base_url": self.peer.url,
            "requests_per_second": 10_000,
            "writes": True,
        }
        stripe |= sections.pop("stripe", {})
        (self.folder / "config.yaml").write_text(json.dumps({"integrations": {"stripe": stripe}, **sections}))

    def signal(self, code: str) -> dict[str, Any]:
        """The one open signal of a fault."""
        (found,) = self.json("signals", "--code", code)
        return dict(found)

    def actions(self, signal: str, kind: str = "") -> list[dict[str, Any]]:
        """The actions of a signal, of one kind."""
        return [each for each in self.json("actions", "list", signal) if kind in ("", each["kind"])]

    def approve(self, id: str) -> None:
        """Approve an action as Ann."""
        self.run("actions", "approve", id, "--as", "ann", "--reason", "checked")


def company(folder: Path, *, faults: str, customers: int = 30, seed: int = 11) -> Path:
    """A books folder of a small company."""
    example.write(folder, customers=customers, seed=seed, faults=faults, as_of=AS_OF, events_per_customer=40)
    return folder


@contextmanager
def house(folder: Path, books: Path, at: datetime = AS_OF) -> Iterator[House]:
    """A home beside a peer that holds the books; both clocks stand at `at` now."""
    began = datetime.now(UTC)
    kept: list[homes.Home] = []

    def opened(config: configuration.Config) -> homes.Home:
        """The home of the last command, as `trueup serve` keeps it, while the configuration is the same."""
        if not kept or kept[-1].config != config:
            kept.append(REAL(config))
        return kept[-1]

    with (
        running("--books", str(books), "--integration", "stripe", "--now", at.isoformat()) as peer,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(homes, "now", lambda: at + (datetime.now(UTC) - began))
        patch.setattr(trueup, "Home", opened)
        made = House(folder, peer, at)
        for name, value in made.environment.items():
            patch.setenv(name, value)
        made.configure()
        yield made


def filled(folder: Path, books: Path, *rules: str) -> None:
    """Make a home with the company synced and imported, and these rules run."""
    rest = folder / "rest"
    rest.mkdir(parents=True)
    for file in books.iterdir():
        if file.stem not in STRIPE_HOLDS:
            shutil.copy(file, rest / file.name)
    with house(folder, books) as made:
        made.run("sync", "stripe")
        made.run("import", str(rest))
        made.run("run", *rules)
