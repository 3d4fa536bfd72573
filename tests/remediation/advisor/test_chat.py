"""Questions about a signal: tools that only look, sentences that come as they are checked, another order of actions."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest

from remediation.advisor import conversation, exchanges
from remediation.advisor.answers import Sentence
from remediation.advisor.report import sentence_text
from remediation.advisor.tools import TOOLS, SimilarSignals, Toolbox
from store import operational
from store.lake import LakeError
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


def test_what_follows_from_supposed_terms_is_labelled_as_such(desk: Desk) -> None:
    line = of(desk, "invoice_line")
    desk.peer.will(
        call(("what_if", {"line_id": line, "settings": {"quantity": "0"}})),
        say("The line would come to 0.000 KWD if the quantity were 0. [tool:1]\nThe root cause is pricing. [cause]"),
    )
    found = desk.ask("what if nothing was used?")
    assert found.answer is not None and "what if quantity = 0" in found.answer["looked_up"]["tool:1"]
    labelled = {each["text"]: each.get("supposed", False) for each in found.answer["explanation"]}
    assert labelled == {
        "The line would come to 0.000 KWD if the quantity were 0.": True, "The root cause is pricing.": False
    }  # fmt: skip
    assert sentence_text(Sentence("It would be 5.", ("tool:1",), True)).startswith("what if: It would")


def test_names_of_customers_are_hidden_in_what_a_tool_finds_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(desk.remedy.setting.warehouse.connect(read_only=True)) as con:
        own = str(desk.row().customer_name)
        (other,) = con.execute("SELECT name FROM books.customers WHERE name <> ? LIMIT 1", [own]).fetchone() or ("",)
    told = f"SIG-9 of {other}, mail to ann@example.org"
    monkeypatch.setitem(TOOLS, "similar", (SimilarSignals, lambda box, asked: told))  # type: ignore[arg-type]
    desk.peer.will(call(("similar", {})), say("The root cause is pricing. [cause]"))
    found = desk.ask("anything alike?")
    sent = desk.peer.told()
    assert other and other not in sent and "ann@example.org" not in sent and "SIG-9 of CUSTOMER_" in sent
    assert found.answer is not None and other in found.answer["looked_up"]["tool:1"]  # to people it is shown


def test_an_exchange_that_breaks_off_gives_back_what_it_held_of_the_budget(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(box: Toolbox, asked: SimilarSignals) -> str:
        raise LakeError("the books are away")

    def today() -> Decimal:
        with operational.reading(desk.remedy.setting.engine) as session:
            return exchanges.spent(session, NOW, desk.endpoint.currency)

    before = today()
    monkeypatch.setitem(TOOLS, "similar", (SimilarSignals, broken))  # type: ignore[arg-type]
    desk.peer.will(call(("similar", {})))
    with pytest.raises(LakeError):
        desk.ask("anything alike?")
    with operational.reading(desk.remedy.setting.engine) as session:
        row = exchanges.of_signal(session, desk.signal, "question")[-1]
        assert (row.status, row.reason) == ("failed", "it was broken off: LakeError")
        assert row.cost is not None and 0 < row.cost < Decimal("0.01") and row.tokens_out
    assert today() - before == row.cost
    with operational.writing(desk.remedy.setting.engine) as session:
        killed = exchanges.ask(session, desk.signal, question="x", actor="ann", now=NOW)
        killed.status, killed.cost, killed.currency = "answering", Decimal(5), desk.endpoint.currency
        assert exchanges.spent(session, NOW, desk.endpoint.currency) == today() + 5
        later = NOW + timedelta(hours=3)
        assert exchanges.spent(session, later, desk.endpoint.currency) == today()
        session.delete(killed)
