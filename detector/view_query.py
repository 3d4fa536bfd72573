"""The words in which the query of a list of signals is written: `sev=critical&cat=pricing&sort=amount`.

The address of the inbox, the API, the command line and every saved view spell it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from detector.due import HOURS
from detector.inbox_filter import BadFilter, Filter
from detector.near import meant

SEVERAL: Mapping[str, str] = {
    "sev": "severity", "cat": "category", "rule": "rule", "integ": "integration", "who": "assignee", "code": "code",
}  # fmt: skip
"""Words that may stand several times, each with the filter's field."""

SINGLE = ("view", "status", "cause", "customer", "bill_run", "entity", "q", "sort", "group")

LONGEST, MOST = 200, 20
"""Letters of a value, and values of one word, that are read."""

PLACES = ("after", "limit")
"""What of a query says where somebody is in a list, and not which list it is."""


def kept(query: str) -> str:
    """The query as a saved view keeps it: which list it is, not where in it.

    Raises BadFilter for a word that no list knows, or a value that it cannot have, with the one that was meant.
    """
    said = _pairs(query.strip().removeprefix("?"))
    if not said and query.strip().strip("?"):
        raise BadFilter(f"{query[:40]!r} is no query; write it as sev=critical&cat=pricing")
    pairs = [pair for pair in said if pair[0] not in PLACES]
    fields: dict[str, Any] = {}
    for word, value in pairs:
        if word not in (*SEVERAL, *SINGLE):
            raise BadFilter(f"there is no filter {word[:40]!r}; {meant(word, (*SEVERAL, *SINGLE), 0.5)}")
        if word == "sev" and value not in HOURS:
            raise BadFilter(f"sev cannot be {value[:40]!r}; {meant(value, HOURS, 0.5)}")
        if word in SINGLE:
            fields[word] = value
    Filter(**fields)  # says what a view, status, sort or group may be
    return urlencode(pairs)


def read(pairs: Iterable[tuple[str, str]], me: str) -> Filter:
    """The filter that the words and values of a query spell for a person; words that no list knows are left out.

    Raises BadFilter for a view, status, sort or group that does not exist.
    """
    values: dict[str, Any] = {}
    several: dict[str, dict[str, None]] = {field: {} for field in SEVERAL.values()}
    for word, value in pairs:
        if word in SEVERAL:
            several[SEVERAL[word]][value[:LONGEST]] = None
        elif word in SINGLE and value:
            values.setdefault(word, value[:LONGEST])
        elif word == "after":
            values.setdefault(word, value)
    values |= {field: tuple(given)[:MOST] for field, given in several.items()}
    return Filter(me=me, **values)


def of_view(query: str, me: str) -> Filter:
    """The filter of a saved view. Raises BadFilter once it asks for something that there is no more."""
    return read(_pairs(query), me)


def _pairs(query: str) -> list[tuple[str, str]]:
    """Its words and values; `who=` stands for nobody, any other word without a value for nothing."""
    return [(word, value) for word, value in parse_qsl(query, keep_blank_values=True) if value or word == "who"]
