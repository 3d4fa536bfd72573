"""Who may open and do what: every route says what it needs, and every role is held to that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from detector import versions
from people.roles import ROLES, Permission
from store import operational
from store.audit_tables import AuditEntry
from store.operational_tables import Job, Signal
from store.people_tables import Person
from tests.web.company import NOW, Home, pack
from tests.web.reading import text
from tests.web.signing import browser_of, team
from web.permissions import NEEDS, PUBLIC

DOC = Path(__file__).parents[2] / "docs" / "permissions.md"
FILLED = {
    "name": "usage_spike",
    "label": "SIG-1",
    "type": "price",
    "hashed": "none",
    "change": "none",
    "secret": "none",
}


@pytest.fixture(scope="module")
def home(many_signals: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return many_signals.copy(tmp_path_factory.mktemp("permissions") / "home")


@pytest.fixture(scope="module")
def people(home: Home) -> dict[str, Person]:
    return team(home)


@pytest.fixture(scope="module")
def app(home: Home) -> Flask:
    app = home.app()
    app.config["WTF_CSRF_ENABLED"] = False
    return app


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Each route with each method that it takes."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods or ()))):
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


def address(rule: Rule) -> str:
    """The route's address with something in every place."""
    return re.sub(
        r"<(?:(\w+):)?(\w+)>", lambda part: "1" if part[1] == "int" else FILLED.get(part[2], "none"), rule.rule
    )


def table(app: Flask) -> str:
    """docs/permissions.md."""
    lines = [
        "# Who may do what",
        "",
        "Made from `web/permissions.py` by `tests/web/test_permissions.py`, which fails when a route names no",
        "permission or a role is let through where it should not be; `TRUEUP_WRITE_DOCS=1` with it writes this page.",
        "",
        "## Permissions and roles",
        "",
        f"| Permission | To | {' | '.join(ROLES)} |",
        f"| --- | --- | {' | '.join(':-:' for _ in ROLES)} |",
    ]
    for permission in Permission:
        held = " | ".join("yes" if permission in ROLES[role] else "" for role in ROLES)
        lines.append(f"| `{permission}` | {permission.means} | {held} |")
    lines += [
        "",
        "A person may have several roles. Besides: a change of more than 100 signals needs `bulk`; a sync needs",
        "`integrations`; activating a version that one wrote oneself needs `activate_own`; approvals go by the limits",
        "of the person ([people](people.md)).",
        "",
        "## Routes",
        "",
        f"| Route | Needs | {' | '.join(ROLES)} |",
        f"| --- | --- | {' | '.join(':-:' for _ in ROLES)} |",
    ]
    for rule, method in routes(app):
        needs = NEEDS[rule.endpoint]
        held = " | ".join("yes" if needs is PUBLIC or needs in ROLES[role] else "" for role in ROLES)
        lines.append(f"| `{method} {rule.rule}` | {'nothing' if needs is PUBLIC else f'`{needs}`'} | {held} |")
    return "\n".join(lines) + "\n"


