"""Staying under a vendor's rate limits: a token bucket per class of endpoint, with time passed in."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """The clock that waiting goes by. Tests pass their own, so that no test ever sleeps."""

    now: Callable[[], float] = time.monotonic  # seconds, only ever forwards
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random  # 0 <= x < 1, for jitter


@dataclass(frozen=True)
class Rate:
    """How many requests a class of endpoints may get: `per_second` on average, `burst` at once."""

    per_second: float
    burst: float = 1.0


class TokenBucket:
    """Hands out a place for each request at a steady rate. Safe for several threads."""

    def __init__(self, rate: Rate, pace: Pace) -> None:
        self._rate = rate
        self._pace = pace
        self._tokens = rate.burst
        self._at = pace.now()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Takes one token, in debt if need be; the seconds to wait until it may be used."""
        with self._lock:
            now = self._pace.now()
            self._tokens = min(self._rate.burst, self._tokens + (now - self._at) * self._rate.per_second)
            self._at = now
            self._tokens -= 1
            return max(0.0, -self._tokens / self._rate.per_second)


class Limiter:
    """The buckets of one connection, made as classes of endpoints turn up."""

    def __init__(self, rates: Mapping[str, Rate], pace: Pace) -> None:
        """`rates` by class; the entry "each" holds for every class that is not named, each with its own bucket."""
        self._rates = rates
        self._pace = pace
        self._buckets: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()

    def wait(self, classes: Iterable[str]) -> None:
        """Waits until every one of the classes has a place for a request."""
        buckets = [bucket for name in classes if (bucket := self._bucket(name))]
        delay = max((bucket.take() for bucket in buckets), default=0.0)
        if delay > 0:
            self._pace.sleep(delay)

    def _bucket(self, name: str) -> TokenBucket | None:
        rate = self._rates.get(name, self._rates.get("each"))
        if rate is None:
            return None
        with self._lock:
            if name not in self._buckets:
                self._buckets[name] = TokenBucket(rate, self._pace)
            return self._buckets[name]
