"""One exchange with a model from its question to what is kept of the answer. Nothing here can change anything outside.

An exchange that fails says why; the advice without a model stands, complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from pydantic import ValidationError

from remediation.advice import Advice, advise
from remediation.advisor import exchanges
from remediation.advisor.answers import Checked, Dropped, Opinion, Sentence, checked, cited
from remediation.advisor.endpoint import LETTERS_PER_TOKEN
from remediation.advisor.exchanges import OverBudgetError
from remediation.advisor.facts import Facts, facts, named_in
from remediation.advisor.model import Message, Model, ModelError, Reply
from remediation.advisor.tools import LETTERS, Toolbox
from remediation.remedy import Remedy
from store import operational
from store.advisor_tables import Exchange

ROUNDS = {"advice": 2, "question": 6}
"""Requests that one exchange may take: an answer of a wrong form is asked for again once, tools are used in between."""

CALLS = 10
"""Tools that one reply may use; what it asks for beyond is refused."""

TOO_MANY = json.dumps({"error": f"a reply may use {CALLS} tools; ask for the others again"})

PROMPTS = Path(__file__).parent / "prompts"

Tell = Callable[[Sentence], None]


@dataclass
class Talk:
    """One exchange under way: the model, what was sent, what came back, and what it is counted as."""

    model: Model
    messages: list[Message]
    replies: list[str] = field(default_factory=list)
    tokens_in: int = 0
    tokens_out: int = 0

    def ask(self, **more: Any) -> Reply:
        """One more round. Raises ModelError."""
        try:
            reply = self.model.reply(self.messages, **more)
        except ModelError as error:
            if error.tokens_out:
                self.tokens_in += letters(self.messages) // LETTERS_PER_TOKEN
            self.tokens_out += error.tokens_out
            raise
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        self.replies.append(json.dumps(reply.as_message(), ensure_ascii=False))
        self.messages.append(reply.as_message())
        return reply


def respond(remedy: Remedy, model: Model, exchange_id: int, tell: Tell = lambda sentence: None) -> Exchange:
    """Answer an exchange that waits, and return it as it ended; `tell` gets each sentence that is kept as it comes.

    Raises LakeError when the books cannot be read.
    """
    setting = remedy.setting
    with operational.reading(setting.engine) as session:
        exchange = session.get_one(Exchange, exchange_id)
        history = exchanges.before(session, exchange) if exchange.kind == "question" else []
        session.expunge_all()
    advice = advise(remedy, exchange.signal_id)
    assert advice is not None, "an exchange goes with its signal"
    told = facts(advice, setting.warehouse)
    talk = Talk(model, opening(exchange, told, history, remedy))
    try:
        begun = _begin(remedy, model, exchange, talk)
    except OverBudgetError as error:
        with operational.writing(setting.engine) as session:
            return exchanges.end(session, exchange.id, status="failed", reason=str(error))
    if begun.status == "answered":
        for each in (begun.answer or {}).get("explanation", ()):
            tell(Sentence(each["text"], tuple(each["cites"]), bool(each.get("supposed"))))
        return begun
    return _answered(remedy, exchange, talk, advice, told, tell)


def opening(exchange: Exchange, told: Facts, history: Sequence[Exchange], remedy: Remedy) -> list[Message]:
    """What is sent first: the prompt, the facts, and for a question what was said before it."""
    prompt = (PROMPTS / f"{exchange.prompt}.md").read_text(encoding="utf-8")
    messages: list[Message] = [{"role": "system", "content": prompt}, {"role": "user", "content": told.as_json()}]
    for each in history:
        messages.append({"role": "user", "content": _hidden(remedy, told, each.question or "")})
        said = " ".join(sentence["text"] for sentence in (each.answer or {}).get("explanation", ()))
        messages.append({"role": "assistant", "content": _hidden(remedy, told, said)})
    if exchange.question is not None:
        messages.append({"role": "user", "content": _hidden(remedy, told, exchange.question)})
    return messages


def letters(messages: Sequence[Message]) -> int:
    """How long messages are as JSON."""
    return len(json.dumps(messages, ensure_ascii=False))


def _hidden(remedy: Remedy, told: Facts, text: str) -> str:
    told.mask.know(named_in(remedy.setting.warehouse, text))
    return told.mask.hide(text)


def _begin(remedy: Remedy, model: Model, exchange: Exchange, talk: Talk) -> Exchange:
    endpoint, rounds = model.endpoint, ROUNDS[exchange.kind]
    sent = [json.dumps(each, ensure_ascii=False) for each in talk.messages]
    digest = hashlib.sha256("\n".join([str(endpoint.base_url), endpoint.model, *sent]).encode()).hexdigest()
    most = endpoint.most(letters(talk.messages) + rounds * LETTERS, rounds)
    with operational.writing(remedy.setting.engine) as session:
        return exchanges.begin(session, exchange.id, endpoint, digest=digest, sent=sent, most=most,
                               now=remedy.setting.clock())  # fmt: skip


def _answered(remedy: Remedy, exchange: Exchange, talk: Talk, advice: Advice, told: Facts, tell: Tell) -> Exchange:
    began, answer, status, reason = perf_counter(), Checked(), "answered", None
    try:
        if exchange.kind == "advice":
            answer = _opinion(talk, told)
            for sentence in answer.explanation:
                tell(sentence)
        else:
            _chat(remedy, exchange.id, talk, Toolbox(remedy, advice, told), answer, tell)
    except ModelError as error:
        status, reason = "failed", str(error)
    except BaseException as error:  # whatever breaks it off, what it did not use of the budget is free again
        _broken_off(remedy, exchange, talk, error)
        raise
    with operational.writing(remedy.setting.engine) as session:
        return exchanges.end(
            session, exchange.id, status=status, reason=reason, answer=answer.as_json(), replies=talk.replies,
            tokens=(talk.tokens_in, talk.tokens_out),
            cost=talk.model.endpoint.cost(talk.tokens_in, talk.tokens_out),
            milliseconds=round((perf_counter() - began) * 1000),
        )  # fmt: skip


def _broken_off(remedy: Remedy, exchange: Exchange, talk: Talk, error: BaseException) -> None:
    """Keep that an exchange was broken off, and what it cost until then."""
    why = f"it was broken off: {type(error).__name__}"
    with operational.writing(remedy.setting.engine) as session:
        exchanges.end(session, exchange.id, status="failed", reason=why, replies=talk.replies,
                      tokens=(talk.tokens_in, talk.tokens_out),
                      cost=talk.model.endpoint.cost(talk.tokens_in, talk.tokens_out))  # fmt: skip


def _opinion(talk: Talk, told: Facts) -> Checked:
    """What is kept of the model's opinion; one of a wrong form is asked for once more. Raises ModelError."""
    problem = ""
    for _ in range(ROUNDS["advice"]):
        reply = talk.ask(shape=Opinion)
        try:
            return checked(Opinion.model_validate_json(_bare(reply.text)), told)
        except ValidationError as error:
            first = error.errors()[0]
            problem = f"{'.'.join(map(str, first['loc'])) or 'the answer'}: {first['msg']}"
            talk.messages.append({"role": "user", "content": f"This is not of the form asked for ({problem}). Again."})
    raise ModelError(f"{talk.model.endpoint.model} does not answer in the form asked for: {problem}")


