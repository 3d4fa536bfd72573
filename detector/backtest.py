"""A dry run over the past: what a rule would have raised, how that differs from the rule that runs, and what people
made of the signals that there were. Nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from detector import past
from detector.decisions import Policy
from detector.labels import Label, Verdict, labels
from detector.past import Span
from detector.replay import Contender, Limits, Outcome, Raised, Replay, Tell, replay
from detector.rules import Rule
from store import operational
from store.warehouse import Warehouse


@dataclass(frozen=True)
class Difference:
    """How the signals of a contender differ from those of another, by cause: pairs are (other's, contender's)."""

    against: str
    added: tuple[Raised, ...] = ()
    gone: tuple[Raised, ...] = ()
    changed: tuple[tuple[Raised, Raised], ...] = ()
    same: int = 0
    failed: str | None = None  # why the other could not be evaluated


@dataclass(frozen=True)
class Overlap:
    """What people made of the signals: `known` by fingerprint, `missed` the right ones that would not be raised."""

    known: Mapping[str, Label] = field(default_factory=dict)
    missed: tuple[Label, ...] = ()


@dataclass(frozen=True)
class Backtest:
    """What a contender would have raised over a span, beside the rule that runs and beside what people said."""

    contender: Contender
    span: Span
    thinned: bool
    replay: Replay
    difference: Difference | None
    overlap: Overlap

    @property
    def outcome(self) -> Outcome:
        """The contender's own."""
        return self.replay.outcomes[0]


def backtest(
    warehouse: Warehouse,
    engine: Engine,
    contender: Contender,
    span: Span,
    policy: Policy,
    *,
    live: Rule | None = None,
    against: str = "the live version",
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    tell: Tell = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> Backtest:
    """Try a contender over a span, beside `live` where that is another rule.

    Raises RuleFailed, ValueError for a span that ends before it starts, LakeError.
    """
    points, thinned = past.points(warehouse, contender.rule.schedule, span)
    other = live if live is not None and not _alike(contender, live) else None
    contenders = [contender, *([Contender(other)] if other is not None else [])]
    replayed = replay(warehouse, engine, contenders, points, policy, limits=limits, tell=tell, stop=stop)
    difference = compare(replayed.outcomes[0], replayed.outcomes[1], against) if other is not None else None
    with operational.reading(engine) as session:
        known = labels(session, contender.rule.name)
    return Backtest(contender, span, thinned, replayed, difference, _overlap(replayed, known))


def compare(ours: Outcome, theirs: Outcome, against: str) -> Difference:
    """The signals that only one of the two has, and those that say something else in each."""
    if theirs.failed:
        return Difference(against, failed=theirs.failed)
    before, after = _by_key(theirs.raised), _by_key(ours.raised)
    both = [(before[key], after[key]) for key in after if key in before]
    changed = tuple((old, new) for old, new in both if _said(old) != _said(new))
    return Difference(
        against,
        tuple(each for key, each in after.items() if key not in before),
        tuple(each for key, each in before.items() if key not in after),
        changed,
        len(both) - len(changed),
    )


def _alike(contender: Contender, live: Rule) -> bool:
    """Whether both would find the same: one text with the same values."""
    usual = {name: each.default for name, each in live.params.items()}
    ours = {name: contender.params.get(name, each.default) for name, each in contender.rule.params.items()}
    same_text = contender.rule.content_hash == live.content_hash
    return same_text and all(str(ours[name]) == str(usual[name]) for name in ours)


def _by_key(raised: Sequence[Raised]) -> dict[tuple[str, str, str], Raised]:
    """The signals by cause, the latest of those that one cause opened one after the other."""
    found: dict[tuple[str, str, str], Raised] = {}
    for each in sorted(raised, key=lambda one: one.first_seen):
        found[each.key] = each
    return found


def _said(signal: Raised) -> tuple[object, ...]:
    return signal.impacts, signal.findings, signal.records, signal.is_open, signal.first_seen, signal.last_seen


def _overlap(replayed: Replay, known: Mapping[str, Label]) -> Overlap:
    """What people said of the signals of any contender, and which right ones the first would not raise.

    A right signal is missed when the rule that runs raises it at these points and the contender does not; without one
    to compare with, when it was seen between the first point and the last.
    """
    ours, *others = ({each.fingerprint for each in outcome.raised} for outcome in replayed.outcomes)
    right = {key: label for key, label in known.items() if label.verdict is Verdict.RIGHT and key not in ours}
    if others and not replayed.outcomes[1].failed:
        missed = [label for key, label in right.items() if key in others[0]]
    else:
        missed = [label for label in right.values() if _seen_within(label, [point.as_of for point in replayed.points])]
    return Overlap({key: label for key, label in known.items() if key in ours.union(*others)}, tuple(missed))


def _seen_within(label: Label, moments: Sequence[datetime]) -> bool:
    return bool(moments) and label.first_seen <= max(moments) and label.last_seen >= min(moments)
