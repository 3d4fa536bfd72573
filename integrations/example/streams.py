"""Usage events as columns: one stream per customer and meter, its events in arrays sorted by time.

Times are microseconds since 1970 in UTC, values thousandths of the meter's unit: both exact in 64-bit integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

VALUE_PLACES = 3
ACCEPTED, REJECTED, INVALID, REFUSED, UNREADABLE = 0, 1, 2, 3, 4
STATUSES = ("accepted", "rejected", "invalid", "rejected", "invalid")
"""The last two are those of events that never came in otherwise."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_ALL_BITS = 2**64 - 1


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    return (instant - _EPOCH) // _TICK


def from_micros(micros: int) -> datetime:
    """The instant, in UTC."""
    return _EPOCH + timedelta(microseconds=int(micros))


@dataclass(frozen=True)
class Events:
    """Columns of equal length: when, how much, when received, status, id key, properties and subject by number."""

    times: Integers
    values: Integers
    received: Integers
    status: Integers
    keys: Integers
    properties: Integers
    subjects: Integers

    def __len__(self) -> int:
        return len(self.times)

    def where(self, mask: Mask | Integers) -> Events:
        """The events that the mask or the positions choose."""
        return Events(*(column[mask] for column in self.columns))

    @property
    def columns(self) -> tuple[Integers, ...]:
        """All columns, in the order of the fields."""
        return (self.times, self.values, self.received, self.status, self.keys, self.properties, self.subjects)


@dataclass
class Stream:
    """The events of one customer for one meter, all from one source."""

    number: int
    customer_id: str
    meter_id: str
    event_type: str
    aggregation: str
    source: str
    salt: int
    events: Events
    issued: int = 0  # id keys handed out so far

    def within(self, start: datetime, end: datetime) -> slice:
        """The positions of the events whose time lies in [start, end)."""
        low, high = np.searchsorted(self.events.times, [to_micros(start), to_micros(end)])
        return slice(int(low), int(high))

    def accepted_within(self, start: datetime, end: datetime) -> Integers:
        """The positions of the accepted events in [start, end)."""
        window = self.within(start, end)
        first: Integers = np.flatnonzero(self.events.status[window] == ACCEPTED) + window.start
        return first

    def quantity(self, start: datetime, end: datetime, known_by: datetime | None = None) -> Decimal:
        """The meter's aggregate over the accepted events in [start, end), of those received by `known_by` if given."""
        chosen = self.accepted_within(start, end)
        if known_by is not None:
            chosen = chosen[self.events.received[chosen] <= to_micros(known_by)]
        return aggregate(self.aggregation, self.events.values[chosen])

    def quantity_without(self, start: datetime, end: datetime, left_out: Integers) -> Decimal:
        """The aggregate over [start, end) as if the events at those positions did not exist."""
        chosen = np.setdiff1d(self.accepted_within(start, end), left_out)
        return aggregate(self.aggregation, self.events.values[chosen])

    def add(self, more: Events) -> None:
        """Put events into their places by time."""
        columns = (np.concatenate(pair) for pair in zip(self.events.columns, more.columns, strict=True))
        merged = Events(*columns)
        self.events = merged.where(np.argsort(merged.times, kind="stable"))

    def drop(self, positions: Integers) -> None:
        """Take events away."""
        keep = np.ones(len(self.events), dtype=bool)
        keep[positions] = False
        self.events = self.events.where(keep)

    def drop_refused(self, start: datetime, end: datetime) -> None:
        """Take away the refused deliveries of events in [start, end), whose accepted ones are about to change."""
        window = self.within(start, end)
        self.drop(np.flatnonzero(self.events.status[window] != ACCEPTED) + window.start)

    def part(self, positions: Integers, number: int, owner: str) -> Stream:
        """Take events out into a stream of their own, which no item charges. `owner` is any name no customer has."""
        part = replace(self, number=number, customer_id=owner, events=self.events.where(positions), issued=0)
        self.drop(positions)
        return part

    def put(self, positions: Integers, **columns: Integers) -> None:
        """Change columns of the events at those positions, for example `values=...` or `received=...`."""
        changed = {}
        for name, values in columns.items():
            column = getattr(self.events, name).copy()
            column[positions] = values
            changed[name] = column
        self.events = replace(self.events, **changed)

    def new_keys(self, count: int) -> Integers:
        """Keys of new events, unlike every other of any stream."""
        first = self.issued
        self.issued += count
        return keys_of(self.salt, self.number, first, count)

    def event_ids(self, positions: Integers) -> list[str]:
        """The ids of the events at those positions."""
        return [event_id(int(key)) for key in self.events.keys[positions]]


def aggregate(aggregation: str, values: Integers) -> Decimal:
    """What thousandths add up to, in units."""
    match aggregation:
        case "sum":
            return Decimal(int(values.sum())).scaleb(-VALUE_PLACES)
        case "max":
            return Decimal(int(values.max()) if len(values) else 0).scaleb(-VALUE_PLACES)
        case "unique_count":
            return Decimal(len(np.unique(values)))
        case _:
            return Decimal(len(values))


def keys_of(salt: int, stream: int, first: int, count: int) -> Integers:
    """`count` keys that no other stream or number of one salt has: splitmix64 of their number, which is a bijection."""
    numbers = (np.uint64(stream) << np.uint64(32)) + np.arange(first, first + count, dtype=np.uint64)
    numbers ^= np.uint64(salt)
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))).view(np.int64)


def event_id(key: int) -> str:
    """The id of the event with that key, as `integrations.example.files` writes it."""
    return f"evt_{key & _ALL_BITS:016x}"
