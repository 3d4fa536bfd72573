"""Counts and sums of the inbox: how many signals match, their money per currency, and what each facet would list.

All of it comes from the groups of signals that are alike in everything that people filter by, which the store counts
(`store.signal_groups`); a search, a cause or a customer narrows to signals, which are grouped here. What a filter
leaves of the groups is worked out here too. Signals with money in several currencies are few, and are summed from
their impacts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Integer, SQLColumnExpression, and_, case, func, literal, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from detector.inbox_filter import (
    FACETS,
    Filter,
    conditions,
    counted,
    counted_of_groups,
    is_of_groups,
    narrowing,
    narrowing_of_groups,
    searched,
    urgent,
)
from detector.signal_content import SEVERAL
from store.operational_tables import OPEN_STATUSES, Signal, SignalImpact
from store.signal_groups import SIGNAL_GROUPS

_ZERO = Decimal(0)


@dataclass(frozen=True)
class Total:
    """The money of all matching signals in one currency, and how many of them have any."""

    currency: str
    under: Decimal
    over: Decimal
    exposure: Decimal
    signals: int


@dataclass(frozen=True)
class Overview:
    """How many signals match, their money, and each facet's values with counts, most frequent first.

    A facet is counted as if it were not filtered by.
    """

    total: int
    totals: tuple[Total, ...]
    facets: Mapping[str, list[tuple[str | None, int]]]


@dataclass(frozen=True)
class _Part:
    """Signals that are alike in every facet, in their currency and in until when they are snoozed.

    `alone` are those that are not merged into another one, `urgent` the urgent ones of these.
    """

    values: Mapping[str, str | None]
    currency: str | None
    is_asleep: bool
    money: tuple[Decimal, Decimal, Decimal]
    every: int
    alone: int
    urgent: int

    def is_shown(self, view: str) -> bool:
        """Whether their money counts in a view, apart from who has them."""
        return view == "every" or self.is_asleep is (view == "snoozed")

    def listed(self, view: str) -> int:
        """How many of them a view lists, apart from who has them."""
        if not self.is_shown(view):
            return 0
        return {"every": self.every, "urgent": self.urgent}.get(view, self.alone)


def overview(session: Session, wanted: Filter, now: datetime) -> Overview:
    """The counts and sums of a filter, whatever page of it is looked at."""
    wanted = searched(session, wanted)
    parts = [part for part in _parts(session, wanted, now) if part.is_shown(wanted.view)]
    matching = [part for part in parts if _matches(part, wanted)]
    facets = {name: _facet(parts, name, wanted) for name in FACETS}
    totals = _totals(matching, wanted)
    if any(part.currency == SEVERAL for part in matching):
        totals = _added(totals, _several(session, [*counted(wanted, now), Signal.money_in == SEVERAL]))
    return Overview(sum(part.listed(wanted.view) for part in matching), totals, facets)


def counts(session: Session, filters: Mapping[str, Filter], now: datetime) -> dict[str, int]:
    """How many signals each filter lists; those that only look at views and facets all from one walk."""
    parts = _parts(session, Filter(), now)
    found = {
        name: sum(part.listed(wanted.view) for part in parts if _matches(part, wanted))
        for name, wanted in filters.items()
        if not narrowing(wanted)
    }
    narrowed = [
        func.count().filter(and_(True, *conditions(wanted, now, all_rows=True))).label(name)
        for name, wanted in filters.items()
        if name not in found
    ]
    return found | (dict(session.execute(select(*narrowed).select_from(Signal)).one()._mapping) if narrowed else {})


def totals_by_column(
    session: Session, wanted: Filter, now: datetime, column: InstrumentedAttribute[Any]
) -> dict[Any, tuple[Total, ...]]:
    """The money of what the filter counts, by a column that the groups have, for a filter that `is_of_groups`."""
    own = SIGNAL_GROUPS.c
    key, where = own[column.key], counted_of_groups(wanted, now)
    query = select(key, own.money_in, *_sums(own), func.sum(own.signals)).where(*where).group_by(key, own.money_in)
    found: dict[Any, list[Total]] = {}
    several: dict[Any, tuple[Total, ...]] = {}
    for value, currency, *rest in session.execute(query):
        if currency == SEVERAL:
            several = several or totals_by(session, column, [*counted(wanted, now), Signal.money_in == SEVERAL])
        elif currency:
            found.setdefault(value, []).append(Total(currency, *rest))
    return {value: _added(found.get(value, ()), several.get(value, ())) for value in {*found, *several}}


def _parts(session: Session, wanted: Filter, now: datetime) -> Sequence[_Part]:
    """The groups that a filter looks at; read once per reading session."""
    view = "urgent" if wanted.view == "urgent" else "every"
    only = Filter(view, code=wanted.code, cause=wanted.cause, customer=wanted.customer, bill_run=wanted.bill_run,
                  entity=wanted.entity, q=wanted.q, only=wanted.only)  # fmt: skip
    if not session.get_bind().get_execution_options().get("read_only"):
        return [_part(row, now) for row in session.execute(_query(only, now))]
    known = session.info.setdefault(__name__, {})
    if (only, now) not in known:
        known[only, now] = [_part(row, now) for row in session.execute(_query(only, now))]
    found: Sequence[_Part] = known[only, now]
    return found


def totals_by(
    session: Session, key: SQLColumnExpression[Any], where: Sequence[ColumnElement[bool]]
) -> dict[Any, tuple[Total, ...]]:
    """The money of the signals that match `where` per currency, by `key`.

    What a signal has in its one currency stands with it; only where there are several are its impacts read.
    """
    query = select(key, Signal.money_in, *_sums(Signal), func.count()).where(*where, Signal.money_in.is_not(None))
    rows = session.execute(query.group_by(key, Signal.money_in)).all()
    found = {(value, each.currency): each for value, each in _totals_of(rows) if each.currency != SEVERAL}
    if len(found) < len(rows):
        several = (
            select(key, SignalImpact.currency, *_sums(SignalImpact), func.count())
            .join(Signal, Signal.id == SignalImpact.signal_id)
            .where(*where, Signal.money_in == SEVERAL)
        )
        for value, each in _totals_of(session.execute(several.group_by(key, SignalImpact.currency))):
            before = found.get((value, each.currency))
            found[value, each.currency] = each if before is None else _plus(before, each)
    by_key: dict[Any, list[Total]] = {}
    for value, currency in sorted(found, key=lambda pair: pair[1]):
        by_key.setdefault(value, []).append(found[value, currency])
    return {value: tuple(own) for value, own in by_key.items()}


def _totals_of(rows: Iterable[Any]) -> Iterator[tuple[Any, Total]]:
    """Rows of a key, a currency, sums and a count."""
    return ((value, Total(currency, *sums)) for value, currency, *sums in rows)


def _sums(table: Any) -> list[Any]:
    return [func.sum(column) for column in (table.under, table.over, table.exposure)]


def _query(wanted: Filter, now: datetime) -> Any:
    """The groups, from those that the store has counted wherever the filter does not narrow to single signals."""
    of, count, where = _source(wanted)
    keys = (*(getattr(of, name) for name in FACETS), of.money_in, of.snoozed_until)
    alone = _alone(of)
    numbers = (count(true()), count(alone), count(and_(alone, urgent(now, of))))
    soon = [urgent(now, of)] if wanted.view == "urgent" else []
    return select(*keys, *_sums(of), *numbers).where(*where, *soon).group_by(*keys)


def _source(
    wanted: Filter,
) -> tuple[Any, Callable[[ColumnElement[bool]], ColumnElement[int]], list[ColumnElement[bool]]]:
    """The columns to group, how the signals that fulfil something are counted, and what the filter narrows to."""
    if is_of_groups(wanted):
        signals = SIGNAL_GROUPS.c.signals
        return SIGNAL_GROUPS.c, lambda condition: _number(condition, signals), narrowing_of_groups(wanted)
    return Signal, lambda condition: _number(condition, literal(1)), narrowing(wanted)


def _alone(of: Any) -> ColumnElement[bool]:
    """Whether they are not merged into another signal."""
    found: ColumnElement[bool] = of.merged_into.is_(None) if of is Signal else of.is_merged.is_(False)
    return found


def _number(condition: ColumnElement[bool], each: ColumnElement[int]) -> ColumnElement[int]:
    """How many signals the rows stand for that fulfil it."""
    return func.sum(case((condition, each), else_=0)).cast(Integer)


def _part(row: Any, now: datetime) -> _Part:
    *values, currency, snoozed_until, under, over, exposure, every, alone, urgent_ones = row
    is_asleep = snoozed_until is not None and snoozed_until > now
    facets = dict(zip(FACETS, values, strict=True))
    return _Part(facets, currency, is_asleep, (under, over, exposure), every, alone, urgent_ones)


def _matches(part: _Part, wanted: Filter, but: str = "") -> bool:
    """Whether the part is what the filter lists, were it not filtered by the facet `but`."""
    if wanted.view == "mine" and part.values["assignee"] != wanted.me:
        return False
    if wanted.view == "unassigned" and part.values["assignee"] is not None:
        return False
    if but != "status" and not _has_status(part, wanted.status):
        return False
    chosen = ((name, getattr(wanted, name)) for name in FACETS if name not in ("status", but))
    return all(not values or (part.values[name] or "") in values for name, values in chosen)


def _has_status(part: _Part, status: str) -> bool:
    return status == "any" or part.values["status"] in (OPEN_STATUSES if status == "open" else (status,))


def _facet(parts: Iterable[_Part], name: str, wanted: Filter) -> list[tuple[str | None, int]]:
    counts: Counter[str | None] = Counter()
    for part in parts:
        if (count := part.listed(wanted.view)) and _matches(part, wanted, but=name):
            counts[part.values[name]] += count
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0] or ""))


def _totals(parts: Iterable[_Part], wanted: Filter) -> tuple[Total, ...]:
    sums: dict[str, Total] = {}
    for part in parts:
        if part.currency and part.currency != SEVERAL:
            before = sums.get(part.currency, Total(part.currency, _ZERO, _ZERO, _ZERO, 0))
            sums[part.currency] = _plus(before, Total(part.currency, *part.money, part.listed(wanted.view)))
    return tuple(sums[currency] for currency in sorted(sums))


def _several(session: Session, where: Sequence[ColumnElement[bool]]) -> tuple[Total, ...]:
    return totals_by(session, Signal.money_in, where).get(SEVERAL, ())


def _added(first: Iterable[Total], second: Iterable[Total]) -> tuple[Total, ...]:
    sums: dict[str, Total] = {}
    for total in (*first, *second):
        sums[total.currency] = _plus(sums[total.currency], total) if total.currency in sums else total
    return tuple(sums[currency] for currency in sorted(sums))


def _plus(first: Total, second: Total) -> Total:
    under, over, exposure = first.under + second.under, first.over + second.over, first.exposure + second.exposure
    return Total(first.currency, under, over, exposure, first.signals + second.signals)
