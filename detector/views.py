"""Saved views of the inbox: whose they are, which one the inbox opens on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from store import audit
from store.view_tables import SavedView

MOST = 30
"""How many views one person sees."""


class BadView(ValueError):  # noqa: N818 (what is bad is what a person asked for)
    """A view that cannot be saved or changed; the message says why."""


def seen_by(session: Session, who: str) -> Sequence[SavedView]:
    """The views of a person and the shared ones, by name."""
    query = select(SavedView).where(or_(SavedView.shared.is_(True), SavedView.owner == who))
    return session.scalars(query.order_by(SavedView.name, SavedView.id).limit(MOST)).all()


def default_of(views: Sequence[SavedView], who: str) -> SavedView | None:
    """The view that the inbox opens on for a person: the own default, else the team's."""
    defaults = [view for view in views if view.is_default]
    own = next((view for view in defaults if view.owner == who and not view.shared), None)
    return own or next((view for view in defaults if view.shared), None)


def save(
    session: Session, name: str, query: str, *, owner: str, shared: bool, is_default: bool, now: datetime
) -> SavedView:
    """Save a query under a name; the same person's view of that name is replaced. Raises BadView without a name."""
    name = " ".join(name.split())[:40]
    if not name:
        raise BadView("a view needs a name")
    known = session.scalars(select(SavedView).where(SavedView.owner == owner, SavedView.name == name)).first()
    view = known or SavedView(owner=owner, name=name)
    if is_default:
        _clear_default(session, owner, shared)
    view.query, view.shared, view.is_default, view.saved_at = query, shared, is_default, now
    session.add(view)
    session.flush()
    said, deed = {"name": name, "query": query, "default": is_default}, "view.shared" if shared else "view.saved"
    audit.record(session, deed, ("view", str(view.id)), actor=owner or "console", now=now, after=said)
    return view


def remove(session: Session, view_id: int, *, who: str, now: datetime) -> SavedView:
    """Remove an own view, or one of the team's. Raises BadView when it is another person's, or gone."""
    view = session.get(SavedView, view_id)
    if view is None:
        raise BadView("this view is gone already")
    if view.owner != who and not view.shared:
        raise BadView(f"this view is {view.owner}'s own")
    session.execute(delete(SavedView).where(SavedView.id == view_id))
    said = {"name": view.name, "query": view.query, "owner": view.owner, "shared": view.shared}
    audit.record(session, "view.removed", ("view", str(view_id)), actor=who or "console", now=now, before=said)
    return view


def _clear_default(session: Session, owner: str, shared: bool) -> None:
    """There is one default per person, and one of the team."""
    mine = and_(SavedView.owner == owner, SavedView.shared.is_(False))
    query = update(SavedView).where(SavedView.shared.is_(True) if shared else mine)
    session.execute(query.values(is_default=False))
