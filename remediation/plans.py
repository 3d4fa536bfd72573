"""What an action is going to do, worked out before anybody approves it: its deeds, and the record before and after.

`before` and `after` are columns of the record's row in the books, as text; what is not named does not matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from detector.signal_content import digits
from integrations.writing import VERBS, Deed

PHASES = ("contain", "root_cause", "downstream", "verify")
"""The order of a repair."""

Columns = Mapping[str, str | None]


@dataclass(frozen=True)
class Plan:
    """One action for one signal on one record. `amount` is what it moves, without sign, in major units."""

    kind: str
    phase: str
    object_type: str
    object_id: str
    change: str
    outcome: str
    risk: str
    integration: str | None = None  # where it writes; None: it only records
    customer_id: str | None = None
    deeds: tuple[Deed, ...] = ()
    before: Columns = field(default_factory=dict)
    after: Columns = field(default_factory=dict)
    quiet: bool = False  # whether the rule finds nothing about the record afterwards
    shown: bool = False  # whether the other side goes on showing the deeds, which is what is verified then
    reversible: bool = False
    currency: str | None = None
    amount: Decimal | None = None
    note: Mapping[str, Any] = field(default_factory=dict)  # what else a record-only action keeps

    def as_json(self) -> dict[str, Any]:
        """What the store keeps beside the action's own columns."""
        return {
            "deeds": [deed.as_json() for deed in self.deeds],
            "before": dict(self.before),
            "after": dict(self.after),
            "quiet": self.quiet,
            "shown": self.shown,
            "note": dict(self.note),
        }

    @property
    def digest(self) -> str:
        """Equal for two plans that do the same."""
        return digest([self.change, self.as_json()])


def link(integration: str | None, customer: str, kind: str, phase: str, verb: str, what: str, risk: str = "") -> Plan:
    """A link to the customer portal under which a customer adds something; `risk` is what else there is to know."""
    return Plan(
        kind=kind,
        phase=phase,
        integration=integration,
        object_type="customer",
        object_id=customer,
        customer_id=customer,
        change=f"Make a link to the customer portal under which {customer} adds {what}.",
        outcome="The link stands in the action's journal; somebody sends it to the customer.",
        risk="The link opens the customer's billing without a password for a short time; send it to nobody else."
        + risk,
        deeds=(Deed(verb, "customer", customer),),
    )


def digest(said: Any) -> str:
    """The sha256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def deeds_of(plan: Mapping[str, Any]) -> tuple[Deed, ...]:
    """The deeds of a stored plan."""
    return tuple(Deed.parse(each) for each in plan["deeds"])


def steps(plan: Mapping[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    """What a stored plan asks the other side for, for people: what it means, of which record, and with what."""
    return [
        (
            VERBS.get(deed.verb, deed.verb),
            f"{deed.type} {deed.id}",
            {name: _words(told) for name, told in deed.about.items()},
        )
        for deed in deeds_of(plan)
    ]


def changes(plan: Mapping[str, Any]) -> list[tuple[str, str | None, str | None]]:
    """The columns of the record that a stored plan changes: name, now, afterwards."""
    before, after = plan["before"], plan["after"]
    names = [*before, *(name for name in after if name not in before)]
    return [(name, before.get(name), after.get(name)) for name in names if name in after]


def _words(told: object) -> str:
    return told if isinstance(told, str) else json.dumps(told, sort_keys=True)


def text(value: object) -> str | None:
    """A value of the books as plans compare it: decimals without trailing zeros, instants in RFC 3339."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return digits(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def columns(row: Mapping[str, Any], *names: str) -> dict[str, str | None]:
    """Those columns of a row, as text."""
    return {name: text(row.get(name)) for name in names}


def differing(wanted: Columns, row: Mapping[str, Any]) -> list[str]:
    """In words, where the row is not as wanted."""
    found = columns(row, *wanted)
    return [f"{name} is {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value]
