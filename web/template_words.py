"""What templates may say: filters that write numbers, instants and words, and a few facts about the whole console."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Flask, g, request
from markupsafe import Markup, escape
from sqlalchemy import select

from detector import merged
from detector.team import assignees
from detector.triage import PRIORITIES, WAKES
from store import operational
from store.operational_tables import OPEN_STATUSES, Load, Signal, SignalEntity, SignalImpact
from store.people_tables import Person
from web import addresses, agreed, figures, freshness, meanings, moments, scheduling
from web.console import console, now
from web.data import written
from web.icons import icon
from web.preferences import preferences
from web.records import outside
from web.triage import DISMISSALS
from web.words import SEVERITIES, at_risk, parts, words

MOST_PEOPLE = 200
SYSTEMS = {
    "product": "your product",
    "collector": "the event collector",
    "billing": "the billing system",
    "ledger": "the ledger",
    "payments": "the payment system",
    "tax": "the tax system",
    "crm": "the contract",
    "trueup": "Trueup",
}


def install(app: Flask) -> None:
    """Adds the filters and functions to the app's templates."""
    app.jinja_env.filters.update(
        money=figures.money,
        plain=figures.plain_amount,
        quantity=figures.quantity,
        stated=figures.stated,
        instant=moments.instant,
        day=moments.day,
        ago=lambda at: moments.ago(at, now()),
        duration=moments.duration,
        roughly=lambda at: moments.roughly(at, now()),
        gap=figures.gap,
        words=words,
        parts=parts,
        at_risk=at_risk,
        ranked=ranked,
        deadline=deadline,
        deadline_of=lambda at: deadline(moments.aware(at)),
        customers=customers,
        shown=shown,
        sentence=sentence,
        lower_first=lambda text: text[:1].lower() + text[1:],
        apart=apart,
        came_in=came_in,
        outside=outside,
        amount=lambda text: Decimal(text or 0),
        stamp=datetime.fromisoformat,
        severity_word=agreed.severity_word,
        severity_meaning=agreed.severity_meaning,
        due=agreed.due_cell,
    )
    app.jinja_env.globals.update(
        icon=icon,
        address=addresses.address,
        address_of=addresses.record,
        usage_of=addresses.usage_of,
        period=moments.period,
        severities=SEVERITIES,
        open_statuses=OPEN_STATUSES,
        dismissals=DISMISSALS,
        priorities=PRIORITIES,
        wakes=WAKES,
        case_money=case_money,
        people=people,
        troubles=troubles,
        behind=freshness.behind,
        usage_sources=freshness.usage_sources,
        checked=checked,
        systems=SYSTEMS,
        preferences=preferences,
        unfolded=unfolded,
        means=meanings.means,
        words_here=meanings.told,
        schedules=scheduling.sheet,
    )


def ranked(impacts: Sequence[SignalImpact]) -> list[SignalImpact]:
    """The impacts of a signal, the one that weighs most first."""
    return sorted(impacts, key=lambda impact: console().weight(impact.currency, at_risk(impact)), reverse=True)


def case_money(signal: Signal, others: Sequence[Signal]) -> list[tuple[str, Decimal]]:
    """What a signal and those merged into it put at risk, the currency that weighs most first."""
    return sorted(merged.money(signal, others), key=lambda pair: console().weight(*pair), reverse=True)


def deadline(at: datetime | None) -> Markup:
    """When a draft becomes final; one that is final already is past stopping."""
    if at is None:
        return Markup("\u2013")
    if at <= now():
        return Markup("final")
    urgent = "strong warn" if at - now() <= agreed.SOON else "soft"
    exactly = moments.instant(at)
    return Markup('<span class="{}" title="{} UTC">{}</span>').format(urgent, exactly, moments.roughly(at, now()))


def customers(signal: Signal) -> str:
    """Whom a signal concerns: one customer by name, or how many."""
    if signal.customer_count > 1:
        return f"{figures.quantity(signal.customer_count)} customers"
    return signal.customer_name or signal.customer_id or signal.integration


def people() -> list[str]:
    """Everybody who has an account or a signal, for the assignee field."""
    with operational.reading(console().engine) as session:
        present = select(Person.name).where(Person.disabled_at.is_(None))
        named = {*assignees(session, MOST_PEOPLE), *session.scalars(present.limit(MOST_PEOPLE))}
        return sorted(name for name in named if name)


def troubles() -> int:
    """How many sources are not well; read once per page."""
    if "troubles" not in g:
        with operational.reading(console().engine) as session:
            g.troubles = sum(load.status == "failed" for load in freshness.latest_loads(session))
    return int(g.troubles)


def unfolded() -> Markup:
    """What opens a fold from the start: on the page that is made for paper, nothing is folded away."""
    return Markup(" open") if request.endpoint == "pack.shown" else Markup("")


def checked() -> int:
    """How many rows the books hold."""
    return sum(console().warehouse.counts().values())


def shown(value: Any) -> Markup:
    """Any value of a record as text: decimals exact, instants readable, the rest escaped."""
    if isinstance(value, datetime):
        return escape(moments.instant(value))
    if isinstance(value, Decimal):
        return escape(figures.quantity(value))
    return escape("\u2013" if value is None else value)


def sentence(text: str) -> str:
    """The first sentence of a longer text."""
    first, stop, _ = " ".join(text.split()).partition(". ")
    return first + stop.rstrip()


def apart(entity: SignalEntity) -> Markup:
    """How far a record's actual value is from the expected one, in its unit; a dash where it has no such values."""
    if entity.expected is None or entity.actual is None:
        return Markup("\u2013")
    return figures.gap(entity.expected - entity.actual, entity.unit)


def came_in(load: Load) -> str:
    """What a load did over all tables: `1,204 inserted, 3 updated`."""
    counts = written(load)
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "nothing new"
