"""Keeping up with a Stripe account: read all of it once, then what its events name and what may change unannounced.

Stripe's lists know no "changed since". So a first (or full) reading walks every list by creation; later ones read the
events since the last, ask for their objects again, and re-read the open set: subscriptions that have not ended, drafts
and open invoices. Cursors: `backfill` says how far the walk is, `events` from where events are read next.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from integrations.pages import Lookup, Page
from integrations.stripe.api import Listing
from integrations.stripe.changes import AT_ONCE, changed_pages, changes, events_since
from integrations.stripe.objects import Object, merged
from integrations.stripe.reader import EXPAND, Products, Reader

WALK = (
    "prices",
    "billing/meters",
    "customers",
    "billing/credit_grants",
    "subscriptions",
    "subscription_schedules",
    "invoices",
    "credit_notes",
    "invoice_payments",
    "payment_intents",
)
"""The lists of a full reading, in order: what others refer to comes first."""

ONLY: Mapping[str, Mapping[str, Any]] = {
    "subscriptions": {"status": "all"},
    "subscription_schedules": {"scheduled": True},  # the others come with their subscriptions
}
"""What a list must be asked so that it leaves nothing out that is wanted."""

UNDATED = frozenset({"billing/meters", "billing/credit_grants"})
"""Lists that cannot be asked for a span of time: they are short."""

OPEN_SET: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("subscriptions", {}),  # without a status Stripe lists those that have not been canceled
    ("invoices", {"status": "draft"}),
    ("invoices", {"status": "open"}),
)

OVERLAP = timedelta(minutes=5)
"""Events may show up late and clocks differ: each reading of events begins this much earlier than the last ended."""

EVENTS_KEPT = timedelta(days=29)
"""Stripe promises 30 days; a cursor older than this calls for a full reading."""

LISTINGS_PER_PAGE = 5
"""Pages of Stripe's lists in one of ours."""


@dataclass(frozen=True)
class Walk:
    """How far a full reading is: it began at `since` (seconds since 1970) and stored `stream` up to object `after`."""

    since: int
    stream: str | None = None
    after: str | None = None

    @property
    def done(self) -> bool:
        """Whether every stream was read."""
        return self.stream is None

    @classmethod
    def parse(cls, text: str | None) -> Walk | None:
        """The walk that a cursor keeps; None where none was begun."""
        return None if text is None else cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps({name: value for name, value in vars(self).items() if value is not None})


@dataclass(frozen=True)
class Events:
    """From where events are read next (seconds since 1970), and the newest event read so far."""

    since: int
    newest: str | None = None

    @classmethod
    def parse(cls, text: str | None) -> Events | None:
        """The place among the events that a cursor keeps; None where there is none."""
        return None if text is None else cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(vars(self))


def pull(reader: Reader, cursor: Lookup, *, full: bool, now: datetime) -> Iterator[Page]:
    """Pages of what changed since the stored cursors; of everything when `full`, at first, and after a long silence.

    A full reading that was cut short is taken up where it stopped. Raises SourceError.
    """
    oldest = (now - EVENTS_KEPT).timestamp()
    walk, events = Walk.parse(cursor("backfill")), Events.parse(cursor("events"))
    if walk and walk.stream in WALK and walk.since > oldest:
        events = yield from backfill(reader, walk)
    elif full or walk is None or events is None or events.since <= oldest:
        events = yield from backfill(reader, None)
    else:
        yield from follow(reader, events)
        yield from open_set(reader)
        return
    yield from follow(reader, events)


def backfill(reader: Reader, walk: Walk | None) -> Generator[Page, None, Events]:
    """Every list, from where `walk` stopped; returns from where events are to be read."""
    start = WALK.index(walk.stream) if walk and walk.stream else 0
    for place, stream in enumerate(WALK[start:], start):
        after = walk.after if walk and walk.stream == stream and stream != "prices" else None
        following = WALK[place + 1] if place + 1 < len(WALK) else None
        for page, last in _list(reader, stream, after):
            walk = walk or Walk(int(page.version_at.timestamp()), stream)
            walk = replace(walk, stream=stream, after=last) if last else replace(walk, stream=following, after=None)
            done = {"events": str(_events_from(walk))} if walk.done else {}
            yield replace(page, cursors={"backfill": str(walk), **done})
    assert walk is not None
    return _events_from(walk)


