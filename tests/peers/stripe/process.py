"""Starting the peer as a process of its own, and talking to its controls."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import httpx

from tests.peers.stripe.numbers import plain

ROOT = Path(__file__).resolve().parents[3]
KEY = "sk_test_peer"


@dataclass
class Peer:
    """A running peer."""

    url: str
    http: httpx.Client

    def control(self, what: str, **given: object) -> dict[str, object]:
        """One of the controls of `server.Server`: load, fault, requests, ..."""
        answer = self.http.post(f"{self.url}/_control/{what}", content=json.dumps(given, default=_text))
        answer.raise_for_status()
        found: dict[str, object] = answer.json()
        return found

    def load(self, rows: dict[str, list[dict[str, object]]], *, announce: bool = True) -> None:
        """Takes over rows of the books, with events unless told otherwise."""
        self.control("load", rows=rows, announce=announce)

    def fault(self, kind: str, **about: object) -> None:
        """Something to go wrong, see `faults.Fault`."""
        self.control("fault", kind=kind, **about)

    def requests(self) -> list[dict[str, object]]:
        """The requests since the last `forget`."""
        return self.control("requests")["requests"]  # type: ignore[return-value]

    def done(self) -> list[dict[str, object]]:
        """Every write that changed something: method, path and idempotency key."""
        return self.control("done")["done"]  # type: ignore[return-value]

    def object(self, id: str) -> dict[str, object]:
        """An object as it is now."""
        return self.control("object", id=id)["object"]  # type: ignore[return-value]

    def asked(self) -> list[str]:
        """The paths of those requests."""
        return [str(request["path"]) for request in self.requests()]

    def change(self, id: str, *, announce: bool = True, **fields: object) -> None:
        """Fields of an object, documented or not."""
        self.control("change", id=id, fields=fields, announce=announce)


@contextmanager
def running(*arguments: str) -> Iterator[Peer]:
    """A peer that lives as long as the `with` block."""
    command = [sys.executable, "-m", "tests.peers.stripe", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), f"the peer did not start: {line!r}"
        with httpx.Client(timeout=60) as http:
            yield Peer(line.split()[1], http)
    finally:
        process.kill()
        process.wait()


def _text(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(type(value))
