"""Reading a peer into plain rows, and comparing them with the books it was loaded from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from billing.books import BY_NAME
from integrations.http_limits import Pace
from integrations.http_retry import Retry
from integrations.pages import Page
from integrations.stripe import Stripe, from_config
from tests.peers.stripe.books import Row, Rows
from tests.peers.stripe.process import KEY, Peer
from tests.peers.stripe.sample import NOW

Keyed = dict[str, dict[tuple[object, ...], Row]]


def connected(
    peer: Peer, *, key: str = KEY, page_size: int = 100, retry: Retry | None = None, pace: Pace | None = None,
    **more: object,
) -> Stripe:  # fmt: skip
    """The integration, pointed at the peer: all that it can read, without limits that would slow a test."""
    settings = {"api_key": key, "base_url": peer.url, "requests_per_second": 10_000, "recorded_usage": True, **more}
    return from_config("stripe", settings, page_size=page_size, retry=retry, pace=pace)


def pulled(
    stripe: Stripe, cursors: Mapping[str, str] | None = None, *, full: bool = False, now: datetime = NOW
) -> list[Page]:
    """The pages of one pull from the cursors given."""
    return list(stripe.pull((cursors or {}).get, full=full, now=now))


def rows_of(pages: Iterable[Page]) -> Keyed:
    """The rows of the pages by table and key; later pages go before earlier ones."""
    held: Keyed = {}
    for page in pages:
        for table, rows in page.rows.items():
            for row in rows:
                held.setdefault(table, {})[tuple(row[part] for part in BY_NAME[table].key)] = row
    return held


def cursors_of(pages: Iterable[Page]) -> dict[str, str]:
    """Where the cursors stand after the pages."""
    return {stream: value for page in pages for stream, value in page.cursors.items()}


def differences(expected: Rows, held: Keyed) -> list[str]:
    """What of the expected rows is missing, different or too much in those held, in words."""
    found = []
    for table, rows in expected.items():
        left = dict(held.get(table, {}))
        for row in rows:
            key = tuple(row[part] for part in BY_NAME[table].key)
            read = left.pop(key, None)
            if read is None:
                found.append(f"{table} {key} is missing")
                continue
            columns = [
                c for c in row if c not in ("integration", "external_url") and _plain(row[c]) != _plain(read.get(c))
            ]
            found += [f"{table} {key} {column}: {row[column]!r} became {read.get(column)!r}" for column in columns]
        found += [f"{table} {key} was not there" for key in left]
    return found


def _plain(value: object) -> object:
    """A value to compare: decimals by worth, JSON by content, instants to the second, as Stripe keeps them."""
    if isinstance(value, Decimal):
        return value.normalize() + 0
    if isinstance(value, datetime):
        return value.replace(microsecond=0)
    return json.dumps(value, sort_keys=True, default=str) if isinstance(value, dict | list) else value
