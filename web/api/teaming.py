"""The team: who has what, handing signals out, standing in, and who gets new signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from flask import Response
from pydantic import AwareDatetime, Field

from detector import due, team
from detector.detail import amount, instant
from detector.overview import Total
from detector.team import BadTeam
from detector.triage import Change, UnknownSignal
from store import operational
from web.api import answers
from web.api.answers import Answer, Instant
from web.api.bodies import Body, Empty
from web.api.operations import Operation, body, operation
from web.api.queries import one_of
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer
from web.words import sentence

Name = Annotated[str, Field(min_length=1, max_length=60)]
REFUSED = {409: "It cannot be done; the detail says why."}


class Load(Answer):
    """What one person has, and how many of those closed lately were in time."""

    name: str
    open: int
    overdue: int
    money: list[answers.Money]
    closed: int
    in_time: int
    away_until: Instant | None
    cover: str | None


class AssignRule(Answer):
    """Who gets new signals of a kind."""

    id: int
    field: Annotated[str, one_of(team.FIELDS)]
    value: str
    assignee: str
    made_by: str
    made_at: Instant


class Team(Answer):
    """Everybody's load, whoever has most overdue first, and who gets new signals."""

    people: list[Load]
    rules: list[AssignRule]
    fairness_days: Annotated[int, Field(description="How many days `closed` looks back.")]


class Handed(Answer):
    """What was handed out: a change of each person, which undo takes back."""

    changes: list[answers.Change]


class WantedHandover(Body):
    """Whose open signals go to whom."""

    who: Name
    to: Name


class WantedPresence(Body):
    """Until when the person is away, and who stands in; null: they are there."""

    until: AwareDatetime | None = None
    cover: Name | None = None


class WantedRule(Body):
    """Which new signals somebody gets without being asked."""

    field: Annotated[str, one_of(team.FIELDS)]
    value: Annotated[str, Field(min_length=1, max_length=200)]
    assignee: Name


@operation("/team", Operation("Show the team", "Everybody's load and deadlines, and who gets new signals.", Team))
def team_load() -> Response:
    """Who has what."""
    with operational.reading(console().engine) as session:
        found, rules = team.loads(session, due.hours(session), now()), team.rules(session)
        told = {
            "people": [_load(each) for each in found],
            "rules": [_rule(each) for each in rules],
            "fairness_days": team.LOOKED_BACK.days,
        }
    return answer(200, told)


@operation(
    "/team/hand-out",
    Operation("Hand signals out", "Give what nobody has to those who have least.", Handed, body=Empty, refuses=REFUSED),
    method="POST",
)
def hand_out() -> Response:
    """Hand out by load."""
    body(Empty)
    return _handed(lambda session: team.hand_out(session, actor=preferences().actor, now=now()))


@operation(
    "/team/reassign",
    Operation("Reassign signals", "Give all that one person has to another.", Handed, body=WantedHandover,
              refuses=REFUSED),
    method="POST",
)  # fmt: skip
def reassign() -> Response:
    """Give all of one to another."""
    wanted: WantedHandover = body(WantedHandover)
    who, to = " ".join(wanted.who.split()), " ".join(wanted.to.split())
    return _handed(lambda session: [team.reassign(session, who, to, actor=preferences().actor, now=now())])


@operation(
    "/team/people/<who>",
    Operation("Set a person's presence", "Add a person, or say that one is away or back, and who stands in.", Team,
              body=WantedPresence, refuses=REFUSED),
    method="PUT",
)  # fmt: skip
def set_presence(who: str) -> Response:
    """Who is away, and who stands in."""
    wanted: WantedPresence = body(WantedPresence)
    name, cover = " ".join(who.split())[:60], " ".join((wanted.cover or "").split()) or None
    with _refusals(), operational.writing(console().engine) as session:
        team.set_away(session, name, _utc(wanted.until), cover, actor=preferences().actor, now=now())
    return team_load()


@operation(
    "/team/rules",
    Operation("Add a rule of assignment", "Say who gets new signals of a kind.", Team, 201, body=WantedRule,
              refuses=REFUSED),
    method="POST",
)  # fmt: skip
def add_assign_rule() -> Response:
    """Who gets new signals of a kind."""
    wanted: WantedRule = body(WantedRule)
    to = " ".join(wanted.assignee.split())
    with _refusals(), operational.writing(console().engine) as session:
        team.add_rule(session, wanted.field, wanted.value.strip(), to, actor=preferences().actor, now=now())
    told = team_load()
    told.status_code = 201
    return told


@operation(
    "/team/rules/<int:number>",
    Operation("Remove a rule of assignment", "What is assigned stays so.", None, 204),
    method="DELETE",
)
def remove_assign_rule(number: int) -> Response:
    """Take such a rule away."""
    with operational.writing(console().engine) as session:
        if all(each.id != number for each in team.rules(session)):
            raise Refused(404, "No such rule", f"There is no rule of assignment {number}.")
        team.remove_rule(session, number, actor=preferences().actor, now=now())
    return Response(status=204)


def _handed(deed: Callable[[Any], list[Change]]) -> Response:
    with _refusals(), operational.writing(console().engine) as session:
        changes = deed(session)
        told = [
            {
                "id": change.id,
                "changed": [f"SIG-{event.signal_id}" for event in change.events],
                "refused": [vars(each) for each in change.refused],
            }
            for change in changes
        ]
    return answer(200, {"changes": told})


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (BadTeam, UnknownSignal) as reason:
        raise Refused(409, "It cannot be done", sentence(reason)) from None


def _utc(at: datetime | None) -> datetime | None:
    try:
        return at.astimezone(now().tzinfo) if at is not None else None
    except OverflowError:
        raise Refused(422, "The body is not as it should be", "/until: that is out of the calendar.") from None


def _load(each: team.Load) -> dict[str, Any]:
    names = ("name", "open", "overdue", "closed", "in_time", "cover")
    more = {"money": [_money(total) for total in each.totals], "away_until": instant(each.away_until)}
    return {**{name: getattr(each, name) for name in names}, **more}


def _money(total: Total) -> dict[str, Any]:
    kinds = {kind: amount(getattr(total, kind), total.currency) for kind in ("under", "over", "exposure")}
    return {"currency": total.currency, **kinds}


def _rule(each: Any) -> dict[str, Any]:
    names = ("id", "field", "value", "assignee", "made_by")
    return {**{name: getattr(each, name) for name in names}, "made_at": instant(each.made_at)}
