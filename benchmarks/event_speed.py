"""Usage events by HTTP: events per second, beside a bare Flask endpoint that only parses the same JSON.

`python -m benchmarks.event_speed [SECONDS] [HELD]` prints JSON; HELD events of the last 20 days lie in the lake before.
Server and sender are two processes on this machine; the
sender keeps sixteen connections busy, each event is new; the first request, which opens the lake, is not
counted. Ours authenticates, checks every event, looks for duplicates,
and answers when the events are in a Parquet file of a committed snapshot. The aims are 10,000 events a second, which
Lago's guide states for its batch endpoint, and half of what the bare endpoint takes in.
"""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import waitress
from flask import Flask, Response, request

from detector.live_rules import LiveRules
from store import operational
from store.warehouse import Warehouse
from web import create_app

SECONDS = 8.0
CONNECTIONS = 16
MOST = 100_000
"""Events a second that bodies are made for."""
TOKEN = "bench"
METER = {
    "meter_id": "t",
    "name": "Tokens",
    "event_type": "llm.tokens",
    "aggregation": "sum",
    "value_property": "$.tokens",
}


def bare() -> Flask:
    """An endpoint that parses and does nothing else."""
    app = Flask("bare")

    @app.post("/api/v1/events")
    def take() -> Response:
        return Response(json.dumps({"accepted": len(json.loads(request.get_data()))}), 202, mimetype="application/json")

    return app


HELD = """
    INSERT INTO books.usage_events (integration, event_id, source, event_type, subject, time, value, properties,
        received_at, status, synced_at, version_at)
    SELECT 'events', md5(CAST(n AS VARCHAR)), '/gateway/eu-1', 'llm.tokens', 'customer-' || n % 500,
        came, n, '{"tokens":1}', came, 'accepted', came, came
    FROM (SELECT n, CAST(now() AS TIMESTAMP) - INTERVAL 20 DAY * (1 - n / ?) AS came FROM range(?) AS events (n))"""


def ours(folder: Path, held: int) -> Flask:
    """The console on a fresh home with one meter, and events that came before."""
    warehouse = Warehouse(f"sqlite:{folder / 'catalog.sqlite'}", folder / "files")
    warehouse.create()
    warehouse.upsert_rows({"meters": [METER]}, integration="bench", version_at=datetime.now(UTC))
    with closing(warehouse.connect()) as con:
        con.execute(HELD, [held, held])
    engine = operational.open(f"sqlite:///{folder / 'operational.sqlite'}")
    operational.migrate(engine)
    clock = lambda: datetime.now(UTC)  # noqa: E731
    return create_app(engine=engine, warehouse=warehouse, rules=LiveRules([], engine), clock=clock, events_token=TOKEN)


def serve(kind: str, folder: str, held: int, say: Connection) -> None:
    """A server process."""
    app = bare() if kind == "bare" else ours(Path(folder), held)
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=CONNECTIONS)
    say.send(server.effective_port)
    server.run()


def send(port: int, bodies: Iterable[bytes], until: float, size: int, counted: list[int]) -> None:
    """One connection that sends its bodies until the time is up."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/cloudevents-batch+json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies:
        if time.monotonic() > until:
            break
        connection.request("POST", "/api/v1/events", body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert answer.status == 202, told
        assert told["accepted"] == size, told
        counted.append(size)


def batches(size: int, most: int, seed: str) -> list[bytes]:
    """Bodies of events that differ in id, customer and number."""
    made = []
    for batch in range(most):
        events = [
            {
                "specversion": "1.0",
                "id": f"{seed}-{batch}-{n}",
                "source": "/gateway/eu-1",
                "type": "llm.tokens",
                "subject": f"customer-{n % 500}",
                "time": "2026-11-20T10:00:00.123Z",
                "data": {"tokens": batch * size + n, "model": "large", "kind": "input"},
            }
            for n in range(size)
        ]
        made.append(json.dumps(events, separators=(",", ":")).encode())
    return made


def measured(kind: str, size: int, seconds: float, held: int = 0) -> dict[str, float]:
    """Events per second over a run."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=serve, args=(kind, folder, held, there))
        process.start()
        port = here.recv()
        bodies = [batches(size, int(MOST * seconds / CONNECTIONS / size) + 1, f"{c}") for c in range(CONNECTIONS)]
        counted: list[int] = []
        send(port, batches(size, 1, "warm"), time.monotonic() + 60, size, [])
        began = time.monotonic()
        until = began + seconds
        before = spent(process.pid or 0)
        given = [itertools.cycle(b) if kind == "bare" else b for b in bodies]  # the bare one does not mind repetition
        threads = [threading.Thread(target=send, args=(port, b, until, size, counted)) for b in given]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took, processor = time.monotonic() - began, spent(process.pid or 0) - before
        process.terminate()
        process.join()
    total = sum(counted)
    rates = {"per_second": round(total / took), "per_processor_second": round(total / processor)}
    return {"events": total, "seconds": round(took, 2), "processor_seconds": round(processor, 2), **rates}


def spent(pid: int) -> float:
    """The processor seconds of a process so far: they hardly depend on what else the machine does."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(seconds: float, held: int) -> dict[str, object]:
    """Both endpoints at both batch sizes."""
    found: dict[str, object] = {"held": held, "aim_per_second": 10_000, "aim_of_bare": 0.5}
    for size in (100, 1000):
        reference, own = measured("bare", size, seconds), measured("ours", size, seconds, held)
        shares = {name: round(own[name] / reference[name], 3) for name in ("per_second", "per_processor_second")}
        found[f"batches of {size}"] = {"bare": reference, "ours": own, "of_bare": shares}
    return found


if __name__ == "__main__":
    given = sys.argv[1:]
    print(json.dumps(main(float(given[0]) if given else SECONDS, int(given[1]) if len(given) > 1 else 0)))
