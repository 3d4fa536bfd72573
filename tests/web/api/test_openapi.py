"""The API describes itself: every route, nothing else, and what it says of a route holds."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from tests.web.reading import Page

ANSWERED = ("/signals", "/signals/SIG-1", "/rules", "/rules/usage_spike", "/runs", "/openapi.json")


@pytest.fixture(scope="module")
def told(client: FlaskClient) -> Any:
    return client.get("/api/v1/openapi.json").json


def test_every_route_is_in_the_document_and_the_other_way_round(app: Flask, told: Any) -> None:
    served = {
        (re.sub(r"<(\w+:)?", "{", rule.rule).replace(">", "}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
    described = {(f"/api/v1{path}", method) for path, methods in told["paths"].items() for method in methods}
    assert described == served
    assert ("/api/v1/events", "post") in described


def test_the_document_can_make_a_client(told: Any) -> None:
    operations = [each for methods in told["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)
    assert {parameter["in"] for each in operations for parameter in each["parameters"]} == {"path", "query", "header"}
    schemas = told["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", str(told))) == set(schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_answers_and_refusals_are_as_the_document_says(client: FlaskClient, told: Any) -> None:
    for path in ANSWERED:
        described = re.sub("SIG-1|usage_spike", lambda part: {"SIG-1": "{label}"}.get(part[0], "{name}"), path)
        content = told["paths"][described]["get"]["responses"]["200"]["content"]["application/json"]
        check(told, content["schema"], client.get(f"/api/v1{path}").json)
    refused = told["paths"]["/signals"]["get"]["responses"]["400"]["content"]["application/problem+json"]
    check(told, refused["schema"], client.get("/api/v1/signals?limit=x").json)


def test_a_deed_of_the_document_is_taken(client: FlaskClient, told: Any) -> None:
    act = told["paths"]["/signals/actions"]["post"]
    body = {"op": "assign", "ids": ["SIG-1"], "assignee": "Ana"}
    check(told, act["requestBody"]["content"]["application/json"]["schema"], body)
    answer = client.post("/api/v1/signals/actions", json=body)
    check(told, act["responses"]["200"]["content"]["application/json"]["schema"], answer.json)
    assert {each["name"] for each in act["parameters"]} == {"If-Match", "Idempotency-Key"}
    assert {"403", "404", "409", "412", "415", "422"} <= set(act["responses"])


def test_the_reference_page_shows_every_operation_and_model(client: FlaskClient, told: Any) -> None:
    answer = client.get("/api/v1/")
    page = Page(answer.get_data(as_text=True))
    assert (answer.status_code, answer.mimetype, page.problems) == (200, "text/html", [])
    headings = {heading.get("id") for heading in page.all("h2")}
    operations = {each["operationId"] for methods in told["paths"].values() for each in methods.values()}
    assert operations | set(told["components"]["schemas"]) <= headings
    links = {link["href"].removeprefix("#") for link in page.all("a") if link["href"].startswith("#")}
    assert links - {"main"} <= headings


def check(told: Any, schema: Any, answer: object) -> None:
    """The answer is what the schema of the document says."""
    Draft202012Validator({**schema, "components": told["components"]}).validate(answer)
