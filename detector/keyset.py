"""Walks a sorted list of signals page by page along an index, from the place where the last page ended.

A cursor holds the sort keys of the last signal shown and the instant at which the first page was read, so that what
counts as urgent does not change between two pages.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, literal, not_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload

from detector.inbox_filter import SORTS, URGENT, BadFilter, Filter, conditions, urgent
from store.operational_tables import Signal


@dataclass(frozen=True)
class Cursor:
    """Where a page ended: the sort keys of its last signal, and whether that was among the urgent ones."""

    now: datetime
    urgent: bool
    keys: tuple[Any, ...]


def page(session: Session, wanted: Filter, now: datetime, limit: int) -> tuple[list[Signal], str | None]:
    """At most `limit` signals with their impacts, and the cursor of the next page; None at the end.

    Raises BadFilter when `wanted.after` is no cursor of this list.
    """
    cursor = _read(wanted) if wanted.after else None
    moment = cursor.now if cursor else now
    items = list(_walk(session, wanted, moment, cursor, limit + 1))
    if len(items) <= limit:
        return items, None
    return items[:limit], _write(wanted, items[limit - 1], moment)


def _walk(session: Session, wanted: Filter, now: datetime, cursor: Cursor | None, limit: int) -> list[Signal]:
    """The order of risk is two walks, first the urgent signals and then the others; every other order is one."""
    where = conditions(wanted, now, all_rows=_is_of_few(wanted))
    if wanted.sort != "risk":
        return _leg(session, wanted, where, cursor, limit)
    first = urgent(now)
    if cursor and not cursor.urgent:
        return _leg(session, wanted, [*where, not_(first)], cursor, limit)
    items = _leg(session, wanted, [*where, first], cursor, limit)
    if len(items) < limit:
        items += _leg(session, wanted, [*where, not_(first)], None, limit - len(items))
    return items


def _is_of_few(wanted: Filter) -> bool:
    """Whether few signals are left, which are best found first and sorted then."""
    return bool(wanted.entity or wanted.customer or wanted.cause or wanted.only is not None)


def _leg(
    session: Session, wanted: Filter, where: Sequence[ColumnElement[bool]], cursor: Cursor | None, limit: int
) -> list[Signal]:
    """Signals after the cursor, along the index of the sort."""
    keys = _keys(wanted.sort)
    query = select(Signal).where(*where).order_by(*(key.desc() for key in keys)).limit(limit)
    if cursor:
        bound = [literal(value, key.type) for key, value in zip(keys, cursor.keys, strict=True)]
        query = query.where(tuple_(*keys) < tuple_(*bound))
    return list(session.scalars(query.options(selectinload(Signal.impacts))))


def _keys(sort: str) -> list[InstrumentedAttribute[Any]]:
    middle = [Signal.rank_amount] if sort == "severity" else []
    return [SORTS[sort], *middle, Signal.id]


def _write(wanted: Filter, last: Signal, now: datetime) -> str:
    values = [_plain(getattr(last, key.key)) for key in _keys(wanted.sort)]
    soon = wanted.sort == "risk" and _is_urgent(last, now)
    text = json.dumps([wanted.sort, now.isoformat(), soon, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(wanted: Filter) -> Cursor:
    try:
        padded = wanted.after + "=" * (-len(wanted.after) % 4)
        sort, now, soon, *values = json.loads(base64.urlsafe_b64decode(padded))
        keys = [_parsed(key.key, value) for key, value in zip(_keys(wanted.sort), values, strict=True)]
        cursor = Cursor(datetime.fromisoformat(now), bool(soon), tuple(keys))
    except (ValueError, TypeError, ArithmeticError, binascii.Error):
        raise BadFilter("after is no place in this list; start again from its first page") from None
    if sort != wanted.sort or cursor.now.tzinfo is None:
        raise BadFilter(f"after belongs to the list sorted by {sort}; start again from the first page")
    return cursor


def _is_urgent(signal: Signal, now: datetime) -> bool:
    return signal.finalizes_at is not None and now < signal.finalizes_at <= now + URGENT


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _parsed(name: str, value: Any) -> Any:
    if name == "rank_amount":
        return Decimal(value)
    return datetime.fromisoformat(value) if name in ("last_seen", "first_seen") else int(value)
