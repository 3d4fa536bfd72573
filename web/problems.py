"""How what machines ask is refused: problem details (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from flask import Blueprint, Response, g
from werkzeug.exceptions import HTTPException, TooManyRequests


class Refused(Exception):  # noqa: N818 (what happens, not a defect)
    """A request that is not taken: status, what is wrong, what to do; `errors`: each mistake with its place."""

    def __init__(
        self, status: int, title: str, detail: str, *, errors: Sequence[Mapping[str, object]] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail
        self.more: dict[str, object] = {} if errors is None else {"errors": list(errors)}


def answer(status: int, body: Mapping[str, object], mimetype: str = "application/json") -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status, mimetype=mimetype)


def problem(status: int, title: str, detail: str, more: Mapping[str, object] | None = None) -> Response:
    """An answer that says what is wrong, and the request's id, by which the log knows it."""
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body: dict[str, object] = {**told, "request_id": g.get("request_id", "")}
    return answer(status, body | dict(more or {}), "application/problem+json")


def speak_problems(pages: Blueprint) -> None:
    """Whatever these pages refuse, they refuse as problem details."""
    pages.register_error_handler(Refused, _refused)
    pages.register_error_handler(HTTPException, _http)


def _refused(error: Refused) -> Response:
    return _asking(problem(error.status, error.title, error.detail, error.more))


def _http(error: HTTPException) -> Response:
    said = _asking(problem(error.code or 500, error.name, error.description or ""))
    if isinstance(error, TooManyRequests) and error.retry_after:
        said.headers["Retry-After"] = str(error.retry_after)
    return said


def _asking(said: Response) -> Response:
    """The answer; one for want of a token says which kind is meant."""
    if said.status_code == 401:
        said.headers["WWW-Authenticate"] = "Bearer"
    return said
