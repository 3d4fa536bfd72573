"""Which usage events the lake holds already, without reading them all at each commit.

Every event is told by source and id. Those that came lately are kept with a hash of their content, all others of the
window only as a hash of their key: who is not among the hashes is new, and who may be is looked up in the lake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import numpy.typing as npt

from store.lake import ALIAS
from store.upsert import literal

Key = tuple[str, str]
Hashes = npt.NDArray[np.uint64]

INTEGRATION = "events"
"""The integration of events that came by HTTP."""

WINDOW = timedelta(days=32)
"""How long an event that is sent again is known (OpenMeter's default). Its event time does not matter for it."""

RECENT = 300_000
"""Events that are kept with their content; beyond them their keys are."""

HASHED = 50_000_000
"""Keys that are kept, at eight bytes each; beyond them the lake is asked every time."""

ARRIVED = "arrived"
"""The relation with the events that are about to be written, registered on the connection."""

_BLOCKS = 8
_KEYS = "source, event_id"
_SAME = "t.source = s.source AND t.event_id = s.event_id"
_OTHER = " OR ".join(f't."{c}" IS DISTINCT FROM s."{c}"' for c in ("event_type", "subject", "value", "properties"))


@dataclass
class KnownEvents:
    """What one process knows of the events in the lake; true of the lake at `snapshot` only."""

    snapshot: int = -1
    until: datetime = datetime(1, 1, 1, tzinfo=UTC)
    contents: dict[Key, int] = field(default_factory=dict)
    """The events that were added here, with a hash of their content. All others were received before `until`."""
    blocks: list[Hashes] | None = None
    """The keys of all others, each block sorted; None where they are too many."""
    added: list[Hashes] = field(default_factory=list)
    """The keys of `contents`."""
    asked: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    """The keys of what arrived last."""

    def catch_up(self, con: duckdb.DuckDBPyConnection, now: datetime) -> None:
        """Makes it true of the lake as the transaction on `con` sees it. Raises duckdb.Error."""
        current = _number(con, f"FROM ducklake_current_snapshot('{ALIAS}')")
        if self.snapshot < 0 or not _untouched(con, self.snapshot, current):
            self._read(con, now)
        self.snapshot = current

    def among(self, con: duckdb.DuckDBPyConnection, now: datetime, arrived: Mapping[Key, int]) -> dict[Key, bool]:
        """The keys that the lake holds of those that arrived with hashes of their content, and whether theirs is
        another one there. Raises duckdb.Error.
        """
        known = {key: self.contents[key] != arrived[key] for key in arrived.keys() & self.contents.keys()}
        self.asked = _hashes(con, ARRIVED)
        if self._may_hold(self.asked):
            known |= _looked_up(con, now - WINDOW, self.until)
        return known

    def committed(self, new: Mapping[Key, int], latest: datetime) -> None:
        """Adds what the next snapshot wrote of what arrived. `latest`: when the last of it was received."""
        self.snapshot += 1
        self.contents.update(new)
        self.added.append(self.asked)
        if len(self.contents) > RECENT:
            self._put_away(latest)

    def _may_hold(self, keys: Hashes) -> bool:
        if self.blocks is None:
            return True
        return any(_any_in(keys, block) for block in self.blocks)

    def _put_away(self, latest: datetime) -> None:
        """Keeps only the keys of what is known with its content."""
        self.until = max(self.until, latest + timedelta(microseconds=1))
        if self.blocks is not None:
            self.blocks.append(np.sort(np.concatenate(self.added)))
            if len(self.blocks) > _BLOCKS:
                self.blocks = [np.sort(np.concatenate(self.blocks))]
            if sum(map(len, self.blocks)) > HASHED:
                self.blocks = None
        self.contents, self.added = {}, []

    def _read(self, con: duckdb.DuckDBPyConnection, now: datetime) -> None:
        """Takes the keys of the window from the lake."""
        self.contents, self.added, self.until = {}, [], _after_all(con, now)
        held = f"{ALIAS}.usage_events WHERE integration = '{INTEGRATION}' AND received_at >= {literal(now - WINDOW)}"
        few = _number(con, f"SELECT count(*) FROM {held}") <= HASHED
        self.blocks = [np.sort(_hashes(con, held))] if few else None


def _hashes(con: duckdb.DuckDBPyConnection, relation: str) -> Hashes:
    return np.asarray(con.execute(f"SELECT hash({_KEYS}) AS key FROM {relation}").fetchnumpy()["key"], np.uint64)


def _any_in(keys: Hashes, block: Hashes) -> bool:
    if not len(block):
        return False
    places = np.minimum(np.searchsorted(block, keys), len(block) - 1)
    return bool((block[places] == keys).any())


def _untouched(con: duckdb.DuckDBPyConnection, since: int, until: int) -> bool:
    """Whether no snapshot after `since` wrote usage events. One that is no longer listed may have."""
    if since == until:
        return True
    catalog = f"__ducklake_metadata_{ALIAS}"
    (table,) = con.execute(
        f"SELECT max(table_id) FROM {catalog}.ducklake_table WHERE table_name = 'usage_events'"
    ).fetchall()[0]
    changes = con.execute(
        f"SELECT changes_made FROM {catalog}.ducklake_snapshot_changes WHERE snapshot_id > {since}"
    ).fetchall()
    touched = {part.rpartition(":")[2] for (made,) in changes for part in str(made).split(",")}
    return len(changes) == until - since and str(table) not in touched


def _looked_up(con: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> dict[Key, bool]:
    """The keys that the lake holds of events received in that time, with whether their content is another."""
    times = f"received_at >= {literal(since)} AND received_at < {literal(until)}"
    held = f"FROM {ALIAS}.usage_events WHERE integration = '{INTEGRATION}' AND {times}"
    keys = f"SELECT {_KEYS} FROM {ARRIVED} s SEMI JOIN (SELECT {_KEYS} {held}) t USING ({_KEYS})"
    if not con.execute(keys).fetchall():
        return {}
    compared = f"SELECT s.source, s.event_id, ({_OTHER}) FROM {ARRIVED} s JOIN (SELECT * {held}) t ON {_SAME}"
    return {(str(source), str(id)): bool(other) for source, id, other in con.execute(compared).fetchall()}


def _after_all(con: duckdb.DuckDBPyConnection, now: datetime) -> datetime:
    """An instant that every event of the lake was received before: now, unless a clock was ahead."""
    row = con.execute(
        f"SELECT max(received_at) FROM {ALIAS}.usage_events WHERE integration = '{INTEGRATION}'"
    ).fetchone()
    latest = row[0] if row else None
    return now if latest is None else max(now, latest.replace(tzinfo=UTC) + timedelta(microseconds=1))


def _number(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    return int(row[0]) if row else 0
