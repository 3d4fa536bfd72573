"""Programs share out work, keep views, read the report and the audit, and look after integrations and jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from detector import customer_notes
from store import operational
from store.operational_tables import Signal
from tests.web import connected
from tests.web.api.conftest import Program
from tests.web.api.contract import Asking, Contract
from tests.web.company import NOW, Home
from web.console import KEY


@pytest.fixture(scope="module")
def manager(program: Program) -> Asking:
    return program.asking("manager")


def test_signals_are_handed_out_reassigned_and_covered(manager: Asking) -> None:
    manager("PUT /team/people/Ana%20Analyst", {"until": None})
    handed = manager("POST /team/hand-out", {})["changes"]
    assert len(handed[0]["changed"]) == 130
    manager("POST /team/hand-out", {}, 409)
    moved = manager("POST /team/reassign", {"who": "Ana Analyst", "to": "Max Manager"})["changes"][0]
    assert len(moved["changed"]) == 130
    assert manager(f"POST /changes/{moved['id']}/undo", {})["changed"]
    away = manager("PUT /team/people/Ana%20Analyst", {"until": "2026-12-01T00:00:00Z", "cover": "Max Manager"})
    assert [(each["name"], each["cover"]) for each in away["people"]] == [("Ana Analyst", "Max Manager")]
    made = manager("POST /team/rules", {"field": "severity", "value": "critical", "assignee": "Max Manager"}, 201)
    number = made["rules"][0]["id"]
    manager.answer(f"DELETE /team/rules/{number}", None, 204)
    manager(f"DELETE /team/rules/{number}", None, 404)


def test_days_are_announced_and_taken_back(manager: Asking, program: Program) -> None:
    wanted = {"name": "Launch", "first_day": "2026-11-20"}
    manager("POST /calendar", {**wanted, "meter_id": "meter_api"}, 409)  # the books have no meter
    made = manager("POST /calendar", wanted, 201)
    assert (made["last_day"], made["kind"], made["customer_id"]) == ("2026-11-20", "event", None)
    assert program.asking("viewer")("GET /calendar")["entries"] == [made]
    program.asking("viewer")("POST /calendar", wanted, 403)
    manager("POST /calendar", {**wanted, "last_day": "2026-11-19"}, 409)
    manager.answer(f"DELETE /calendar/{made['id']}", None, 204)
    manager(f"DELETE /calendar/{made['id']}", None, 404)


def test_the_settings_have_a_version_and_are_for_admins(manager: Asking, program: Program) -> None:
    admin = program.asking("admin")
    seen = admin.answer("GET /settings").headers["ETag"]
    wanted = {"settings": {"sla_hours": {"critical": 8}}, "reason": "agreed"}
    kept = admin("PUT /settings", wanted, If_Match=seen)["settings"]
    assert (kept["sla_hours"]["critical"], kept["sla_hours"]["low"], kept["calendar"]["timezone"]) == (8, 720, "UTC")
    admin("PUT /settings", wanted, 412, If_Match=seen)
    assert admin("PUT /settings", {"settings": {"sla_hours": {"low": 0}}}, 422)["errors"]
    assert admin("PUT /settings", {"settings": {"none": {"low": 1}}}, 422)["errors"][0]["place"] == "/settings/none/low"
    manager("PUT /settings", wanted, 403)


def test_views_are_ones_own_or_the_teams(manager: Asking, program: Program) -> None:
    viewer = program.asking("viewer")
    own = viewer("POST /views", {"name": "mine", "query": "sev=critical&after=x"}, 201)
    assert (own["query"], own["owner"]) == ("sev=critical", "Vic Viewer")
    viewer("POST /views", {"name": "ours", "query": "", "shared": True}, 403)
    shared = manager("POST /views", {"name": "ours", "query": "sev=high", "shared": True}, 201)
    assert [each["name"] for each in viewer("GET /views")["views"]] == ["mine", "ours"]
    viewer(f"DELETE /views/{shared['id']}", None, 403)
    manager(f"DELETE /views/{own['id']}", None, 404)
    viewer.answer(f"DELETE /views/{own['id']}", None, 204)
    manager.answer(f"DELETE /views/{shared['id']}", None, 204)
    manager("POST /views", {"name": "odd", "query": "view=none"}, 400)


def test_notifications_are_those_of_the_tokens_owner(manager: Asking, program: Program) -> None:
    analyst = program.asking("analyst")
    body = {"op": "comment", "ids": ["SIG-3"], "comment": "look @Ana Analyst"}
    manager("POST /signals/actions", body)
    found = analyst("GET /notifications")
    newest = found["notices"][0]
    assert (newest["kind"], newest["signal"], newest["read"]) == ("mentioned", "SIG-3", False)
    assert analyst("POST /notifications/read", {"up_to": newest["id"]})["unread"] == 0


def test_how_one_is_told_is_the_tokens_owners_own(manager: Asking, program: Program) -> None:
    wanted = {"wishes": {"mentioned.mail": "digest", "digest_at": "07:30"}}
    assert manager("PUT /notifications/wishes", wanted)["wishes"]["mentioned.mail"] == "digest"
    assert manager("GET /notifications/wishes")["wishes"]["digest_at"] == "07:30"
    assert program.asking("analyst")("GET /notifications/wishes")["wishes"]["mentioned.mail"] == "never"
    refused = manager("PUT /notifications/wishes", {"wishes": {"mentoined.mail": "once"}}, 422)
    assert "did you mean mentioned.mail?" in refused["errors"][0]["message"]
    assert "notify in config.yaml" in manager("POST /notifications/test", {"way": "mail"}, 409)["detail"]


def test_scheduled_exports_are_the_tokens_owners_own(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    analyst, manager = program.asking("analyst"), program.asking("manager")
    manager("POST /exports", {"period": "last_month"}, 409)
    monkeypatch.setitem(program.app.extensions, KEY, replace(program.app.extensions[KEY], ways=("mail",)))
    view = manager("POST /views", {"name": "to be sent", "query": "sev=high"}, 201)
    made = manager("POST /exports", {"view": view["id"], "rhythm": "friday", "at": "07:00"}, 201)
    assert (made["name"], made["rhythm"], made["last"], made["timezone"]) == ("to be sent", "friday", None, "UTC")
    assert manager(f"PUT /exports/{made['id']}", {"paused": True, "day": 3})["paused"]
    assert [each["id"] for each in manager("GET /exports")["exports"]] == [made["id"]]
    assert analyst("GET /exports")["exports"] == []
    analyst(f"PUT /exports/{made['id']}", {"paused": False}, 404)
    analyst(f"DELETE /exports/{made['id']}", None, 404)
    assert "bulk" in analyst("POST /exports", {"period": "last_month"}, 409)["detail"]
    analyst("POST /exports", {"view": view["id"]}, 422)
    manager("POST /exports", {"view": view["id"], "period": "last_month"}, 422)
    manager("POST /exports", {"period": "last_month", "format": "json"}, 422)
    assert "Europe/Berlin" in manager("POST /exports", {"period": "last_month", "timezone": "Berlin"}, 422)["detail"]
    manager.answer(f"DELETE /exports/{made['id']}", None, 204)
    manager.answer(f"DELETE /views/{view['id']}", None, 204)


def test_notes_and_contacts_are_written_by_analysts_and_read_by_all(home: Home, ask: Asking) -> None:
    with operational.reading(home.engine()) as session:
        customer = session.scalars(select(Signal.customer_id).where(Signal.customer_id.is_not(None))).first()
    note = ask("POST /notes", {"customer": customer, "text": "look @Max"}, 201)
    assert ask(f"PUT /notes/{note['id']}", {"text": "looked"})["text"] == "looked"
    assert [each["text"] for each in ask(f"GET /notes?customer={customer}")["notes"]] == ["looked"]
    ask("POST /notes", {"customer": "cus_nobody", "text": "x"}, 404)
    ask("POST /notes", {"customer": customer, "text": ""}, 422)
    ask("POST /notes", {"customer": customer, "text": "  "}, 409)
    ask.answer(f"DELETE /notes/{note['id']}", None, 204)
    ask(f"PUT /notes/{note['id']}", {"text": "x"}, 404)
    made = ask("POST /contacts", {"customer": customer, "name": "Ann Lee", "phone": "1"}, 201)
    assert ask(f"PUT /contacts/{made['id']}", {"role": "Finance"})["phone"] == "1"
    assert [each["role"] for each in ask(f"GET /contacts?customer={customer}")["contacts"]] == ["Finance"]
    ask.answer(f"DELETE /contacts/{made['id']}", None, 204)
    ask.answer(f"DELETE /contacts/{made['id']}", None, 404)


def test_a_note_of_another_is_a_managers_to_change(program: Program, manager: Asking) -> None:
    with operational.writing(program.app.extensions[KEY].engine) as session:
        number = customer_notes.write(session, "cus_1", "see @Max Manager", actor="Rae Author", now=NOW).id
    analyst = program.asking("analyst")
    assert "Rae Author's" in analyst(f"PUT /notes/{number}", {"text": "x"}, 409)["detail"]
    program.asking("viewer")("POST /notes", {"customer": "cus_1", "text": "x"}, 403)
    named = manager("GET /notifications")
    assert (named["notes"][-1]["id"], named["notes"][-1]["read"]) == (number, False)
    assert manager("POST /notifications/read", {"up_to": 0, "up_to_note": number})["notes"][-1]["read"]
    assert manager(f"PUT /notes/{number}", {"text": "see nobody"})["author"] == "Rae Author"


def test_the_report_and_the_audit_are_for_managers(manager: Asking, program: Program) -> None:
    told = manager("GET /reports/manager?period=2026-11")
    assert (told["period"], sum(told["open_now"]["ages"].values())) == ("2026-11", told["open_now"]["open"])
    assert manager.answer("GET /reports/manager", Accept="text/csv").mimetype == "text/csv"
    manager("GET /reports/manager?period=2026-13", None, 400)
    rows = manager("GET /audit?limit=1")
    assert manager(f"GET /audit?limit=1&after={rows['next']}")["rows"][0]["id"] < rows["rows"][0]["id"]
    assert manager.answer("GET /audit", Accept="text/csv").get_data(as_text=True).startswith("id,at")
    told = manager("POST /audit/verify", {"known": rows["rows"][0]["previous"]})
    assert told["whole"]
    assert not manager("POST /audit/verify", {"known": "0" * 63 + "1"})["whole"]
    for address in ("GET /audit", "GET /reports/manager", "GET /team"):
        program.asking("analyst")(address, None, 403)


def test_integrations_are_tested_synced_and_compared_by_a_worker(
    many_signals: Home, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = many_signals.copy(tmp_path_factory.mktemp("connected") / "home")
    connected.fill(home)
    app = home.app(connected=connected.CONNECTED)
    ask = Asking(app.test_client(), Contract(app))
    states = {each["name"]: each["state"] for each in ask("GET /integrations")["integrations"]}
    assert states == {"stripe": "failed", "metering": "stale", "lago": "ok"}
    assert ask("GET /integrations/stripe")["writes"]
    for deed in ("test", "reconcile", "sync"):
        asked = ask(f"POST /integrations/stripe/{deed}", {}, 202)
        assert ask(f"POST /integrations/stripe/{deed}", {}, 202) == asked
    window = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}
    job = ask("POST /integrations/stripe/sync", window, 202)["job"]
    assert ask(f"GET /jobs/{job}")["args"]["from"] == window["from"]
    ask("POST /integrations/stripe/sync", {"to": window["to"]}, 422)
    assert ask(f"POST /jobs/{job}/cancel", {}) == {"cancelled": True}
    assert ask("GET /jobs?kind=sync&status=failed")["jobs"][0]["id"] == job
    assert ask("POST /integrations/stripe/retry", {}) == {"again": 2}
    ask("POST /integrations/none/sync", {}, 404)
    ask("POST /jobs/999999/cancel", {}, 404)
    ask("POST /runs/999999/cancel", {}, 404)
