"""Requests that nobody would write, by schemathesis, as each role: nothing breaks, every answer is in the document, and
nobody sees or does what they may not.

`make test` asks each operation some; `make schema` asks 20,000 in all. docs/api-roles.md is what was seen.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from detector import versions
from people.roles import ROLES
from store import operational
from store.operational_tables import Job
from tests.web.api.conftest import token_of
from tests.web.company import NOW, Home, pack
from tests.web.signing import team
from web.api.openapi import PREFIX, document, of_api, path
from web.permissions import PUBLIC, needed

DOC = Path(__file__).parents[3] / "docs" / "api-roles.md"
ALL = 20_000
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
          response_schema_conformance]  # fmt: skip
WHO = (*ROLES, "nobody")

FURTHER: Mapping[str, str] = {
    "api.act": "more than 100 signals need `bulk`",
    "api.undo": "more than 100 signals need `bulk`",
    "api.save_view": "one for the team needs `act`",
    "api.remove_view": "one of the team needs `act`",
    "api.make_token": "none may do more than the token that asks",
    "api.activate_version": "one's own needs `activate_own`",
    **{f"api.{deed}_action": "not in somebody else's name"
       for deed in ("approve", "reject", "waive", "apply", "verify", "reverse")},
}  # fmt: skip
"""Where more than the route decides."""

ENDS = {"api.disable_person", "api.set_person", "api.revoke_token", "api.sign_out_person"}
"""What may end the very token that a role asks with: undone after each request."""


@dataclass
class Field:
    """A company with a token for each role, which is put back as it was."""

    home: Home
    app: Flask
    tokens: Mapping[str, str]
    real: Mapping[str, list[Any]]
    seen: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    @property
    def _store(self) -> Path:
        return self.home.folder / "trueup.sqlite"

    def keep(self) -> None:
        """Remember how the operational store is."""
        with closing(sqlite3.connect(self._store)) as live, closing(sqlite3.connect(f"{self._store}.kept")) as kept:
            live.backup(kept)

    def restore(self) -> None:
        """Put it back."""
        with closing(sqlite3.connect(self._store)) as live, closing(sqlite3.connect(f"{self._store}.kept")) as kept:
            kept.backup(live)


@pytest.fixture(scope="module")
def company(example_company: Home, tmp_path_factory: pytest.TempPathFactory) -> Field:
    home = example_company.copy(tmp_path_factory.mktemp("schema") / "home")
    people = team(home)
    made = Field(home, home.app(), {role: token_of(home, person) for role, person in people.items()}, _real(home))
    with operational.writing(home.engine()) as session:
        text = versions.renamed(next(rule for rule in pack() if rule.name == "usage_spike").text, "own_spike")
        version = versions.save(session, text, author="Rae Author", note="", now=NOW)
        session.add(Job(kind="dry_run", args={"rule": "own_spike"}, requested_by="x", requested_at=NOW, status="ok",
                        about=version.content_hash))  # fmt: skip
    made.keep()
    return made


PLACES = (("invoices", "invoice_id"), ("customers", "customer_id"), ("bill_runs", "bill_run_id"),
          ("subscriptions", "subscription_id"), ("invoice_lines", "line_id"))  # fmt: skip


def _real(home: Home) -> dict[str, list[Any]]:
    """Ids that lead somewhere, by the name of their place in an address."""
    with closing(home.warehouse.connect()) as books:
        ids = [books.execute(f"SELECT min({column}) FROM books.{table}").fetchall()[0][0] for table, column in PLACES]
    return {
        "id": ids,
        "label": ["SIG-1", "SIG-2"],
        "name": ["usage_spike", "own_spike"],
        "type": ["invoice", "customer"],
        "number": [1, 2, 5],
        "version": [1],
        "action": ["ACT-1"],
        "who": ["Ana Analyst"],
        "integration": ["stripe"],
    }


def likely(told: Any, real: Mapping[str, list[Any]]) -> Any:
    """The document with what there is among what may be asked, so that requests get beyond `there is none`."""
    if isinstance(told, list):
        return [likely(each, real) for each in told]
    if not isinstance(told, dict):
        return told
    shown = {name: likely(each, real) for name, each in told.items()}
    if shown.get("in") == "path" and shown.get("name") in real:
        shown["schema"] = {"anyOf": [{"enum": real[shown["name"]]}, shown["schema"]]}
    for pattern, name in (("^SIG-", "label"), ("^ACT-", "action"), ("^[a-z][a-z0-9_]", "name")):
        if str(shown.get("pattern", "")).startswith(pattern) and "enum" not in shown:
            return {"anyOf": [{"type": "string", "enum": real[name]}, shown]}
    return shown


def operations(company: Field) -> Iterator[tuple[Rule, str, Any]]:
    """Each route with its method and what schemathesis makes of it."""
    told = likely(document(company.app.url_map.iter_rules()), company.real)
    schema = schemathesis.openapi.from_dict(told)
    for rule, method in of_api(company.app.url_map.iter_rules()):
        yield rule, method, schema[path(rule)][method]


def ask(company: Field, rule: Rule, method: str, case: Any, who: str) -> None:
    """One request of one role, and what is to be said of its answer."""
    headers = {"Authorization": f"Bearer {company.tokens[who]}"} if who in company.tokens else {}
    answer = case.call(base_url=f"http://localhost{PREFIX}", headers=headers, app=company.app)
    if not reaches(company, rule, method, answer):
        assert answer.status_code in (401, 404, 405), answer.content[:300]
        return
    case.validate_response(answer, checks=CHECKS)
    permission, where = needed(rule.endpoint), f"{method} {rule.rule} as {who}: {answer.status_code}"
    if permission is not PUBLIC:
        denied = 401 if who == "nobody" else 403
        allowed = who != "nobody" and permission in ROLES[who]
        if not allowed:
            assert answer.status_code == denied, f"{where} {answer.content[:300]!r}"
        elif rule.endpoint not in FURTHER:
            assert answer.status_code not in (401, 403), f"{where} {answer.content[:300]!r}"
    if answer.status_code not in (401, 403):
        company.seen.setdefault((rule.rule, method), set()).add(who)
    if rule.endpoint in ENDS:
        company.restore()


def reaches(company: Field, rule: Rule, method: str, answer: Any) -> bool:
    """Whether the request came to the operation: an odd id may make another address of it, or none."""
    try:
        place = unquote(urlsplit(answer.request.url).path)
        found = company.app.url_map.bind("localhost").match(place, method=method)
    except HTTPException:
        return False
    return bool(found[0] == rule.endpoint)


def try_out(company: Field, count: int) -> None:
    """Ask every operation so many different requests, each as every role."""
    for rule, method, operation in operations(company):
        hammer(company, rule, method, operation, count)
        if method != "GET":
            company.restore()


def hammer(company: Field, rule: Rule, method: str, operation: Any, count: int) -> None:
    """Ask one operation."""
    cases = st.one_of(*(operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)))

    @seed(8)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=cases)
    def asked(case: Any) -> None:
        for who in WHO:
            ask(company, rule, method, case, who)

    asked()


def table(company: Field) -> str:
    """docs/api-roles.md."""
    lines = [
        "# Who may ask what of the API",
        "",
        "What was seen when `tests/web/api/test_schema.py` asked every operation as each role: `yes` where it was let",
        "through. The test fails when a role sees or does what it may not; `make schema` asks 20,000 requests.",
        "",
        f"| Operation below `{PREFIX}` | {' | '.join(ROLES)} | without a token | besides |",
        f"| --- | {' | '.join(':-:' for _ in ROLES)} | :-: | --- |",
    ]
    for rule, method in of_api(company.app.url_map.iter_rules()):
        seen = company.seen.get((rule.rule, method), set())
        if rule.endpoint in FURTHER:  # a sample may hit only what is refused for more than the route
            seen = seen | {who for who in ROLES if needed(rule.endpoint) in ROLES[who]}
        cells = " | ".join("yes" if who in seen else "" for who in WHO)
        lines.append(f"| `{method} {path(rule)}` | {cells} | {FURTHER.get(rule.endpoint, '')} |")
    return "\n".join(lines) + "\n"


def test_some_odd_requests_of_every_operation_and_what_each_role_gets(company: Field) -> None:
    try_out(company, 1)
    if os.environ.get("TRUEUP_WRITE_DOCS"):
        DOC.write_text(table(company), encoding="utf-8")
    assert DOC.read_text(encoding="utf-8") == table(company), "TRUEUP_WRITE_DOCS=1 with this test writes it"


@pytest.mark.schema
def test_twenty_thousand_odd_requests(company: Field) -> None:
    count = len(list(of_api(company.app.url_map.iter_rules())))
    try_out(company, -(-ALL // (count * len(WHO))))
