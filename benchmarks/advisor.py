"""How well a language model advises: signals of planted faults, whose causes are known, given to the configured model.

The example company is made with every fault, its rules run, and each planted fault's signal explained. Per signal: does
the model answer, what share of its sentences does the evidence support, do those name the class of the fault and
the record to change, and does it order only actions that there are. The score is the mean over signals of
(supported share) x (names the class) x (names the record), 0 to 100; code without a model stands beside it.

    python -m benchmarks.advisor [--signals 60] [--seed 11] [--show]

The model is that of the `advisor` section of the configuration; without one only what code finds is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import mean, median
from typing import Any

import config as configuration
from benchmarks._planted_faults import AS_OF, Planted, planted_signals, world
from remediation.advice import Advice, advise
from remediation.advisor import conversation, exchanges
from remediation.advisor.endpoint import Endpoint
from remediation.advisor.model import Model
from remediation.remedy import Remedy
from store import operational
from store.advisor_tables import Exchange


@dataclass(frozen=True)
class Score:
    """What an answer was worth. `said` counts every sentence, `kept` those that the evidence supports."""

    answered: bool
    kept: int
    said: int
    names_class: bool
    names_record: bool
    unknown_actions: int

    @property
    def points(self) -> float:
        """0 to 1."""
        return (self.kept / self.said if self.said else 0.0) * self.names_class * self.names_record


def scored(planted: Planted, advice: Advice, exchange: Exchange) -> Score:
    """What the answer about a planted fault is worth."""
    answer: dict[str, Any] = exchange.answer or {}
    kept = [*answer.get("explanation", ()), *answer.get("doubts", ()), *answer.get("reasons", {}).values()]
    dropped = answer.get("dropped", ())
    unknown = sum(1 for each in dropped if each["why"].startswith("there is no such action"))
    told = " ".join(each["text"] for each in kept).casefold()
    cites = {cite for each in kept for cite in each["cites"]}
    return Score(
        answered=exchange.status == "answered",
        kept=len(kept),
        said=len(kept) + len(dropped) - unknown,
        names_class=advice.signal.category.replace("_", " ") in told.replace("_", " "),
        names_record=planted.cause.casefold() in told or planted.cause in cites,
        unknown_actions=unknown,
    )


def configured() -> Model | None:
    """The model of the configuration; None where none is named."""
    section = configuration.load().advisor
    if section.model is None:
        return None
    key = os.environ.get(section.api_key_env, "") if section.api_key_env else "none"
    if not key:
        raise SystemExit(f"advisor.api_key_env: set the environment variable {section.api_key_env}")
    return Model(Endpoint(key=key, **section.model_dump(exclude={"api_key_env"})))


def measure(remedy: Remedy, chosen: Sequence[Planted], model: Model | None, show: bool) -> dict[str, Any]:
    """The figures over all chosen signals."""
    right, found, spent = 0, list[Score](), list[Exchange]()
    for planted in chosen:
        advice = advise(remedy, planted.signal)
        assert advice is not None
        right += advice.cause.entity == planted.cause
        if model is None:
            continue
        with operational.writing(remedy.setting.engine) as session:
            made = exchanges.ask(session, planted.signal, question=None, actor="benchmark", now=AS_OF)
        spent.append(conversation.respond(remedy, model, made.id))
        found.append(scored(planted, advice, spent[-1]))
        if show:
            print(planted.code, planted.cause, found[-1], spent[-1].reason or "", file=sys.stderr)
    without = {"signals": len(chosen), "without_model": {"names_record": right}}
    return without | ({"model": _told(model, found, spent)} if model else {"model": None})


def _told(model: Model, found: Sequence[Score], spent: Sequence[Exchange]) -> dict[str, Any]:
    took = sorted(each.milliseconds or 0 for each in spent)
    return {
        "name": model.endpoint.model,
        "prompt": exchanges.PROMPTS["advice"],
        "score": round(100 * mean(each.points for each in found), 1),
        "answered": sum(each.answered for each in found),
        "sentences_supported": f"{sum(each.kept for each in found)} of {sum(each.said for each in found)}",
        "names_class": sum(each.names_class for each in found),
        "names_record": sum(each.names_record for each in found),
        "unknown_actions": sum(each.unknown_actions for each in found),
        "tokens_in": sum(each.tokens_in or 0 for each in spent),
        "tokens_out": sum(each.tokens_out or 0 for each in spent),
        "cost": f"{sum((each.cost or Decimal(0) for each in spent), Decimal(0)):f} {model.endpoint.currency}",
        "milliseconds_median": median(took),
        "milliseconds_worst": took[-1],
    }


def main() -> None:
    """Measure, and print one JSON object."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--signals", type=int, default=60, help="How many signals, at most.")
    asked.add_argument("--seed", type=int, default=11, help="Which company.")
    asked.add_argument("--show", action="store_true", help="Each signal's score on standard error.")
    given = asked.parse_args()
    try:
        model = configured()
    except configuration.ConfigError as error:
        raise SystemExit("\n".join(error.problems)) from None
    with world(given.seed) as (remedy, truth):
        chosen = planted_signals(remedy, truth)[: given.signals]
        print(json.dumps(measure(remedy, chosen, model, given.show), indent=2))


if __name__ == "__main__":
    main()
