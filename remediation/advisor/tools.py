"""What a model may look up while it answers a question: read-only, about the records of one signal.

Every answer of a tool becomes a piece of evidence with an id of its own, which sentences can cite.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb
from pydantic import BaseModel, ConfigDict, ValidationError

from billing.books import BY_NAME
from billing.model import Kind
from detector.explain import Explanation, explain
from detector.explain_text import money
from detector.line_records import UnknownRecordError
from detector.other_terms import other_terms
from detector.price_settings import BadSettingError
from detector.similar import similar
from detector.what_if import what_if
from remediation.advice import Advice
from remediation.advisor.answers import ordered
from remediation.advisor.facts import Facts, named_in, plain, row_shown
from remediation.advisor.grounding import SUPPOSED
from remediation.remedy import Remedy
from store import operational
from store.operational_tables import Signal

LETTERS = 4000
"""Letters of one tool's answer."""

TOLD = frozenset({Kind.ID, Kind.TS, Kind.MONEY, Kind.PRICE, Kind.QTY, Kind.CURRENCY, Kind.DURATION, Kind.INT,
                  Kind.BOOL, Kind.ENUM})  # fmt: skip
"""Kinds of column that a model is told: no text that people wrote, no JSON."""

TABLES = {
    "customer": "customers", "subscription": "subscriptions", "item": "subscription_items", "price": "prices",
    "plan": "plans", "meter": "meters", "invoice": "invoices", "invoice_line": "invoice_lines",
    "credit_note": "credit_notes", "payment": "payments", "discount": "discounts",
}  # fmt: skip

_SERIES = """
WITH parts AS (
    SELECT period_start, period_end, quantity AS recorded, NULL AS charged, NULL AS amount, NULL AS currency
    FROM books.reported_usage WHERE integration = $integration AND item_id = $item
    UNION ALL
    SELECT l.period_start, l.period_end, NULL, l.quantity, l.amount, i.currency
    FROM books.invoice_lines AS l
    JOIN books.invoices AS i ON i.integration = l.integration AND i.invoice_id = l.invoice_id AND i.status <> 'void'
    WHERE l.integration = $integration AND l.item_id = $item
)
SELECT period_start, period_end, sum(recorded), sum(charged), sum(amount), any_value(currency)
FROM parts WHERE period_start IS NOT NULL GROUP BY period_start, period_end ORDER BY period_start DESC LIMIT 12"""


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Entity(_Arguments):
    """One record of the signal: its numbers, instants and states."""

    type: str
    id: str


class UsageSeries(_Arguments):
    """What was recorded as used and what was charged, by billing period, for an item of the signal."""

    item_id: str


class Explain(_Arguments):
    """How the expected amount of an invoice line of the signal comes about, beside what it charges."""

    line_id: str


class SimilarSignals(_Arguments):
    """Other signals with the same cause, customer or rule."""


class WhatIf(_Arguments):
    """What a line of the signal would come to under other terms, such as quantity or price.unit_amount."""

    line_id: str
    settings: dict[str, str]


class ProposePlan(_Arguments):
    """Another order of the actions that wait. It is shown to the person and changes nothing."""

    actions: list[str]


@dataclass
class Toolbox:
    """The tools of one exchange; `evidence` and `plan` are what they added."""

    remedy: Remedy
    advice: Advice
    facts: Facts
    evidence: dict[str, str] = field(default_factory=dict)
    plan: tuple[str, ...] = ()

    def described(self) -> list[dict[str, Any]]:
        """The tools as a model is told of them."""
        return [
            {"type": "function", "function": {
                "name": name, "description": " ".join((shape.__doc__ or "").split()),
                "parameters": shape.model_json_schema()}}
            for name, (shape, _) in TOOLS.items()
        ]  # fmt: skip

    def use(self, name: str, arguments: str) -> str:
        """What a tool answers, as JSON text with the id to cite; in words what is wrong when it cannot be used."""
        if name not in TOOLS:
            return json.dumps({"error": f"there is no tool {name[:40]}; there are {', '.join(TOOLS)}"})
        shape, run = TOOLS[name]
        try:
            shows = run(self, shape.model_validate_json(arguments or "{}"))
        except ValidationError as error:
            return json.dumps({"error": f"{name}: {error.errors()[0]['msg']}"})
        except (UnknownRecordError, BadSettingError, ValueError) as error:
            return json.dumps({"error": self.facts.mask.hide(str(error))[:400]})
        self.facts.mask.know(named_in(self.remedy.setting.warehouse, shows))
        id = f"tool:{len(self.evidence) + 1}"
        self.evidence[id] = self.facts.mask.hide(shows)[:LETTERS]
        return json.dumps({"id": id, "shows": self.evidence[id]}, ensure_ascii=False)

    def of_signal(self, type: str, id: str) -> str:
        """The id, when it is a record of the signal. Raises ValueError for any other."""
        case = self.advice.case
        own = {(each.type, each.entity_id) for each in case.entities}
        own |= {("invoice", each) for each in case.invoices} | {("invoice_line", each) for each in case.lines}
        own |= {("subscription", each) for each in case.subscriptions}
        if (type, id) not in own:
            raise ValueError(f"{type}:{plain(id, self.facts.mask)} is no record of {self.advice.signal.label}")
        return id

    def books(self) -> duckdb.DuckDBPyConnection:
        """The books, to read."""
        return self.remedy.setting.warehouse.connect(read_only=True)


