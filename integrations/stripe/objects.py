"""Stripe's objects as they come out of the SDK at the edge, and where its dashboard shows them."""

from __future__ import annotations

from integrations.objects import Mapper, Object, Row, Rows, entries, ident, known, merged, needed, nested

__all__ = ["Mapper", "Object", "Row", "Rows", "entries", "ident", "known", "link", "merged", "needed", "nested"]

DASHBOARD = "https://dashboard.stripe.com"


def link(thing: Object, place: str) -> str:
    """Where Stripe's dashboard shows the object."""
    return f"{DASHBOARD}{'' if thing.get('livemode') else '/test'}/{place}/{thing.get('id')}"
