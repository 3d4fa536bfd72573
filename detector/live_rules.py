"""The rules that run: those of the files, and the live version of each custom rule, as operators set them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, select

from detector import overrides, versions
from detector.rules import Rule, RuleProblem, by_code
from store import operational
from store.operational_tables import RuleOverride, RuleVersion


class LiveRules:
    """Reads the store each time it is asked, so that what was activated meanwhile, by whomever, is there.

    Texts are parsed once. A custom rule that a file of the same name came to stand beside does not run, nor does one
    that is no longer sound; both are told among the problems.
    """

    def __init__(self, files: Sequence[Rule], engine: Engine) -> None:
        self._files = tuple(files)
        self._engine = engine
        self._parsed: dict[tuple[str, str], tuple[Rule | None, list[RuleProblem]]] = {}

    def read(self) -> tuple[list[Rule], list[RuleProblem]]:
        """The rules by code and name, and what is wrong with custom ones that do not run."""
        with operational.reading(self._engine) as session:
            texts = list(session.scalars(select(RuleVersion).where(RuleVersion.live)))
            set_by_hand = {each.rule: each for each in session.scalars(select(RuleOverride))}
        rules, problems = list(self._files), []
        for version in texts:
            rule, found = self._custom(version)
            problems += found
            rules += [rule] if rule is not None else []
        return sorted((overrides.applied(each, set_by_hand.get(each.name)) for each in rules), key=by_code), problems

    def __call__(self) -> list[Rule]:
        """The rules alone."""
        return self.read()[0]

    @property
    def files(self) -> dict[str, Rule]:
        """The rules of the files by name, as their texts say."""
        return {rule.name: rule for rule in self._files}

    def plain(self, name: str) -> Rule | None:
        """One rule as its text says, without what an operator set; None when none of that name runs."""
        if name in self.files:
            return self.files[name]
        with operational.reading(self._engine) as session:
            version = session.scalars(select(RuleVersion).where(RuleVersion.rule == name, RuleVersion.live)).first()
            return self._custom(version)[0] if version is not None else None

    def _custom(self, version: RuleVersion) -> tuple[Rule | None, list[RuleProblem]]:
        key = version.rule, version.content_hash
        if key not in self._parsed:
            self._parsed[key] = versions.read(version.text, name=version.rule, taken=self.files)
        return self._parsed[key]
