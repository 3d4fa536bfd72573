"""The root cause of a signal, without a model: its class, the record to change, how sure that is, and what shows it.

The rule that found the fault names the class that the fault usually has (faults.md). The numbers of the match, the
first step at which billed and expected part, and what other rules saw speak for it or against it; where they speak
against it the confidence falls, and for faults whose class depends on what else is seen it is another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from detector.detail import amount
from detector.similar import issue
from remediation.case import Case
from remediation.changes import Changed, just_before
from remediation.match import Reading, reading
from store.operational_tables import SignalEntity, StoredFinding
from store.warehouse import Warehouse

CLASSES = ("configuration", "data_quality", "integration", "pricing", "collection")

TOLD = 12
"""Pieces of evidence that are named; the signal has the others."""

AMOUNT_CLASSES = ("pricing", "configuration", "data_quality")
"""Classes of which a right quantity with a wrong amount is the usual sight."""

EXPLAINED: Mapping[str, Mapping[str, str]] = {
    "TU-05": {"TU-04": "integration", "TU-11": "data_quality", "TU-64": "integration"},
    "TU-06": {"TU-12": "configuration"},
}
"""Faults whose class is another one when a second fault is seen with them (faults.md D1: zero usage, spikes)."""

STEPS: Mapping[str, tuple[str, str]] = {
    "quantity": ("integration", "the quantity on the line is not the metered one"),
    "convert": ("configuration", "the conversion of the quantity differs"),
    "free_units": ("configuration", "the free units differ"),
    "unit_amount": ("pricing", "the price per unit differs"),
    "tiers": ("pricing", "the tiers were read in another way"),
    "discount": ("configuration", "the discount differs"),
    "proration": ("configuration", "the part of the period differs"),
    "minimum": ("pricing", "the minimum differs"),
    "maximum": ("pricing", "the maximum differs"),
}
"""The first step at which billed and expected part, the class it speaks for, and what it says."""


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence: an id to cite, the record or finding that it is, and what it shows."""

    id: str
    record: str
    shows: str


@dataclass(frozen=True)
class RootCause:
    """Why it happened, as far as the books can tell. `confidence`: certain, likely or possible."""

    category: str
    entity: str
    confidence: str
    why: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    customers: int
    signals: tuple[str, ...]  # the others that the same repair would settle
    changes: tuple[Changed, ...]


def root_cause(session: Session, warehouse: Warehouse, case: Case, first_difference: str | None = None) -> RootCause:
    """The root cause of a case; `first_difference` is the step of `trueup explain` at which its largest line parts.

    Raises LakeError when the books cannot be read.
    """
    signal, read = case.signal, reading(case.findings)
    category, why, confidence = _weighed(case, read, first_difference)
    found = issue(session, signal)
    others = tuple(each.label for each in found.signals if each.id != signal.id) if found else ()
    return RootCause(
        category=category,
        entity=signal.cause,
        confidence=confidence,
        why=why,
        evidence=tuple(evidence(case))[:TOLD],
        customers=max(signal.customer_count, found.customers if found else 0),
        signals=others,
        changes=just_before(session, warehouse, case),
    )


def _weighed(case: Case, read: Reading | None, step: str | None) -> tuple[str, tuple[str, ...], str]:
    """The class, the sentences that say why, and the confidence."""
    signal = case.signal
    category = signal.category
    why = [f"{signal.code} is usually a matter of {category.replace('_', ' ')}"]
    seen = {each.code for each in case.also_seen}
    for code, other in EXPLAINED.get(signal.code, {}).items():
        if code in seen:
            category = other
            why.append(f"{code} is seen with it, which makes it a matter of {other.replace('_', ' ')}")
    points = [signal.confidence == "exact"]
    if read is not None:
        points.append(supports(category, read.category))
        why.append(f"in {read.findings} of {read.of} findings {read.why}")
    if step is not None and step in STEPS:
        speaks, says = STEPS[step]
        points.append(supports(category, speaks))
        why.append(f"worked out step by step, {says} first")
    if len(case.findings) > 1 and signal.customer_count > 1:
        why.append(f"{signal.customer_count} customers share {signal.cause}")
    return category, tuple(why), _confidence(points)


def supports(category: str, speaks: str) -> bool:
    """Whether what the numbers say fits the class. A wrong quantity fits bad data as well as bad transport, a wrong
    amount fits a wrong price as well as a wrong setting.
    """
    if speaks == category:
        return True
    if speaks == "integration":
        return category in ("data_quality", "configuration")
    return speaks in ("pricing", "configuration") and category in AMOUNT_CLASSES


def _confidence(points: Sequence[bool]) -> str:
    if all(points):
        return "certain" if len(points) > 1 else "likely"
    return "likely" if sum(points) > len(points) / 2 else "possible"


def evidence(case: Case) -> Iterator[Evidence]:
    """What shows it: the largest findings with their numbers, and the records with what each says."""
    for finding in case.findings[:3]:
        shows = "; ".join([finding.title, *numbers_of(finding)])
        yield Evidence(f"finding:{finding.id}", f"{finding.subject_type}:{finding.subject_id}", shows)
    with_numbers = sorted(case.entities, key=lambda each: each.role != "cause" and each.actual is None)
    for entity in with_numbers:
        shows = "; ".join(record_of(entity, entity.status))
        yield Evidence(f"{entity.type}:{entity.entity_id}", f"{entity.type}:{entity.entity_id}", shows)


def numbers_of(finding: StoredFinding) -> list[str]:
    """The numbers and the money of a finding in words, without its title."""
    held: Mapping[str, Any] = finding.evidence
    numbers = (("metered", "metered", ""), ("recorded", "recorded", ""), ("billed_quantity", "charged quantity", ""),
               ("billed", "billed", finding.currency), ("expected", "expected", finding.currency))  # fmt: skip
    told = [f"{words} {held[name]} {unit or ''}".strip() for name, words, unit in numbers if held.get(name) is not None]
    money = [f"{kind} {amount(getattr(finding, kind), finding.currency)} {finding.currency}"
             for kind in ("under", "over", "exposure") if getattr(finding, kind)]  # fmt: skip
    return [*told, *money]


def record_of(entity: SignalEntity, status: str | None) -> list[str]:
    """What a record is to the signal, and what it says: role, expected and found values, state."""
    parts = [{"cause": "what has to change", "affected": "wrong because of it", "evidence": "shows it"}[entity.role]]
    if entity.expected is not None or entity.actual is not None:
        unit = entity.unit or ""
        expected, actual = amount(entity.expected, unit), amount(entity.actual, unit)
        parts.append(f"expected {expected or '-'} {unit}".strip() + f", found {actual or '-'} {unit}".rstrip())
    return [*parts, status] if status else parts
