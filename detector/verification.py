"""Asks a configured integration for everything that it says it can do, and tells of each; nothing is written anywhere.

For a customer's own account, a sandbox first of all: what the peers of the tests cannot prove.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import duckdb

from billing.books import BY_NAME
from integrations.capabilities import Capabilities, Counting, Hold, Integration, Receiving, Rereading
from integrations.http import SourceError
from integrations.webhooks import ForgedError, UnreadableError
from store.warehouse import Warehouse

UNSIGNED = b'{"id": "evt_of_nobody"}'
"""A delivery that nobody signed."""


WAYS: tuple[Mapping[str, str], ...] = ({}, {"x-lago-signature-algorithm": "hmac"})
"""The ways of signing between which a delivery chooses."""


@dataclass(frozen=True)
class Verified:
    """What came of one capability. `state`: ok, failed, or not tried."""

    capability: str
    state: str
    said: str

    def __str__(self) -> str:
        return f"{self.state:<9} {self.capability}: {self.said}"


def verified(integration: Integration, can: Capabilities, warehouse: Warehouse, now: datetime) -> Iterator[Verified]:
    """Every capability in turn; the others are not tried where the lists cannot be read."""
    wrong = integration.check()
    yield Verified("lists", "failed" if wrong else "ok", wrong or f"all can be read, for {len(can.reads)} tables")
    if wrong:
        return
    yield _counted(integration, warehouse)
    for kind in can.rereads:
        yield _read_again(integration, kind, warehouse)
    yield _refuses(integration, can, now)
    hold = "no draft can be held" if can.hold is Hold.NONE else f"drafts can be held: {str(can.hold).replace('_', ' ')}"
    offered = f"{hold}; writes offered: {', '.join(can.writes) or 'none'}"
    yield Verified("writes", "not tried", f"{offered}. Each is made only after a person approved it")


def _counted(integration: Integration, warehouse: Warehouse) -> Verified:
    if not isinstance(integration, Counting):
        return Verified("counts", "not tried", "the system does not count its records")
    here = warehouse.counts(integration.name)
    try:
        there = integration.counts()
    except SourceError as error:
        return Verified("counts", "failed", str(error))
    apart = [table for table, count in there.items() if here[table] != count]
    told = ", ".join(f"{count} {table} there and {here[table]} in the books" for table, count in there.items())
    return Verified("counts", "failed" if apart else "ok", told)


def _read_again(integration: Integration, kind: str, warehouse: Warehouse) -> Verified:
    """Reads the newest record of a type again, by its id in the books."""
    name = f"single {kind}"
    id = _newest(warehouse, integration.name, f"{kind}s", f"{kind}_id")
    if id is None or not isinstance(integration, Rereading):
        return Verified(name, "not tried", "the books hold none; sync first")
    try:
        page = integration.pull_records([(kind, id)])
    except SourceError as error:
        return Verified(name, "failed", f"{id}: {error}")
    return Verified(name, "ok", f"{id}: {sum(map(len, page.rows.values()))} rows")


def _newest(warehouse: Warehouse, name: str, table: str, key: str) -> str | None:
    if table not in BY_NAME:
        return None
    query = f"SELECT {key} FROM books.{table} WHERE integration = ? ORDER BY version_at DESC, {key} LIMIT 1"
    with closing(warehouse.connect(read_only=True)) as con:
        try:
            row = con.execute(query, [name]).fetchone()
        except duckdb.Error:
            return None
    return None if row is None else str(row[0]).split("/")[0]


def _refuses(integration: Integration, can: Capabilities, now: datetime) -> Verified:
    """Whether webhooks are proven: a delivery that nobody signed must be refused."""
    if not can.receives or not isinstance(integration, Receiving):
        return Verified("webhooks", "not tried", "the system sends none")
    missing = ""
    for headers in WAYS:
        try:
            integration.proven(UNSIGNED, headers, now)
        except ForgedError as error:
            if "is configured" not in str(error):
                said = f"at /hooks/{integration.name}; one that nobody signed is refused"
                return Verified("webhooks", "ok", said)
            missing = missing or str(error)
        except UnreadableError:
            return Verified("webhooks", "failed", "a delivery that nobody signed is read")
    return Verified(
        "webhooks", "not tried" if missing else "failed", missing or "a delivery that nobody signed is taken"
    )
