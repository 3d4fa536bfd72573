"""Programs write, try, activate and set rules as people do in the editor."""

from __future__ import annotations

import pytest

from detector import versions
from tests.web.api.contract import Asking
from tests.web.company import Home, pack

TEXT = versions.renamed(next(rule for rule in pack() if rule.name == "usage_spike").text, "own_spike")


@pytest.fixture(scope="module")
def pushed(ask: Asking) -> int:
    number: int = ask("POST /rules", {"text": TEXT, "note": "mine"}, 201)["number"]
    return number


def test_a_rule_is_pushed_tried_activated_and_retired(ask: Asking, home: Home, pushed: int) -> None:
    ask(f"POST /rules/own_spike/versions/{pushed}/activate", {"note": "as agreed"}, 409)  # nobody has tried it
    asked = ask("POST /rules/dry-run", {"rule": "own_spike", "version": pushed}, 202)
    home.try_out()
    tried = ask(f"GET /trials/{asked['id']}")
    assert (tried["status"], tried["answer"]["rule"]) == ("ok", "own_spike")
    assert ask(f"POST /trials/{asked['id']}/cancel", {}) == {"cancelled": False}
    assert ask(f"POST /rules/own_spike/versions/{pushed}/activate", {"note": "as agreed"})["live"]
    assert "own_spike" in [rule["name"] for rule in ask("GET /rules")["rules"]]
    assert not ask("POST /rules/own_spike/retire", {})["live"]
    ask("POST /rules/own_spike/retire", {}, 409)


def test_versions_are_listed_compared_and_restored(ask: Asking, pushed: int) -> None:
    changed = TEXT + "# Newly.\n"
    newest = ask("POST /rules", {"text": changed}, 201, If_Match=f'"{pushed}"')["number"]
    ask("POST /rules", {"text": TEXT}, 412, If_Match=f'"{pushed}"')
    assert [each["number"] for each in ask("GET /rules/own_spike/versions")["versions"]][:2] == [newest, pushed]
    assert ask(f"GET /rules/own_spike/versions/{newest}")["text"] == changed
    assert any("Newly" in line for line in ask(f"GET /rules/own_spike/diff?before={pushed}")["text"])
    restored = ask(f"POST /rules/own_spike/versions/{pushed}/restore", {}, 201)
    assert restored["number"] == newest + 1
    ask("GET /rules/own_spike/versions/99", None, 404)
    ask("GET /rules/none/versions", None, 404)


def test_a_text_is_checked_without_being_kept(ask: Asking) -> None:
    told = ask("POST /rules/check", {"text": TEXT})
    assert told["sound"]
    assert told["cases"]
    assert all(case["ok"] for case in told["cases"])
    broken = ask("POST /rules/check", {"text": "name: x"})
    assert not broken["sound"]
    assert broken["problems"][0]["place"].startswith("line ")
    assert ask("POST /rules", {"text": "name: x"}, 422)["errors"]
    assert ask("POST /rules/usage_spike/copy", {"name": "second_spike"}, 201)["rule"] == "second_spike"
    ask("POST /rules/usage_spike/copy", {"name": "second_spike"}, 409)


def test_what_is_set_for_a_rule_has_a_version(ask: Asking) -> None:
    seen = ask.answer("GET /rules/usage_spike/settings").headers["ETag"]
    kept = ask("PUT /rules/usage_spike/settings", {"severity": "low"}, If_Match=seen)
    assert (kept["severity"], kept["off"]) == ("low", False)
    ask("PUT /rules/usage_spike/settings", {"severity": "high"}, 412, If_Match=seen)
    ask("PUT /rules/usage_spike/settings", {"schedule": "never"}, 422)
    assert ask("POST /rules/usage_spike/pause", {"hours": 2})["off_until"] == "2026-11-21T11:30:00Z"
    assert not ask("POST /rules/usage_spike/resume", {})["off"]
    ask("GET /rules/none/settings", None, 404)


def test_backtests_and_calibrations_are_asked_of_a_worker(ask: Asking) -> None:
    wanted = {"rule": "usage_spike", "from": "2026-10-01T00:00:00Z", "as_of": "2026-10-03T00:00:00Z", "step": "P1D"}
    asked = ask("POST /rules/backtest", wanted, 202)
    assert ask(f"POST /trials/{asked['id']}/cancel", {}) == {"cancelled": True}
    rule = next(rule for rule in pack() if rule.name == "usage_spike")
    calibrated = ask("POST /rules/calibrate", {"rule": rule.name, "parameter": next(iter(rule.params))}, 202)
    assert ask(f"POST /trials/{calibrated['id']}/cancel", {}) == {"cancelled": True}
    ask("POST /rules/backtest", {**wanted, "from": "2026-11-05T00:00:00Z"}, 422)
    ask("POST /rules/dry-run", {"rule": "none"}, 404)
    ask("GET /trials/999999", None, 404)
