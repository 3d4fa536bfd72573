"""What a model said, as a terminal shows it and as JSON; always told apart from what code found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from detector.detail import instant
from detector.report import printable
from remediation.advisor.answers import Sentence
from store.advisor_tables import Exchange

HEAD = "a language model, each sentence checked against the evidence that it cites; it decides nothing"


def exchange_json(exchange: Exchange) -> dict[str, Any]:
    """An exchange as `trueup advise --json` and `trueup ask --json` print it; costs are decimal strings."""
    return {
        "id": exchange.id,
        "kind": exchange.kind,
        "question": exchange.question,
        "status": exchange.status,
        "reason": exchange.reason,
        "model": exchange.model,
        "prompt": exchange.prompt,
        "asked_at": instant(exchange.asked_at),
        "answer": exchange.answer,
        "tokens_in": exchange.tokens_in,
        "tokens_out": exchange.tokens_out,
        "cost": None if exchange.cost is None else f"{exchange.cost:f}",
        "currency": exchange.currency,
        "milliseconds": exchange.milliseconds,
        "cached_from": exchange.cached_from,
    }


def exchange_text(exchange: Exchange) -> Iterator[str]:
    """What the model said about an advice, as lines."""
    answer = exchange.answer or {}
    yield f"what {exchange.model} says ({HEAD})"
    yield from (f"  {_told(each)}" for each in answer.get("explanation", ()))
    if answer.get("doubts"):
        yield "  what may speak against it"
        yield from (f"  - {_told(each)}" for each in answer["doubts"])
    yield from after_text(exchange)


def after_text(exchange: Exchange) -> Iterator[str]:
    """What follows the sentences: the order that it would take, what was dropped, and what it cost."""
    answer = exchange.answer or {}
    if answer.get("plan"):
        yield "  the order that it would take; nothing happens without approval"
        for place, label in enumerate(answer["plan"], 1):
            why = answer["reasons"].get(label)
            yield f"  {place}. {label}{f': {_told(why)}' if why else ''}"
    if exchange.status == "answered" and not answer.get("explanation"):
        yield "  it says nothing that the evidence supports"
    dropped = answer.get("dropped", ())
    if dropped:
        reasons = sorted({each["why"] for each in dropped})
        them = "sentence was" if len(dropped) == 1 else "sentences were"
        yield f"  {len(dropped)} {them} dropped: {'; '.join(reasons)}"
    if exchange.status == "failed":
        if exchange.kind == "advice":
            yield f"  it does not answer: {exchange.reason}; the advice above is complete without it"
        return
    if exchange.cached_from is not None:
        yield "  asked before, so it cost nothing"
        return
    cost = f", {exchange.cost:.4f} {exchange.currency}" if exchange.cost else ""
    yield f"  {exchange.tokens_in} tokens in, {exchange.tokens_out} out, {exchange.milliseconds} ms{cost}"


def sentence_text(sentence: Sentence) -> str:
    """A sentence with what it cites."""
    return _told(sentence.as_json())


def _told(sentence: Mapping[str, Any]) -> str:
    label = "what if: " if sentence.get("supposed") else ""
    return f"{label}{printable(sentence['text'])} {''.join(f'[{printable(id)}]' for id in sentence['cites'])}"
