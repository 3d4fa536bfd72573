"""What-if on a line's page: the form, whose fields are the names that `trueup explain --set` takes, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import duckdb
from markupsafe import Markup

from billing.books import BY_NAME
from billing.dialects import Dialects
from billing.model import Kind
from billing.prices import Price
from detector.explain import ComparedStep, Explanation
from detector.explain_text import shown
from detector.other_terms import NAMES, PRICE, other_terms
from detector.price_settings import COLUMNS, TIERS, BadSettingError, told
from detector.what_if import WhatIf, what_if
from web.figures import gap, money

LONGEST = 4000
"""Characters of one value that the form takes."""


@dataclass(frozen=True)
class WhatIfField:
    """One field: the name that it sets, what was entered, what holds now, and the choices where there are some."""

    name: str
    label: str
    given: str
    now: str
    choices: tuple[str, ...] = ()
    long: bool = False


@dataclass(frozen=True)
class WhatIfForm:
    """The form: the fields that this line's price reads, and the others behind a fold."""

    fields: tuple[WhatIfField, ...]
    others: tuple[WhatIfField, ...]
    settings: Mapping[str, str]


@dataclass(frozen=True)
class WhatIfRow:
    """A step as it is and under the other terms."""

    name: str
    unchanged: str
    changed: str
    text: str
    off: bool


@dataclass(frozen=True)
class WhatIfAnswer:
    """Both sides step by step, and what the change makes of the line."""

    rows: tuple[WhatIfRow, ...]
    unchanged: Markup
    changed: Markup
    difference: Markup
    reason: str


def what_if_form(arguments: Mapping[str, str], explanation: Explanation) -> WhatIfForm:
    """The form with what the address asks for; an empty field leaves the line as it is."""
    settings = {
        name: value.strip()[:LONGEST]
        for name, value in arguments.items()
        if value.strip() and (name in NAMES or name.startswith(PRICE))
    }
    basis = explanation.expectation.basis
    price = basis.price.price if basis else None
    quantity = told(basis.quantity) if basis and basis.quantity is not None else ""
    terms = [
        WhatIfField("quantity", "Quantity", settings.get("quantity", ""), quantity),
        WhatIfField("plan_version", "Plan version", settings.get("plan_version", ""), ""),
        WhatIfField("price", "Another price", settings.get("price", ""), basis.terms.price_id if basis else ""),
    ]
    columns = [_field(column, settings, price) for column in COLUMNS if column != "cadence"]
    read = [each for each in columns if each.now or each.given or each.name == f"{PRICE}model"]
    return WhatIfForm((*terms, *read), tuple(each for each in columns if each not in read), settings)


def _field(column: str, settings: Mapping[str, str], price: Price | None) -> WhatIfField:
    described = BY_NAME["prices"].by_name.get(column)
    value = getattr(price, column) if price else None
    return WhatIfField(
        name=f"{PRICE}{column}",
        label=column.replace("_", " ").capitalize(),
        given=settings.get(f"{PRICE}{column}", ""),
        now=told(value) if value else "",
        choices=described.values if described and described.kind is Kind.ENUM else (),
        long=column == TIERS,
    )


def tried(
    books: duckdb.DuckDBPyConnection, asked: WhatIfForm, explanation: Explanation, at: datetime, dialects: Dialects
) -> tuple[WhatIfAnswer | None, str]:
    """The answer to what was asked, and why there is none; neither while nothing was asked."""
    if not asked.settings:
        return None, ""
    line = explanation.line
    try:
        found = what_if(books, line.line_id, at, other_terms(asked.settings), line.integration, dialects)
        return _answer(found), ""
    except BadSettingError as error:
        return None, f"{error}."


def _answer(found: WhatIf) -> WhatIfAnswer:
    currency = found.unchanged.line.currency
    return WhatIfAnswer(
        rows=tuple(
            WhatIfRow(
                step.name.replace("_", " ").capitalize(),
                _value(step.unchanged),
                _value(step.changed),
                next(side.text for side in (step.changed, step.unchanged) if side),
                step.differs,
            )
            for step in found.steps
        ),
        unchanged=money(found.unchanged.numbers.expected, currency),
        changed=money(found.changed.numbers.expected, currency),
        difference=_change(found.difference, currency),
        reason=found.changed.as_json()["reason_text"] or "",
    )


def _value(step: ComparedStep | None) -> str:
    return shown(step, step.expected) if step else "\u2013"


def _change(difference: Decimal | None, currency: str) -> Markup:
    """The change in words rather than by a sign."""
    if not difference:
        return gap(difference, currency)
    return Markup("{} <small>{}</small>").format(
        money(abs(difference), currency), "dearer" if difference > 0 else "cheaper"
    )
