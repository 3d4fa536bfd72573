"""Counts and sums of the inbox: how many signals match, their money per currency, and what each facet would list.

All of it comes from one walk along one index, grouped by everything that people filter by; what a filter leaves of
the groups is worked out here. Signals with money in several currencies are few, and are summed from their impacts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Integer, SQLColumnExpression, and_, case, func, not_, select, true
from sqlalchemy.orm import Session

from detector.inbox_filter import FACETS, Filter, asleep, counted, narrowing, urgent
from detector.signal_content import SEVERAL
from store.operational_tables import OPEN_STATUSES, Signal, SignalImpact

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
    """Signals that are alike in every facet and currency."""

    values: Mapping[str, str | None]
    currency: str | None
    count: int
    money: tuple[Decimal, Decimal, Decimal]


def overview(session: Session, wanted: Filter, now: datetime) -> Overview:
    """The counts and sums of a filter, whatever page of it is looked at; worked out once per reading session."""
    if not session.get_bind().get_execution_options().get("read_only"):
        return _overview(session, wanted, now)
    known = session.info.setdefault(__name__, {})
    key = (replace(wanted, after="", sort="risk", group=""), now)
    if key not in known:
        known[key] = _overview(session, wanted, now)
    found: Overview = known[key]
    return found


def _overview(session: Session, wanted: Filter, now: datetime) -> Overview:
    parts = [_part(row) for row in session.execute(_query(wanted, now)) if row[-1]]
    matching = [part for part in parts if _matches(part, wanted)]
    facets = {name: _facet(parts, name, wanted) for name in FACETS}
    totals = _totals(matching)
    if any(part.currency == SEVERAL for part in matching):
        totals = _added(totals, _several(session, [*counted(wanted, now), Signal.money_in == SEVERAL]))
    return Overview(sum(part.count for part in matching), totals, facets)


def totals_by(
    session: Session, key: SQLColumnExpression[Any], where: Sequence[ColumnElement[bool]]
) -> dict[Any, tuple[Total, ...]]:
    """The money of the signals that match `where` per currency, by `key`.

    What a signal has in its one currency stands with it; only where there are several are its impacts read.
    """
    single = select(key, Signal.money_in, *_sums(Signal), func.count()).where(*where, Signal.money_in != SEVERAL)
    several = (
        select(key, SignalImpact.currency, *_sums(SignalImpact), func.count())
        .join(Signal, Signal.id == SignalImpact.signal_id)
        .where(*where, Signal.money_in == SEVERAL)
    )
    found: dict[Any, dict[str, Total]] = {}
    for query in (single.group_by(key, Signal.money_in), several.group_by(key, SignalImpact.currency)):
        for value, currency, *sums, count in session.execute(query):
            own = found.setdefault(value, {})
            before = own.get(currency, Total(currency, Decimal(0), Decimal(0), Decimal(0), 0))
            own[currency] = Total(
                currency,
                before.under + sums[0],
                before.over + sums[1],
                before.exposure + sums[2],
                before.signals + count,
            )
    return {value: tuple(own[currency] for currency in sorted(own)) for value, own in found.items()}


def _sums(table: type[Signal] | type[SignalImpact]) -> list[Any]:
    return [func.sum(column) for column in (table.under, table.over, table.exposure)]


def _query(wanted: Filter, now: datetime) -> Any:
    shown = _shown(wanted, now)
    money = [func.sum(case((shown, column), else_=0)) for column in (Signal.under, Signal.over, Signal.exposure)]
    keys = (*FACETS.values(), Signal.money_in)
    listed = shown if wanted.view == "every" else and_(shown, Signal.merged_into.is_(None))
    count = func.sum(case((listed, 1), else_=0)).cast(Integer)
    any_shown = func.sum(case((shown, 1), else_=0)).cast(Integer)
    return select(*keys, *money, count, any_shown).where(*narrowing(wanted)).group_by(*keys)


def _shown(wanted: Filter, now: datetime) -> ColumnElement[bool]:
    """What the view shows, apart from who has the signal."""
    match wanted.view:
        case "every":
            return true()
        case "snoozed":
            return asleep(now)
        case "urgent":
            return and_(not_(asleep(now)), urgent(now))
    return not_(asleep(now))


def _part(row: Any) -> _Part:
    *values, currency, under, over, exposure, count, _ = row
    return _Part(
        dict(zip(FACETS, values, strict=True)), currency, count, (_exact(under), _exact(over), _exact(exposure))
    )


def _exact(value: Any) -> Decimal:
    """A sum of CASE has no column type to be read by; it is the number of 1/10000 units."""
    return value if isinstance(value, Decimal) else Decimal(value)


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
        if part.count and _matches(part, wanted, but=name):
            counts[part.values[name]] += part.count
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0] or ""))


def _totals(parts: Iterable[_Part]) -> tuple[Total, ...]:
    sums: dict[str, Total] = {}
    for part in parts:
        if part.currency and part.currency != SEVERAL:
            before = sums.get(part.currency, Total(part.currency, _ZERO, _ZERO, _ZERO, 0))
            sums[part.currency] = _plus(before, Total(part.currency, *part.money, part.count))
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
