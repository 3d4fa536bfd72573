"""What a model may say about an advice, and what becomes of it when it answers badly, late or never."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from remediation.advisor import exchanges
from store import operational
from store.advisor_tables import Exchange
from tests.peers.openai import Answer, call, endless, refuse, say, send, silent
from tests.remediation.advisor.desk import KEY, Desk, dropped, kept

SOUND = {"text": "The root cause is pricing.", "cites": ["cause"]}


def opinion(*explanation: dict[str, Any], order: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """An answer of the form asked for."""
    return {"explanation": list(explanation), "order": order or [], "doubts": []}


def said(text: str, *cites: str) -> dict[str, Any]:
    return {"text": text, "cites": list(cites)}


def test_an_answer_is_checked_counted_and_kept_with_the_signal(desk: Desk) -> None:
    label, (action,) = desk.row().label, desk.actions() or {"ACT-1": None}
    desk.peer.will(
        say(opinion(SOUND, said(f"The signal {label} is over by 405.000 KWD.", label),
                    order=[{"action": action, "why": said("The tier mode of the price is wrong.", action, "rule")}]))
    )  # fmt: skip
    found = desk.ask()
    assert found.status == "answered" and found.answer is not None
    assert kept(found) == [SOUND["text"], f"The signal {label} is over by 405.000 KWD."]
    assert found.answer["plan"] == [action] and found.answer["reasons"][action]["cites"] == [action, "rule"]
    assert (found.tokens_in, found.tokens_out, found.cost) == (1000, 100, Decimal("0.003"))
    assert found.prompt == "advice-1" and found.milliseconds is not None
    (request,) = desk.peer.requests
    assert (request["path"], request["key"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert request["response_format"]["json_schema"]["name"] == "Opinion"
    with operational.reading(desk.remedy.setting.engine) as session:
        (row,) = exchanges.of_signal(session, desk.signal, "advice")
        assert row.sent is not None and json.loads(row.sent[0])["role"] == "system" and row.replies
        assert KEY not in json.dumps([row.sent, row.replies])


def test_no_name_leaves_and_names_come_back_in_the_answer(desk: Desk) -> None:
    name = str(desk.row().customer_name)
    desk.peer.will(say(opinion(SOUND)))
    desk.ask()
    assert name not in desk.peer.told()
    customer = next(id for id in desk.peer.facts() if id.startswith("customer:"))
    desk.peer.will(say(opinion(said("CUSTOMER_1 is active.", customer))))
    assert kept(desk.ask()) == [f"{name} is active."]


def test_invented_entities_amounts_actions_and_missing_citations_are_dropped(desk: Desk) -> None:
    before = desk.actions()
    action = next(iter(before))
    desk.peer.will(
        say(opinion(
            said("The customer owes 99,999.00 USD.", "cause"),
            said("The root cause is price_invented_7.", "cause"),
            said("The root cause is pricing.", "finding:424242"),
            {"text": "The root cause is pricing.", "cites": []},
            said("The root cause is pricing. Globex has already paid.", "cause"),
            order=[{"action": "ACT-999", "why": said("The price is wrong.", "cause")},
                   {"action": "refund_everything", "why": said("The price is wrong.", "cause")},
                   {"action": action, "why": said("It moves 5 USD.", action)}],
        ))
    )  # fmt: skip
    found = desk.ask()
    assert kept(found) == ["The root cause is pricing."]  # of the last one, its first sentence
    assert found.answer is not None and found.answer["plan"] == [action] and found.answer["reasons"] == {}
    why = dropped(found)
    assert why["The customer owes 99,999.00 USD."] == "the evidence has no 99,999.00"
    assert why["ACT-999"] == why["refund_everything"] == "there is no such action that waits"
    assert "paid" in why["Globex has already paid."] or "Globex" in why["Globex has already paid."]
    assert desk.actions() == before


def test_malformed_json_is_asked_for_once_more_and_then_given_up(desk: Desk) -> None:
    desk.peer.will(say('{"explanation": [{"text": "The'), say(opinion(SOUND)))
    assert kept(desk.ask()) == [SOUND["text"]]
    assert "not of the form asked for" in desk.peer.requests[1]["messages"][-1]["content"]
    desk.peer.will(say("Sure! Here is what I think."))
    found = desk.ask()
    assert found.status == "failed" and "does not answer in the form asked for" in str(found.reason)
    assert len(desk.peer.requests) == 2
    fenced = f"```json\n{json.dumps(opinion(SOUND))}\n```"
    desk.peer.will(say(fenced))
    assert kept(desk.ask()) == [SOUND["text"]]


TOKEN = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"p","choices":[{"index":0,"delta":{"content":"and so on "}}]}\n\n'  # noqa: E501
BAD: dict[str, tuple[Answer, str]] = {
    "endless text": (endless(TOKEN), "does not stop answering"),
    "endless comments": (endless(b": still here\n\n", 0.05), "took longer than 0.5 seconds"),
    "silence": (silent(2), "took longer than 0.5 seconds"),
    "a slow drip": (endless(TOKEN, 0.1), "took longer than 0.5 seconds"),
    "no events": (send(b"<html>hello</html>", "text/html"), "does not answer in the form asked for"),
    "half an event": (send(b'data: {"choices": [{"del\n\n'), "does not answer as OpenAI's API does"),
    "strange events": (send(b'data: {"choices": "none"}\n\n'), "does not answer as OpenAI's API does"),
    "an error in the stream": (send(b'data: {"error": {"message": "overloaded"}}\n\n'), "overloaded"),
    "a wrong key": (refuse(401), "refuses the key"),
    "a wrong request": (refuse(400), "answers 400"),
    "always 429": (refuse(429), "takes no more requests now"),
    "a far Retry-After": (refuse(429, Retry_After="3600"), "takes no more requests now"),
    "always 503": (refuse(503), "answers 503"),
    "tools instead": (call(("entity", {})), "does not answer in the form asked for"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_model_that_answers_badly_fails_in_time_and_says_so(desk: Desk, kind: str) -> None:
    answer, why = BAD[kind]
    desk.peer.will(answer)
    found = desk.ask(timeout=timedelta(seconds=0.5), answer_tokens=100)
    assert found.status == "failed" and why in str(found.reason), found.reason
    assert KEY not in str(found.reason)
    assert found.milliseconds is not None and found.milliseconds < 4000


def test_a_passing_refusal_is_asked_again_and_a_lasting_one_is_not(desk: Desk) -> None:
    desk.peer.will(refuse(429, Retry_After="0"), refuse(503), say(opinion(SOUND)))
    assert desk.ask().status == "answered" and len(desk.peer.requests) == 3
    desk.peer.will(refuse(401), say(opinion(SOUND)))
    assert desk.ask().status == "failed" and len(desk.peer.requests) == 1


def test_nobody_is_asked_who_cannot_be_reached(desk: Desk) -> None:
    found = desk.ask(base_url="http://127.0.0.1:9/v1")
    assert found.status == "failed" and "cannot be reached" in str(found.reason)


def test_the_daily_budget_is_held_before_anything_is_sent(desk: Desk) -> None:
    desk.peer.will(say(opinion(SOUND), tokens=None))
    found = desk.ask(daily_budget=Decimal("0.0001"))
    assert found.status == "failed" and "advisor.daily_budget raises it" in str(found.reason)
    assert desk.peer.requests == []
    uncounted = desk.ask()
    assert uncounted.tokens_in and uncounted.tokens_out and uncounted.cost  # counted by us where the model does not


def test_an_equal_question_is_answered_as_before_for_a_while(desk: Desk) -> None:
    desk.peer.will(say(opinion(SOUND)))
    first = desk.ask(cache=timedelta(days=1), model="cached-1")
    again = desk.ask(cache=timedelta(days=1), model="cached-1")
    assert again.cached_from == first.id and kept(again) == kept(first) and again.cost == 0
    assert len(desk.peer.requests) == 1
    desk.ask(cache=timedelta(0), model="cached-1")
    assert len(desk.peer.requests) == 2


def test_an_exchange_that_a_killed_worker_left_is_begun_again(desk: Desk) -> None:
    from remediation.advisor import conversation
    from tests.web.company import NOW

    engine = desk.remedy.setting.engine
    with operational.writing(engine) as session:
        made = exchanges.ask(session, desk.signal, question=None, actor="ann", now=NOW)
        made.status, made.cost, made.currency = "answering", Decimal(3), "USD"
    desk.peer.will(say(opinion(SOUND)))
    conversation.respond(desk.remedy, desk.model(), made.id)
    with operational.reading(engine) as session:
        assert session.get_one(Exchange, made.id).cost == Decimal("0.003")
