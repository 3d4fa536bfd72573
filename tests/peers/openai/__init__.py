"""A server that speaks as much of OpenAI's chat completions as the advisor uses, and says what its script says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = dict[str, Any]
Answer = Callable[["Turn"], None]
"""What the server does with one request: writes to the turn."""


@dataclass
class Turn:
    """One request under way."""

    handler: BaseHTTPRequestHandler
    request: Request
    over: threading.Event

    def start(self, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        """The head of the reply. The connection is closed after it, so that nothing has to be counted."""
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Connection", "close")
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def raw(self, data: bytes) -> None:
        """Any bytes."""
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def chunk(self, delta: dict[str, Any] | None, **more: Any) -> None:
        """One event of a streamed completion."""
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None}]
        body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "peer", "choices": choices, **more}
        self.raw(f"data: {json.dumps(body)}\n\n".encode())

    def end(self, tokens: tuple[int, int] | None = (1000, 100)) -> None:
        """The count and the end of a completion."""
        if tokens:
            prompt, written = tokens
            total = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
            self.chunk(None, usage=total)
        self.raw(b"data: [DONE]\n\n")


def say(text: str | dict[str, Any], *, tokens: tuple[int, int] | None = (1000, 100), pieces: int = 7) -> Answer:
    """A text, or a JSON value, in pieces of so many letters."""
    whole = text if isinstance(text, str) else json.dumps(text)

    def answer(turn: Turn) -> None:
        turn.start()
        for place in range(0, len(whole), pieces):
            turn.chunk({"content": whole[place : place + pieces]})
        turn.end(tokens)

    return answer


def call(*tools: tuple[str, dict[str, Any] | str]) -> Answer:
    """The use of tools, each by name and arguments."""

    def answer(turn: Turn) -> None:
        turn.start()
        for index, (name, arguments) in enumerate(tools):
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            named = {"id": f"call_{index}", "type": "function"}
            for function in ({"name": name, "arguments": text[:3]}, {"arguments": text[3:]}):
                turn.chunk({"tool_calls": [{"index": index, **named, "function": function}]})
                named = {}
        turn.end()

    return answer


def refuse(status: int, **headers: str) -> Answer:
    """An error status."""

    def answer(turn: Turn) -> None:
        turn.start(status, "application/json", **headers)
        turn.raw(json.dumps({"error": {"message": f"this is {status}", "type": "peer"}}).encode())

    return answer


def send(data: bytes, kind: str = "text/event-stream") -> Answer:
    """Whatever bytes."""

    def answer(turn: Turn) -> None:
        turn.start(kind=kind)
        turn.raw(data)

    return answer


def endless(chunk: bytes, every: float = 0.0) -> Answer:
    """The same bytes until the other side hangs up."""

    def answer(turn: Turn) -> None:
        turn.start()
        while not turn.over.wait(every):
            turn.raw(chunk)

    return answer


def silent(seconds: float) -> Answer:
    """Nothing for a while."""

    def answer(turn: Turn) -> None:
        turn.over.wait(seconds)

    return answer


@dataclass
class OpenAIPeer:
    """A running server. `script` is what it does next, one answer a request; the last one is done again and again."""

    url: str
    over: threading.Event = field(default_factory=threading.Event)
    script: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def will(self, *answers: Answer) -> None:
        """A new script; what was asked before is forgotten."""
        self.script, self.requests, self.at = list(answers), [], []

    def told(self) -> str:
        """Everything that was sent to it since, as text."""
        return json.dumps([request["messages"] for request in self.requests], ensure_ascii=False)

    def facts(self) -> dict[str, str]:
        """The evidence of the last request, by id."""
        messages: Sequence[dict[str, Any]] = self.requests[-1]["messages"]
        return {each["id"]: each["shows"] for each in json.loads(messages[1]["content"])["evidence"]}


@contextmanager
def running() -> Iterator[OpenAIPeer]:
    """A server on a free port, as long as the `with` block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            peer.requests.append({**request, "path": self.path, "key": self.headers["Authorization"]})
            peer.at.append(time.monotonic())
            answer = peer.script.pop(0) if len(peer.script) > 1 else peer.script[0]
            with suppress(OSError):  # the other side has hung up
                answer(Turn(self, request, peer.over))

        def log_message(self, *about: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]  # the other side may hang up
    peer = OpenAIPeer(f"http://127.0.0.1:{server.server_address[1]}/v1")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield peer
    finally:
        peer.over.set()
        server.shutdown()
        server.server_close()
