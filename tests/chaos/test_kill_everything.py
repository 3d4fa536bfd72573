"""`import`, `sync` and `run`, killed at fifty random moments and run again: the same books and signals as in peace."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from billing.books import TABLES
from store.warehouse import Warehouse
from tests.path.company import AS_OF, Trueup, content, example
from tests.peers.stripe.process import KEY, running

pytestmark = pytest.mark.chaos

KILLS = {"import": 16, "sync": 17, "run": 17}
SEED = int(os.environ.get("TRUEUP_CHAOS_SEED", "50"))


@dataclass(frozen=True)
class Pair:
    """Two homes that get the same commands: one in peace, one under fire. `hits` counts the kills that landed."""

    peace: Trueup
    fire: Trueup
    chance: random.Random
    hits: dict[str, int]

    def both(self, *words: str) -> None:
        """Run the command to its end in peace; in the other home kill it many times first."""
        began = time.monotonic()
        self.peace.run(*words)
        needed = time.monotonic() - began
        for _ in range(KILLS[words[0]]):
            self.hits[words[0]] = self.hits.get(words[0], 0) + self._kill(words, needed)
        self.fire.run(*words)

    def _kill(self, words: tuple[str, ...], needed: float) -> bool:
        program = subprocess.Popen(
            self.fire.command(*words),
            env=self.fire.environment(),
            cwd=self.fire.home.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(self.chance.uniform(0.1, 1.0) * needed)
        program.send_signal(signal.SIGKILL)
        return program.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The example company, half of it by file and half of it from a Stripe-speaking server."""
    folder = tmp_path_factory.mktemp("chaos")
    books = example(folder / "books")
    with running("--books", str(books), "--integration", "stripe", "--now", AS_OF.replace("Z", "+00:00")) as peer:
        config = folder / "config.yaml"
        stripe = {"type": "stripe", "api_key_env": "PEER_KEY", "base_url": peer.url, "requests_per_second": 10_000}
        config.write_text(json.dumps({"integrations": {"stripe": stripe}}))
        settings = {"PEER_KEY": KEY, "TRUEUP_CONFIG": str(config)}
        pair = Pair(Trueup(folder / "peace", settings), Trueup(folder / "fire", settings), random.Random(SEED), {})
        pair.both("sync", "stripe")
        pair.both("import", str(product_side(books)))
        pair.both("run", "--as-of", AS_OF)
        yield pair


def product_side(books: Path) -> Path:
    """A folder with the tables that Stripe does not hold."""
    rest = books.parent / "rest"
    rest.mkdir()
    held = {"customers", "plans", "prices", "price_tiers", "subscriptions", "subscription_items", "invoices"}
    held |= {"invoice_lines", "credit_notes", "payments", "discounts"}
    for file in books.iterdir():
        if file.stem not in held:
            shutil.copy(file, rest / file.name)
    return rest


def contents(trueup: Trueup) -> dict[str, tuple[Any, ...] | None]:
    """Per table of the books its rows, and a number over all contents that any difference changes."""
    warehouse = Warehouse(f"sqlite:{trueup.home}/warehouse/catalog.sqlite", trueup.home / "warehouse" / "files")
    digest = "SELECT count(*), bit_xor(hash(COLUMNS(* EXCLUDE (synced_at, version_at)))) FROM books.{}"
    with closing(warehouse.connect(read_only=True)) as con:
        found = {table.name: con.execute(digest.format(table.name)).fetchone() for table in TABLES}
    warehouse.close()
    return found


def test_the_books_are_the_same(pair: Pair) -> None:
    assert contents(pair.fire) == contents(pair.peace)


def test_the_signals_are_the_same(pair: Pair) -> None:
    in_peace, under_fire = (content(each.json("signals", "--status", "any")) for each in (pair.peace, pair.fire))
    assert under_fire == in_peace
    assert len(in_peace) >= 10


def test_another_run_changes_nothing(pair: Pair) -> None:
    before = pair.fire.json("signals", "--status", "any")
    results = pair.fire.json("run", "--as-of", AS_OF)
    assert {reason for result in results for reason in result["decisions"]} == {"unchanged"}
    assert pair.fire.json("signals", "--status", "any") == before


def test_enough_of_the_kills_landed_while_something_ran(pair: Pair) -> None:
    assert all(pair.hits[name] > count / 2 for name, count in KILLS.items()), pair.hits
