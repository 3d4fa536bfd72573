"""Objects of outside systems as they come: plain JSON, in which any field may be absent or new."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from integrations.values import UnreadableError

Object = Mapping[str, Any]
Row = dict[str, object]
Rows = dict[str, list[Row]]
"""Rows by table of the books."""

T = TypeVar("T")


def ident(reference: object) -> str | None:
    """The id of a reference, which is the id itself or, expanded, the object."""
    if isinstance(reference, Mapping):
        reference = reference.get("id")
    return None if reference is None else str(reference)


def needed(reference: object, what: str) -> str:
    """As `ident`, for what a row cannot do without. Raises UnreadableError."""
    found = ident(reference)
    if not found:
        raise UnreadableError(f"it names no {what}")
    return found


def known(value: object, names: Mapping[str, T], otherwise: T) -> T:
    """The books' name for one of the vendor's, `otherwise` for a value that it has added since."""
    return names.get(str(value), otherwise)


def entries(listed: object) -> list[Any]:
    """The objects of a list object, an array or null."""
    if isinstance(listed, Mapping):
        listed = listed.get("data")
    return list(listed) if isinstance(listed, list | tuple) else []


def nested(thing: object, *path: str) -> Any:
    """The value at a path of fields, None where any of them is absent or null."""
    for field in path:
        if not isinstance(thing, Mapping):
            return None
        thing = thing.get(field)
    return thing


def merged(*parts: Rows) -> Rows:
    """The rows of all parts, table by table, in order."""
    together: Rows = {}
    for part in parts:
        for table, rows in part.items():
            together.setdefault(table, []).extend(rows)
    return together


Mapper = Callable[[Object], Rows]
"""One object to its rows in the books."""
