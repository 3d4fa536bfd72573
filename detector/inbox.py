"""Reads the signals for everyone who shows them: one filter, one page, one set of counts, for CLI and console alike.

The default order is by what is lost if nobody acts: signals whose draft becomes final within a day first, then by
money. Money of several currencies is only compared through the configured ranking rates, and shown per currency.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    SQLColumnExpression,
    and_,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from detector import keyset
from detector.detail import EntityPage, SignalDetail, as_json, entities, number, signal, sparklines
from detector.inbox_filter import (
    NO_RUN,
    BadFilter,
    Filter,
    conditions,
    conditions_of_groups,
    counted,
    is_of_groups,
    searched,
)
from detector.overview import Overview, Total, overview, totals_by, totals_by_column
from detector.similar import Similar
from store.operational_tables import SEVERITY_RANK, Signal, SignalEntity
from store.signal_groups import SIGNAL_GROUPS

__all__ = [
    "BadFilter",
    "EntityPage",
    "Filter",
    "Group",
    "Overview",
    "Page",
    "SignalDetail",
    "Similar",
    "Total",
    "as_json",
    "entities",
    "export",
    "groups",
    "matching",
    "number",
    "overview",
    "page",
    "signal",
    "sparklines",
]


@dataclass(frozen=True)
class Page:
    """Some signals (their `impacts` loaded), the counts and sums of all that match, and where the next page starts."""

    items: tuple[Signal, ...]
    all: Overview
    next: str | None

    @property
    def total(self) -> int:
        """How many signals match."""
        return self.all.total

    @property
    def totals(self) -> tuple[Total, ...]:
        """Their money per currency."""
        return self.all.totals


@dataclass(frozen=True)
class Group:
    """Signals that share a cause, a customer, a rule or a bill run; `narrow` is the filter that lists them."""

    key: str
    name: str
    signals: int
    severity_rank: int
    totals: tuple[Total, ...]
    narrow: Filter


def page(session: Session, wanted: Filter, now: datetime, limit: int = 50) -> Page:
    """One page of signals in the wanted order. Raises BadFilter when `after` is no cursor of this list."""
    wanted = searched(session, wanted)
    items, following = keyset.page(session, wanted, now, limit)
    return Page(tuple(items), overview(session, wanted, now), following)


def groups(session: Session, wanted: Filter, now: datetime, limit: int = 50) -> list[Group]:
    """The signals by `wanted.group` (cause, customer, rule or bill run) over all pages, most money first.

    Raises BadFilter when the filter names no group.
    """
    by, asked = _grouping(wanted.group), wanted
    wanted = searched(session, wanted)
    is_counted = by.is_counted and is_of_groups(wanted)
    ranked = (_counted if is_counted else _ranked)(by, wanted, now)
    rows = session.execute(ranked.limit(limit)).all()
    groups = [tuple(row[2:]) for row in rows]
    names = _names(session, by, groups, conditions(wanted, now, all_rows=not by.is_counted))
    if is_counted:
        totals = {by.of([key]): sums for key, sums in totals_by_column(session, wanted, now, by.columns[0]).items()}
    else:
        only = by.one_of(groups) if len(rows) == limit else true()
        totals = totals_by(session, by.key, [*counted(wanted, now, all_rows=True), only])
    found = []
    for count, severity, *values in rows:
        key = by.of(values)
        found.append(Group(key, names.get(key) or key, count, severity, totals.get(key, ()), _narrowed(asked, key)))
    return found


def _counted(by: _Grouping, wanted: Filter, now: datetime) -> Select[Any]:
    """How many signals each group has, how grave they are, and what it is, as the store has counted them."""
    own = SIGNAL_GROUPS.c
    columns = [own[column.key] for column in by.columns]
    query = select(func.sum(own.signals).cast(Integer), func.max(literal_column(SEVERITY_RANK)), *columns)
    grouped = query.where(*conditions_of_groups(wanted, now)).group_by(*columns)
    return grouped.order_by(func.sum(own.rank_amount).desc(), *columns)


def _ranked(by: _Grouping, wanted: Filter, now: datetime) -> Select[Any]:
    """The same from the signals, along an index that has all of it."""
    query = select(func.count(), func.max(literal_column(SEVERITY_RANK)), *by.columns)
    grouped = query.where(*conditions(wanted, now, all_rows=True)).group_by(*by.columns)
    return grouped.order_by(func.sum(Signal.rank_amount).desc(), *by.columns)


def matching(session: Session, wanted: Filter, now: datetime) -> list[int]:
    """The ids of all signals that match, for a change of all of them at once."""
    return list(session.scalars(select(Signal.id).where(*conditions(wanted, now)).order_by(Signal.id)))


def export(session: Session, wanted: Filter, now: datetime) -> Iterator[dict[str, Any]]:
    """Every matching signal with all its records, as `trueup signals --json` prints it, in the wanted order."""
    while True:
        items, following = keyset.page(session, wanted, now, 100)
        named = _entities_of(session, items)
        yield from (as_json(item, named[item.id]) for item in items)
        session.expunge_all()
        if following is None:
            return
        wanted = replace(wanted, after=following)


def _names(
    session: Session, by: _Grouping, groups: Sequence[tuple[str | None, ...]], where: Sequence[ColumnElement[bool]]
) -> dict[str, str]:
    """What each group is called: as the one of its signals with most money."""
    heaviest = select(by.name).order_by(Signal.rank_amount.desc(), Signal.id.desc()).limit(1)
    named = [
        select(literal(by.of(group)), heaviest.where(*where, by.one_of([group])).scalar_subquery()) for group in groups
    ]
    return {key: name for key, name in session.execute(union_all(*named)) if name} if named else {}


def _entities_of(session: Session, items: Sequence[Signal]) -> dict[int, list[SignalEntity]]:
    named: dict[int, list[SignalEntity]] = {item.id: [] for item in items}
    query = select(SignalEntity).where(SignalEntity.signal_id.in_(named))
    for entity in session.scalars(query.order_by(SignalEntity.position, SignalEntity.id)):
        named[entity.signal_id].append(entity)
    return named


@dataclass(frozen=True)
class _Grouping:
    """By what signals are grouped: the columns, how they make one key and a name, and what stands for none.

    `is_counted`: the store counts signals by it; otherwise an index in its order has all that ranks its groups.
    """

    columns: tuple[InstrumentedAttribute[Any], ...]
    key: SQLColumnExpression[Any]
    name: SQLColumnExpression[Any]
    none: str = ""
    is_counted: bool = False

    def of(self, values: Sequence[str | None]) -> str:
        """The key of a group."""
        return ":".join(self.none if value is None else value for value in values)

    def one_of(self, groups: Sequence[tuple[str | None, ...]]) -> ColumnElement[bool]:
        """Whether a signal is in one of these groups, so that an index finds it."""
        each = [_among(column, {group[at] for group in groups}) for at, column in enumerate(self.columns)]
        return and_(*each, tuple_(*self.columns).in_(groups)) if len(each) > 1 else each[0]


def _among(column: InstrumentedAttribute[Any], values: Collection[str | None]) -> ColumnElement[bool]:
    known = column.in_(sorted(value for value in values if value is not None))
    return or_(known, column.is_(None)) if None in values else known


_GROUPINGS: Mapping[str, _Grouping] = {
    "cause": _Grouping((Signal.cause_type, Signal.cause_id), Signal.cause_type + ":" + Signal.cause_id, Signal.title),
    "customer": _Grouping((Signal.customer_id,), func.coalesce(Signal.customer_id, ""), Signal.customer_name),
    "rule": _Grouping((Signal.rule,), Signal.rule, Signal.code, is_counted=True),
    "bill_run": _Grouping(
        (Signal.bill_run_id,), func.coalesce(Signal.bill_run_id, NO_RUN), Signal.bill_run_id, NO_RUN, is_counted=True
    ),
}


def _grouping(group: str) -> _Grouping:
    try:
        return _GROUPINGS[group]
    except KeyError:
        raise BadFilter("group needs one of cause, customer, rule, bill_run") from None


def _narrowed(wanted: Filter, key: str) -> Filter:
    values: dict[str, Any] = {wanted.group: (key,) if wanted.group == "rule" else key}
    return replace(wanted, group="", after="", **values)
