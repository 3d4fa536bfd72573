"""What every job of remediation works with, handed in once by the command line: stores, rules, integrations, policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from detector.cycle import Setting
from detector.rules import Rule
from integrations.writing import Writes
from remediation.life import Approvals

Pull = Callable[[str, Sequence[tuple[str, str]]], None]
"""Bring single records of an integration into the books, each as (type, id); raises SourceError."""


@dataclass(frozen=True)
class GatePolicy:
    """Whether drafts are held by a standing approval, who gave it, and how long a hold may last before it is told."""

    automatic: bool = False
    approved_by: str = ""
    longest: timedelta = timedelta(days=3)


@dataclass(frozen=True)
class Remedy:
    """The parts of a home that remediation works with. `writes`: the connected integrations; `allowed`: those of
    them whose write access is on, every other one is off.
    """

    setting: Setting
    rules: Callable[[], Sequence[Rule]]
    writes: Mapping[str, Writes]
    allowed: frozenset[str]
    pull: Pull
    approvals: Approvals = field(default_factory=Approvals)
    gate: GatePolicy = field(default_factory=GatePolicy)

    @property
    def by_name(self) -> Mapping[str, Rule]:
        """The rules that run by now, by name."""
        return {rule.name: rule for rule in self.rules()}

    @property
    def can(self) -> Mapping[str, frozenset[str]]:
        """What each connected integration can do."""
        return {name: each.can for name, each in self.writes.items()}
