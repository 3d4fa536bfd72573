"""The HTTP client that every integration shares: one pool, one limiter, one layer of retries.

Owns connections, pacing and repetition; does not own what a vendor's answers mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx

from integrations.http_limits import Limiter, Pace, Rate
from integrations.http_retry import PASSING, Retry, asked_wait


class SourceError(Exception):
    """An outside system could not be read. `permanent`: trying again will not help until someone changes something."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class UnreachableError(SourceError):
    """No usable answer came back, however often it was tried."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


@dataclass(frozen=True)
class Reply:
    """An answer: its status, its headers (names in lower case) and its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Tally:
    """What the client has done so far, for progress and for tests."""

    requests: int = 0
    retries: int = 0
    waited: float = field(default=0.0)  # seconds of backoff, rate limits not counted


class Client:
    """Sends requests, paced and repeated. One per connection to a vendor; safe for several threads."""

    def __init__(
        self,
        rates: Mapping[str, Rate] | None = None,
        retry: Retry | None = None,
        *,
        timeout: float = 60.0,
        expects: str = "json",
        pace: Pace | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`rates`: requests per class of endpoint (see Limiter). `timeout`: seconds to connect and for each read.

        `expects`: what the content type of a success says; anything else comes from something in between.
        """
        self.pace = pace or Pace()
        self.tally = Tally()
        self._expects = expects
        self._retry = retry or Retry()
        self._limiter = Limiter(rates or {}, self.pace)
        self._http = httpx.Client(timeout=timeout, transport=transport, follow_redirects=False)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | str | None = None,
        classes: Iterable[str] = (),
        repeatable: bool = False,
    ) -> Reply:
        """Sends a request until an answer counts: of the type expected, or an error that repeating cannot mend.

        After the last attempt the last answer is returned as it is, whatever it says. Raises UnreachableError when
        there is none. `classes`: the classes of endpoint whose limits this request counts against. `repeatable`: doing
        it twice does no harm, whatever its method says.
        """
        named = tuple(classes)
        until = self.pace.now() + self._retry.deadline
        attempts = self._retry.attempts if repeatable or _repeatable(method, headers) else 1
        for attempt in range(1, attempts + 1):
            outcome = self._once(method, url, headers, body, named)
            if isinstance(outcome, Reply) and not _passing(outcome, self._expects):
                return outcome
            wait = self._retry.wait(attempt, _asked(outcome), self.pace)
            if attempt == attempts or self.pace.now() + wait > until:
                break
            self._pause(wait)
        if isinstance(outcome, Reply):
            return outcome
        raise UnreachableError(f"{httpx.URL(url).host} did not answer ({outcome}), tried {attempt} times.") from outcome

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | str | None, classes: tuple[str, ...]
    ) -> Reply | httpx.RequestError:
        self._limiter.wait(classes)
        self.tally.requests += 1
        try:
            answer = self._http.request(method.upper(), url, headers=dict(headers), content=body)
        except httpx.RequestError as error:
            return error
        return Reply(
            answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content
        )

    def _pause(self, seconds: float) -> None:
        self.tally.retries += 1
        self.tally.waited += seconds
        self.pace.sleep(seconds)


def _repeatable(method: str, headers: Mapping[str, str]) -> bool:
    return method.upper() in {"GET", "HEAD"} or any(name.lower() == "idempotency-key" for name in headers)


def _passing(reply: Reply, expected: str) -> bool:
    """Whether another answer may come the next time. A success of another type comes from something in between."""
    if reply.status in PASSING:
        return True
    return reply.status == 200 and expected not in reply.headers.get("content-type", "")


def _asked(outcome: Reply | httpx.RequestError) -> float | None:
    return asked_wait(outcome.headers) if isinstance(outcome, Reply) else None
