"""Meter cases of other engines' own test suites (conformance/README.md, meters.json)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.dialects import dialect_of
from billing.metering import Aggregation, Event, Filter, Group, measure, windows
from billing.money import round_to

from .cases import at, cases


def known(event: dict[str, Any], rule: dict[str, Any] | None) -> bool:
    """Whether the event passes the peer's filter on when it was stored."""
    if rule is None:
        return True
    if "or" in rule:
        return any(known(event, each) for each in rule["or"])
    stored = at(event["stored_at"])
    return ("gte" not in rule or stored >= at(rule["gte"])) and ("lt" not in rule or stored < at(rule["lt"]))


def window(case: dict[str, Any]) -> tuple[datetime, datetime]:
    """The peer's window as half-open: an inclusive end goes on to the next whole second."""
    span = case["window"]
    start, end = at(span["from"]), at(span["to"])
    if "weighted_end" in span:
        end = at(span["weighted_end"])
    elif case["end"] == "inclusive":
        end = end.replace(microsecond=0) + timedelta(seconds=1)
    if case.get("include_history"):
        start = datetime.min.replace(tzinfo=UTC)
    return start, end


def measured(case: dict[str, Any]) -> dict[Group, Decimal]:
    kind = {"weighted_sum": Aggregation.TIME_WEIGHTED}.get(case["aggregation"]) or Aggregation(case["aggregation"])
    raw = [each for each in case["events"] if known(each, case.get("stored_at_filter"))]
    events = [
        Event(at(each["time"]), each.get("value"), each.get("props", {}), removes=each.get("op") == "remove")
        for each in raw
    ]
    filters = case.get("filters", {})
    keep = Filter(
        {name: frozenset(values) for name, values in filters.get("include", {}).items()},
        [{name: frozenset(values) for name, values in each.items()} for each in filters.get("exclude", [])],
    )
    names = case.get("group_by", ())
    opening = {tuple(e["group"][name] for name in names): Decimal(e["value"]) for e in case.get("initial_values", ())}
    if "initial_value" in case:
        opening = {(): Decimal(case["initial_value"])}
    start, end = window(case)
    spans = [(start, end)]
    if case.get("window_size"):
        size = {"minute": "PT1M", "hour": "PT1H", "day": "P1D"}[case["window_size"]]
        spans = [(each.start, each.end) for each in windows(start, end, size, case["timezone"])]
    lowest = dialect_of(case["peer"]).lowest_latest
    total: dict[Group, Decimal] = {}
    for lower, upper in spans:
        found = measure(events, kind, lower, upper, keep=keep, group_by=names, opening=opening, lowest_latest=lowest)
        for group, value in found.items():
            total[group] = total.get(group, Decimal(0)) + value
    return total


@pytest.mark.parametrize("case", cases("meters.json"))
def test_a_meter_measures_as_the_peer_says(case: dict[str, Any]) -> None:
    got, expected = measured(case), case["expected"]
    places = int(case.get("precision", "round 9").split()[1])
    rounded = {group: round_to(value, places) for group, value in got.items()}
    if "groups" in expected:
        names = case["group_by"]
        assert rounded == {tuple(e["group"][n] for n in names): Decimal(e["value"]) for e in expected["groups"]}
    else:
        assert rounded == {(): Decimal(expected["value"])}
