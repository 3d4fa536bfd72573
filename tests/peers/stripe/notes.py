"""What Stripe has no field for, as the metadata that Trueup's documentation asks for: `trueup_<column>`."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

from tests.peers.stripe.books import Row
from tests.peers.stripe.numbers import UnheldError, plain

Metadata = dict[str, str]


def noted(row: Row, natural: Row) -> Metadata:
    """The columns of the row that would be read otherwise from Stripe's own fields."""
    return notes(**{name: row.get(name) for name, value in natural.items() if row.get(name) != value})


def notes(**columns: object) -> Metadata:
    """Columns as metadata. Stripe takes keys of 40 and values of 500 characters at most, and 50 of them."""
    made = {f"trueup_{name}": _text(value) for name, value in columns.items()}
    if len(made) > 50 or any(len(key) > 40 or len(text) > 500 for key, text in made.items()):
        raise UnheldError("more metadata than an object can have")
    return made


def as_json(row: Row) -> str:
    """A row as one metadata value."""
    return json.dumps({name: None if value is None else _text(value) for name, value in row.items()})


def _text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)