def _entity(box: Toolbox, asked: Entity) -> str:
    id, table = box.of_signal(asked.type, asked.id), BY_NAME.get(TABLES.get(asked.type, ""))
    if table is None:
        raise ValueError(f"of a {asked.type} there is no more to tell than the evidence does")
    told = [column.name for column in table.columns if column.kind in TOLD]
    query = f"SELECT {', '.join(told)} FROM books.{table.name} WHERE integration = ? AND {table.key[0]} = ? LIMIT 5"
    with closing(box.books()) as con:
        rows = con.execute(query, [box.advice.signal.integration, id]).fetchall()
    shown = [row_shown(dict(zip(told, row, strict=True)), told, box.facts.mask) for row in rows]
    return f"{asked.type}:{id}: {' | '.join(shown) or 'not in the books'}"


def _usage(box: Toolbox, asked: UsageSeries) -> str:
    item = box.of_signal("item", asked.item_id)
    with closing(box.books()) as con:
        found = con.execute(_SERIES, {"integration": box.advice.signal.integration, "item": item}).fetchall()
    told = [
        f"{start:%Y-%m-%d} to {end:%Y-%m-%d}: recorded {plain(recorded, box.facts.mask)}, charged quantity "
        f"{plain(charged, box.facts.mask)}, charged {_number(amount, currency or '')}"
        for start, end, recorded, charged, amount, currency in found
    ]
    return f"item:{item} by period: {'; '.join(told) or 'nothing'}"


def _explain(box: Toolbox, asked: Explain) -> str:
    line, setting = box.of_signal("invoice_line", asked.line_id), box.remedy.setting
    with closing(box.books()) as con:
        found = explain(con, line, setting.clock(), integration=box.advice.signal.integration,
                        dialects=setting.warehouse.dialects)  # fmt: skip
    return f"invoice_line:{line}: {_steps(found)}"


def _what_if(box: Toolbox, asked: WhatIf) -> str:
    line, setting, other = box.of_signal("invoice_line", asked.line_id), box.remedy.setting, other_terms(asked.settings)
    with closing(box.books()) as con:
        found = what_if(con, line, setting.clock(), other, box.advice.signal.integration, setting.warehouse.dialects)
    settings = ", ".join(f"{name} = {plain(value, box.facts.mask)}" for name, value in sorted(asked.settings.items()))
    currency = found.unchanged.line.currency
    sides = [f"{name}: {_expected(side)}" for name, side in (("as it is", found.unchanged), ("what if", found.changed))]
    change = f"the change makes {money(found.difference, currency)} {currency}" if found.difference is not None else ""
    return f"invoice_line:{line} {SUPPOSED} {settings}: {'; '.join([*sides, change])}"


def _similar(box: Toolbox, asked: SimilarSignals) -> str:
    with operational.reading(box.remedy.setting.engine) as session:
        likes = similar(session, session.get_one(Signal, box.advice.signal.id))
        told = [f"{like.signal.label} {like.signal.code} {like.signal.rule.replace('_', ' ')}, {like.why}, "
                f"status {like.signal.status}" for like in likes]  # fmt: skip
    return "; ".join(told) or "there are no similar signals"


def _propose(box: Toolbox, asked: ProposePlan) -> str:
    facts = box.facts
    if unknown := [each for each in asked.actions if each not in facts.actions]:
        waiting = ", ".join(facts.actions) or "none"
        raise ValueError(f"{plain(unknown[0], facts.mask)} is no action that waits; there are {waiting}")
    box.plan = ordered(asked.actions, facts.actions, facts.phases)
    return f"another order is shown to the person, and nothing else is changed: {', '.join(box.plan)}"


def _steps(found: Explanation) -> str:
    told = [f"{step.name.replace('_', ' ')}: expected {_number(step.expected, step.unit)}, the line says "
            f"{_number(step.billed, step.unit)}" for step in found.steps]  # fmt: skip
    parts = [f"they part at {found.parts_at.name.replace('_', ' ')}"] if found.parts_at else ["they do not part"]
    return "; ".join([*told, *parts])


def _expected(found: Explanation) -> str:
    return _number(found.numbers.expected, found.line.currency)


def _number(value: Decimal | None, unit: str) -> str:
    if value is None:
        return "not known"
    return f"{money(value, unit)} {unit}" if unit.isupper() else f"{value:f} {unit}"


TOOLS: Mapping[str, tuple[type[_Arguments], Callable[[Toolbox, Any], str]]] = {
    "entity": (Entity, _entity),
    "usage_series": (UsageSeries, _usage),
    "explain": (Explain, _explain),
    "similar": (SimilarSignals, _similar),
    "what_if": (WhatIf, _what_if),
    "propose_plan": (ProposePlan, _propose),
}
"""The tools by name: the arguments that each takes, and what it does."""
