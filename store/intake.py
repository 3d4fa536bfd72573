"""Usage events that come in one request at a time, written many requests at once.

Every request waits until its events are stored. While one transaction is written the next requests gather, and go into
the one after it together: the first of them writes for all. Events are told by source and id; the check against what
is stored and the write are one transaction, under the lake's lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import pyarrow as pa

from billing.cloud_events import Reads, Usage, path_of
from store.known_events import ARRIVED, INTEGRATION, Key, KnownEvents
from store.lake import ALIAS
from store.upsert import literal, utc
from store.warehouse import Warehouse

PATIENCE = 0.1
"""Seconds, at most, that a commit waits for as much company as the last ones had; never more than half of what the last
took. Those that were just answered send again."""

METERS_KEPT = 5.0
"""Seconds for which the meters are not read again."""

_SCHEMA = pa.schema(
    [
        ("integration", pa.string()),
        ("event_id", pa.string()),
        ("source", pa.string()),
        ("event_type", pa.string()),
        ("subject", pa.string()),
        ("time", pa.timestamp("us")),
        ("value", pa.decimal128(27, 9)),
        ("properties", pa.string()),
        ("received_at", pa.timestamp("us")),
        ("status", pa.string()),
        ("error", pa.string()),
    ]
)
_NAMES = ", ".join(f'"{name}"' for name in _SCHEMA.names)
_KEYS = pa.schema([("source", pa.string()), ("event_id", pa.string())])


@dataclass(frozen=True)
class Taken:
    """What became of the events of one request. `conflicts`: known with other content, which stays."""

    accepted: int
    duplicates: int
    conflicts: tuple[str, ...] = ()


@dataclass
class _Batch:
    events: Sequence[Usage]
    received_at: datetime
    taken: Taken | None = None
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether the batch was stored, or refused."""
        return self.taken is not None or self.error is not None


