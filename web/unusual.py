"""The page of unusual usage: what each budget of false alarms comes to, the models, and what labels moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, cast

from flask import Blueprint, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector import derived, usage_budget, usage_calendar, usage_labels
from detector.learned import Learned
from detector.rules import Rule
from detector.usage_budget import AtBudget, Standing
from detector.usage_calendar import BadDays, Said
from store import operational
from store.usage_tables import AnnouncedDays, UsageModel
from web.charts import Bar, Chart, axis, percent
from web.console import console, now
from web.pages import done, refused, show
from web.preferences import preferences
from web.words import sentence

pages = Blueprint("unusual", __name__)

HERE = "/unusual"
MODELS = 10
GAP = Decimal("0.3")


@pages.get(HERE)
def budget() -> tuple[str, int]:
    """The calibration page for the budget."""
    with operational.reading(console().engine) as session:
        learned = usage_labels.learned(session, now())
        models = list(session.scalars(select(UsageModel).order_by(UsageModel.id.desc()).limit(MODELS)))
        announced = usage_calendar.standing(session)
    found = standing_now(learned)
    rows = usage_budget.at_budgets(found, learned)
    return show(
        "unusual.html",
        standing=found,
        chart=_chart(rows) if found.months else None,
        models=models,
        in_force=next((model.id for model in models if model.accepted), None),
        segments=usage_budget.segments(learned),
        rules=[rule for rule in console().rules.values() if _reads_scores(rule)],
        announced=announced,
        kinds=usage_calendar.KINDS,
        longest=usage_calendar.LONGEST,
    )


@pages.post("/unusual/calendar")
def announce() -> Response:
    """Put days into the calendar."""
    try:
        first = date.fromisoformat(request.form.get("first_day", ""))
        last = date.fromisoformat(request.form.get("last_day", "") or str(first))
    except ValueError:
        return refused("A day is written like 2026-11-27.", to=HERE)
    whom = _text("meter_id") or None, _text("customer_id") or None
    said = Said(_text("name"), request.form.get("kind", ""), first, last, *whom)
    with console().books() as books:
        return _kept("is in", lambda session, who: usage_calendar.announce(session, books, said, **who))


@pages.post("/unusual/calendar/<int:number>/remove")
def withdraw(number: int) -> Response:
    """Take days out of the calendar."""
    return _kept("is out of", lambda session, who: usage_calendar.withdraw(session, number, **who))


def _kept(where: str, deed: Callable[[Session, Mapping[str, Any]], AnnouncedDays]) -> Response:
    """Do it in one transaction and go back to the page."""
    try:
        with operational.writing(console().engine) as session:
            name = deed(session, {"actor": preferences().actor, "now": now()}).name
    except BadDays as bad:
        return refused(sentence(bad), to=HERE)
    return done(f"{name} {where} the calendar.", to=HERE)


def _text(field: str) -> str:
    return " ".join(request.form.get(field, "").split())[:100]


def standing_now(learned: Learned) -> Standing:
    """Worked out once a day while books and labels stay as they are: it scores every series."""
    key = ("unusual", console().warehouse.snapshot(), now().date(), learned.digest)
    held = cast("Standing | None", console().shelf.get(key))
    if held is not None:
        return held
    with console().derived(now(), "unusual_usage", learned) as books:
        found = usage_budget.standing(books)
    console().shelf.put(key, found)
    return found


def _reads_scores(rule: Rule) -> bool:
    return "budget" in rule.params and "unusual_scores" in derived.needed(rule.relations)


def _chart(rows: Sequence[AtBudget]) -> Chart:
    """Told beside what clean usage would give, by budget."""
    scale = axis(max(max(Decimal(row.told), Decimal(str(round(row.clean, 2)))) for row in rows))
    slot = Decimal(1) / len(rows)
    bars = []
    for index, row in enumerate(rows):
        wide = slot * (1 - GAP) / 2
        left = slot * index + slot * GAP / 2
        clean = Decimal(str(round(row.clean, 2)))
        words = f"budget {row.budget:g}"
        bars.append(Bar("expected", percent(left), scale.down(clean), percent(wide), scale.height(clean),
                        f"{words}: {clean} to be expected of clean usage"))  # fmt: skip
        told = Decimal(row.told)
        bars.append(Bar("billed", percent(left + wide), scale.down(told), percent(wide), scale.height(told),
                        f"{words}: {told} told"))  # fmt: skip
    return Chart(
        title="Told in the last two months, by budget",
        note="Beside what usage without any fault would give. What stands above is faults, or the budget is not held.",
        axis=scale,
        along=tuple(f"{row.budget:g}" for row in rows),
        columns=("Budget", "Score from", "Told", "Of clean usage", "Labelled a fault", "Labelled not"),
        rows=tuple(
            (f"{row.budget:g}", f"{row.least:.1f}", str(row.told), f"{row.clean:.1f}", str(row.faults), str(row.others))
            for row in rows
        ),
        legend=(("expected", "to be expected of clean usage"), ("billed", "told")),
        bars=tuple(bars),
        slots=True,
    )
