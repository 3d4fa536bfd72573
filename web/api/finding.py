"""Finds what an address of the API names, or says that there is none."""

from __future__ import annotations

from sqlalchemy.orm import Session

from detector import inbox
from detector.rules import Rule
from store.operational_tables import Signal
from web.console import console
from web.problems import Refused


def signal_of(session: Session, label: str) -> Signal:
    """The signal of that label. Raises Refused."""
    number = inbox.number(label)
    found = session.get(Signal, number) if number is not None else None
    if found is None:
        raise Refused(404, "No such signal", f"There is no signal {label[:40]}; GET /api/v1/signals lists them.")
    return found


def rule_of(name: str) -> Rule:
    """The rule of that name that runs. Raises Refused."""
    found = console().rules.get(name)
    if found is None:
        raise Refused(404, "No such rule", f"No rule {name[:60]} runs; GET /api/v1/rules lists them.")
    return found
