"""The words in which the query of a list of signals is written: `sev=critical&cat=pricing&sort=amount`.

The address of the inbox, the API, the command line and every saved view spell it so.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from detector.due import HOURS
from detector.inbox_filter import BadFilter, Filter

SEVERAL: Mapping[str, str] = {
    "sev": "severity", "cat": "category", "rule": "rule", "integ": "integration", "who": "assignee", "code": "code",
}  # fmt: skip
"""Words that may stand several times, each with the filter's field."""

SINGLE = ("view", "status", "cause", "customer", "bill_run", "entity", "q", "sort", "group")

PLACES = ("after", "limit")
"""What of a query says where somebody is in a list, and not which list it is."""


def kept(query: str) -> str:
    """The query as a saved view keeps it: which list it is, not where in it.

    Raises BadFilter for a word that no list knows, or a value that it cannot have, with the one that was meant.
    """
    pairs = [pair for pair in parse_qsl(query.strip().removeprefix("?")) if pair[0] not in PLACES]
    if not pairs and query.strip().strip("?") and not parse_qsl(query.strip().removeprefix("?")):
        raise BadFilter(f"{query[:40]!r} is no query; write it as sev=critical&cat=pricing")
    fields: dict[str, Any] = {}
    for word, value in pairs:
        if word not in (*SEVERAL, *SINGLE):
            raise BadFilter(f"there is no filter {word[:40]!r}; {_meant(word, (*SEVERAL, *SINGLE))}")
        if word == "sev" and value not in HOURS:
            raise BadFilter(f"sev cannot be {value[:40]!r}; {_meant(value, HOURS)}")
        if word in SINGLE:
            fields[word] = value
    Filter(**fields)  # says what a view, status, sort or group may be
    return urlencode(pairs)


def _meant(word: str, known: Iterable[str]) -> str:
    found = [each for each in known if word.startswith(each)] or difflib.get_close_matches(word, list(known), 1, 0.5)
    return f"did you mean {found[0]}?" if found else f"use one of {', '.join(known)}"
