"""The tabs of the inbox: the views that are always there, then the saved ones, each with how many signals it lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from detector import overview, view_query
from detector.inbox import BadFilter, Filter
from store.view_tables import SavedView
from web import addresses
from web.console import now

VIEWS = (
    ("inbox", "Open"),
    ("urgent", "Final within 24 h"),
    ("unassigned", "Unassigned"),
    ("mine", "Mine"),
    ("snoozed", "Snoozed"),
    ("every", "All"),
)


@dataclass(frozen=True)
class Tab:
    """One view: what it is called, how many signals it lists (None: not counted), whether it is the one shown."""

    name: str
    title: str
    count: int | None
    address: str
    is_shown: bool
    saved: SavedView | None = None


def tabs(session: Session, wanted: Filter, kept: Sequence[SavedView], default: SavedView | None) -> list[Tab]:
    """Every tab; what each counts is exactly what it lists."""
    fixed = {name: Filter(view=name, me=wanted.me, status="any" if name == "every" else "open") for name, _ in VIEWS}
    saved = {f"saved-{view.id}": (view, filter) for view in kept if (filter := _filter(view, wanted.me))}
    filters = {**fixed, **{name: filter for name, (_, filter) in saved.items() if not filter.q}}
    counts = overview.counts(session, filters, now())
    here = addresses.address(wanted)
    shown = next((name for name, (_, filter) in saved.items() if addresses.address(filter) == here), wanted.view)
    always = [
        Tab(name, title, counts[name], _address(fixed[name], default), name == shown)
        for name, title in VIEWS
        if name != "mine" or wanted.me
    ]
    return always + [
        Tab(name, view.name, counts.get(name), addresses.address(filter), name == shown, view)
        for name, (view, filter) in saved.items()
    ]


def _filter(view: SavedView, me: str) -> Filter | None:
    """What a saved view asks for; None once it asks for something that there is no more."""
    try:
        return view_query.of_view(view.query, me)
    except BadFilter:
        return None


def _address(filter: Filter, default: SavedView | None) -> str:
    """The view's address; where the bare inbox opens on another view, the open signals have to be asked for."""
    address = addresses.address(filter)
    return "/signals?view=inbox" if default and address == "/signals" else address
