"""Who has what: load and deadlines by person, handing signals out by load, standing in, and who gets new signals.

People are names, as signals carry them.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, func, literal, select
from sqlalchemy.orm import Session

from detector import triage
from detector.due import HOURS, due_at, overdue_each
from detector.inbox_filter import Filter
from detector.overview import Total, totals_by_column
from detector.triage import Change
from store import audit
from store.operational_tables import OPEN_STATUSES, Signal
from store.people_tables import Person
from store.signal_groups import SIGNAL_GROUPS
from store.team_tables import AssignRule, TeamMember

FIELDS: Mapping[str, str] = {
    "category": "Category",
    "rule": "Rule",
    "integration": "Integration",
    "customer_id": "Customer",
    "severity": "Severity",
}
"""What new signals can be told apart by: the column and its name on the page."""

LOOKED_BACK = timedelta(days=30)
MOST_CLOSED = 5000
MOST_HANDED_OUT = 200


class BadTeam(ValueError):  # noqa: N818 (what is bad is what a person asked for)
    """Something that cannot be done with the team; the message says why."""


@dataclass(frozen=True)
class Load:
    """What one person has: open and overdue signals, their money, and how many of those closed lately were in time."""

    name: str
    open: int
    overdue: int
    totals: tuple[Total, ...]
    closed: int
    in_time: int
    away_until: datetime | None
    cover: str | None


def loads(session: Session, hours: Mapping[str, int], now: datetime) -> list[Load]:
    """Everybody who has a signal or is known to the team, whoever has most overdue first."""
    open_late = _open(session, hours, now)
    totals = totals_by_column(session, Filter(view="every"), now, Signal.assignee)
    closed = _closed(session, hours, now)
    members = {member.name: member for member in session.scalars(select(TeamMember))}
    found = []
    for name in {*open_late, *closed, *members}:
        member = members.get(name)
        away = member.away_until if member and member.away_until and member.away_until > now else None
        found.append(
            Load(name, *open_late.get(name, (0, 0)), totals.get(name, ()), *closed.get(name, (0, 0)), away,
                 member.cover if member and away else None)
        )  # fmt: skip
    return sorted(found, key=lambda load: (-load.overdue, -load.open, load.name))


def assignees(session: Session, most: int) -> list[str]:
    """Everybody who has a signal, or had one when it closed: from one name to the next along the index."""
    first = select(func.min(Signal.assignee).label("name")).cte("assignees", recursive=True)
    following = select(func.min(Signal.assignee)).where(Signal.assignee > first.c.name).scalar_subquery()
    names = first.union_all(select(following).where(first.c.name.is_not(None)))
    return [name for name in session.scalars(select(names.c.name).limit(most)) if name is not None]


def hand_out(session: Session, *, actor: str, now: datetime) -> list[Change]:
    """Give the unassigned open signals, the most money first, each to whoever of those present has fewest.

    Raises BadTeam when nobody is there to get one, or there is nothing to give.
    """
    gone = disabled(session)
    present = [
        (load.open, load.name)
        for load in loads(session, HOURS, now)
        if load.away_until is None and load.name.casefold() not in gone
    ]
    query = select(Signal.id).where(Signal.is_open.is_(True), Signal.assignee.is_(None), Signal.merged_into.is_(None))
    ids = session.scalars(query.order_by(Signal.rank_amount.desc(), Signal.id).limit(MOST_HANDED_OUT)).all()
    if not present or not ids:
        raise BadTeam("every open signal has somebody" if present else "nobody of the team is there; add a name first")
    heapq.heapify(present)
    shares: dict[str, list[int]] = {}
    for number in ids:
        count, name = heapq.heappop(present)
        shares.setdefault(name, []).append(number)
        heapq.heappush(present, (count + 1, name))
    return [triage.assign(session, own, name, actor=actor, now=now) for name, own in sorted(shares.items())]


def reassign(session: Session, who: str, to: str, *, actor: str, now: datetime) -> Change:
    """Give all open signals of a person to another. Raises BadTeam when there are none, or nobody is named."""
    if not to or to == who:
        raise BadTeam("say who gets the signals")
    _check_present(session, to)
    ids = session.scalars(select(Signal.id).where(Signal.is_open.is_(True), Signal.assignee == who)).all()
    if not ids:
        raise BadTeam(f"{who} has no open signal")
    return triage.assign(session, ids, to, actor=actor, now=now)


def disabled(session: Session) -> set[str]:
    """The names, without case, of those whose account is disabled: nobody gives them work."""
    return set(session.scalars(select(Person.name_key).where(Person.disabled_at.is_not(None))))


def _check_present(session: Session, name: str) -> None:
    if name.casefold() in disabled(session):
        raise BadTeam(f"the account of {name} is disabled; name somebody else")


def set_away(
    session: Session, name: str, until: datetime | None, cover: str | None, *, actor: str, now: datetime
) -> None:
    """Keep a person in the team, present or away until an instant, and who stands in. Raises BadTeam without a name."""
    if not name:
        raise BadTeam("a person needs a name")
    if cover == name:
        raise BadTeam(f"{name} cannot stand in for {name}")
    if cover and until:
        _check_present(session, cover)
    member = session.get(TeamMember, name) or TeamMember(name=name)
    before = _standing(member)
    member.away_until, member.cover = until, cover if until else None
    session.add(member)
    audit.record(session, "team.person", ("person", name), actor=actor, now=now, before=before, after=_standing(member))


def rules(session: Session) -> Sequence[AssignRule]:
    """Who gets which new signals, in the order in which they are asked."""
    return session.scalars(select(AssignRule).order_by(AssignRule.id)).all()


def add_rule(session: Session, field: str, value: str, assignee: str, *, actor: str, now: datetime) -> None:
    """Say who gets new signals of a kind. Raises BadTeam for an unknown field or an empty value or name."""
    if field not in FIELDS or not value or not assignee:
        raise BadTeam("say which signals, and who gets them")
    _check_present(session, assignee)
    rule = AssignRule(field=field, value=value, assignee=assignee, made_by=actor, made_at=now)
    session.add(rule)
    session.flush()
    audit.record(session, "team.rule.added", _about(rule), actor=actor, now=now, after=_said(rule))


def remove_rule(session: Session, number: int, *, actor: str, now: datetime) -> None:
    """Nobody gets such signals by themselves any more; those that are assigned stay so."""
    rule = session.get(AssignRule, number)
    if rule is not None:
        session.delete(rule)
        audit.record(session, "team.rule.removed", _about(rule), actor=actor, now=now, before=_said(rule))


def _standing(member: TeamMember) -> dict[str, Any]:
    return {"away_until": member.away_until, "cover": member.cover}


def _about(rule: AssignRule) -> tuple[str, str]:
    return "assign_rule", str(rule.id)


def _said(rule: AssignRule) -> dict[str, Any]:
    return {"field": rule.field, "value": rule.value, "assignee": rule.assignee}


def assign_new(session: Session, ids: Sequence[int], *, now: datetime) -> None:
    """Give signals that have just opened to whom the first fitting rule names, or to whoever stands in for them."""
    asked = rules(session) if ids else []
    if not asked:
        return
    gone = disabled(session)
    away = {
        member.name: member.cover
        for member in session.scalars(select(TeamMember).where(TeamMember.away_until > now))
    }  # fmt: skip
    shares: dict[tuple[str, int], list[int]] = {}
    for signal in session.scalars(select(Signal).where(Signal.id.in_(ids), Signal.assignee.is_(None))):
        rule = next((rule for rule in asked if str(getattr(signal, rule.field)) == rule.value), None)
        name = away.get(rule.assignee, rule.assignee) if rule else None
        if rule and name and name.casefold() not in gone:
            shares.setdefault((name, rule.id), []).append(signal.id)
    for (name, number), own in shares.items():
        triage.assign(session, own, name, actor=f"rule:assign-{number}", now=now)


def _open(session: Session, hours: Mapping[str, int], now: datetime) -> dict[str, tuple[int, int]]:
    """By person, how many signals are open and how many of them overdue: of those, only what is overdue is read."""
    own = SIGNAL_GROUPS.c
    has = select(own.assignee, func.sum(own.signals).cast(Integer).label("open")).where(own.status.in_(OPEN_STATUSES))
    held = has.where(own.assignee.is_not(None)).group_by(own.assignee).subquery()
    mine = (Signal.assignee == held.c.assignee, Signal.is_open.is_(True))
    late = [
        select(func.count()).where(*mine, each).correlate(held).scalar_subquery() for each in overdue_each(hours, now)
    ]
    rows = session.execute(select(held.c.assignee, held.c.open, sum(late, literal(0))))
    return {name: (count, behind) for name, count, behind in rows}


def _closed(session: Session, hours: Mapping[str, int], now: datetime) -> dict[str, tuple[int, int]]:
    """By person, how many signals were closed lately and how many of them in time."""
    columns = (Signal.assignee, Signal.severity, Signal.first_seen, Signal.status_at)
    query = select(*columns).where(
        Signal.assignee.is_not(None), Signal.is_open.is_(False), Signal.status_at >= now - LOOKED_BACK
    )
    found: dict[str, tuple[int, int]] = {}
    for name, severity, first_seen, closed_at in session.execute(query.limit(MOST_CLOSED)):
        closed, in_time = found.get(str(name), (0, 0))
        found[str(name)] = (closed + 1, in_time + (closed_at <= due_at(severity, first_seen, hours)))
    return found
