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
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from billing.cloud_events import Reads, Usage, path_of
from store.lake import ALIAS
from store.rows import json_text
from store.upsert import literal, utc
from store.warehouse import Warehouse

INTEGRATION = "events"
"""The integration of events that came by HTTP."""

WINDOW = timedelta(days=32)
"""How long an event that is sent again is known (OpenMeter's default). Its event time does not matter for it."""

RECENT = 300_000
"""Keys that are kept in memory; beyond them the lake is asked."""

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
_SAME = "t.source = s.source AND t.event_id = s.event_id"
_OTHER = " OR ".join(f't."{c}" IS DISTINCT FROM s."{c}"' for c in ("event_type", "subject", "value", "properties"))


@dataclass(frozen=True)
class Taken:
    """What became of the events of one request. `conflicts`: known with other content, which stays."""

    accepted: int
    duplicates: int
    conflicts: tuple[str, ...] = ()


@dataclass
class _Recent:
    """The keys of events received since `since`, with a hash of their content: true of the lake at `snapshot` only.

    With it a commit need not read the many small files that the commits before it left. Whoever else writes makes a
    snapshot of their own, after which the lake is asked for everything again.
    """

    since: datetime
    snapshot: int
    keys: dict[tuple[str, str], int] = field(default_factory=dict)


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
    _recent: _Recent | None = None
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
        first: dict[tuple[str, str], tuple[Usage, datetime]] = {}
        for batch in batches:
            for event in batch.events:
                first.setdefault((event.source, event.id), (event, batch.received_at))
        if not first:
            return [Taken(0, 0) for _ in batches]
        now = self.clock()
        with closing(self.warehouse.connect()) as con:
            con.register("arrived", _table(list(first.values())))
            contents = {key: _hash(event) for key, (event, _) in first.items()}
            known, recent = self.warehouse.alone(con, lambda: self._insert(con, now, contents))
        self._recent = recent if len(recent.keys) <= RECENT else None
        return [_taken(batch, first, known) for batch in batches]

    def _insert(
        self, con: duckdb.DuckDBPyConnection, now: datetime, contents: Mapping[tuple[str, str], int]
    ) -> tuple[dict[tuple[str, str], bool], _Recent]:
        """Inserts what is new. The keys that were known, with whether their content was another, and what is recent."""
        row = con.execute(f"FROM ducklake_current_snapshot('{ALIAS}')").fetchone()
        snapshot = int(row[0]) if row else 0
        recent = self._recent
        if recent is None or recent.snapshot != snapshot:
            recent = _Recent(_after_all(con, now), snapshot)
        known = _known(con, now - WINDOW, recent.since)
        known |= {key: recent.keys[key] != content for key, content in contents.items() if key in recent.keys}
        new = {key: content for key, content in contents.items() if key not in known}
        if not new:
            return known, recent
        if known:
            listed = pa.table(
                {"source": [key[0] for key in known], "event_id": [key[1] for key in known]}, schema=_KEYS
            )
            con.register("known_ids", listed)
        chosen = "arrived s ANTI JOIN known_ids t USING (source, event_id)" if known else "arrived"
        at = literal(now)
        columns = f"{_NAMES}, synced_at, version_at"
        con.execute(f"INSERT INTO {ALIAS}.usage_events ({columns}) SELECT {_NAMES}, {at}, {at} FROM {chosen}")
        return known, _Recent(recent.since, snapshot + 1, recent.keys | new)


_KEYS = pa.schema([("source", pa.string()), ("event_id", pa.string())])


def _after_all(con: duckdb.DuckDBPyConnection, now: datetime) -> datetime:
    """An instant that every event of the lake was received before: now, unless a clock was ahead."""
    row = con.execute(
        f"SELECT max(received_at) FROM {ALIAS}.usage_events WHERE integration = '{INTEGRATION}'"
    ).fetchone()
    latest = row[0] if row else None
    return now if latest is None else max(now, latest.replace(tzinfo=UTC) + timedelta(microseconds=1))


def _known(con: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> dict[tuple[str, str], bool]:
    """The keys that the lake holds of events received in that time, with whether their content is another."""
    times = f"received_at >= {literal(since)} AND received_at < {literal(until)}"
    held = f"FROM {ALIAS}.usage_events WHERE integration = '{INTEGRATION}' AND {times}"
    keys = (
        f"SELECT source, event_id FROM arrived s SEMI JOIN (SELECT source, event_id {held}) t USING (source, event_id)"
    )
    if not con.execute(keys).fetchall():
        return {}
    compared = f"SELECT s.source, s.event_id, ({_OTHER}) FROM arrived s JOIN (SELECT * {held}) t ON {_SAME}"
    return {(str(source), str(id)): bool(other) for source, id, other in con.execute(compared).fetchall()}


def _table(arrived: Sequence[tuple[Usage, datetime]]) -> pa.Table:
    """The events as the lake holds them. Their instants are UTC already (billing.cloud_events)."""
    events, received = zip(*arrived, strict=True) if arrived else ((), ())
    naive = {at: utc(at) for at in set(received)}
    columns: list[Sequence[object]] = [
        [INTEGRATION] * len(events),
        [event.id for event in events],
        [event.source for event in events],
        [event.type for event in events],
        [event.subject for event in events],
        [event.time.replace(tzinfo=None) for event in events],
        [event.value for event in events],
        [None if event.data is None else json_text(event.data) for event in events],
        [naive[at] for at in received],
        ["invalid" if event.flaws else "accepted" for event in events],
        [event.error if event.flaws else None for event in events],
    ]
    return pa.table([pa.array(c, type=f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA)


def _taken(
    batch: _Batch, first: dict[tuple[str, str], tuple[Usage, datetime]], known: dict[tuple[str, str], bool]
) -> Taken:
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


def _hash(event: Usage) -> int:
    return hash((event.type, event.subject, event.value, None if event.data is None else json_text(event.data)))


def _content(event: Usage) -> tuple[object, ...]:
    return event.type, event.subject, event.value, event.data
