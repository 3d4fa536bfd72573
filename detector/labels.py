"""What people made of a rule's signals: which were right, which were wrong, and which nobody has judged.

A signal that was resolved was right; one that healed without anybody having touched it says nothing. One that was
dismissed, for whatever reason, was a signal that nobody needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from detector.replay import Money
from store.operational_tables import Signal


class Verdict(StrEnum):
    """What a person's last word on a signal says about the rule."""

    RIGHT = "right"
    WRONG = "wrong"
    OPEN = "open"  # nobody has judged it yet


@dataclass(frozen=True)
class Label:
    """One signal as it was judged: `word` is the reason in the words of triage, `run` the one that last found it."""

    signal: str
    title: str
    verdict: Verdict
    word: str
    first_seen: datetime
    last_seen: datetime
    run_id: int
    impacts: tuple[Money, ...]


def labels(session: Session, rule: str) -> dict[str, Label]:
    """By fingerprint, how each signal of the rule was judged; of several with one cause, the latest that was."""
    query = select(Signal).where(Signal.rule == rule).options(selectinload(Signal.impacts)).order_by(Signal.id)
    found: dict[str, Label] = {}
    for signal in session.scalars(query):
        label = _label(signal)
        if label.verdict is not Verdict.OPEN or signal.fingerprint not in found:
            found[signal.fingerprint] = label
    return found


def verdict(signal: Signal) -> Verdict:
    """What became of the signal, as a judgement of its rule."""
    if signal.status in ("false_positive", "suppressed"):
        return Verdict.WRONG
    judged = signal.status_reason != "self_healed" or signal.version > 1
    return Verdict.RIGHT if signal.status == "resolved" and judged else Verdict.OPEN


def _label(signal: Signal) -> Label:
    impacts = tuple(Money(each.currency, each.under, each.over, each.exposure) for each in signal.impacts)
    judged = verdict(signal)
    return Label(
        signal.label,
        signal.title,
        judged,
        signal.status if judged is Verdict.OPEN else signal.status_reason or signal.status,
        signal.first_seen,
        signal.last_seen,
        signal.last_run_id,
        impacts,
    )