def _bare(text: str) -> str:
    """JSON without the fence that some models put around it."""
    return text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()


def _chat(remedy: Remedy, id: int, talk: Talk, box: Toolbox, answer: Checked, tell: Tell) -> None:
    """Rounds of text and tools, until the model asks for no tool more. Raises ModelError."""

    def line(text: str) -> None:
        """Keep one line of the answer, if its citations hold."""
        said, cites = cited(text)
        told = Facts({**box.facts.evidence, **box.evidence}, box.facts.actions, box.facts.phases, box.facts.mask)
        kept = answer.keep(said, cites, told, answer.explanation) if said else []
        if kept:
            with operational.writing(remedy.setting.engine) as session:
                exchanges.say(session, id, answer.as_json())
        for sentence in kept:
            tell(sentence)

    for _ in range(ROUNDS["question"]):
        lines = Lines(line)
        reply = talk.ask(tools=box.described(), tell=lines.add)
        lines.close()
        if not reply.calls:
            return
        for place, call in enumerate(reply.calls):
            talk.messages.append(
                {
                    "role": "tool",
                    "tool_call_id": call.id,
                    "content": box.use(call.name, call.arguments) if place < CALLS else TOO_MANY,
                }
            )
            answer.plan, answer.looked_up = (
                box.plan,
                {id: box.facts.mask.show(each) for id, each in box.evidence.items()},
            )
    answer.dropped.append(Dropped("", "it went on asking for tools"))


@dataclass
class Lines:
    """Puts a stream's pieces together to lines."""

    line: Callable[[str], None]
    rest: str = ""

    def add(self, piece: str) -> None:
        """One more piece."""
        *whole, self.rest = (self.rest + piece).split("\n")
        for each in whole:
            self.line(each)

    def close(self) -> None:
        """The last line, which no newline ends."""
        self.line(self.rest)
        self.rest = ""