def test_every_route_says_what_it_needs(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(NEEDS), "web/permissions.py names every route"


def test_the_page_of_permissions_is_up_to_date(app: Flask) -> None:
    if os.environ.get("TRUEUP_WRITE_DOCS"):
        DOC.write_text(table(app), encoding="utf-8")
    assert DOC.read_text(encoding="utf-8") == table(app), "TRUEUP_WRITE_DOCS=1 with this test writes it"


def test_nobody_gets_in_without_signing_in(app: Flask, people: dict[str, Person]) -> None:
    client = app.test_client()
    for rule, method in routes(app):
        if NEEDS[rule.endpoint] is not PUBLIC:
            answer = client.open(address(rule), method=method)
            asked = answer.status_code == 401 or (answer.location or "").startswith("/login?")
            assert asked, f"{method} {rule.rule}: {answer.status_code}"
            assert b"<table" not in answer.data


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_let_through_where_it_may_and_nowhere_else(
    app: Flask, home: Home, people: dict[str, Person], role: str
) -> None:
    client = browser_of(app, home, people[role])
    for rule, method in routes(app):
        needs = NEEDS[rule.endpoint]
        if needs is PUBLIC or rule.rule.startswith("/api/") or (needs is Permission.READ and role != "viewer"):
            continue
        if needs in ROLES[role] and rule.endpoint.startswith(("account.", "users.")) and method == "POST":
            continue  # what these change is told by the tests of people
        answer = client.open(address(rule), method=method)
        assert (answer.status_code == 403) == (needs not in ROLES[role]), f"{method} {rule.rule}: {answer.status_code}"
        assert answer.status_code < 500


def test_who_is_denied_is_told_what_is_missing_and_it_is_audited(
    app: Flask, home: Home, people: dict[str, Person]
) -> None:
    client = browser_of(app, home, people["viewer"])
    answer = client.post("/signals/act", data={"deed": "assign"})
    told = text(answer.get_data(as_text=True))
    assert "It needs the permission act: to change signals" in told
    assert "Who has it: analyst, manager, admin." in told
    with operational.reading(home.engine()) as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert last is not None
        assert (last.action, last.actor, last.object_id, last.reason) == (
            "access.denied", "Vic Viewer", "POST /signals/act", "act")  # fmt: skip
        assert last.request_id == answer.headers["X-Request-ID"]


def test_more_than_a_hundred_signals_at_once_are_for_managers(
    app: Flask, home: Home, people: dict[str, Person]
) -> None:
    form = {"deed": "assign", "assignee": "Ana Analyst", "all": "1", "back": "/signals"}
    analyst, manager = (browser_of(app, home, people[role]) for role in ("analyst", "manager"))
    refused = analyst.post("/signals/act", data=form)
    assert refused.status_code == 403
    assert "These are 130 signals." in refused.get_data(as_text=True)
    assert assigned(home) == 0
    assert manager.post("/signals/act", data=form).status_code == 303
    assert assigned(home) == 130
    undo = re.search(r"/changes/([0-9a-f]+)/undo", manager.get("/signals").get_data(as_text=True))
    assert undo
    assert analyst.post(undo[0]).status_code == 403
    assert manager.post(undo[0]).status_code == 303
    assert assigned(home) == 0


def test_a_sync_is_for_who_has_the_integrations(app: Flask, home: Home, people: dict[str, Person]) -> None:
    author, admin = (browser_of(app, home, people[role]) for role in ("rule_author", "admin"))
    assert author.post("/jobs", data={"kind": "run", "name": ""}).status_code == 303
    assert author.post("/jobs", data={"kind": "sync"}).status_code == 403
    assert admin.post("/jobs", data={"kind": "sync"}).status_code == 303


def test_who_may_only_look_is_offered_no_button(app: Flask, home: Home, people: dict[str, Person]) -> None:
    viewer, analyst = (browser_of(app, home, people[role]) for role in ("viewer", "analyst"))
    offers = {"/signals": 'data-key="d"', "/signals/SIG-1": "/signals/act", "/runs": 'action="/jobs"'}
    for page, offer in offers.items():
        assert offer not in viewer.get(page).get_data(as_text=True), page
    assert [offer in analyst.get(page).get_data(as_text=True) for page, offer in offers.items()] == [True, True, False]
    assert '<option value="Max Manager">' in analyst.get("/signals").get_data(as_text=True), "a colleague"


def test_who_wrote_a_version_does_not_activate_it_unless_they_are_a_manager(
    app: Flask, home: Home, people: dict[str, Person]
) -> None:
    rule = next(each for each in pack() if each.name == "usage_spike")
    with operational.writing(home.engine()) as session:
        content = versions.renamed(rule.text, "own_spike")
        made = versions.save(session, content, author="Rae Author", note="mine", now=NOW)
        session.add(Job(kind="dry_run", args={"rule": "own_spike"}, requested_by="x", requested_at=NOW, status="ok",
                        about=made.content_hash))  # fmt: skip
    form = {"number": str(made.number), "note": "as agreed"}
    author, manager = (browser_of(app, home, people[role]) for role in ("rule_author", "manager"))
    refused = author.post("/rules/own_spike/activate", data=form)
    assert refused.status_code == 403
    assert "You wrote version 1 yourself." in refused.get_data(as_text=True)
    assert manager.post("/rules/own_spike/activate", data=form).status_code == 303
    with operational.reading(home.engine()) as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.object_id == "own_spike")).all()
        assert [(row.action, row.actor, row.reason) for row in rows] == [
            ("rule.saved", "Rae Author", "mine"),
            ("rule.activated", "Max Manager", "as agreed"),
        ]


def test_what_somebody_may_not_open_is_not_in_their_bar(app: Flask, home: Home, people: dict[str, Person]) -> None:
    def bar(role: str) -> list[str]:
        html = browser_of(app, home, people[role]).get("/account").get_data(as_text=True)
        return re.findall(r'<a href="(/[a-z/-]+)"', html.partition("</nav>")[0])

    assert bar("viewer") == ["/signals", "/bill-runs", "/rules", "/runs", "/integrations", "/data", "/scoreboard"]
    assert set(bar("manager")) - set(bar("viewer")) == {"/team", "/reports/manager", "/audit"}
    assert set(bar("admin")) - set(bar("manager")) == {"/settings", "/users"}
    assert len(bar("admin")) == len(set(bar("admin"))) == 12


def test_what_a_change_allows_holds_from_the_next_click_on(app: Flask, home: Home, people: dict[str, Person]) -> None:
    client = browser_of(app, home, people["manager"])
    assert client.get("/audit").status_code == 200
    with operational.writing(home.engine()) as session:
        session.get_one(Person, people["manager"].id).roles = ["viewer"]
    assert client.get("/audit").status_code == 403
    with operational.writing(home.engine()) as session:
        session.get_one(Person, people["manager"].id).disabled_at = NOW
    assert client.get("/signals").status_code == 303


def assigned(home: Home) -> int:
    """How many signals somebody has."""
    with operational.reading(home.engine()) as session:
        return len(session.scalars(select(Signal.id).where(Signal.assignee.is_not(None))).all())
