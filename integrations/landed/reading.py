"""Reading what a loader has landed: its rows become Stripe's objects again, and these the rows of the books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from integrations.landed import airbyte, dlt, fivetran
from integrations.landed.layouts import NEEDED, Layout
from integrations.landed.tables import Record, Tables
from integrations.marks import mark
from integrations.pages import Lookup, Page
from integrations.stripe.api import Api, GoneError, Listing
from integrations.stripe.objects import Object
from integrations.stripe.reader import Products, Reader

LAYOUTS: Mapping[str, Layout] = {
    "airbyte_stripe": airbyte.LAYOUT,
    "dlt_stripe": dlt.LAYOUT,
    "fivetran_stripe": fivetran.LAYOUT,
}
"""The layouts that are known, by the name that config.yaml gives them."""

WHOLE = "prices"
"""The list that is always read whole: it is short, and plans are told by all prices of a product."""


@dataclass(frozen=True)
class Landed:
    """What one loader has landed in one schema."""

    layout: Layout
    tables: Tables = field(repr=False)

    def pages(self, cursor: Lookup, *, full: bool, now: datetime) -> Iterator[Page]:
        """Pages of what was loaded since the stored cursors, or of everything. Raises SQLAlchemyError."""
        reader = Reader(cast(Api, _Answers(self, now)))
        for stream in self.layout.tables:
            name = self.table_of(stream)
            if name is None:
                continue
            since = None if full or stream == WHOLE else cursor(stream)
            noted = Products(reader)
            for rows in self.tables.read(name, self.layout.increments, since):
                objects = self.layout.made(self.tables, stream, rows)
                read, remarks = reader.read_with_ledgers(stream, objects)
                if stream == WHOLE:
                    noted.add(objects)
                cursors = {} if stream == WHOLE else self._reached(stream, rows, since)
                yield Page(stream, read, now, cursors, remarks)
            yield from self._parts(reader, stream, name, cursor, full=full, now=now)
            if stream == WHOLE:
                plans, remarks = noted.plans()
                yield Page(stream, plans, now, remarks=remarks)

    def _parts(
        self, reader: Reader, stream: str, name: str, cursor: Lookup, *, full: bool, now: datetime
    ) -> Iterator[Page]:
        """The wholes of parts that were loaded without them since; of a first reading only how far the parts are."""
        for table, column in self.layout.follows.get(stream, ()):
            if table not in self.tables.names:
                continue
            key = f"{stream}/{table}"
            since = None if full else cursor(key)
            if since is None:
                reached = mark(self.tables.newest(table, self.layout.increments))
                yield Page(stream, {}, now, {} if reached is None else {key: reached})
                continue
            for rows in self.tables.read(table, self.layout.increments, since):
                wholes = self.tables.of(name, "id", [row.get(column) for row in rows])
                objects = self.layout.made(self.tables, stream, [row for held in wholes.values() for row in held])
                read, remarks = reader.read_with_ledgers(stream, objects)
                yield Page(stream, read, now, self._reached(key, rows, since), remarks)

    def missing(self) -> list[str]:
        """The tables that cannot be done without and are not there."""
        return [" or ".join(self.layout.tables[each]) for each in NEEDED if self.table_of(each) is None]

    def table_of(self, stream: str) -> str | None:
        """The table of a list of Stripe, where there is one."""
        return self.tables.first(*self.layout.tables.get(stream, ()))

    def _reached(self, stream: str, rows: Sequence[Record], since: str | None) -> dict[str, str]:
        last = mark(rows[-1].get(self.layout.increments)) if rows else None
        return {stream: last} if last is not None and last != since else {}


@dataclass
class _Answers:
    """Answers what the reader asks Stripe beside the lists, from the tables; what they do not hold is gone."""

    landed: Landed
    answered: datetime

    def get(self, path: str, id: str, **params: Any) -> tuple[Object, datetime] | None:
        """One object of a list."""
        name = self.landed.table_of(path)
        rows = self.landed.tables.of(name, "id", [id]).get(id) if name else None
        return (self.landed.layout.made(self.landed.tables, path, rows)[0], self.answered) if rows else None

    def pages(self, path: str, **params: Any) -> Iterator[Listing]:
        """A ledger, where it was landed; nothing of what else hangs on objects."""
        if path.endswith("event_summaries"):
            raise GoneError("No loader lands what meters counted.", permanent=True)
        ledger = self.landed.layout.ledger
        if ledger and path.endswith("/balance_transactions") and path.startswith("customers/"):
            table, column = ledger
            owner = path.split("/")[1]
            rows = self.landed.tables.of(self.landed.tables.first(table), column, [owner]).get(owner, [])
            made = [self._transaction(row, owner) for row in rows]
            yield Listing(sorted(made, key=lambda one: (one["created"], one["id"]), reverse=True), False, self.answered)

    def _transaction(self, row: Record, owner: str) -> Object:
        object_of = fivetran.object_of if self.landed.layout is fivetran.LAYOUT else airbyte.object_of
        found: Object = object_of(row)
        return dict(found) | {"customer": owner}
