"""Texts that a query could let grow without bound, past every limit that DuckDB keeps for itself.

DuckDB counts what it sorts and joins, but not the one text that `printf('%999999999d', 1)` or a `replace` inside a
`replace` makes, and it cannot be interrupted there. So widths are small, and all replacements of a query together
may make a text at most MOST_GROWTH times as long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FORMATS = frozenset({"printf", "format"})
REPLACEMENTS = frozenset({"replace", "regexp_replace"})
MOST_GROWTH = 10_000
_UNKNOWN = 100
"""How much longer a text may become by a replacement that is not written in the query."""

_WIDE = re.compile(r"\d{3,}|\*|\{[^{}]*\{")


def refuse_format(node: Mapping[str, Any]) -> str | None:
    """Why a call of `printf` or `format` is not allowed; None when it is."""
    name, text = node["function_name"], _constant(node, 0)
    if text is None:
        return f"{name}() needs its format written out, because a width from the data may be of any size"
    if _WIDE.search(text):
        return f"{name}() may not fill up to a width of more than two digits"
    return None


def growth(node: Mapping[str, Any]) -> int:
    """How many times longer one replacement may make a text, in each place that it finds."""
    text = _constant(node, 2)
    return max(1, _UNKNOWN if text is None else len(text))


def _constant(node: Mapping[str, Any], place: int) -> str | None:
    """The text written as the argument at a place; None when it comes from elsewhere."""
    given = node.get("children") or []
    if len(given) <= place or given[place].get("class") != "CONSTANT":
        return None
    value = given[place]["value"].get("value")
    return value if isinstance(value, str) else None
