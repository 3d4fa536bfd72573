"""Walking a vendor's lists page by page, so that a walk ends anywhere and is taken up behind its last stored page.

For vendors without a feed of changes: every walk goes through every list, and reads closely only what changed since
the last one. Pages drift while they are read: what is inserted shows up twice (harmless), what is removed pulls the
rest forward, so when a list has become shorter the walk steps back by as many pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from integrations.http import SourceError
from integrations.json_api import GoneError
from integrations.objects import Object, Rows, merged
from integrations.pages import Lookup, Page, Remark

OVERLAP = timedelta(minutes=10)
"""Clocks differ, and what was written during a walk may show late: changes are read again from this much earlier."""

SETTLED = timedelta(hours=1)
"""The cursor of a short walk moves at most this often, so that an account at rest changes nothing in the books."""

RECENT = timedelta(days=1)
"""A walk over changes of more than this is stored page by page; a shorter one begins again when it is cut."""

CURSOR = "walk"

About = Callable[[Object], Iterable[tuple[str, str]]]
"""The records, (type, id), that the content of a delivery is about."""


@dataclass(frozen=True)
class Listing:
    """One page of a list: its objects, the instant of the answer, and what to ask for the next page (None: the last).

    `page`, `size` and `total` are of lists with numbered pages.
    """

    objects: list[Object]
    at: datetime
    following: str | None = None
    page: int | None = None
    size: int = 0
    total: int | None = None


class Stream(Protocol):
    """One list, and what its objects are in the books. `since`: only what changed since then need be read closely."""

    @property
    def name(self) -> str: ...

    def listing(self, token: str | None, since: datetime | None) -> Listing:
        """The page that a token asks for, the first for None."""

    def rows(self, objects: Sequence[Object], since: datetime | None) -> tuple[Rows, tuple[Remark, ...]]:
        """The rows of objects, and a remark for each that cannot be read."""


@dataclass(frozen=True)
class Walk:
    """How far a walk is. Between walks only `since` is set: from where changes count next."""

    since: datetime | None = None
    began: datetime | None = None
    stream: str | None = None
    token: str | None = None
    total: int | None = None

    @classmethod
    def parse(cls, text: str | None) -> Walk | None:
        """The walk that a cursor keeps; None where none was begun."""
        if text is None:
            return None
        given = json.loads(text)
        return cls(**given | {at: datetime.fromisoformat(given[at]) for at in ("since", "began") if at in given})

    def __str__(self) -> str:
        return json.dumps({name: value for name, value in vars(self).items() if value is not None}, default=str)


class Walked(Protocol):
    """The lists of a vendor, in the order in which they are read. `fresh` ones have met nothing yet."""

    @property
    def streams(self) -> Sequence[Stream]: ...

    def fresh(self) -> Walked: ...

    def record(self, kind: str, id: str) -> tuple[str, Listing]:
        """A single record as it is now, and the stream that makes rows of it.

        Raises GoneError when there is none, ValueError for a kind that cannot be asked for.
        """


@dataclass(frozen=True)
class Walking:
    """A configured connection that is read by walking its lists: what all such integrations have in common."""

    name: str
    lists: Walked = field(repr=False)

    def pull(self, cursor: Lookup, *, full: bool, now: datetime) -> Iterator[Page]:
        """Pages of what changed since the stored cursors, or of everything; see `integrations.walk.pull`."""
        return pull(self.lists.fresh().streams, cursor, full=full, now=now)

    def backfill(self, start: datetime, end: datetime | None) -> Iterator[Page]:
        """Pages of what was created or changed since the start; few of the lists can be asked for an end."""
        for stream in self.lists.fresh().streams:
            for listing in _listings(stream, Walk(start)):
                rows, remarks = stream.rows(listing.objects, start)
                yield Page(stream.name, rows, listing.at, remarks=remarks)

    def pull_records(self, records: Iterable[tuple[str, str]]) -> Page:
        """One page with the rows of single records, (type, id), as they are now. Raises SourceError."""
        page = _records_page(self.lists.fresh(), records)
        if page is None:
            raise GoneError(f"{self.name} has none of the records any more.", permanent=True)
        return page

    def told_pages(self, told: Iterable[Object], about: About) -> Iterator[Page]:
        """The rows of everything that the content of deliveries is about, each record asked for once."""
        records = dict.fromkeys(record for one in told for record in about(one))
        page = _records_page(self.lists.fresh(), records)
        if page is not None:
            yield page

    def check(self) -> str | None:
        """Why it cannot be read completely, with the remedy; None when all is well."""
        for stream in self.lists.streams:
            try:
                stream.listing(None, None)
            except SourceError as error:
                return str(error)
        return None

    def totals(self, names: Iterable[str]) -> dict[str, int]:
        """How many objects those lists have whose vendor says so. Raises SourceError."""
        asked = {stream.name: stream.listing(None, None).total for stream in self.lists.streams if stream.name in names}
        return {name: total for name, total in asked.items() if total is not None}


def _records_page(lists: Walked, records: Iterable[tuple[str, str]]) -> Page | None:
    """The rows of those records that are still there, as of the earliest answer; None when none is."""
    streams = {stream.name: stream for stream in lists.streams}
    parts: list[Rows] = []
    remarks: list[Remark] = []
    answered: list[datetime] = []
    for kind, id in records:
        try:
            name, listing = lists.record(kind, id)
        except GoneError:
            continue
        rows, more = streams[name].rows(listing.objects, None)
        parts.append(rows)
        remarks += more
        answered.append(listing.at)
    return Page("records", merged(*parts), min(answered), remarks=tuple(remarks)) if answered else None


def pull(streams: Sequence[Stream], cursor: Lookup, *, full: bool, now: datetime) -> Iterator[Page]:
    """Pages of everything at first and when `full`, else of what changed. Raises SourceError."""
    walk = Walk.parse(cursor(CURSOR))
    if walk is None or (full and walk.stream is None):
        walk = Walk()
    if walk.stream is None and walk.since and now - walk.since < RECENT:
        yield from _short(streams, walk.since, now)
    else:
        yield from _long(streams, walk)


def _short(streams: Sequence[Stream], since: datetime, now: datetime) -> Iterator[Page]:
    began = None
    for stream in streams:
        for listing in _listings(stream, Walk(since)):
            began = began or listing.at
            rows, remarks = stream.rows(listing.objects, since)
            yield Page(stream.name, rows, listing.at, remarks=remarks)
    if began and began - since > SETTLED + OVERLAP:
        yield Page(CURSOR, {}, began, {CURSOR: str(Walk(since=began - OVERLAP))})


def _long(streams: Sequence[Stream], walk: Walk) -> Iterator[Page]:
    names = [stream.name for stream in streams]
    start = names.index(walk.stream) if walk.stream in names else 0
    for stream in streams[start:]:
        at = walk if walk.stream == stream.name else replace(walk, token=None, total=None)
        for listing in _listings(stream, at):
            walk = replace(walk, began=walk.began or listing.at, stream=stream.name)
            walk = _onward(names, walk, listing)
            rows, remarks = stream.rows(listing.objects, walk.since)
            yield Page(stream.name, rows, listing.at, {CURSOR: str(walk)}, remarks)


def _onward(names: Sequence[str], walk: Walk, listing: Listing) -> Walk:
    """Where the walk is behind a page: the next page, else the next list, else at its end."""
    if listing.following is not None:
        return replace(walk, token=listing.following, total=listing.total)
    place = names.index(walk.stream or "") + 1
    if place < len(names):
        return replace(walk, stream=names[place], token=None, total=None)
    return Walk(since=walk.began - OVERLAP if walk.began else None)


def _listings(stream: Stream, walk: Walk) -> Iterator[Listing]:
    token, total = walk.token, walk.total
    while True:
        listing = stream.listing(token, walk.since)
        back = _stepped_back(listing, total)
        total = listing.total
        if back is not None:
            token = back
            continue
        yield listing
        if listing.following is None:
            return
        token = listing.following


def _stepped_back(listing: Listing, before: int | None) -> str | None:
    """The page to go back to when the list has become shorter since the page before; None when it has not."""
    if before is None or listing.total is None or listing.page is None or listing.page == 1:
        return None
    gone = before - listing.total
    return str(max(1, listing.page - -(-gone // max(1, listing.size)))) if gone > 0 else None


def each(
    kind: str, objects: Iterable[Object], rows_of: Callable[[Object], Rows], key: str = "id"
) -> tuple[Rows, tuple[Remark, ...]]:
    """The rows that `rows_of` makes of each object, and a remark for each of which it cannot make any."""
    parts: list[Rows] = []
    remarks = []
    for thing in objects:
        try:
            parts.append(rows_of(thing))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            named = thing.get(key) if isinstance(thing, dict) else None
            reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            remarks.append(Remark(kind, str(named), reason))
    return merged(*parts), tuple(remarks)
