"""The actions, one file each, found by their place.

An action's file is named for the deed and has, beside its docstring: `PHASE`, one of `remediation.plans.PHASES`;
`NEEDS`, the verb of `integrations.writing.VERBS` that it takes, where it writes to a billing system (several: the
first is what it wants, the others do for some records); and `plan(case)`,
pure, which yields a Plan for each record of the case that the deed is right for. Where a deed can be undone there is
`reverse(plan, receipts)`, which returns the deeds that do so, from the stored plan and the receipts of its steps.
Applying, journal and verification are the same for all, see `remediation.execute` and `remediation.verify`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from integrations.writing import Deed
from remediation.case import Case
from remediation.plans import PHASES, Plan

Reverse = Callable[[Mapping[str, Any], Sequence[Mapping[str, Any]]], list[Deed]]


@dataclass(frozen=True)
class Kind:
    """One action file."""

    name: str
    about: str
    phase: str
    needs: tuple[str, ...]  # verbs of which the billing system must be able to do one; none: it works with any
    plan: Callable[[Case], Iterable[Plan]]
    reverse: Reverse | None


@cache
def kinds() -> Mapping[str, Kind]:
    """Every action by name, in the order of the phases and then of the alphabet."""
    found = [_kind(each.name) for each in pkgutil.iter_modules(__path__)]
    return {kind.name: kind for kind in sorted(found, key=lambda kind: (PHASES.index(kind.phase), kind.name))}


def _kind(name: str) -> Kind:
    module = importlib.import_module(f"{__name__}.{name}")
    about = (module.__doc__ or "").strip().splitlines()[0]
    reverse = cast("Reverse | None", getattr(module, "reverse", None))
    needs = getattr(module, "NEEDS", ())
    return Kind(name, about, module.PHASE, (needs,) if isinstance(needs, str) else needs, module.plan, reverse)
