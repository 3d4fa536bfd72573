"""What a model answers: the shapes that it must fill, and what is left of them once every sentence is checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from remediation.advisor.facts import Facts
from remediation.advisor.grounding import SUPPOSED, sentences, unsupported
from remediation.plans import PHASES

_CITATION = re.compile(r"\s*\[([^\[\]\s]{1,160})\]")


class Said(BaseModel):
    """A sentence, and the ids of the evidence that it follows from."""

    model_config = ConfigDict(extra="forbid")

    text: str
    cites: list[str]


class Choice(BaseModel):
    """One action by its id, and why it stands at its place."""

    model_config = ConfigDict(extra="forbid")

    action: str
    why: Said


class Opinion(BaseModel):
    """What a model says about a signal: why it happened, which actions come first, and what speaks against it."""

    model_config = ConfigDict(extra="forbid")

    explanation: list[Said]
    order: list[Choice]
    doubts: list[Said]


@dataclass(frozen=True)
class Sentence:
    """A sentence that its evidence supports, with names in place of tokens."""

    text: str
    cites: tuple[str, ...]
    supposed: bool = False  # it follows from terms that somebody only supposed

    def as_json(self) -> dict[str, Any]:
        """The sentence as an exchange keeps it."""
        return {"text": self.text, "cites": list(self.cites), **({"supposed": True} if self.supposed else {})}


@dataclass(frozen=True)
class Dropped:
    """A sentence that was not kept, and why."""

    text: str
    why: str


@dataclass
class Checked:
    """What is kept of one answer, and what is not. `plan`: existing actions in another order, phase by phase."""

    explanation: list[Sentence] = field(default_factory=list)
    doubts: list[Sentence] = field(default_factory=list)
    reasons: dict[str, Sentence] = field(default_factory=dict)  # by action
    plan: tuple[str, ...] = ()
    looked_up: dict[str, str] = field(default_factory=dict)  # what tools found, by the ids that sentences cite
    dropped: list[Dropped] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The answer as an exchange keeps it."""
        return {
            "explanation": [each.as_json() for each in self.explanation],
            "doubts": [each.as_json() for each in self.doubts],
            "reasons": {action: why.as_json() for action, why in self.reasons.items()},
            "plan": list(self.plan),
            "looked_up": self.looked_up,
            "dropped": [vars(each) for each in self.dropped],
        }

    def keep(self, text: str, cites: Sequence[str], facts: Facts, kept: list[Sentence]) -> list[Sentence]:
        """Add to `kept` those sentences of a text that the cited evidence supports; what was added."""
        added = []
        for sentence in sentences(text):
            why = unsupported(sentence, cites, facts.evidence)
            if why is None:
                supposed = any(SUPPOSED in facts.evidence[cite] for cite in cites)
                added.append(Sentence(facts.mask.show(sentence), tuple(cites), supposed))
            else:
                self.dropped.append(Dropped(facts.mask.show(sentence), why))
        kept += added
        return added


def checked(opinion: Opinion, facts: Facts) -> Checked:
    """What the evidence supports of an opinion, and the order of the actions that exist and wait."""
    found = Checked()
    for said in opinion.explanation:
        found.keep(said.text, said.cites, facts, found.explanation)
    for said in opinion.doubts:
        found.keep(said.text, said.cites, facts, found.doubts)
    for choice in opinion.order:
        if choice.action not in facts.actions:
            found.dropped.append(Dropped(facts.mask.show(choice.action), "there is no such action that waits"))
            continue
        why: list[Sentence] = []
        if found.keep(choice.why.text, choice.why.cites, facts, why):
            found.reasons.setdefault(choice.action, why[0])
    found.plan = ordered([choice.action for choice in opinion.order], facts.actions, facts.phases)
    return found


def ordered(wanted: Iterable[str], actions: Sequence[str], phases: Mapping[str, str]) -> tuple[str, ...]:
    """The waiting actions in the order wanted, as far as phases allow; those not named stay behind, as planned."""
    named = list(dict.fromkeys(each for each in wanted if each in actions))
    places = {label: place for place, label in enumerate([*named, *(each for each in actions if each not in named)])}
    return tuple(sorted(actions, key=lambda label: (PHASES.index(phases[label]), places[label])))


def cited(line: str) -> tuple[str, tuple[str, ...]]:
    """A line of a chat as its text and the ids that it cites in square brackets."""
    return " ".join(_CITATION.sub("", line).split()), tuple(_CITATION.findall(line))
