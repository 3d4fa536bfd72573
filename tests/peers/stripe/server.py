"""The HTTP side: keys, idempotency, faults, the request log, the routes of the API and of the tests' own controls."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tests.peers.stripe import edits, writes
from tests.peers.stripe.account import Account, real_clock
from tests.peers.stripe.books import HELD, typed
from tests.peers.stripe.faults import Fault, Faults
from tests.peers.stripe.lists import LISTS, WITHIN, Query, RequestError, expanded, missing, page, page_within
from tests.peers.stripe.shapes import Object, shaped

CONTROL = "/_control/"


class Server:
    """One account behind HTTP. Requests are answered one at a time, so that each sees one state."""

    def __init__(self, key: str, now: datetime | None = None) -> None:
        self.offset = (now - real_clock()) if now else timedelta()
        self.account = Account(self.clock)
        self.faults = Faults()
        self.forbidden: set[str] = set()
        self.requests: list[Object] = []
        self.done: list[Object] = []
        self._key = key
        self._answers: dict[str, tuple[str, int, bytes]] = {}
        self._lock = threading.Lock()

    def clock(self) -> datetime:
        return real_clock() + self.offset

    def __call__(self, environ: dict[str, object], start_response: object) -> object:
        request = Request(environ)
        controlled = request.path.startswith(CONTROL)
        response = self._control(request) if controlled else self._answer(request)
        return response(environ, start_response)  # type: ignore[arg-type]

    def _answer(self, request: Request) -> Response:
        fault = self.faults.take(request.method, request.path)
        self.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "query": request.query_string.decode(),
                "fault": fault.kind if fault else None,
                "at": time.monotonic(),
                "version": request.headers.get("Stripe-Version"),
                "idempotency_key": request.headers.get("Idempotency-Key"),
                "telemetry": request.headers.get("X-Stripe-Client-Telemetry"),
                "client": request.headers.get("X-Stripe-Client-User-Agent"),
            }
        )
        try:
            if fault:
                refused = self._fail(fault, request)
                if refused:
                    return refused
            with self._lock:
                answer = self._allowed(request)
                if fault and fault.kind == "doubled":
                    answer = self._allowed(request)
            return self._cut("cut", request) if fault and fault.kind == "lost" else answer
        except RequestError as error:
            return _json({"error": error.error}, error.status)

    def _fail(self, fault: Fault, request: Request) -> Response | None:
        if fault.kind == "slow":
            time.sleep(fault.seconds)
        if fault.kind in {"slow", "lost", "doubled"}:
            return None
        if fault.kind in {"cut", "truncated"}:
            return self._cut(fault.kind, request)
        if fault.kind.startswith("html"):
            return Response("<html><h1>Bad gateway</h1></html>", int(fault.kind[4:]), mimetype="text/html")
        error = {"type": "api_error", "message": f"This is fault {fault.kind}."}
        response = _json({"error": error}, int(fault.kind))
        if fault.retry_after is not None:
            response.headers["Retry-After"] = fault.retry_after
        return response

    def _cut(self, kind: str, request: Request) -> Response:
        """Ends the connection without an answer, or in the middle of one."""
        connection: socket.socket = request.environ["werkzeug.socket"]
        if kind == "truncated":
            connection.sendall(
                b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"object":'
            )
        connection.shutdown(socket.SHUT_RDWR)
        return Response(b"")

    def _allowed(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            raise RequestError(401, "Invalid API Key provided: ****")
        parts = request.path.strip("/").split("/")[1:]
        path, rest = _collection(parts)
        if path in self.forbidden:
            raise RequestError(403, f"The provided key does not have the required permissions for {path}.")
        if request.method == "GET":
            return _json(self._read(path, rest, nested(request.query_string.decode())))
        if (path, rest) == ("invoices", ["create_preview"]):  # nothing is made, so nothing is kept of it
            return _json(writes.preview_invoice(self.account, nested(request.get_data(as_text=True))))
        return self._once(request, path, rest)

    def _read(self, path: str, rest: list[str], query: Query) -> Object:
        if (path, rest) == ("credit_notes", ["preview"]):
            return writes.create_credit_note(self.account, query, preview=True)
        if not rest and path in LISTS:
            return page(self.account, path, query)
        if len(rest) == 2 and (path, rest[1]) in WITHIN:
            return page_within(self.account, path, rest[0], rest[1], query)
        if len(rest) != 1 or path not in LISTS:
            raise RequestError(404, f"Unrecognized request URL (GET: /v1/{path})")
        found = self.account.objects.get(rest[0])
        if found is None or found["object"] != LISTS[path].kind:
            raise missing(path, rest[0])
        return expanded(self.account, self.account.shown(found), query.get("expand", []))  # type: ignore[arg-type]

    def _once(self, request: Request, path: str, rest: list[str]) -> Response:
        """A write, once per idempotency key."""
        body = request.get_data(as_text=True)
        key, made_of = request.headers.get("Idempotency-Key"), f"{request.method} {request.path} {body}"
        if key and key in self._answers:
            before, status, answer = self._answers[key]
            if before != made_of:
                raise RequestError(
                    400,
                    "Keys for idempotent requests can only be used with the same parameters.",
                    type="idempotency_error",
                )
            response = Response(answer, status, mimetype="application/json")
            response.headers["Idempotent-Replayed"] = "true"
            return response
        response = _json(self._write(request.method, path, rest, nested(body)))
        self.done.append({"method": request.method, "path": request.path, "key": key})
        if key:
            self._answers[key] = (made_of, response.status_code, response.get_data())
        return response

    def _write(self, method: str, path: str, rest: list[str], body: Query) -> Object:
        creates, known = writes.CREATES | edits.CREATES, writes.WRITES | edits.WRITES
        if method == "POST" and not rest and path in creates:
            return self.account.shown(creates[path](self.account, body))
        action = rest[1] if len(rest) > 1 else ""
        if (method, path, action, len(rest)) == ("POST", "invoices", "lines", 3):
            return edits.update_line(self.account, rest[0], body, rest[2])
        write = known.get((method, path, action)) if rest else None
        if write is None:
            raise RequestError(404, f"Unrecognized request URL ({method}: /v1/{path})")
        done = write(self.account, rest[0], body)
        return done if done.get("deleted") else self.account.shown(done)

    def _control(self, request: Request) -> Response:
        what = request.path.removeprefix(CONTROL)
        given = request.get_json(force=True) if request.data else {}
        with self._lock:
            return _json(getattr(self, f"control_{what}")(**given))

    def control_load(self, rows: dict[str, list[Object]], announce: bool = True) -> Object:
        """Takes over rows of the books (JSON, decimals as text)."""
        known = {table: [typed(table, row) for row in held] for table, held in rows.items() if table in HELD}
        self.account.load(known, announce=announce)
        return {"objects": len(self.account.objects)}

    def control_unheld(self) -> Object:
        """What of the books Stripe has no place for."""
        return {"unheld": self.account.unheld}

    def control_fault(self, **fault: object) -> Object:
        """Something to go wrong."""
        self.faults.add(Fault(**fault))  # type: ignore[arg-type]
        return {}

    def control_calm(self) -> Object:
        """Nothing to go wrong any more."""
        self.faults.clear()
        return {}

    def control_requests(self) -> Object:
        """The requests so far."""
        return {"requests": self.requests}

    def control_done(self) -> Object:
        """Every write that changed something, in order; one that was only answered again is not among them."""
        return {"done": self.done}

    def control_listed(self, kind: str) -> Object:
        """Every object of a kind, newest first."""
        return {"objects": self.account.listed(kind)}

    def control_object(self, id: str) -> Object:
        """An object as it is now, with all its parts."""
        return {"object": self.account.objects.get(id), "parts": self.account.parts.get(id, [])}

    def control_forget(self) -> Object:
        """An empty request log."""
        self.requests.clear()
        return {}

    def control_forbid(self, paths: list[str]) -> Object:
        """What the key may not read."""
        self.forbidden = set(paths)
        return {}

    def control_pass(self, seconds: float) -> Object:
        """Time to go by."""
        self.offset += timedelta(seconds=seconds)
        return {"now": self.clock().isoformat()}

    def control_put(self, kind: str, fields: Object, announce: bool = True) -> Object:
        """An object of a kind with these fields, as new or in place of the one with its id."""
        made = shaped(kind, **fields)
        self.account.put(made, announce=announce)
        return made

    def control_change(self, id: str, fields: Object, announce: bool = True) -> Object:
        """Fields of an object as they are said here, documented or not; `parts` replaces the list within it."""
        if "parts" in fields:
            self.account.parts[id] = fields.pop("parts")  # type: ignore[assignment]
        if announce:
            return self.account.change(id, **fields)
        self.account.objects[id] |= fields
        return self.account.objects[id]


def _collection(parts: list[str]) -> tuple[str, list[str]]:
    two = parts[:1] in (["billing"], ["billing_portal"])
    return ("/".join(parts[:2]), parts[2:]) if two else (parts[0] if parts else "", parts[1:])


def nested(text: str) -> Query:
    """A query or form as Stripe writes it: a[b]=1 is {"a": {"b": "1"}}, a[0]=x or a[]=x is {"a": ["x"]}."""
    found: Query = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *keys = name.replace("]", "").split("[")
        _put(found, [head, *keys], value)
    return {name: _listed(value) for name, value in found.items()}


def _put(into: Query, keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        into = into.setdefault(key, {})  # type: ignore[assignment]
    into[keys[-1] or str(len(into))] = value


def _listed(value: object) -> object:
    """Numbered entries as a list, however deep."""
    if not isinstance(value, dict):
        return value
    held = {key: _listed(entry) for key, entry in value.items()}
    return list(held.values()) if held and all(key.isdigit() for key in held) else held


def _json(answer: Object, status: int = 200) -> Response:
    response = Response(json.dumps(answer), status, mimetype="application/json")
    response.headers["Request-Id"] = "req_peer"
    return response


class _Handler(WSGIRequestHandler):
    """Quiet, and dated."""

    def log(self, type: str, message: str, *args: object) -> None:
        return None

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The `Date` of every answer, by the account's clock."""
        application: Server = self.server.app  # type: ignore[assignment]
        return format_datetime(application.clock(), usegmt=True)


def serve(server: Server, port: int) -> None:
    """Serves on the port (0: any) of this host until the process ends; says where on standard output."""
    listening = make_server("127.0.0.1", port, server, threaded=True, request_handler=_Handler)  # type: ignore[arg-type]
    print(f"ready http://127.0.0.1:{listening.server_port}", flush=True)
    listening.serve_forever()
