"""What the configuration says, for a page to show: every setting with its value and where that comes from.

Secrets are no part of it: the configuration names the variables that hold them; passwords in addresses are left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

import config_file
from config import Config
from detector.operator_settings import Stated

HIDDEN = "•••"
LEFT_OUT = ("ranking_rates",)
"""What would be a long list of no use to who reads it."""

_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^@\s]*@|\b(password|secret|token|key)=[^\s;&]+", re.IGNORECASE)


def stated(config: Config, environment: Mapping[str, str] | None = None) -> list[Stated]:
    """Every setting, section by section."""
    values, named, path = config_file.written(os.environ if environment is None else environment)
    return [
        Stated(".".join(keys), _text(value), _source(keys, values, named, str(path or "")))
        for keys, value in _leaves(config)
        if keys[0] not in LEFT_OUT
    ]


def _leaves(section: BaseModel, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in [*((name, getattr(section, name)) for name in type(section).model_fields), *_more(section)]:
        yield from _parts(value, (*above, name))


def _more(section: BaseModel) -> list[tuple[str, Any]]:
    """The settings of an integration that its kind declares."""
    return list((section.model_extra or {}).items())


def _parts(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, BaseModel):
        yield from _leaves(value, keys)
    elif isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _parts(inner, (*keys, str(name)))
    else:
        yield keys, value


def _source(keys: tuple[str, ...], values: Mapping[str, Any], named: Mapping[tuple[str, ...], str], path: str) -> str:
    """The variable that says it, else the file where it stands there, else nothing: it is built in."""
    for length in range(len(keys), 0, -1):
        if keys[:length] in named:
            return named[keys[:length]]
    place: Any = values
    for key in keys:
        key = "type" if key == "kind" and isinstance(place, Mapping) and "kind" not in place else key
        if not isinstance(place, Mapping) or key not in place:
            return ""
        place = place[key]
    return path


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "on" if value else "off"
        case timedelta():
            return _length(value)
        case Decimal():
            return f"{value:f}"
        case list() | tuple() | set() | frozenset():
            return ", ".join(_text(each) for each in value)
        case Mapping():
            return ""
    return _PASSWORD.sub(_hidden, str(value))[:300]


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}:{HIDDEN}@" if found[2] is None else f"{found[2]}={HIDDEN}"


def _length(span: timedelta) -> str:
    """A length of time in its largest whole unit: `14 days`, `90 seconds`."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}{'s' if seconds != size else ''}"
    return f"{seconds} seconds"
