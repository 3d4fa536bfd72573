"""Questions about a signal: tools that only look, sentences that come as they are checked, another order of actions."""

from __future__ import annotations

import json

from remediation.advisor import conversation, exchanges
from remediation.advisor.answers import Sentence
from store import operational
from store.operational_tables import SignalEntity
from tests.peers.openai import call, say
from tests.remediation.advisor.desk import Desk, dropped, kept
from tests.web.company import NOW


def of(desk: Desk, type: str) -> str:
    """The id of a record of the signal."""
    with operational.reading(desk.remedy.setting.engine) as session:
        query = session.query(SignalEntity.entity_id).filter_by(signal_id=desk.signal, type=type)
        return str(query.order_by(SignalEntity.id).first()[0])


def test_every_tool_looks_and_what_it_finds_can_be_cited(desk: Desk) -> None:
    line, item, action = of(desk, "invoice_line"), of(desk, "item"), next(iter(desk.actions() or {"ACT-1": None}))
    desk.ask()
    desk.peer.will(
        call(
            ("explain", {"line_id": line}), ("entity", {"type": "invoice", "id": of(desk, "invoice")}),
            ("usage_series", {"item_id": item}), ("similar", {}),
            ("what_if", {"line_id": line, "settings": {"quantity": "0"}}), ("propose_plan", {"actions": [action]}),
        ),
        say("The explanation parts at amount. [tool:1]\nThe line is charged 1.23 KWD. [tool:3]\nThe moon is full.\n"),
    )  # fmt: skip
    found = desk.ask("why is it wrong?")
    assert found.status == "answered" and found.answer is not None
    looked = found.answer["looked_up"]
    assert len(looked) == 6
    assert looked["tool:1"].startswith(f"invoice_line:{line}: ") and "they part at" in looked["tool:1"]
    assert "status paid" in looked["tool:2"] and "total" in looked["tool:2"]
    assert "recorded" in looked["tool:3"] and "charged quantity" in looked["tool:3"]
    assert "the change makes" in looked["tool:5"] and "KWD" in looked["tool:5"]
    assert found.answer["plan"] == [action]
    why = dropped(found)
    assert why["The line is charged 1.23 KWD."] == "the evidence has no 1.23"
    assert why["The moon is full."] == "it cites no evidence"
    assert desk.actions()[action][1] == "proposed"
    assert found.tokens_in == 2000


def test_a_name_in_a_question_is_hidden_and_earlier_answers_are_known(desk: Desk) -> None:
    name = str(desk.row().customer_name)
    desk.peer.will(say("The root cause is pricing. [cause]"))
    first = desk.ask(f"Why is {name.upper()} wrong? Answer to ann@example.org.")
    assert kept(first) == ["The root cause is pricing."]
    assert name.upper() not in desk.peer.told() and "ann@example.org" not in desk.peer.told()
    assert first.question is not None and "ann@example.org" in first.question
    desk.ask("and then?")
    said = [each["content"] for each in desk.peer.requests[-1]["messages"]]
    assert "The root cause is pricing." in said and said[-1] == "and then?"


def test_sentences_are_told_as_they_come_and_kept_before_the_answer_ends(desk: Desk) -> None:
    engine, seen = desk.remedy.setting.engine, list[tuple[str, int]]()
    with operational.writing(engine) as session:
        made = exchanges.ask(session, desk.signal, question="what and why?", actor="ann", now=NOW)

    def tell(sentence: Sentence) -> None:
        with operational.reading(engine) as session:
            (*_, row) = exchanges.of_signal(session, desk.signal, "question")
            seen.append((row.status, len((row.answer or {}).get("explanation", ()))))

    desk.peer.will(say("The root cause is pricing. [cause]\nThis is certain. [cause]"))
    done = conversation.respond(desk.remedy, desk.model(), made.id, tell)
    assert seen == [("answering", 1), ("answering", 2)] and done.status == "answered"


def test_a_model_that_only_asks_for_tools_comes_to_an_end(desk: Desk) -> None:
    desk.peer.will(call(*[("similar", {})] * 12))
    found = desk.ask("go on and on")
    answers = [each["content"] for each in desk.peer.requests[1]["messages"] if each["role"] == "tool"]
    assert len(answers) == 12 and sum("a reply may use 10 tools" in each for each in answers) == 2
    assert len(desk.peer.requests) == 6 and kept(found) == []
    assert "it went on asking for tools" in json.dumps(found.answer)
