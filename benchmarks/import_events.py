"""Importing five million usage events, beside a plain DuckDB copy of the same file into parquet.

`python -m benchmarks.import_events [EVENTS]` prints seconds and ratios as JSON. An import makes an empty lake, reads
and checks the file and commits it; the plain copy is `COPY (FROM file) TO 'x.parquet'` by the same DuckDB. Both are
done several times in turn and the shortest counts. The aim is a ratio of 3 at most for parquet; text formats are
measured with a fifth of the events.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from integrations import files
from store.warehouse import Warehouse

EVENTS = 5_000_000
ROUNDS = 3
AIM = 3.0
NOW = datetime(2026, 9, 1, tzinfo=UTC)

_READERS = {
    "parquet": "read_parquet('{}')",
    "csv": "read_csv('{}')",
    "jsonl": "read_json('{}', format = 'newline_delimited')",
}
_INSTANT = "strftime({0}, '%Y-%m-%dT%H:%M:%S.%fZ') AS {0}"


def write_events(path: Path, events: int) -> None:
    """A file of events spread over 90 days, 3,000 subjects and four event types, in the format that its name says."""
    made = f"""
        SELECT 'ev_' || lpad(i::VARCHAR, 9, '0') AS event_id, 'product/' || (i % 4) AS source,
               ['api.request', 'storage.gb', 'seat.active', 'tokens'][1 + i % 4] AS event_type,
               'sub_' || (hash(i) % 3000) AS subject,
               TIMESTAMP '2026-06-01' + to_microseconds(i * (7776000000000 // {events})) AS time,
               (hash(i * 7) % 100000 / 100)::DECIMAL(27, 9) AS value,
               '{{"region":"' || ['eu', 'us', 'ap'][(1 + hash(i * 3) % 3)::INT] || '","model":"m' || (hash(i * 5) % 20)
               || '"}}' AS properties,
               time + to_microseconds((hash(i * 11) % 60000000)::BIGINT) AS received_at, 'accepted' AS status
        FROM range({events}) numbers(i)"""
    text = f"SELECT * REPLACE ({_INSTANT.format('time')}, {_INSTANT.format('received_at')}) FROM ({made})"
    as_json = "SELECT * REPLACE (properties::JSON AS properties) FROM"
    selected = {"parquet": made, "csv": text, "jsonl": f"{as_json} ({text})"}[path.suffix[1:]]
    duckdb.execute(f"COPY ({selected}) TO '{path}' (FORMAT {path.suffix[1:].replace('jsonl', 'json')})")


def plain_copy(source: Path, scratch: Path) -> None:
    """What DuckDB alone needs to read the file and write it as parquet."""
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false")
    con.execute(f"COPY (FROM {_READERS[source.suffix[1:]].format(source)}) TO '{scratch / 'copy.parquet'}'")


def in_memory(source: Path, scratch: Path) -> None:
    """What DuckDB alone needs to read the file into a table in memory."""
    duckdb.connect().execute(f"CREATE TABLE events AS FROM {_READERS[source.suffix[1:]].format(source)}")


def imported(source: Path, scratch: Path) -> None:
    """What `trueup import` does with the folder of the file."""
    warehouse = Warehouse(f"sqlite:{scratch}/catalog.sqlite", scratch / "data")
    warehouse.create()
    with closing(warehouse.connect()) as con:
        staged = files.read(source.parent, con)
        assert not staged.problems
        warehouse.upsert(con, staged.tables, version_at=NOW, distinct=True)
    warehouse.close()


def seconds(work: Callable[[Path, Path], None], source: Path) -> tuple[float, float]:
    """How long it takes in an empty folder: by the clock, and of the processors together."""
    with tempfile.TemporaryDirectory(dir=source.parent.parent) as scratch:
        clock, processors = time.perf_counter(), time.process_time()
        work(source, Path(scratch))
        return time.perf_counter() - clock, time.process_time() - processors


def measure(folder: Path, extension: str, events: int) -> dict[str, object]:
    """Both ways in turn on one format, the shortest of each, and their ratio."""
    source = folder / extension / f"usage_events.{extension}"
    source.parent.mkdir()
    write_events(source, events)
    taken = [
        {work.__name__: seconds(work, source) for work in (plain_copy, in_memory, imported)} for _ in range(ROUNDS)
    ]
    clock = {name: min(turn[name][0] for turn in taken) for name in taken[0]}
    processors = {name: min(turn[name][1] for turn in taken) for name in taken[0]}
    size = source.stat().st_size
    shutil.rmtree(source.parent)
    return {
        "events": events,
        "megabytes": round(size / 1e6, 1),
        "seconds": {name: round(value, 2) for name, value in clock.items()},
        "processor_seconds": {name: round(value, 2) for name, value in processors.items()},
        "ratio": round(clock["imported"] / clock["plain_copy"], 2),
        "processor_ratio": round(processors["imported"] / processors["plain_copy"], 2),
    }


def main(events: int) -> None:
    """Measures parquet with all events, the text formats with a fifth of them."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"parquet": events, "csv": events // 5, "jsonl": events // 5}
        formats = {extension: measure(Path(folder), extension, size) for extension, size in sizes.items()}
    ratio = formats["parquet"]["ratio"]
    print(json.dumps({"reference": "COPY (FROM file) TO parquet", "ratio": ratio, "aim": AIM, "formats": formats}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
