"""How what machines ask is refused: problem details (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException


class Refused(Exception):  # noqa: N818 (what happens, not a defect)
    """A request that is not taken: status, what is wrong, what to do."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail


def answer(status: int, body: Mapping[str, object], mimetype: str = "application/json") -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status, mimetype=mimetype)


def problem(status: int, title: str, detail: str, more: Mapping[str, object] | None = None) -> Response:
    """An answer that says what is wrong."""
    body: dict[str, object] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return answer(status, body | dict(more or {}), "application/problem+json")


def speak_problems(pages: Blueprint) -> None:
    """Whatever these pages refuse, they refuse as problem details."""
    pages.register_error_handler(Refused, _refused)
    pages.register_error_handler(HTTPException, _http)


def _refused(error: Refused) -> Response:
    return _asking(problem(error.status, error.title, error.detail))


def _http(error: HTTPException) -> Response:
    return _asking(problem(error.code or 500, error.name, error.description or ""))


def _asking(said: Response) -> Response:
    """The answer; one for want of a token says which kind is meant."""
    if said.status_code == 401:
        said.headers["WWW-Authenticate"] = "Bearer"
    return said
