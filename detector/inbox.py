"""Reads the signals for everyone who shows them: one filter, one page, one set of counts, for CLI and console alike.

The default order is by what is lost if nobody acts: signals whose draft becomes final within a day first, then by
money. Money of several currencies is only compared through the configured ranking rates, and shown per currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import SQLColumnExpression, func, select
from sqlalchemy.orm import Session

from detector import keyset
from detector.detail import EntityPage, SignalDetail, as_json, entities, number, signal, sparklines
from detector.inbox_filter import NO_RUN, BadFilter, Filter, conditions, counted
from detector.overview import Overview, Total, overview, totals_by
from detector.similar import Similar
from store.operational_tables import Signal, SignalEntity

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
    "facets",
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
    items, following = keyset.page(session, wanted, now, limit)
    return Page(tuple(items), overview(session, wanted, now), following)


def facets(session: Session, wanted: Filter, now: datetime) -> Mapping[str, list[tuple[str | None, int]]]:
    """For each facet its values with counts; a page has them too, as `page.all.facets`."""
    return overview(session, wanted, now).facets


def groups(session: Session, wanted: Filter, now: datetime, limit: int = 50) -> list[Group]:
    """The signals by `wanted.group` (cause, customer, rule or bill run) over all pages, most money first.

    Raises BadFilter when the filter names no group.
    """
    key, name = _group_columns(wanted.group)
    where = conditions(wanted, now)
    query = (
        select(key, func.max(name), func.count(), func.max(Signal.severity_rank))
        .where(*where)
        .group_by(key)
        .order_by(func.sum(Signal.rank_amount).desc(), key)
        .limit(limit)
    )
    rows = session.execute(query).all()
    totals = totals_by(session, key, [*counted(wanted, now), key.in_([row[0] for row in rows])])
    return [
        Group(value, name or value, count, severity, totals.get(value, ()), _narrowed(wanted, value))
        for value, name, count, severity in rows
    ]


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


def _entities_of(session: Session, items: Sequence[Signal]) -> dict[int, list[SignalEntity]]:
    named: dict[int, list[SignalEntity]] = {item.id: [] for item in items}
    query = select(SignalEntity).where(SignalEntity.signal_id.in_(named))
    for entity in session.scalars(query.order_by(SignalEntity.position, SignalEntity.id)):
        named[entity.signal_id].append(entity)
    return named


def _group_columns(group: str) -> tuple[SQLColumnExpression[Any], SQLColumnExpression[Any]]:
    match group:
        case "cause":
            return Signal.cause_type + ":" + Signal.cause_id, Signal.title
        case "customer":
            return func.coalesce(Signal.customer_id, ""), Signal.customer_name
        case "rule":
            return Signal.rule, Signal.code
        case "bill_run":
            return func.coalesce(Signal.bill_run_id, NO_RUN), func.coalesce(Signal.bill_run_id, NO_RUN)
    raise BadFilter("group needs one of cause, customer, rule, bill_run")


def _narrowed(wanted: Filter, key: str) -> Filter:
    values: dict[str, Any] = {wanted.group: (key,) if wanted.group == "rule" else key}
    return replace(wanted, group="", after="", **values)
