"""Which finding explains another: the finding of a rule that `covers` a code, about the same record and time.

Pure, and shared by folding and by the benchmark, so that both leave out the same. A finding ties to another by its
subject, or by a record that it says is wrong. A record that only holds others - the customer or the invoice that both
list - ties nothing by itself: two lines of one invoice may be wrong for two reasons.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from detector.findings import EntityType, Finding, Role

HOLDERS = tuple(
    f"{kind}:"
    for kind in (
        EntityType.CUSTOMER,
        EntityType.SUBSCRIPTION,
        EntityType.INVOICE,
        EntityType.BILL_RUN,
        EntityType.PLAN,
        EntityType.PRICE,
        EntityType.METER,
        EntityType.INTEGRATION,
        EntityType.SUBJECT,
        EntityType.SOURCE,
    )
)
"""Records that many findings share without being about one thing; they tie only as the covered finding's subject."""

_FROM_THE_PRODUCT = tuple(f"{kind}:" for kind in (EntityType.USAGE_EVENT, EntityType.SUBJECT, EntityType.SOURCE))
"""Records whose ids hold across integrations."""

_INSTANT = timedelta(microseconds=1)


class Covering(Protocol):
    """What of a rule says whom it covers."""

    @property
    def name(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def covers(self) -> tuple[str, ...]: ...


R = TypeVar("R", bound=Covering)


@dataclass(frozen=True)
class Place:
    """What a finding is about, and when: `records` are its subject and what it says is affected, as `type:id`."""

    integration: str
    subject: str
    records: frozenset[str]
    start: datetime | None
    end: datetime | None

    @property
    def ties(self) -> frozenset[str]:
        """The records by which another finding can be about the same thing."""
        return frozenset(record for record in self.records if not record.startswith(HOLDERS)) | {self.subject}


class Explanations:
    """Places of findings that speak for others, found by record."""

    def __init__(self, places: Iterable[tuple[Place, int]] = ()) -> None:
        """`places`: each with the number of the signal (or whatever else) that it belongs to."""
        self._by_record: dict[str, list[tuple[Place, int]]] = {}
        for place, of in places:
            for record in place.records:
                self._by_record.setdefault(record, []).append((place, of))

    def __bool__(self) -> bool:
        return bool(self._by_record)

    def of(self, covered: Place) -> int | None:
        """What explains the finding at this place; None when nothing does. The smallest number of several."""
        found = (
            of
            for record in covered.ties
            for place, of in self._by_record.get(record, ())
            if _same_time(place, covered) and _same_system(place, covered, record)
        )
        return min(found, default=None)


def place(finding: Finding) -> Place:
    """Where and when the finding is."""
    return Place(
        finding.integration,
        str(finding.subject),
        frozenset(records(finding)),
        finding.period_start,
        finding.period_end,
    )


def records(finding: Finding) -> list[str]:
    """The finding's subject and the records that it says are affected, in order, as `type:id`."""
    affected = (str(entity.reference) for entity in finding.entities if entity.role == Role.AFFECTED)
    return sorted({str(finding.subject), *affected})


def ordered(rules: Iterable[R]) -> list[R]:
    """The rules with those that cover before those that they cover, else as they come."""
    waiting = list(rules)
    done: list[R] = []
    while waiting:
        codes = [rule.covers for rule in waiting]
        free = [rule for rule in waiting if not any(rule.code in covers for covers in codes)]
        done += free or waiting
        waiting = [rule for rule in waiting if rule not in free] if free else []
    return done


def speaking(found: Sequence[tuple[R, Finding]]) -> list[tuple[R, Finding]]:
    """The findings that no finding of a covering rule explains; the others are evidence of those that do."""
    places = [(rule, place(finding)) for rule, finding in found]
    covered = {code for rule, _ in found for code in rule.covers}
    explaining = {
        code: Explanations((at, number) for number, (rule, at) in enumerate(places) if code in rule.covers)
        for code in covered
    }
    return [
        pair
        for pair, (rule, at) in zip(found, places, strict=True)
        if rule.code not in explaining or explaining[rule.code].of(at) is None
    ]


def mistakes(rules: Collection[R], faults: Collection[str]) -> Iterator[tuple[R, int, str]]:
    """What is wrong with whom rules cover: the rule, the place in its list, and why.

    A code is known when a rule has it or it is one of `faults`; no rule may end up explaining itself.
    """
    edges: dict[str, set[str]] = {}
    for rule in rules:
        edges.setdefault(rule.code, set()).update(rule.covers)
    for rule in rules:
        for index, code in enumerate(rule.covers):
            if code not in edges and code not in faults:
                yield rule, index, f"no rule has the code {code}, and it is no fault of the catalogue"
            elif way := _way(edges, code, rule.code):
                yield rule, index, f"{' covers '.join([rule.code, *way])}: a rule cannot explain itself"


def _way(edges: dict[str, set[str]], start: str, goal: str) -> list[str]:
    """The codes from `start` to `goal` along what covers what; empty when there is no way."""
    ways = [[start]]
    seen = {start}
    while ways:
        way = ways.pop(0)
        if way[-1] == goal:
            return way
        for code in sorted(edges.get(way[-1], set()) - seen):
            seen.add(code)
            ways.append([*way, code])
    return []


def _same_time(one: Place, other: Place) -> bool:
    """Whether the periods overlap; one that is left open holds everything on that side."""
    return _before(one.start, one.end, other) and _before(other.start, other.end, one)


def _before(start: datetime | None, end: datetime | None, other: Place) -> bool:
    """Whether a period starts before the other ends; a period of no length is the instant at which it stands."""
    if start is None or other.end is None:
        return True
    return start < (other.end + _INSTANT if other.end == other.start else other.end)


def _same_system(one: Place, other: Place, record: str) -> bool:
    return one.integration == other.integration or record.startswith(_FROM_THE_PRODUCT)
