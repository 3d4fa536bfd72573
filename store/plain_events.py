"""Reads a batch of usage events that are all plainly right in one go, an order of magnitude faster than one by one.

It takes less than `billing.cloud_events.read`, which alone says what an event must be: of a batch with anything odd in
it nothing is said here, and each event is read there. What is taken is the same, letter by letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType
from msgspec.json import Decoder, Encoder

from billing.cloud_events import LONGEST, Reads, Usage, instant, metered

_Name = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
_NO_TEXT = b"\\u0000"


class _Event(Struct):
    specversion: Literal["1.0"]
    id: _Name
    source: _Name
    type: _Name
    subject: _Name
    time: str | None = None
    data: dict[str, object] | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    data_base64: UnsetType = UNSET


_BATCH = Decoder(list[_Event], float_hook=Decimal)
_TEXT = Encoder(order="sorted", decimal_format="number")


def read(body: bytes, received_at: datetime, reads: Reads) -> list[Usage] | None:
    """The events of a JSON array, as `billing.cloud_events.read` has them; None where one is not plainly right."""
    if _NO_TEXT in body:
        return None
    try:
        events = _BATCH.decode(body)
        texts = _texts([event.data for event in events])
    except (DecodeError, UnicodeDecodeError, RecursionError, OverflowError):
        return None
    usages = []
    for event, properties in zip(events, texts, strict=True):
        path = reads.get(event.type)
        value, flaw = metered(event.data, path) if path is not None else (None, None)
        time, late = instant(event.time, received_at)
        if flaw or late:
            return None
        usages.append(Usage(event.id, event.source, event.type, event.subject, time, value, properties))
    return usages


def _texts(data: Sequence[dict[str, object] | None]) -> list[str | None]:
    """Each as `billing.canonical.json_text` writes it; None where there is none."""
    lines = _TEXT.encode_lines(data).decode().split("\n")
    return [None if given is None else line for given, line in zip(data, lines, strict=False)]
