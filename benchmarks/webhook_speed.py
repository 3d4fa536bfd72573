"""Webhooks: from the request to the signal, and a flood of them.

`python -m benchmarks.webhook_speed [ROUNDS] [FLOOD]` prints JSON. `signal`: a draft is changed at the Stripe peer so
that it does not add up, its delivery is posted, and the clock stops when the signal of the whole system pack's
`invoice_arithmetic` can be read from the operational store; `processor_seconds` is what the server worked for it. The
first delivery comes while the server still gathers its copy of the books, as after a restart, and stands apart.
`flood`: that many deliveries about the drafts over sixteen connections; all must be applied, and the server not grow.
"""

from __future__ import annotations

import http.client
import json
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks._webhook_company import Served, resident, served, signed, spent

ROUNDS = 20
FLOOD = 20_000
CONNECTIONS = 16
PATIENCE = 120.0

BUSY = "SELECT 1 FROM jobs WHERE kind = 'event' AND status IN ('queued', 'running')"
APPLIED = "SELECT 1 FROM deliveries WHERE delivery_id = ? AND status = 'applied'"
FOUND = """SELECT 1 FROM signal_entities AS e JOIN signals AS s ON s.id = e.signal_id
           WHERE e.entity_id = ? AND s.rule = 'invoice_arithmetic' LIMIT 1"""


def asked(home: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    """Rows of the operational store."""
    with closing(sqlite3.connect(f"file:{home / 'operational.sqlite'}?mode=ro", uri=True, timeout=60)) as con:
        return con.execute(query, values).fetchall()


def post(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> int:
    """The status of one delivery."""
    connection.request("POST", "/hooks/stripe", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def signal_seconds(place: Served, rounds: int) -> list[tuple[float, float, float]]:
    """Seconds from a delivery to the books and to its signal, and the server's work; each draft is broken once."""
    connection = http.client.HTTPConnection(urlsplit(place.url).netloc, timeout=60)
    took = []
    for number in range(rounds):
        id = f"in_draft_{number}"
        place.peer.change(id, announce=False, subtotal=7, total=9)
        body, headers = signed(f"evt_signal_{number}", id)
        began, worked = time.monotonic(), spent(place.pid)
        assert post(connection, body, headers) == 202
        while not asked(place.home, APPLIED, f"evt_signal_{number}"):
            time.sleep(0.01)
        applied = time.monotonic() - began
        while not asked(place.home, FOUND, id):
            assert time.monotonic() - began < PATIENCE, f"no signal for {id}"
            time.sleep(0.01)
        took.append((applied, time.monotonic() - began, spent(place.pid) - worked))
        while asked(place.home, BUSY):  # the other rules of this draft, so that rounds do not wait for each other
            time.sleep(0.1)
    return took


def flood(place: Served, many: int, rounds: int) -> dict[str, object]:
    """Takes in `many` deliveries at once."""
    before, statuses = resident(place.pid), []  # type: ignore[var-annotated]
    place.peer.control("forget")
    began = time.monotonic()

    def send(part: range) -> None:
        connection = http.client.HTTPConnection(urlsplit(place.url).netloc, timeout=120)
        statuses.extend(post(connection, *signed(f"evt_flood_{n}", f"in_draft_{n % rounds}")) for n in part)

    threads = [threading.Thread(target=send, args=(range(c, many, CONNECTIONS),)) for c in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    accepted = time.monotonic() - began
    while True:
        counted = dict(asked(place.home, "SELECT status, count(*) FROM deliveries GROUP BY 1"))
        if not counted.get("queued") and not counted.get("applying"):
            break
        time.sleep(0.1)
    return {
        "deliveries": many,
        "answered_202": statuses.count(202),
        "accepted_per_second": round(many / accepted),
        "applied": counted.get("applied", 0),
        "failed": counted.get("failed", 0),
        "seconds_until_all_applied": round(time.monotonic() - began, 1),
        "requests_at_stripe": len(place.peer.requests()),
        "server_mib_before": round(before),
        "server_mib_after": round(resident(place.pid)),
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


def main(rounds: int, many: int) -> dict[str, object]:
    """Both, on one serving process."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), rounds + 1) as place:
        (_, after_start, _), *others = signal_seconds(place, rounds + 1)
        applied, seconds, worked = zip(*others, strict=True)
        told = {
            name: {"p50": quantile(found, 0.5), "p99": quantile(found, 0.99)}
            for name, found in (("seconds_to_books", applied), ("seconds", seconds), ("processor_seconds", worked))
        }
        signal = {"rounds": rounds, **told, "seconds_right_after_start": round(after_start, 3)}
        return {"signal": signal, "flood": flood(place, many, rounds + 1)}


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    print(json.dumps(main(*(given + [ROUNDS, FLOOD][len(given) :]))))
