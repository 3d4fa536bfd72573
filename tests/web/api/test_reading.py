"""Programs read what the console shows: the same signals, rules, runs and gate, page by page."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing

from click.testing import CliRunner
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from detector.commands import one_signal
from tests.web.api.conftest import Program
from tests.web.company import Home, pack
from web.api import answers

EVERY = "/api/v1/signals?view=every&status=any"


def holds(model: type[answers.Answer], told: object) -> None:
    """The answer is what its schema says."""
    Draft202012Validator(model.model_json_schema(mode="serialization")).validate(told)


def test_pages_of_signals_are_the_list_of_the_console_each_signal_once(client: FlaskClient) -> None:
    listed, after, pages = [], "", 0
    while after is not None:
        page = client.get(f"{EVERY}&limit=10&after={after}").json
        holds(answers.Signals, page)
        listed += [signal["id"] for signal in page["signals"]]
        after, pages = page["next"], pages + 1
    exported = [signal["id"] for signal in client.get("/signals.json?view=every&status=any").json]
    assert listed == exported
    assert pages > 1
    assert page["total"] == len(listed) == len(set(listed))


def test_the_query_is_that_of_the_console_and_csv_is_its_export(client: FlaskClient) -> None:
    narrow = "view=every&status=any&sev=critical&sev=high&sort=severity"
    page = client.get(f"/api/v1/signals?{narrow}").json
    assert 0 < page["total"] < client.get(EVERY).json["total"]
    assert {signal["severity"] for signal in page["signals"]} <= {"critical", "high"}
    sheet = client.get(f"/api/v1/signals?{narrow}", headers={"Accept": "text/csv"})
    assert sheet.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(sheet.get_data(as_text=True))))
    assert len({row["id"] for row in rows}) == page["total"]


def test_a_signal_is_what_the_command_line_prints_and_its_version_is_the_etag(client: FlaskClient, home: Home) -> None:
    for signal in client.get(EVERY).json["signals"]:
        shown = client.get(f"/api/v1/signals/{signal['id']}")
        holds(answers.Signal, shown.json)
        assert shown.headers["ETag"] == f'"{signal["version"]}"'
        assert len(shown.json["entities"]) == signal["records"]
    assert shown.json == printed(home, signal["id"])


def printed(home: Home, label: str) -> object:
    """What `trueup signal show --json` prints."""

    class Opened:
        engine = home.engine()
        catalogue = (list(pack()), [])

    said = CliRunner().invoke(one_signal, ["show", label, "--json"], obj=Opened())
    assert said.exit_code == 0, said.output
    return json.loads(said.output)


def test_rules_and_runs(client: FlaskClient) -> None:
    rules = client.get("/api/v1/rules").json
    holds(answers.Rules, rules)
    name = rules["rules"][0]["name"]
    rule = client.get(f"/api/v1/rules/{name}").json
    holds(answers.Rule, rule)
    assert f"name: {name}" in rule["text"]
    first = client.get("/api/v1/runs?limit=5").json
    second = client.get(f"/api/v1/runs?limit=5&after={first['next']}").json
    holds(answers.Runs, first)
    numbers = [run["id"] for page in (first, second) for run in page["runs"]]
    assert numbers == sorted(set(numbers), reverse=True)
    assert len(numbers) == 10
    of_one = client.get(f"/api/v1/runs?rule={name}&status=ok").json["runs"]
    assert {(run["rule"], run["status"]) for run in of_one} == {(name, "ok")}


def test_the_gate_of_a_bill_run_says_the_worst_of_its_drafts(client: FlaskClient, home: Home) -> None:
    with closing(home.warehouse.connect()) as books:
        runs = books.execute(
            "SELECT bill_run_id, count(*) FILTER (status = 'draft') FROM books.invoices "
            "WHERE bill_run_id IS NOT NULL GROUP BY ALL ORDER BY ALL DESC"
        ).fetchall()
    said = set()
    for run, drafts in (max(runs, key=lambda run: run[1]), min(runs, key=lambda run: run[1])):
        told = client.get(f"/api/v1/bill-runs/{run}/gate").json
        holds(answers.Gate, told)
        counted = told["drafts"]
        assert sum(counted.values()) == drafts
        assert told["says"] == next((each for each in ("hold", "warn") if counted[each]), "pass")
        assert all(draft["reasons"] for draft in told["not_passed"] if draft["state"] == "blocked")
        said.add(told["says"])
    assert said == {"hold", "pass"}


def test_what_is_not_there_or_cannot_be_asked_is_a_problem_with_the_requests_id(client: FlaskClient) -> None:
    for address, status, told in (
        ("/api/v1/signals/SIG-999999", 404, "There is no signal SIG-999999"),
        ("/api/v1/signals/none", 404, "There is no signal none"),
        ("/api/v1/rules/none", 404, "No rule none runs"),
        ("/api/v1/bill-runs/none/gate", 404, "There is no bill run none"),
        ("/api/v1/nothing", 404, ""),
        ("/api/v1/signals?view=other", 400, "inbox|mine"),
        ("/api/v1/signals?limit=0", 400, "/limit: "),
        ("/api/v1/signals?after=x", 400, ""),
        ("/api/v1/runs?status=over", 400, "/status: "),
        ("/api/v1/runs?after=x", 400, "/after: "),
        ("/api/v1/signals?q=%00", 400, "/q: "),
        ("/api/v1/bill-runs/%00/gate", 400, "Leave out the NUL"),
    ):
        answer = client.get(address)
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), address
        holds(answers.Problem, answer.json)
        assert answer.json["request_id"] == answer.headers["X-Request-ID"]
        assert told in answer.json["detail"], address
    refused = client.post("/api/v1/signals", json={})
    assert (refused.status_code, refused.mimetype) == (405, "application/problem+json")


def test_programs_need_a_token_once_somebody_has_an_account(program: Program) -> None:
    refused = program("nobody").get("/api/v1/signals")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.mimetype == "application/problem+json"
    assert program("viewer").get("/api/v1/signals").json["total"] == 130
