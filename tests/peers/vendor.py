"""What the peers of vendors with plain JSON APIs share: a process, a clock, faults, a log of requests, controls.

A vendor is a module `tests.peers.<name>.account` with a class `Account` (`load`, `answer`, `lists`). It is written from
the vendor's published API description and shares no code with `integrations`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Protocol

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from billing.books import BY_NAME
from tests.peers.stripe.books import typed
from tests.peers.stripe.faults import Fault, Faults
from tests.peers.stripe.process import Peer

ROOT = Path(__file__).resolve().parents[2]
CONTROL = "/_control/"
KEY = "peer-key"
KEYED = ("chargebee-idempotency-key", "Idempotency-Key")
"""Headers with a key under which a vendor does something once."""

Object = dict[str, Any]


class Refused(Exception):
    """A request that the vendor refuses, with its status and its body."""

    def __init__(self, status: int, body: Object) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


class Account(Protocol):
    """The state of one account, by list, and what it answers."""

    lists: dict[str, list[Object]]

    def __init__(self, clock: Callable[[], datetime]) -> None: ...

    def allowed(self, headers: dict[str, str], key: str) -> bool: ...

    def load(self, rows: dict[str, list[Object]]) -> None: ...

    def answer(self, method: str, path: str, query: dict[str, list[str]]) -> Object | list[Object]: ...


class Server:
    """One account behind HTTP. Requests are answered one at a time, so that each sees one state."""

    def __init__(self, make: Callable[[Callable[[], datetime]], Account], now: datetime | None) -> None:
        self.offset = (now - datetime.now(UTC)) if now else timedelta()
        self.make, self.account = make, make(self.clock)
        self.faults, self.requests, self.done = Faults(), [], []  # type: ignore[var-annotated]
        self.forbidden: set[str] = set()
        self.answers: dict[str | None, object] = {}
        self._lock = threading.Lock()

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def __call__(self, environ: dict[str, object], start_response: object) -> object:
        request = Request(environ)
        respond = self._control if request.path.startswith(CONTROL) else self._answer
        return respond(request)(environ, start_response)  # type: ignore[arg-type]

    def _answer(self, request: Request) -> Response:
        fault = self.faults.take(request.method, request.path)
        self.requests.append({"path": request.path, "query": request.query_string.decode(), "at": time.monotonic()})
        if fault and fault.kind not in ("slow", "lost", "doubled"):
            return self._fail(fault, request)
        if fault:
            time.sleep(fault.seconds)
        with self._lock:
            try:
                if request.path == "/oauth/token" and hasattr(self.account, "token"):
                    return _json(self.account.token(request.form.to_dict(), KEY))
                if not self.account.allowed({k.lower(): v for k, v in request.headers.items()}, KEY):
                    raise Refused(401, {"status": 401, "error": "Unauthorized"})
                if any(request.path.endswith(path) for path in self.forbidden):
                    raise Refused(403, {"status": 403, "error": "Forbidden"})
                query = {name: request.args.getlist(name) for name in request.args}
                if request.method != "GET" and hasattr(self.account, "write"):
                    return self._written(request, fault)
                return _json(self.account.answer(request.method, request.path, query))
            except Refused as refused:
                return _json(refused.body, refused.status)

    def _written(self, request: Request, fault: Fault | None) -> Response:
        """A write; one whose reply is `lost` is done all the same, and one that is `doubled` arrives twice."""
        answer = self._done_once(request)
        if fault and fault.kind == "doubled":
            with suppress(Refused):
                self._done_once(request)
        return self._fail(Fault("cut"), request) if fault and fault.kind == "lost" else answer

    def _done_once(self, request: Request) -> Response:
        """The write, once per key where the vendor knows keys."""
        key = next((request.headers[name] for name in KEYED if name in request.headers), None)
        if key in self.answers:
            return _json(self.answers[key])
        body = request.get_json(silent=True) or request.form.to_dict()
        said = self.account.write(request.method, request.path, body | request.args.to_dict())  # type: ignore[attr-defined]
        self.done.append({"method": request.method, "path": request.path, "key": key, "body": body})
        if key:
            self.answers[key] = said
        return _json(said)

    def _fail(self, fault: Fault, request: Request) -> Response:
        if fault.kind in {"cut", "truncated"}:
            connection: socket.socket = request.environ["werkzeug.socket"]
            if fault.kind == "truncated":
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
                connection.sendall(head + b'{"object":')
            connection.shutdown(socket.SHUT_RDWR)
            return Response(b"")
        if fault.kind.startswith("html"):
            return Response("<html>Bad gateway</html>", int(fault.kind[4:]), mimetype="text/html")
        response = _json({"status": int(fault.kind), "error": f"fault {fault.kind}"}, int(fault.kind))
        if fault.retry_after is not None:
            response.headers["Retry-After"] = fault.retry_after
        return response

    def _control(self, request: Request) -> Response:
        given = request.get_json(force=True) if request.data else {}
        with self._lock:
            return _json(getattr(self, f"control_{request.path.removeprefix(CONTROL)}")(**given) or {})

    def control_load(self, rows: dict[str, list[Object]], announce: bool = True) -> None:
        """Takes over rows of the books (JSON, decimals as text)."""
        self.account.load({t: [typed(t, row) for row in held] for t, held in rows.items() if t in BY_NAME})

    def control_afresh(self) -> None:
        """An empty account; what it was asked so far stays in the logs."""
        self.account, self.answers = self.make(self.clock), {}

    def control_fault(self, **fault: Any) -> None:
        """Something to go wrong."""
        self.faults.add(Fault(**{"path": "*", **fault}))

    def control_calm(self) -> None:
        """Nothing to go wrong any more."""
        self.faults.clear()
        self.forbidden.clear()

    def control_requests(self) -> Object:
        """The requests so far."""
        return {"requests": self.requests}

    def control_done(self) -> Object:
        """Every write that changed something, in order."""
        return {"done": self.done}

    def control_forget(self) -> None:
        """An empty request log."""
        self.requests.clear()

    def control_forbid(self, paths: list[str]) -> None:
        """What the key may not read."""
        self.forbidden = set(paths)

    def control_pass(self, seconds: float) -> None:
        """Time to go by."""
        self.offset += timedelta(seconds=seconds)

    def control_set(self, list: str, key: str, id: str, fields: Object) -> None:
        """Fields of an object as they are said here, documented or not."""
        next(thing for thing in self.account.lists[list] if thing[key] == id).update(fields)

    def control_get(self, list: str, key: str, id: str) -> Object:
        """An object as it is."""
        return next(thing for thing in self.account.lists[list] if thing[key] == id)

    def control_listed(self, list: str) -> Object:
        """The objects of a list."""
        return {"objects": self.account.lists[list]}

    def control_remove(self, list: str, key: str, id: str) -> None:
        """An object that is gone."""
        self.account.lists[list][:] = [thing for thing in self.account.lists[list] if thing[key] != id]


def _json(answer: object, status: int = 200) -> Response:
    return Response(json.dumps(answer, default=_number), status, mimetype="application/json")


def _number(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


class _Handler(WSGIRequestHandler):
    """Quiet, and dated by the account's clock."""

    def log(self, type: str, message: str, *args: object) -> None:
        return None

    def date_time_string(self, timestamp: float | None = None) -> str:
        application: Server = self.server.app  # type: ignore[assignment]
        return format_datetime(application.clock(), usegmt=True)


@contextmanager
def running(vendor: str, now: datetime) -> Iterator[Peer]:
    """A vendor's peer that lives as long as the `with` block."""
    import httpx

    command = [sys.executable, "-m", "tests.peers.vendor", vendor, "--now", now.isoformat()]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), f"the peer did not start: {line!r}"
        with httpx.Client(timeout=60) as http:
            yield Peer(line.split()[1], http)
    finally:
        process.kill()
        process.wait()


def text(value: object) -> str | None:
    """An instant or a number as JSON text."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def main() -> None:
    """Serves until killed; says where on standard output."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.vendor")
    parser.add_argument("vendor")
    parser.add_argument("--now", type=datetime.fromisoformat)
    given = parser.parse_args()
    account = importlib.import_module(f"tests.peers.{given.vendor}.account").Account
    listening = make_server("127.0.0.1", 0, Server(account, given.now), threaded=True, request_handler=_Handler)  # type: ignore[arg-type]
    print(f"ready http://127.0.0.1:{listening.server_port}", flush=True)
    listening.serve_forever()


if __name__ == "__main__":
    from tests.peers.vendor import main  # the module by its name, so that `Refused` is one class for all

    main()
