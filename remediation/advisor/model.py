"""Asks a model behind an OpenAI-compatible address, within a time, a size and a number of attempts.

The only module that imports the openai SDK; whatever goes wrong becomes a ModelError that says what helps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
import openai
from pydantic import BaseModel

from integrations.http_limits import Pace
from integrations.http_retry import PASSING, Retry, asked_wait
from remediation.advisor.endpoint import LETTERS_PER_TOKEN, Endpoint

LARGEST = 8_000_000
"""Bytes of one reply, far above what any sound answer takes."""

LETTERS = 12
"""Letters that a token has at most, on the mean: a longer text is an endless one."""

Message = dict[str, Any]


class ModelError(RuntimeError):
    """There is no answer; the message says why and what helps. `tokens_out`: what may be charged all the same."""

    def __init__(self, message: str, tokens_out: int = 0) -> None:
        super().__init__(message)
        self.tokens_out = tokens_out


@dataclass(frozen=True)
class Call:
    """A tool that the model wants to use, with its arguments as JSON text."""

    id: str
    name: str
    arguments: str


@dataclass
class Reply:
    """One reply: its text, the tools that it asks for, and what it was counted as."""

    text: str = ""
    calls: list[Call] = field(default_factory=list)
    tokens_in: int = 0
    tokens_out: int = 0

    def as_message(self) -> Message:
        """The reply as the next request repeats it."""
        calls = [
            {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": each.arguments}}
            for each in self.calls
        ]
        return {"role": "assistant", "content": self.text, **({"tool_calls": calls} if calls else {})}


class Model:
    """One model. Safe for several threads."""

    def __init__(self, endpoint: Endpoint, pace: Pace | None = None) -> None:
        self.endpoint = endpoint
        self._pace = pace or Pace()
        self._retry = Retry(attempts=endpoint.attempts, longest_wait=10.0)
        seconds = endpoint.timeout.total_seconds()
        self._client = openai.OpenAI(
            api_key=endpoint.key,
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=seconds,
            http_client=openai.DefaultHttpxClient(transport=_Bounded(seconds), timeout=seconds, trust_env=False),
        )

    def reply(
        self,
        messages: Sequence[Message],
        *,
        shape: type[BaseModel] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        tell: Callable[[str], None] | None = None,
    ) -> Reply:
        """The model's reply; `tell` gets its text piece by piece. `shape` asks for JSON of that form.

        Raises ModelError. What passes (a limit, a connection) is tried again, as long as there is time.
        """
        until = self._pace.now() + self.endpoint.timeout.total_seconds()
        for attempt in range(1, self.endpoint.attempts + 1):
            try:
                return self._once(messages, shape, tools, tell)
            except openai.APIStatusError as error:
                wait = self._retry.wait(attempt, asked_wait(error.response.headers), self._pace)
                late = attempt == self.endpoint.attempts or self._pace.now() + wait > until
                if error.status_code not in PASSING or late:
                    raise ModelError(_refusal(error, self.endpoint)) from None
            except openai.APITimeoutError:
                raise self._too_long() from None
            except openai.APIConnectionError as error:
                if isinstance(error.__cause__, _TooMuch):
                    raise self._too_long() from None
                wait = self._retry.wait(attempt, None, self._pace)
                if attempt == self.endpoint.attempts or self._pace.now() + wait > until:
                    raise ModelError(f"{self._place} cannot be reached: {error.__cause__ or error}") from None
            except openai.APIError as error:  # told in the midst of an answer
                told = _told(error.message, self.endpoint)
                raise ModelError(f"{self._place} broke off its answer: {told}", self.endpoint.answer_tokens) from None
            self._pace.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _once(
        self,
        messages: Sequence[Message],
        shape: type[BaseModel] | None,
        tools: Sequence[Mapping[str, Any]],
        tell: Callable[[str], None] | None,
    ) -> Reply:
        asked: dict[str, Any] = {"model": self.endpoint.model, "messages": list(messages), "stream": True}
        asked["stream_options"] = {"include_usage": True}
        own = self.endpoint.base_url is None  # newer models of OpenAI itself refuse the old name, others know no other
        asked["max_completion_tokens" if own else "max_tokens"] = self.endpoint.answer_tokens
        if shape is not None and self.endpoint.json_schema:
            schema = {"name": shape.__name__, "schema": shape.model_json_schema(), "strict": True}
            asked["response_format"] = {"type": "json_schema", "json_schema": schema}
        if tools:
            asked["tools"] = list(tools)
        try:
            with self._client.chat.completions.create(**asked) as stream:
                return self._read(messages, stream, tell)
        except (httpx2.HTTPError, _TooMuch) as error:  # while the answer was on its way
            raise (
                self._too_long()
                if isinstance(error, _TooMuch | httpx2.TimeoutException)
                else ModelError(f"{self._place} broke off its answer: {error}", self.endpoint.answer_tokens)
            ) from None
        except openai.OpenAIError:
            raise
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            told = _told(str(error), self.endpoint)
            raise ModelError(f"{self._place} does not answer as OpenAI's API does: {told}") from None

    def _read(self, messages: Sequence[Message], stream: Iterable[Any], tell: Callable[[str], None] | None) -> Reply:
        reply, calls = Reply(), dict[int, list[str]]()
        for chunk in stream:
            if chunk.usage is not None:
                reply.tokens_in, reply.tokens_out = int(chunk.usage.prompt_tokens), int(chunk.usage.completion_tokens)
            for choice in chunk.choices[:1]:
                if piece := choice.delta.content:
                    reply.text += piece
                    if tell:
                        tell(piece)
                for call in choice.delta.tool_calls or ():
                    known = calls.setdefault(call.index, ["", "", ""])
                    known[0] = call.id or known[0]
                    known[1] += (call.function and call.function.name) or ""
                    known[2] += (call.function and call.function.arguments) or ""
            if len(reply.text) + sum(len(each[2]) for each in calls.values()) > LETTERS * self.endpoint.answer_tokens:
                raise ModelError(f"{self._place} does not stop answering", self.endpoint.answer_tokens)
        reply.calls = [Call(*parts) for _, parts in sorted(calls.items())]
        if not reply.tokens_out:  # it did not count, so we do, upwards
            written = len(reply.text) + sum(len(each.arguments) for each in reply.calls)
            reply.tokens_in = sum(len(str(each)) for each in messages) // LETTERS_PER_TOKEN
            reply.tokens_out = written // LETTERS_PER_TOKEN + 1
        return reply

    def _too_long(self) -> ModelError:
        seconds = self.endpoint.timeout.total_seconds()
        told = f"{self._place} took longer than {seconds:g} seconds or sent too much; advisor.timeout allows more"
        return ModelError(told, self.endpoint.answer_tokens)

    @property
    def _place(self) -> str:
        return f"{self.endpoint.model} at {self._client.base_url.host}"


def _refusal(error: openai.APIStatusError, endpoint: Endpoint) -> str:
    """What an error status means for whoever set the advisor up."""
    if error.status_code in (401, 403):
        return f"{endpoint.model} refuses the key; set the variable that advisor.api_key_env names"
    if error.status_code == 429:
        return f"{endpoint.model} takes no more requests now (429); ask again later"
    return f"{endpoint.model} answers {error.status_code}: {_told(error.message, endpoint)}"


def _told(text: str, endpoint: Endpoint) -> str:
    """What the other side says, in one line and without the key."""
    return " ".join(text.replace(endpoint.key, "the key").split())[:200]


class _TooMuch(httpx2.TransportError):
    """A reply that takes too long, or is too large."""


class _Bounded(httpx2.BaseTransport):
    """A transport that breaks off replies which do not end."""

    def __init__(self, seconds: float) -> None:
        self._inner = httpx2.HTTPTransport()
        self._seconds = seconds

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it, its answer bound to end in time."""
        until = time.monotonic() + self._seconds
        response = self._inner.handle_request(request)
        response.stream = _Stream(cast(httpx2.SyncByteStream, response.stream), until)
        return response

    def close(self) -> None:
        """Closes what it sends by."""
        self._inner.close()


class _Stream(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, until: float) -> None:
        self._inner, self._until, self._size = inner, until, 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            self._size += len(chunk)
            if time.monotonic() > self._until or self._size > LARGEST:
                raise _TooMuch("the reply does not end")
            yield chunk

    def close(self) -> None:
        """Closes the answer."""
        self._inner.close()