@dataclass
class Intake:
    """The way in for usage events of one process. Safe for all its threads; other processes may have theirs."""

    warehouse: Warehouse
    clock: Callable[[], datetime]
    _gathering: list[_Batch] = field(default_factory=list)
    _gate: threading.Condition = field(default_factory=threading.Condition)
    _writing: bool = False
    _usual: int = 1  # batches of a commit lately
    _took: float = 0.0  # seconds that the last commit took
    _known: KnownEvents = field(default_factory=KnownEvents)
    _reads: tuple[float, Reads] = (float("-inf"), {})

    def reads(self) -> Reads:
        """From where the meters of the books read the number of an event, by its type."""
        at, known = self._reads
        if time.monotonic() - at > METERS_KEPT:
            with closing(self.warehouse.connect()) as con:
                rows = con.execute(
                    f"SELECT event_type, min(value_property) FROM {ALIAS}.meters WHERE value_property IS NOT NULL "
                    "AND aggregation NOT IN ('count', 'unique_count') GROUP BY event_type"
                ).fetchall()
            known = {str(kind): path_of(str(path)) for kind, path in rows}
            self._reads = (time.monotonic(), known)
        return known

    def add(self, events: Sequence[Usage], received_at: datetime) -> Taken:
        """Stores events, and returns when they are on disk. Raises LakeError, duckdb.Error: then none of them is."""
        batch = _Batch(events, received_at)
        with self._gate:
            self._gathering.append(batch)
            self._gate.notify_all()
            self._gate.wait_for(lambda: batch.done or not self._writing)
            leads = not batch.done
            self._writing = self._writing or leads
        if leads:
            self._write(self._gathered())
            with self._gate:
                self._writing = False
                self._gate.notify_all()
        if batch.error is not None:
            raise batch.error
        assert batch.taken is not None
        return batch.taken

    def invalid(self, most: int = 100) -> list[dict[str, object]]:
        """The latest events that were refused, with their reasons."""
        names = ("event_id", "source", "event_type", "subject", "received_at", "error")
        with closing(self.warehouse.connect(read_only=True)) as con:
            rows = con.execute(
                f"SELECT {', '.join(names)} FROM {ALIAS}.usage_events WHERE status <> 'accepted' AND integration = ? "
                "ORDER BY received_at DESC, event_id LIMIT ?",
                [INTEGRATION, most],
            ).fetchall()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _gathered(self) -> list[_Batch]:
        """All that wait for a commit, once they are as many as usual or their patience is over."""
        with self._gate:
            self._gate.wait_for(lambda: len(self._gathering) >= self._usual, min(PATIENCE, self._took / 2))
            together, self._gathering = self._gathering, []
        self._usual = max(len(together), self._usual * 3 // 4)
        return together

    def _write(self, batches: Sequence[_Batch]) -> None:
        began = time.monotonic()
        try:
            counted = self._stored(batches)
        except BaseException as error:
            for batch in batches:
                batch.error = error
            return
        self._took = time.monotonic() - began
        for batch, taken in zip(batches, counted, strict=True):
            batch.taken = taken

    def _stored(self, batches: Sequence[_Batch]) -> list[Taken]:
        """One transaction for all batches. Of one key the first stays, also within and across them."""
        first: dict[Key, tuple[Usage, datetime]] = {}
        for batch in batches:
            for event in batch.events:
                first.setdefault((event.source, event.id), (event, batch.received_at))
        if not first:
            return [Taken(0, 0) for _ in batches]
        contents = {key: hash(_content(event)) for key, (event, _) in first.items()}
        with closing(self.warehouse.connect()) as con:
            con.register(ARRIVED, _table(list(first.values())))
            now = self.clock()
            known = self.warehouse.alone(con, lambda: self._insert(con, now, contents))
        if len(known) < len(contents):
            new = {key: content for key, content in contents.items() if key not in known} if known else contents
            self._known.committed(new, max(batch.received_at for batch in batches))
        return [_taken(batch, first, known) for batch in batches]

    def _insert(self, con: duckdb.DuckDBPyConnection, now: datetime, contents: Mapping[Key, int]) -> dict[Key, bool]:
        """Inserts what is new. The keys that were known, with whether their content was another."""
        self._known.catch_up(con, now)
        known = self._known.among(con, now, contents)
        if len(known) == len(contents):
            return known
        chosen = ARRIVED
        if known:
            sources, ids = zip(*known, strict=True)
            con.register("known_ids", pa.table({"source": sources, "event_id": ids}, schema=_KEYS))
            chosen = f"{ARRIVED} ANTI JOIN known_ids USING (source, event_id)"
        at = literal(now)
        columns = f"{_NAMES}, synced_at, version_at"
        con.execute(f"INSERT INTO {ALIAS}.usage_events ({columns}) SELECT {_NAMES}, {at}, {at} FROM {chosen}")
        return known


def _table(arrived: Sequence[tuple[Usage, datetime]]) -> pa.Table:
    """The events as the lake holds them. Their instants are UTC already (billing.cloud_events)."""
    events, received = zip(*arrived, strict=True)
    ids, sources, types, subjects, times, values, properties, flaws = zip(*events, strict=True)
    naive = {at: utc(at) for at in set(received)}
    odd = any(flaws)
    columns: list[Sequence[object] | pa.Array] = [
        pa.repeat(INTEGRATION, len(events)),
        ids,
        sources,
        types,
        subjects,
        pa.array(times, pa.timestamp("us", "UTC")).cast(pa.timestamp("us")),
        values,
        properties,
        [naive[at] for at in received],
        ["invalid" if each else "accepted" for each in flaws] if odd else pa.repeat("accepted", len(events)),
        [event.error for event in events] if odd else pa.nulls(len(events), pa.string()),
    ]
    made = [c if isinstance(c, pa.Array) else pa.array(c, type=f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
    return pa.table(made, schema=_SCHEMA)


def _taken(batch: _Batch, first: Mapping[Key, tuple[Usage, datetime]], known: Mapping[Key, bool]) -> Taken:
    accepted = duplicates = 0
    conflicts = []
    for event in batch.events:
        key = (event.source, event.id)
        kept = first[key][0]
        if key not in known and kept is event:
            accepted += not event.flaws
            continue
        duplicates += 1
        if known.get(key) or (kept is not event and _content(kept) != _content(event)):
            conflicts.append(f"{event.source}/{event.id}")
    return Taken(accepted, duplicates, tuple(conflicts[:100]))


def _content(event: Usage) -> tuple[object, ...]:
    return event.type, event.subject, event.value, event.properties
