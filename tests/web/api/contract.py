"""Holds an answer of the API against what its document says of the operation: status, media type, body."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from web.api.openapi import PREFIX, document, path


class Contract:
    """The document of an app, and one check of what it answers."""

    def __init__(self, app: Flask) -> None:
        self.told: dict[str, Any] = document(app.url_map.iter_rules())
        self._routes = app.url_map.bind("localhost")
        self._validator = cache(self._made)

    def check(self, answer: TestResponse) -> TestResponse:
        """The answer, if it is as the document says."""
        request = answer.request
        rule, _ = self._routes.match(request.path, method=request.method, return_rule=True)
        where = f"{request.method} {request.path}: {answer.status_code}"
        said = self.told["paths"][path(rule)][request.method.lower()]["responses"]
        assert str(answer.status_code) in said, f"{where} is not in the document: {answer.get_data(as_text=True)[:300]}"
        content = said[str(answer.status_code)]["content"]
        if content:
            assert answer.mimetype in content, f"{where} as {answer.mimetype}"
        else:
            assert not answer.get_data(), where
        if answer.mimetype.endswith("json"):
            validator = self._validator(json.dumps(content[answer.mimetype]["schema"]))
            problems = [each.message for each in validator.iter_errors(answer.json)]
            assert not problems, f"{where}: {problems[0][:500]}"
            assert answer.status_code < 400 or answer.json["request_id"] == answer.headers["X-Request-ID"], where
        return answer

    def _made(self, schema: str) -> Draft202012Validator:
        return Draft202012Validator({**json.loads(schema), "components": self.told["components"]})


class Asking:
    """A program whose every answer is held against the document."""

    def __init__(self, client: FlaskClient, contract: Contract) -> None:
        self._client, self._contract = client, contract

    def __call__(self, told: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        """The JSON of an answer to `GET /signals` or the like, which has to have that status."""
        return self.answer(told, body, status, **headers).json

    def answer(self, told: str, body: Any = None, status: int = 200, **headers: str) -> TestResponse:
        """The same, whole."""
        method, _, address = told.partition(" ")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        more = {} if body is None else {"json": body}
        answer = self._client.open(f"{PREFIX}{address}", method=method, headers=named, **more)
        self._contract.check(answer)
        assert answer.status_code == status, f"{told}: {answer.status_code} {answer.get_data(as_text=True)[:500]}"
        return answer
