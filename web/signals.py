"""The signals inbox: the ranked list, its filters and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Blueprint, redirect, request
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector import inbox, merged, views
from detector.inbox import Filter, Overview, Total
from store import operational
from store.operational_tables import SignalImpact
from web import addresses, freshness, next_run
from web.charts import spark
from web.console import console, now
from web.figures import plain_amount
from web.pages import show
from web.preferences import preferences
from web.tabs import tabs
from web.words import SEVERITIES, at_risk

pages = Blueprint("signals", __name__)

SORTS = {
    "risk": "Drafts about to become final, then money at risk",
    "amount": "Money at risk",
    "severity": "Severity, then money",
    "last_seen": "Last seen",
    "first_seen": "First seen",
}
GROUPS = {"": "Nothing", "cause": "Cause", "customer": "Customer", "rule": "Rule", "bill_run": "Bill run"}
LONG = 14
"""Characters of an amount that need a wider column."""

KINDS = (("under", "Underbilled"), ("over", "Overbilled"), ("exposure", "Exposed"))


@dataclass(frozen=True)
class Sum:
    """One kind of money of all signals that match: an amount per currency, the largest first."""

    title: str
    amounts: tuple[tuple[str, Decimal], ...]


@pages.get("/")
def start() -> Response:
    """The console opens on the inbox."""
    return redirect("/signals")


@pages.get("/signals")
def listed() -> tuple[str, int] | Response:
    """The inbox as its address says; without an address of its own, the view that somebody made the default."""
    wanted = addresses.read(request.args, preferences().who)
    with operational.reading(console().engine) as session:
        kept = views.seen_by(session, wanted.me)
        default = views.default_of(kept, wanted.me)
        if default and default.query and not request.args:
            return redirect(f"/signals?{default.query}")
        values = _grouped(session, wanted) if wanted.group else _ungrouped(session, wanted)
        counted: Overview = values.pop("counted")
        return show(
            "inbox.html",
            wanted=wanted,
            views=tabs(session, wanted, kept, default),
            query=addresses.address(wanted).partition("?")[2],
            total=counted.total,
            sums=sums(counted.totals),
            facets=_facets(counted, wanted),
            chips=addresses.chips(wanted),
            sorts=[(name, title, addresses.address(wanted, sort=name)) for name, title in SORTS.items()],
            groupings=[(name, title, addresses.address(wanted, group=name)) for name, title in GROUPS.items()],
            fresh=freshness.read(session),
            coming=next_run.coming(),
            sort_title=SORTS[wanted.sort],
            plain=addresses.address(Filter(view=wanted.view, sort=wanted.sort)),
            kept=_kept(),
            **values,
        )


def _kept() -> list[tuple[str, str]]:
    """What a search keeps of the address: everything but the text and the page."""
    return [pair for pair in request.args.items(multi=True) if pair[0] not in ("q", "after")]


def _ungrouped(session: Session, wanted: Filter) -> dict[str, Any]:
    page = inbox.page(session, wanted, now())
    lines = inbox.sparklines(session, page.items)
    return {
        "page": page,
        "counted": page.all,
        "sparks": _sparks(lines),
        "wide": any(_is_long(one) for item in page.items for one in item.impacts),
        "following": addresses.address(wanted, after=page.next) if page.next else None,
        "merged": merged.merged_into(session, page.items),
    }


def _is_long(impact: SignalImpact) -> bool:
    return len(plain_amount(at_risk(impact), impact.currency)) > LONG


def _sparks(lines: Mapping[int, Sequence[Decimal]]) -> dict[int, Markup]:
    """The course of each signal's money; none at all while no signal of the page ever changed."""
    drawn = {key: spark(values) for key, values in lines.items()}
    return drawn if any(drawn.values()) else {}


def _grouped(session: Session, wanted: Filter) -> dict[str, Any]:
    counted = inbox.overview(session, wanted, now())
    return {"groups": inbox.groups(session, wanted, now()), "counted": counted, "following": None}


def sums(totals: Sequence[Total]) -> list[Sum]:
    """Money by kind, then by currency; currencies are ordered by the ranking rates and never added together."""
    found = []
    for kind, title in KINDS:
        amounts = [(total.currency, getattr(total, kind)) for total in totals if getattr(total, kind)]
        amounts.sort(key=lambda pair: console().weight(*pair), reverse=True)
        if amounts:
            found.append(Sum(title, tuple(amounts)))
    return found


def _facets(found: Overview, wanted: Filter) -> list[tuple[str, list[addresses.Choice]]]:
    """What the list can be narrowed by: facets with a choice, or with one that is made."""
    counted = dict(found.facets)
    counted["severity"] = sorted(
        counted["severity"], key=lambda pair: SEVERITIES.index(pair[0] or "info"), reverse=True
    )
    listed = [(title, addresses.choices(wanted, field, counted[field])) for field, title in addresses.FACETS.values()]
    status = [
        addresses.Choice(value, count, wanted.status == value, addresses.address(wanted, status=value))
        for value, count in counted["status"]
    ]
    return [
        (title, choices)
        for title, choices in [*listed, ("Status", status)]
        if len(choices) > 1 or any(choice.chosen for choice in choices)
    ]
