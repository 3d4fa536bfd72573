"""Proving webhooks: whether a delivery comes from the system that it names, and is no older than it may be.

Every vendor proves in its own way; what several share stands here. Nothing in a delivery is believed beyond what it
is about: its objects are asked for again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from integrations.objects import Object

TOLERANCE = timedelta(minutes=5)
"""How far a signed instant may lie from now. Older deliveries may be replays."""

Headers = Mapping[str, str]
"""The headers of a delivery, their names in lower case."""


class ForgedError(ValueError):
    """The delivery is not proven to be from the system; nothing in it may be believed."""


class StaleError(ForgedError):
    """The delivery is proven, but was signed too long ago or is from the future."""


class UnreadableError(ValueError):
    """The delivery is proven, but is nothing that the system sends."""


@dataclass(frozen=True)
class Delivery:
    """A proven delivery: its id (the same when it is sent again), what happened, and its content."""

    id: str
    kind: str
    told: Object


Proof = Callable[[bytes, Headers, datetime], Delivery]
"""Proves a delivery at an instant. Raises ForgedError, StaleError, UnreadableError."""


def secret_of(secret: str | None, setting: str) -> str:
    """The secret that deliveries are proven by. Raises ForgedError where none is configured."""
    if not secret:
        raise ForgedError(f"No {setting} is configured, so no delivery can be proven.")
    return secret


def content(body: bytes) -> Object:
    """The JSON object of a body, numbers exact. Raises UnreadableError."""
    try:
        told = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("The delivery is no JSON.") from error
    if not isinstance(told, dict):
        raise UnreadableError("The delivery is no JSON object.")
    return told


def delivery(told: Object, id: object, kind: object) -> Delivery:
    """The delivery with this id and kind. Raises UnreadableError where one of them is missing."""
    if not isinstance(id, str) or not id or not isinstance(kind, str) or not kind:
        raise UnreadableError("The delivery names no event.")
    return Delivery(id[:255], kind[:255], told)


def digest(body: bytes) -> str:
    """An id for deliveries whose own id is not signed: the same body is the same delivery."""
    return hashlib.sha256(body).hexdigest()


def basic(headers: Headers, user: str, password: str) -> None:
    """Returns when the delivery brings user and password by basic authentication. Raises ForgedError."""
    expected = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    if not same(expected, headers.get("authorization", "")):
        raise ForgedError(f"The delivery does not bring user {user} with the configured password.")


def standard(body: bytes, headers: Headers, secret: str, now: datetime) -> str:
    """The id of a delivery signed as Standard Webhooks (and Svix before it) does.

    One of `webhook-signature` ("v1,<base64>", parted by spaces) is the HMAC-SHA256 of `<id>.<timestamp>.<body>` by the
    base64 secret ("whsec_..."). Source: github.com/standard-webhooks/standard-webhooks. Raises ForgedError, StaleError.
    """
    id, stamp, given = (headers.get(f"webhook-{n}") or headers.get(f"svix-{n}", "") for n in _STANDARD)
    if not id or not (stamp.isascii() and stamp.isdigit()) or not given:
        raise ForgedError("The webhook-id, webhook-timestamp or webhook-signature header is missing or malformed.")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ForgedError("The configured webhook secret is not base64.") from error
    signed = base64.b64encode(hmac.new(key, f"{id}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
    if not any(same(f"v1,{signed}", one) for one in given.split(" ")):
        raise ForgedError("The webhook-signature header is not of this payload by this secret.")
    recent(int(stamp), now)
    return id


def recent(seconds: int, now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Returns when a signed instant (seconds since 1970) is near enough to now. Raises StaleError."""
    if abs(now.timestamp() - seconds) > tolerance.total_seconds():
        raise StaleError("The delivery was signed too long ago or is from the future.")


def same(expected: str, given: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(expected.encode(), given.encode())


_STANDARD = ("id", "timestamp", "signature")
