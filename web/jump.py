"""Jump to anything by its ID: a signal, a record of the books, a rule, or a customer by name."""

from __future__ import annotations

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from detector import inbox
from store import operational
from store.operational_tables import Signal
from web import addresses, lookups
from web.console import console
from web.pages import show

pages = Blueprint("jump", __name__)


@pages.get("/jump")
def jump() -> Response | tuple[str, int]:
    """Straight to the one thing that has the ID, else the things that may be meant."""
    text = request.args.get("q", "").strip()[:200]
    if not text:
        return show("jump.html", text="", found=[])
    if signal := _signal(text):
        return redirect(f"/signals/{signal}")
    if text in console().rules:
        return redirect(f"/rules/{text}")
    with console().books() as books:
        found = lookups.found(books, text)
    if len(found) == 1:
        return redirect(addresses.record(*found[0][:2]))
    return show("jump.html", 200 if found else 404, text=text, found=found)


def _signal(text: str) -> str | None:
    """The label of the signal that the text names."""
    if not text.upper().startswith("SIG-"):
        return None
    number = inbox.number(text)
    with operational.reading(console().engine) as session:
        found = session.get(Signal, number) if number else None
        return found.label if found else None
