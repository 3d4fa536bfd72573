"""Programs change signals as people do on the console: seen there, undone there, refused for the same reasons."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from store import operational
from store.operational_tables import Job
from tests.web.api.conftest import Program
from tests.web.api.test_reading import holds
from tests.web.company import Home
from web.api.answers import AskedRun, Change, Problem

ACT = "/api/v1/signals/actions"


def act(client: FlaskClient, op: str, *labels: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
    body = {"op": op, **({"ids": labels} if labels else {}), **more}
    return client.post(ACT, json=body, headers=headers)


def shown(client: FlaskClient, label: str) -> Any:
    return client.get(f"/api/v1/signals/{label}").json


def problem(answer: TestResponse, status: int, told: str = "") -> None:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.get_data(as_text=True)
    holds(Problem, answer.json)
    assert told in answer.json["detail"]


def test_signals_are_assigned_and_the_change_is_undone(client: FlaskClient) -> None:
    change = act(client, "assign", "SIG-1", "SIG-2", assignee="Ana Analyst").json
    holds(Change, change)
    assert (change["changed"], change["refused"]) == (["SIG-1", "SIG-2"], [])
    assert [shown(client, label)["assignee"] for label in ("SIG-1", "SIG-2")] == ["Ana Analyst"] * 2
    assert shown(client, "SIG-1")["timeline"][0]["change_id"] == change["id"]
    undo = f"/api/v1/changes/{change['id']}/undo"
    assert client.post(undo, json={}).json["changed"] == ["SIG-1", "SIG-2"]
    assert shown(client, "SIG-1")["assignee"] is None
    problem(client.post(undo, json={}), 409, "has been undone already")
    problem(client.post("/api/v1/changes/none/undo", json={}), 404, "there is no change none")


def test_every_deed_leaves_its_mark(client: FlaskClient) -> None:
    assert act(client, "status", "SIG-3", status="triaged").status_code == 200
    assert act(client, "priority", "SIG-3", priority="P1").status_code == 200
    assert act(client, "comment", "SIG-3", comment="asked the customer").status_code == 200
    assert act(client, "snooze", "SIG-3", wakes="bill_run").status_code == 200
    assert act(client, "snooze", "SIG-3", hours=0).status_code == 200
    signal = shown(client, "SIG-3")
    assert (signal["status"], signal["priority"]) == ("triaged", "P1")
    assert [row["kind"] for row in signal["timeline"][:5]] == ["snooze", "snooze", "comment", "priority", "status"]
    assert signal["timeline"][2]["detail"] == "asked the customer"
    assert act(client, "resolve", "SIG-3", cause="a wrong tier", waiver="seen in the invoice").status_code == 200
    assert act(client, "dismiss", "SIG-4", reason="immaterial", detail="two cents").status_code == 200
    assert [shown(client, label)["status"] for label in ("SIG-3", "SIG-4")] == ["resolved", "suppressed"]
    problem(act(client, "snooze", "SIG-3", hours=4), 409, "only open signals can be snoozed")
    assert act(client, "snooze", "SIG-3", "SIG-5", hours=4).json["refused"][0]["signal"] == "SIG-3"
    assert act(client, "merge", "SIG-6", "SIG-7", why="one price").status_code == 200
    assert act(client, "assign", "SIG-6", "SIG-7", assignee="Ana").json["changed"] == ["SIG-6", "SIG-7"]
    assert act(client, "split", "SIG-6", "SIG-7").status_code == 200


def test_all_that_a_query_matches_changes_and_nothing_else(client: FlaskClient) -> None:
    rule = shown(client, "SIG-8")["rule"]
    before = client.get(f"/api/v1/signals?rule={rule}").json
    change = act(client, "assign", query=f"rule={rule}", assignee="Max Manager").json
    assert sorted(change["changed"]) == sorted(signal["id"] for signal in before["signals"])
    mine = client.get("/api/v1/signals?who=Max+Manager&status=any&view=every").json
    assert mine["total"] == before["total"]
    problem(act(client, "assign", query="rule=none", assignee="Max"), 404, "No signal matches the query")
    problem(act(client, "assign", query="view=none", assignee="Max"), 400, "/view: ")


def test_who_saw_an_older_version_is_told_who_changed_it(client: FlaskClient) -> None:
    seen = client.get("/api/v1/signals/SIG-9").headers["ETag"]
    first = act(client, "assign", "SIG-9", headers={"If-Match": seen}, assignee="Ana Analyst")
    assert first.headers["ETag"] == client.get("/api/v1/signals/SIG-9").headers["ETag"] != seen
    late = act(client, "assign", "SIG-9", headers={"If-Match": seen}, assignee="Max Manager")
    problem(late, 412, "changed meanwhile by console")
    assert shown(client, "SIG-9")["assignee"] == "Ana Analyst"
    again = act(client, "assign", "SIG-9", headers={"If-Match": first.headers["ETag"]}, assignee=None)
    assert again.status_code == 200
    problem(act(client, "assign", "SIG-8", "SIG-9", headers={"If-Match": seen}, assignee=None), 400, "Leave it out")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"op": "delete", "ids": ["SIG-1"]}, "/"),
        ({"op": "assign", "ids": ["SIG-1"]}, "/assign/assignee"),
        ({"op": "assign", "assignee": None}, "/assign"),
        ({"op": "assign", "assignee": None, "ids": ["SIG-1"], "query": ""}, "/assign"),
        ({"op": "assign", "assignee": None, "ids": ["1; DROP"]}, "/assign/ids/0"),
        ({"op": "comment", "ids": ["SIG-1"], "comment": "x", "colour": "red"}, "/comment/colour"),
        ({"op": "snooze", "ids": ["SIG-1"], "hours": 9000}, "/snooze/hours"),
        ({"op": "snooze", "ids": ["SIG-1"]}, "/snooze"),
        ({"op": "status", "ids": ["SIG-1"], "status": "resolved"}, "/status/status"),
        ({"op": "comment", "ids": ["SIG-1"], "comment": "a\0b"}, "/comment/comment"),
        ([], "/"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_used_names_the_place(client: FlaskClient, body: object, place: str) -> None:
    answer = client.post(ACT, json=body)
    problem(answer, 422)
    assert place in [mistake["place"] for mistake in answer.json["errors"]]


def test_what_is_no_json_or_says_nothing_changes_nothing(client: FlaskClient) -> None:
    problem(client.post(ACT, data="{", content_type="application/json"), 400)
    problem(client.post(ACT, data="op=assign", content_type="text/plain"), 415, "Send application/json")
    problem(client.post(f"/api/v1/changes/{'0' * 32}/undo"), 415)
    problem(act(client, "comment", "SIG-1", comment="   "), 422, "Write something first")
    problem(act(client, "assign", "SIG-999999", assignee=None), 404, "there is no signal SIG-999999")


def test_a_worker_is_asked_for_a_run_once(client: FlaskClient, home: Home) -> None:
    asked = client.post("/api/v1/runs", json={"rules": ["usage_spike"]})
    holds(AskedRun, asked.json)
    assert asked.status_code == 202
    assert client.post("/api/v1/runs", json={"rules": ["usage_spike"]}).json["job"] == asked.json["job"]
    with operational.reading(home.engine()) as session:
        (job,) = session.scalars(select(Job).where(Job.kind == "run"))
        assert (job.id, job.args, job.status) == (asked.json["job"], {"rules": ["usage_spike"]}, "queued")
    problem(client.post("/api/v1/runs", json={"rules": ["none"]}), 422, "No rule none runs")


def test_a_token_does_what_its_owner_may_and_in_their_name(program: Program) -> None:
    for role, acts, runs in (("viewer", 403, 403), ("analyst", 200, 403), ("rule_author", 403, 202)):
        client = program(role)
        assert act(client, "assign", "SIG-1", assignee="Ana Analyst").status_code == acts, role
        assert client.post("/api/v1/runs", json={}).status_code == runs, role
    problem(act(program("viewer"), "split", "SIG-1"), 403, "It needs the permission act")
    assert shown(program("viewer"), "SIG-1")["timeline"][0]["actor"] == "Ana Analyst"
    everything = {"query": "", "priority": "P1"}
    problem(act(program("analyst"), "priority", **everything), 403, "These are 130 signals.")
    change = act(program("manager"), "priority", **everything).json
    assert len(change["changed"]) == 130
    problem(program("analyst").post(f"/api/v1/changes/{change['id']}/undo", json={}), 403, "These are 130 signals.")
