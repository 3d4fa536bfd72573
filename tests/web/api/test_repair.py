"""Programs ask for advice and decide about actions as people do, in somebody's name and up to their limit."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from remediation import worker
from remediation.advisor import exchanges
from remediation.case import current, said
from store import operational
from store.action_tables import Action
from store.advisor_tables import Exchange
from tests.web.api.contract import Asking
from tests.web.company import NOW, Home
from tests.web.test_repair import remedy


@pytest.fixture
def action(home: Home) -> str:
    """A proposed action of SIG-1 that people do."""
    with operational.writing(home.engine()) as session:
        for old in session.scalars(select(Action)):
            session.delete(old)
        row = Action(
            signal_id=1, kind="open_ticket", phase="root_cause", position=1, integration=None, object_type="price",
            object_id="price_1", change="Mend the price.", outcome="It is right.", risk="none", reversible=False,
            plan={"deeds": [], "before": {}, "after": {}, "note": {}, "quiet": False}, signal_digest="", attempts=0,
            status="proposed", proposed_by="trueup", proposed_at=NOW,
        )  # fmt: skip
        session.add(row)
        session.flush()
        row.signal_digest = said(current(session, 1), "price", "price_1")
        return row.label


def test_an_action_is_approved_once_by_somebody_with_a_name(ask: Asking, action: str) -> None:
    assert [each["id"] for each in ask("GET /actions?signal=SIG-1")["actions"]] == [action]
    seen = ask.answer(f"GET /actions/{action}").headers["ETag"]
    assert (
        "an approval stands with a name" in ask(f"POST /actions/{action}/approve", {"reason": "agreed"}, 422)["detail"]
    )
    decided = {"reason": "agreed", "by": "Ann"}
    approved = ask(f"POST /actions/{action}/approve", decided, If_Match=seen)
    assert (approved["status"], approved["approved_by"], approved["journal"][-1]["detail"]) == (
        "approved", "Ann", "agreed")  # fmt: skip
    ask(f"POST /actions/{action}/approve", decided, 412, If_Match=seen)
    assert "only what is proposed" in ask(f"POST /actions/{action}/approve", decided, 409)["detail"]
    assert ask(f"POST /actions/{action}/waive", decided)["status"] == "waived"
    ask("POST /actions/ACT-999999/reject", decided, 404)
    ask("GET /actions/none", None, 404)


def test_what_needs_the_billing_system_is_asked_of_a_worker(ask: Asking, home: Home, action: str) -> None:
    assert "has to be succeeded" in ask(f"POST /actions/{action}/verify", {"by": "Ann"}, 409)["detail"]
    with operational.writing(home.engine()) as session:
        session.scalars(select(Action)).one().status = "succeeded"
    assert "a reason is needed" in ask(f"POST /actions/{action}/verify", {"by": "Ann"}, 409)["detail"]
    asked = ask(f"POST /actions/{action}/verify", {"by": "Ann", "reason": "seen there"}, 202)
    told = ask(f"GET /jobs/{asked['job']}")
    assert (told["kind"], told["about"], told["args"]["actor"]) == ("deed", action, "Ann")
    ask(f"POST /actions/{action}/apply", {"by": "Ann"}, 409)
    undo = ask(f"POST /actions/{action}/reverse", {"by": "Ann", "reason": "a mistake"}, 202)
    worker.work(remedy(home))
    told = ask(f"GET /actions/{action}")
    assert (told["status"], told["verdict"]["found"], told["journal"][-1]["actor"]) == ("verified", "seen there", "Ann")
    refused = ask(f"GET /jobs/{undo['job']}")
    assert (refused["status"], refused["result"]) == ("failed", f"{action} cannot be undone: none")


def test_advice_is_asked_for_and_told_as_it_stands(ask: Asking) -> None:
    assert ask("GET /signals/SIG-5/advice")["status"] == "none"
    job = ask("POST /signals/SIG-5/advice", {}, 202)["job"]
    assert ask("POST /signals/SIG-5/advice", {}, 202)["job"] == job
    assert ask("GET /signals/SIG-5/advice")["status"] == "waiting"
    ask("GET /signals/SIG-999999/advice", None, 404)


def test_a_question_is_answered_as_json_or_as_events(home: Home, asking_model: Asking) -> None:
    ask = asking_model
    asked = ask("POST /signals/SIG-5/messages", {"question": "Since when?"}, 202)
    assert (asked["status"], ask("GET /signals/SIG-5/messages")["messages"][-1]["question"]) == (
        "waiting", "Since when?")  # fmt: skip
    with operational.writing(home.engine()) as session:
        exchanges.end(session, asked["id"], status="answered", answer={"sentences": []})
    address = f"GET /signals/SIG-5/messages/{asked['id']}"
    assert ask(address)["status"] == "answered"
    streamed = ask.answer(address, Accept="text/event-stream").get_data(as_text=True)
    name, _, data = streamed.strip().partition("\ndata: ")
    assert (name, json.loads(data)["status"]) == ("event: end", "answered")
    ask(f"GET /signals/SIG-6/messages/{asked['id']}", None, 404)
    ask("POST /signals/SIG-5/messages", {"question": " "}, 422)


def test_without_a_model_a_question_is_refused(ask: Asking, home: Home) -> None:
    assert "No language model" in ask("POST /signals/SIG-5/messages", {"question": "Why?"}, 409)["detail"]
    with operational.reading(home.engine()) as session:
        assert session.scalars(select(Exchange).where(Exchange.question == "Why?")).first() is None
