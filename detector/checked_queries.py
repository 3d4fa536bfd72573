"""What checking a query found out, remembered between processes: the same text is not checked twice.

Parsing and binding a rule's query takes tens of milliseconds, which eighty rules make into seconds at the start of
every command. Only queries that are sound are remembered, each in a file of its own in the user's cache folder. Its
name is a digest of the query, its parameters and of everything that the answer depends on: this program's own source
and the versions of both parsers. So nothing is ever out of date, and the folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile

from detector.parameters import Parameter

KEPT = 1_000
"""How many queries are remembered at most; an editor checks many texts that nobody keeps."""

SOURCES = ("detector/*.py", "detector/derived/*.sql", "billing/*.py", "store/rows.py", "store/schema.py")
PARSERS = ("duckdb", "sqlglot")


@dataclass(frozen=True)
class Checked:
    """What a sound query reads, which parameters it uses, and the columns it returns with their SQL types."""

    relations: tuple[str, ...]
    parameters: tuple[str, ...]
    columns: Mapping[str, str]


def find(sql: str, params: Mapping[str, Parameter]) -> Checked | None:
    """What is remembered of this very query with these parameters; None: it has to be checked."""
    try:
        return Checked(**json.loads(_place(sql, params).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remember(sql: str, params: Mapping[str, Parameter], checked: Checked) -> None:
    """Keep it for the next process; a folder that cannot be written only costs that process its time."""
    place = _place(sql, params)
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", encoding="utf-8", dir=place.parent, delete=False) as made:
            json.dump(asdict(checked), made)
        Path(made.name).replace(place)
        _forget_oldest(place.parent)


def _forget_oldest(remembered: Path) -> None:
    """Once there are too many, the older half goes."""
    places = list(remembered.glob("*.json"))
    if len(places) > KEPT:
        places.sort(key=lambda place: place.stat().st_mtime)
        for place in places[: len(places) // 2]:
            place.unlink(missing_ok=True)


def folder() -> Path:
    """Where checked queries are remembered: `trueup/queries` in the user's cache folder (XDG_CACHE_HOME)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "trueup" / "queries"


def _place(sql: str, params: Mapping[str, Parameter]) -> Path:
    declared = sorted((name, parameter.type, str(parameter.default)) for name, parameter in params.items())
    return folder() / f"{_digest([_surroundings(), sql, json.dumps(declared)])}.json"


@cache
def _surroundings() -> str:
    """A digest of all that an answer depends on besides the query."""
    root = Path(__file__).parents[1]
    sources = sorted(path for pattern in SOURCES for path in root.glob(pattern))
    return _digest([*(version(name) for name in PARSERS), *(path.read_text(encoding="utf-8") for path in sources)])


def _digest(parts: Iterable[str]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(hashlib.sha256(part.encode()).digest())
    return found.hexdigest()
