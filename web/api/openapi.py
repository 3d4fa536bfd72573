"""The OpenAPI 3.1 document: the routes as the app has them, what they take and answer as the models say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter
from werkzeug.routing import Rule

from web.api.answers import Problem
from web.api.idempotency import KEY, PATTERN
from web.api.operations import JSON, OPERATIONS, STALE, Operation
from web.numbers import LARGEST
from web.permissions import needed

Document = dict[str, Any]

PREFIX = "/api/v1"
REFS = "#/components/schemas/{model}"
VERSION = "1"
ABOUT = "This document"
"""The tag of the operations that tell of the others."""

SAYS = (
    "What the console shows and does, for programs. Amounts are decimal strings with their currency, never summed "
    "across currencies; instants are UTC. Lists come in pages: ask again with `after` set to the `next` of the answer. "
    "Refusals are problem details (RFC 9457) with the id of the request."
)
PLACES: Mapping[str, str] = {
    "label": "The id of a signal, as SIG-12.",
    "name": "The name of a rule.",
    "id": "The id of a record, as the billing system has it.",
    "type": "The type of a record, as a signal's records have it.",
    "change": "The id of a change, as the change itself and the timeline tell it.",
    "action": "The id of an action, as ACT-7.",
    "integration": "The name of an integration of the configuration.",
    "who": "The name of a person, as signals are assigned to.",
    "number": "The number of what is meant, as lists tell it.",
    "version": "The number of a version of the rule.",
}
EVERY_REFUSAL: Mapping[int, str] = {
    400: "The request cannot be read, or a parameter cannot be used.",
    401: "A token is needed, and none that is known was sent.",
    403: "The token does not permit it; the detail names the permission.",
    429: "Too many requests with this token, or wrong tokens from this address; Retry-After says how long to wait.",
    503: "The books cannot be read or written right now.",
}
BODY_REFUSAL: Mapping[int, str] = {
    409: "The Idempotency-Key is that of a request which is not over, or the state does not allow it.",
    413: "The body is too large.",
    415: "The body is of another type.",
    422: "The body is not as it should be; `errors` names each place.",
}


NOT_THERE = "There is nothing of that name or number."
CHANGED = "It is no longer as If-Match says."
NUMBER: Document = {"type": "integer", "minimum": 0, "maximum": LARGEST}


def document(routes: Iterable[Rule]) -> Document:
    """The document of these routes. Every route below /api/v1 has an operation, else this raises KeyError."""
    told = [(rule, method, OPERATIONS[rule.endpoint]) for rule, method in of_api(routes)]
    schemas, shared = _schemas(operation for _, _, operation in told)
    paths: dict[str, Any] = {}
    for rule, method, operation in told:
        paths.setdefault(path(rule), {})[method.lower()] = _operation(rule, method, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Trueup", "version": VERSION, "description": SAYS},
        "servers": [{"url": PREFIX}],
        "paths": paths,
        "components": {
            "schemas": shared,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "An API token."}},
        },
    }


def of_api(routes: Iterable[Rule]) -> Iterator[tuple[Rule, str]]:
    """Each route below /api/v1 with each method that it takes, by address."""
    for rule in sorted(routes, key=lambda rule: (rule.rule, sorted(rule.methods or ()))):
        if rule.rule.startswith(f"{PREFIX}/"):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method


def path(rule: Rule) -> str:
    """A route's address below /api/v1 as OpenAPI writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix(PREFIX))


def _operation(rule: Rule, method: str, told: Operation, schemas: Mapping[tuple[int, str], Document]) -> Document:
    permission = needed(rule.endpoint)
    says = f"{told.says} Needs the permission `{permission}`." if permission else f"{told.says} Open to everybody."
    shown: Document = {
        "operationId": re.sub(r"\W+", "_", told.title.lower().replace("'s", "s")),
        "tags": [_tag(rule)],
        "summary": told.title,
        "description": says,
        "security": [{"token": []}, {}] if permission else [],
        "parameters": list(_parameters(rule, method, told)),
        "responses": {
            **_good(told, schemas.get((id(told), "answer"))),
            **(_refused(told, placed=bool(rule.arguments)) if permission else {}),
        },
    }
    if told.body is not None:
        content = {type: {"schema": schemas[id(told), "body"]} for type in told.takes}
        shown["requestBody"] = {"required": True, "content": content}
    return shown


def _tag(rule: Rule) -> str:
    first = path(rule).split("/")[1]
    return first.replace("-", " ").capitalize() if first and "." not in first else ABOUT


def _parameters(rule: Rule, method: str, told: Operation) -> Iterator[Document]:
    for name in sorted(rule.arguments):
        schema = NUMBER if f"<int:{name}>" in rule.rule else {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema, "description": PLACES[name]}
    if told.query is not None:
        for name, schema in told.query.model_json_schema()["properties"].items():
            plain = {key: value for key, value in schema.items() if key not in ("title", "description")}
            yield {"name": name, "in": "query", "schema": plain, "description": schema.get("description", "")}
    if told.if_match:
        says = "The version that what is changed must still have: the ETag of GET, or `version` of a list in quotes."
        yield {"name": "If-Match", "in": "header", "schema": {"type": "string"}, "description": says}
    if method == "POST" and rule.endpoint.startswith("api."):
        says = "A key of your own: sent again within a day with the same body, the first answer is given again."
        yield {"name": KEY, "in": "header", "schema": {"type": "string", "pattern": PATTERN}, "description": says}


def _good(told: Operation, schema: Document | None) -> Document:
    content: Document = {} if schema is None else {JSON: {"schema": schema}}
    content |= {type: {"schema": {"type": "string"}} for type in told.also}
    good: Document = {
        "description": "Found." if told.body is None and told.status == 200 else "Done.",
        "content": content,
    }
    headers: Document = {}
    if told.etag:
        headers["ETag"] = {"schema": {"type": "string"}, "description": "The version, which If-Match takes."}
    if told.body is None and told.status == 200:
        says = "The integrations whose data is not the latest, where any is; GET /integrations says why."
        headers[STALE] = {"schema": {"type": "string"}, "description": says}
    if headers:
        good["headers"] = headers
    return {str(told.status): good}


def _refused(told: Operation, *, placed: bool) -> Document:
    refused = {**EVERY_REFUSAL, **({404: NOT_THERE} if placed else {})}
    refused |= {**(BODY_REFUSAL if told.body is not None else {}), **({412: CHANGED} if told.if_match else {})}
    refused |= told.refuses or {}
    problem = {"application/problem+json": {"schema": {"$ref": REFS.format(model=Problem.__name__)}}}
    return {str(status): {"description": says, "content": problem} for status, says in sorted(refused.items())}


def _schemas(operations: Iterable[Operation]) -> tuple[dict[tuple[int, str], Document], Document]:
    """The schema of each operation's answer and body, and those that they share."""
    wanted: list[tuple[tuple[int, str], Any, TypeAdapter[Any]]] = [
        ((0, "problem"), "serialization", TypeAdapter(Problem))
    ]
    for told in operations:
        if told.answers is not None:
            wanted.append(((id(told), "answer"), "serialization", TypeAdapter(told.answers)))
        if told.body is not None:
            wanted.append(((id(told), "body"), "validation", TypeAdapter(told.body)))
    schemas, shared = TypeAdapter.json_schemas(wanted, ref_template=REFS)
    return {key: schema for (key, _), schema in schemas.items()}, shared.get("$defs", {})
