"""What a model is told about a signal: numbers, ids, instants and states, and words that rules and code wrote.

Text that people or customers wrote (names, descriptions, metadata, replies of other systems) is left out or stands
as a token, so that nothing in a record can speak to the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from detector.detail import amount, instant
from remediation.advice import Advice, Step
from remediation.advisor.masking import Mask
from remediation.case import Row
from remediation.root_cause import numbers_of, record_of
from store.action_tables import PENDING
from store.operational_tables import SignalEntity
from store.warehouse import Warehouse

ENTITIES = 40
"""Records of a signal that a model is told of, the cause first."""

_PLAIN = re.compile(r"[\w.:#/+-]{1,120}")
_WORDS = re.compile(r"[a-z][a-z_ ]{0,30}")


@dataclass(frozen=True)
class Facts:
    """The evidence by its ids, the actions that may be ordered, and the mask that hid the names."""

    evidence: Mapping[str, str]
    actions: tuple[str, ...]  # labels of those that wait, in the order of the advice
    phases: Mapping[str, str]  # by label
    mask: Mask

    def as_json(self) -> str:
        """The facts as a message to a model."""
        told = {
            "evidence": [{"id": id, "shows": shows} for id, shows in self.evidence.items()],
            "actions": [{"id": id, "phase": self.phases[id]} for id in self.actions],
        }
        return json.dumps(told, ensure_ascii=False, indent=1)


def facts(advice: Advice, warehouse: Warehouse) -> Facts:
    """Everything that a model is told about the signal of an advice. Raises LakeError."""
    mask = Mask(names(warehouse, advice.case.signal.integration, [each.customer_id for each in advice.case.entities]))
    told: dict[str, str] = {}
    for id, shows in _evidence(advice, mask):
        told.setdefault(id, mask.hide(shows))  # of a record with two roles the first, which is the cause
    steps = [step.action for step in advice.steps if step.action is not None and step.action.status in PENDING]
    return Facts(told, tuple(each.label for each in steps), {each.label: each.phase for each in steps}, mask)


def names(warehouse: Warehouse, integration: str, customers: Sequence[str | None]) -> list[str]:
    """The names of customers. Raises LakeError."""
    wanted = sorted({each for each in customers if each})
    query = "SELECT name FROM books.customers WHERE integration = ? AND customer_id IN (SELECT unnest(?))"
    with closing(warehouse.connect(read_only=True)) as con:
        return [name for (name,) in con.execute(query, [integration, wanted]).fetchall()]


def named_in(warehouse: Warehouse, text: str) -> list[str]:
    """The names of customers that occur in a text, whoever they are. Raises LakeError."""
    query = "SELECT DISTINCT name FROM books.customers WHERE length(name) >= 3 AND contains(lower(?), lower(name))"
    with closing(warehouse.connect(read_only=True)) as con:
        return [name for (name,) in con.execute(query, [" ".join(text.split())]).fetchall()]


def plain(value: Any, mask: Mask) -> str:
    """A value of a record as evidence shows it; an id that could be a sentence becomes a token."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return amount(value, None) or "0"
    if isinstance(value, datetime):
        return instant(value) or ""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else mask.token("TEXT", text)


def row_shown(row: Row, columns: Sequence[str], mask: Mask) -> str:
    """Some columns of a row, `name value` each."""
    return "; ".join(f"{name.replace('_', ' ')} {plain(row[name], mask)}" for name in columns if row[name] is not None)


def _evidence(advice: Advice, mask: Mask) -> Iterator[tuple[str, str]]:
    signal, cause, case = advice.signal, advice.cause, advice.case
    money = [
        f"{kind} {amount(getattr(signal, kind), signal.money_in)} {signal.money_in}"
        for kind in ("under", "over", "exposure")
        if signal.money_in not in (None, "several") and getattr(signal, kind)
    ]
    rule = signal.rule.replace("_", " ")
    found = [
        f"{signal.code} {rule} was found",
        f"severity {signal.severity}",
        f"confidence {signal.confidence}",
        *money,
    ]
    found += [f"first seen {instant(signal.first_seen)}", f"status {signal.status}"]
    found += [f"{signal.customer_count} customers", f"{signal.finding_count} findings"]
    yield signal.label, "; ".join(found)
    if case.rule is not None:
        yield "rule", " ".join(case.rule.why.split())
    shared = [f"the same repair settles {', '.join(cause.signals)}"] if cause.signals else []
    likely = f"the root cause is {cause.category.replace('_', ' ')} at {plain(cause.entity, mask)}"
    yield "cause", "; ".join([likely, f"this is {cause.confidence}", f"{cause.customers} customers share it", *shared])
    for place, why in enumerate(cause.why, 1):
        yield f"why:{place}", why
    for finding in case.findings[:3]:
        yield f"finding:{finding.id}", "; ".join(numbers_of(finding))
    for entity in case.entities[:ENTITIES]:
        yield _entity_id(entity, mask), _entity(entity, mask)
    for place, change in enumerate(cause.changes, 1):
        what = change.what if not change.what.startswith("a load failed") else "a load failed"
        yield f"change:{place}", f"{plain(change.record, mask)}: {what} at {instant(change.at)}"
    for place, step in enumerate(advice.steps, 1):
        yield (step.action.label if step.action else f"step:{place}"), _step(step, mask)


def _entity_id(entity: SignalEntity, mask: Mask) -> str:
    return f"{entity.type}:{plain(entity.entity_id, mask)}"


def _entity(entity: SignalEntity, mask: Mask) -> str:
    parts = record_of(entity, entity.status if entity.status and _WORDS.fullmatch(entity.status) else None)
    if entity.type == "customer" and entity.name:
        parts = [f"called {mask.token('CUSTOMER', entity.name)}", *parts]
    return "; ".join(parts)


def _named(step: Step) -> list[str]:
    """Every text of a record that an action's words may hold, the longest first."""
    if step.action is None:
        return []
    said = [step.action.object_id.partition("#")[0], step.action.object_id, step.action.customer_id or ""]
    for deed in step.action.plan["deeds"]:
        said += [deed["id"], *(value for value in deed["about"].values() if isinstance(value, str))]
    return sorted({each for each in said if each and not _PLAIN.fullmatch(each)}, key=lambda each: (-len(each), each))


def _step(step: Step, mask: Mask) -> str:
    """A step in code's words; what a record calls itself in them is a token, unless it is a plain id."""
    change, outcome = step.change, step.outcome
    for named in _named(step):
        change, outcome = (text.replace(named, plain(named, mask)) for text in (change, outcome))
    parts = [step.phase.replace("_", " "), change, f"afterwards: {outcome}"]
    if step.action is not None:
        parts += [f"status {step.action.status}", "can be undone" if step.reversible else "cannot be undone"]
        parts += [f"moves {step.money}"] if step.money else []
    parts += [f"risk: {step.risk}"] if step.risk else []
    parts += ["locked, it has to wait"] if step.locked else []
    return "; ".join(parts)
