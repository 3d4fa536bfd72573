"""CloudEvents 1.0 as usage events: what one must have, what it measures, and what is wrong with one that is refused.

Source: the CloudEvents specification 1.0.2 (github.com/cloudevents/spec, JSON event format). Beyond it, a usage event
names its `subject`, and where a meter reads a number from its type, that number must be there and finite.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from billing.canonical import json_text

LONGEST = 512
"""Characters that id, source, type and subject may have each."""

LARGEST = Decimal(10) ** 18
"""A metered value is below this, and has at most 9 places."""

_PLACES = Decimal("0.000000001")
_NAMES = ("id", "source", "type", "subject")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong, and where in the event: a JSON pointer."""

    place: str
    message: str


class Usage(NamedTuple):
    """One event as the books hold it, `properties` as JSON text. `flaws`: why it cannot count; then what it lacks is
    empty.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    value: Decimal | None
    properties: str | None
    flaws: tuple[Flaw, ...] = ()

    @property
    def error(self) -> str | None:
        """The flaws in one line."""
        return "; ".join(f"{flaw.place}: {flaw.message}" for flaw in self.flaws) or None


Reads = Mapping[str, tuple[str, ...]]
"""Event type -> the path to the number that a meter reads from such events, as its steps."""


def path_of(json_path: str) -> tuple[str, ...]:
    """The steps of a simple JSONPath: `$.size.gb` is ("size", "gb")."""
    return tuple(json_path.removeprefix("$").strip(".").split("."))


def read(event: object, received_at: datetime, reads: Reads) -> Usage:
    """The event as it counts, or with its flaws. Nothing is raised: a bad event is a value."""
    if not isinstance(event, dict):
        return _kept({}, event, received_at, [Flaw("", "an event is a JSON object")])
    flaws: list[Flaw] = []
    if event.get("specversion") != "1.0":
        flaws.append(Flaw("/specversion", 'must be "1.0"'))
    for name in _NAMES:
        stated = event.get(name)
        if type(stated) is not str or not 0 < len(stated) <= LONGEST or "\0" in stated or not _is_text(stated):
            flaws.append(Flaw(f"/{name}", f"must be a text of 1 to {LONGEST} characters"))
    time, late = instant(event.get("time"), received_at)
    data, value = event.get("data"), None
    properties = None if data is None else json_text(data)
    if late:
        flaws.append(late)
    if event.get("datacontenttype", "application/json") != "application/json" or "data_base64" in event:
        flaws.append(Flaw("/datacontenttype", "data must be JSON"))
    elif not isinstance(data, dict | None):
        flaws.append(Flaw("/data", "must be a JSON object"))
    elif properties is not None and not _is_text(properties):
        flaws.append(Flaw("/data", "holds half a character (a lone surrogate)"))
    elif (path := reads.get(str(event.get("type")))) is not None:
        value, wrong = metered(data, path)
        if wrong:
            flaws.append(wrong)
    if flaws:
        return _kept(event, event, received_at, flaws)
    return Usage(event["id"], event["source"], event["type"], event["subject"], time, value, properties)


def instant(stated: object, received_at: datetime) -> tuple[datetime, Flaw | None]:
    """The instant at which it happened; without one, that at which it was received."""
    if stated is None:
        return received_at, None
    try:
        at = datetime.fromisoformat(str(stated))
        if at.tzinfo is not None and isinstance(stated, str) and len(stated) > 15:
            return at.astimezone(UTC), None
    except (ValueError, OverflowError):
        pass
    return received_at, Flaw("/time", "must be an instant with its offset (RFC 3339)")


def metered(data: Mapping[str, object] | None, path: Sequence[str]) -> tuple[Decimal | None, Flaw | None]:
    """The number at a path of the data of an event, or why there is none that can count."""
    found: object = data
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    if type(found) is int and abs(found) < LARGEST:
        return Decimal(found), None
    place = "/data/" + "/".join(path)
    if found is None or isinstance(found, bool | dict | list):
        return None, Flaw(place, "the metered number is missing")
    try:
        number = found if isinstance(found, Decimal) else Decimal(str(found))
        if not number.is_finite() or abs(number) >= LARGEST or number != number.quantize(_PLACES):
            raise InvalidOperation
    except InvalidOperation:
        return None, Flaw(place, "must be a finite number below 10^18 with at most 9 places")
    return number, None


def _kept(event: Mapping[str, object], whole: object, received_at: datetime, flaws: list[Flaw]) -> Usage:
    """A flawed event under a key of its own: sent again as it should be, it counts."""
    content = json.dumps(whole, sort_keys=True, default=str)
    id, source, type, subject = (_readable(str(event.get(name) or "")).replace("\0", "")[:LONGEST] for name in _NAMES)
    key = f"{id}!{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    properties = _readable(json_text({"event": whole}))
    return Usage(key, source, type, subject, received_at, None, properties, tuple(flaws))


def _is_text(stated: str) -> bool:
    """Whether it can be written: JSON can escape half of a character, which is none."""
    return stated.isascii() or _readable(stated) == stated


def _readable(stated: str) -> str:
    return stated.encode(errors="replace").decode()