def window(reader: Reader, start: datetime, end: datetime | None) -> Iterator[Page]:
    """What was created from `start` until `end`, and what the events of that time name, as far as they are kept."""
    first, last = int(start.timestamp()), None if end is None else int(end.timestamp())
    span = {"gte": first} | ({} if last is None else {"lt": last})
    for stream in WALK:
        created = {} if stream in UNDATED else {"created": span}
        for page, _ in _list(reader, stream, None, **created):
            yield page
    named = [event for listed, _ in events_since(reader.api, first) for event in listed]
    pending = changes(event for event in named if last is None or event["created"] < last)
    for place in range(0, len(pending), AT_ONCE):
        yield from changed_pages(reader, pending[place : place + AT_ONCE])


def _events_from(walk: Walk) -> Events:
    return Events(walk.since - int(OVERLAP.total_seconds()))


def _list(reader: Reader, stream: str, after: str | None, **only: Any) -> Iterator[tuple[Page, str | None]]:
    """Pages of one list, each with the id to go on after; None with the last page.

    The list of prices ends with the plans that they make up, so it is always walked from its beginning.
    """
    noted = Products(reader)
    asked = {**_asked(stream), **ONLY.get(stream, {}), **only}
    for listings in _together(reader.api.pages(stream, after=after, **asked)):
        objects = [thing for listing in listings for thing in listing.objects]
        rows, remarks = reader.read_with_ledgers(stream, objects)
        last = str(objects[-1]["id"]) if listings[-1].more and objects else None
        if stream == "prices":
            noted.add(objects)
            if last is None:
                plans, more = noted.plans()
                rows, remarks = merged(rows, plans), remarks + more
        yield Page(stream, rows, listings[0].at, remarks=remarks), last


def _together(listings: Iterator[Listing]) -> Iterator[list[Listing]]:
    """The listings a few at a time: storing 500 objects at once costs little more than storing 100."""
    while chunk := list(islice(listings, LISTINGS_PER_PAGE)):
        yield chunk


def _asked(stream: str) -> dict[str, Any]:
    return {"expand": [f"data.{field}" for field in EXPAND.get(stream, ())]}


def open_set(reader: Reader) -> Iterator[Page]:
    """What may change without an event, or whose event is late: subscriptions in service, drafts and open invoices."""
    for stream, only in OPEN_SET:
        for listings in _together(reader.api.pages(stream, **_asked(stream), **only)):
            rows, remarks = reader.read(stream, (thing for listing in listings for thing in listing.objects))
            yield Page(stream, rows, listings[0].at, remarks=remarks)


def follow(reader: Reader, since: Events) -> Iterator[Page]:
    """The current content of everything that events since then name.

    The cursor moves when there are new events or the old ones have been read twice, so that a quiet account changes
    nothing, and once a day, so that it does not grow too old.
    """
    found: dict[str, Object] = {}
    at = None
    for listed, answered in events_since(reader.api, since.since):
        found |= {str(event["id"]): event for event in listed}
        at = at or answered
    assert at is not None
    settled = int((at - OVERLAP).timestamp())
    pending = changes(found.values())
    for first in range(0, len(pending), AT_ONCE):
        chunk = pending[first : first + AT_ONCE]
        reached = replace(since, since=max(since.since, min(settled, chunk[-1].at)))
        yield from changed_pages(reader, chunk)
        if first + AT_ONCE < len(pending):
            yield Page("events", {}, at, {"events": str(reached)})
    newest = max(found.values(), key=lambda event: (event["created"], event["id"]), default=None)
    moved = Events(settled, str(newest["id"]) if newest else since.newest)
    twice = found and settled > max(int(event["created"]) for event in found.values())
    if moved.newest != since.newest or twice or settled - since.since > 86_400:
        yield Page("events", {}, at, {"events": str(moved)})
