"""When a request is sent again, and after how long.

One layer for every vendor, because their own clients differ and some ignore `Retry-After`
(spec/connectors.md, section 3.1). Only what is safe to repeat is repeated: reads, and writes with an idempotency key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from integrations.http_limits import Pace

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Answers that may be different the next time. 409 is a vendor's lock on an object or an idempotency key in use."""


@dataclass(frozen=True)
class Retry:
    """How long to go on: at most `attempts` requests, and none that would start after `deadline` seconds."""

    attempts: int = 8
    first_wait: float = 0.5
    longest_wait: float = 60.0
    deadline: float = 300.0

    def wait(self, attempt: int, asked: float | None, pace: Pace) -> float:
        """Seconds before the request after `attempt` (1, 2, ...): what the vendor asked for, else jittered backoff.

        Backoff doubles from `first_wait` and is drawn from its upper half. What the vendor asks for gets a little
        jitter on top, so that callers that were told the same do not come back together.
        """
        if asked is not None:
            return asked + pace.chance() * min(1.0, self.first_wait)
        full = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
        return full * (0.5 + pace.chance() / 2)


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks to wait: `Retry-After` in seconds or as a date, else a vendor's reset header.

    A date counts from the answer's own `Date`, so that our clock does not matter. None when nothing usable is said.
    """
    stated = headers.get("retry-after")
    if stated is not None:
        return _seconds(stated) if _seconds(stated) is not None else _until(stated, headers.get("date"))
    reset = headers.get("ratelimit-reset") or headers.get("x-ratelimit-reset")
    return _from_reset(_seconds(reset), headers.get("date")) if reset else None


def _seconds(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _from_reset(value: float | None, date: str | None) -> float | None:
    """A reset is the seconds left, or (GitHub's way) the epoch second at which the window ends."""
    if value is None or value < 1_000_000_000:
        return value
    now = _instant(date)
    return None if now is None else max(0.0, value - now.timestamp())


def _until(text: str, date: str | None) -> float | None:
    then, now = _instant(text), _instant(date)
    return None if then is None or now is None else max(0.0, (then - now).total_seconds())


def _instant(text: str | None) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text or "")
    except (TypeError, ValueError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
