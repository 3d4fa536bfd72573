"""The API's own description: the OpenAPI document for programs, and a page made of it for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, make_response

from web.api.openapi import ABOUT, BODY_REFUSAL, EVERY_REFUSAL, PREFIX, Document, document
from web.api.operations import Operation, operation
from web.pages import show
from web.problems import answer

HTML = "text/html"


@operation(
    "/openapi.json",
    Operation("Get the OpenAPI document", "This document, for programs that make clients.", dict[str, Any]),
)
def openapi() -> Response:
    """The document of the routes of this app."""
    return answer(200, document(current_app.url_map.iter_rules()))


@operation("/", Operation("Read the reference", "The page that is made of this document.", None, also=(HTML,)))
def reference() -> Response:
    """The document as a page."""
    told = document(current_app.url_map.iter_rules())
    tagged: dict[str, list[tuple[str, str, Document]]] = {}
    for path, methods in told["paths"].items():
        for method, each in methods.items():
            tagged.setdefault(each["tags"][0], []).append((method.upper(), f"{PREFIX}{path}", each))
    tagged[ABOUT] = tagged.pop(ABOUT)  # last
    schemas = told["components"]["schemas"]
    usual = {str(status): says for status, says in sorted({**EVERY_REFUSAL, **BODY_REFUSAL}.items())}
    return make_response(show("api.html", told=told, tagged=tagged, usual=usual, schemas=schemas, shape=shape))


def shape(schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A schema in a few words, each with the name of the model that it leads to, or an empty one."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [(name, name)]
    if choices := schema.get("anyOf", schema.get("oneOf")):
        first, *others = (shape(each) for each in choices)
        return [*first, *(part for each in others for part in [(" or ", ""), *each])]
    if "enum" in schema:
        return [(" | ".join(str(value) for value in schema["enum"] if value != ""), "")]
    if "const" in schema:
        return [(str(schema["const"]), "")]
    if schema.get("type") == "array":
        return [("list of ", ""), *shape(schema.get("items", {}))]
    return [(schema.get("format", schema.get("type", "anything")), "")]
