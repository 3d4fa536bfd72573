"""Saved views as forms: save what the inbox shows now under a name, for oneself or the team; remove it again."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, request
from werkzeug.wrappers import Response

from detector import view_query, views
from detector.views import BadView
from people.roles import Permission
from store import operational
from store.view_tables import SavedView
from web.access import require
from web.console import console, now
from web.pages import back, done, refused
from web.preferences import preferences
from web.words import sentence

pages = Blueprint("views", __name__)


@pages.post("/views")
def save() -> Response:
    """Keep the query of the page that the form came from."""
    shared = request.form.get("shared") == "1"
    if shared:
        require(Permission.ACT, "A view for the team is seen by everybody.")
    query = view_query.kept(urlsplit(back()).query)
    try:
        with operational.writing(console().engine) as session:
            view = views.save(
                session,
                request.form.get("name", ""),
                query,
                owner=preferences().who,
                shared=shared,
                is_default=request.form.get("default") == "1",
                now=now(),
            )
    except BadView as bad:
        return refused(sentence(bad))
    return done(f"Saved as {view.name}{', for the team' if view.shared else ''}.")


@pages.post("/views/<int:number>/remove")
def remove(number: int) -> Response:
    """Remove a view; the signals stay as they are."""
    try:
        with operational.writing(console().engine) as session:
            found = session.get(SavedView, number)
            if found is not None and found.shared:
                require(Permission.ACT, "A view for the team is everybody's.")
            view = views.remove(session, number, who=preferences().who, now=now())
    except BadView as bad:
        return refused(sentence(bad))
    return done(f"The view {view.name} is removed.")
