"""A request that is sent again under its Idempotency-Key is answered as the first time, and not done again."""

from __future__ import annotations

from sqlalchemy import select

from store import operational
from store.idempotency_tables import KeyedRequest
from store.operational_tables import SignalEvent
from tests.web.api.contract import Asking
from tests.web.company import Home

ACT = "POST /signals/actions"


def test_the_same_request_is_done_once_and_answered_alike(ask: Asking, home: Home) -> None:
    body = {"op": "comment", "ids": ["SIG-2"], "comment": "called the customer"}
    first = ask.answer(ACT, body, Idempotency_Key="a-key")
    again = ask.answer(ACT, body, Idempotency_Key="a-key")
    assert (again.json, again.headers["ETag"]) == (first.json, first.headers["ETag"])
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
    with operational.reading(home.engine()) as session:
        wanted = select(SignalEvent).where(SignalEvent.detail == "called the customer")
        assert len(session.scalars(wanted).all()) == 1


def test_another_request_under_the_key_is_refused(ask: Asking) -> None:
    ask(ACT, {"op": "comment", "ids": ["SIG-2"], "comment": "one"}, Idempotency_Key="key-2")
    refused = ask(ACT, {"op": "comment", "ids": ["SIG-2"], "comment": "two"}, 422, Idempotency_Key="key-2")
    assert "Take a new key" in refused["detail"]
    ask("POST /runs", {"rules": []}, 422, Idempotency_Key="key-2")
    ask(ACT, {"op": "comment", "ids": ["SIG-2"], "comment": "x"}, 400, Idempotency_Key="k" * 201)


def test_a_request_that_is_not_over_is_not_begun_again(ask: Asking, home: Home) -> None:
    body = {"op": "comment", "ids": ["SIG-2"], "comment": "three"}
    ask(ACT, body, Idempotency_Key="key-3")
    with operational.writing(home.engine()) as session:  # as if it were still going on
        session.get_one(KeyedRequest, ("local", "key-3")).status = None
    assert "not over" in ask(ACT, body, 409, Idempotency_Key="key-3")["title"]


def test_what_was_refused_leaves_its_key_free(ask: Asking) -> None:
    ask(ACT, {"op": "snooze", "ids": ["SIG-999999"], "hours": 2}, 404, Idempotency_Key="key-4")
    ask(ACT, {"op": "snooze", "ids": ["SIG-2"], "hours": 2}, Idempotency_Key="key-4")
