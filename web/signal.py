"""One signal: what went wrong, the numbers that show it, every record, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, render_template, request
from sqlalchemy.orm import Session

from detector import customer_notes, inbox, merged, usage_labels, versions
from detector.detail import EntityPage, SignalDetail
from detector.learned import Verdict
from detector.rules import Rule
from remediation.advisor import exchanges
from store import operational
from store.operational_tables import Signal, SignalEvent, StoredFinding
from web import repair
from web.console import console
from web.evidence import Worked, can_be_worked, evidence, held, worked
from web.match import PLAIN
from web.pages import show
from web.words import KINDS, words

pages = Blueprint("signal", __name__)

UNDOABLE = ("status", "assign", "priority", "snooze", "merge")
PEEKED = 6
"""How many records a peek shows."""
VERDICTS = (
    (Verdict.FAULT, "A fault", "It is taken up, and the next model learns from it."),
    (Verdict.NO_FAULT, "Not a fault", "It is dismissed, and the same is let pass for eight weeks."),
    (Verdict.PLANNED, "Planned", "The expectation begins anew on its first day; what is unlike that is told."),
)
HOURS_VERDICTS = (
    (Verdict.FAULT, "A fault", "It is taken up; hours like these are told a little sooner."),
    (
        Verdict.NO_FAULT,
        "Not a fault",
        "It is dismissed while it lasts; the like of other days is let pass for eight weeks.",
    ),
    (Verdict.PLANNED, "Planned", "It is put aside likewise; what days are expected to bring begins anew with its day."),
)
PLAYBOOK = (
    ("contain", "First, stop it from getting worse"),
    ("root_cause", "Change what made it happen"),
    ("downstream", "Put right what it has done"),
    ("verify", "See that it worked"),
)


@dataclass(frozen=True)
class Deed:
    """One line of the timeline."""

    event: SignalEvent
    what: str
    person: bool
    undoable: bool


@pages.get("/signals/<label>")
def shown(label: str) -> tuple[str, int]:
    """The page of `SIG-n`; `finding`, `type`, `role`, `find` and `after` say what of it is open."""
    number = inbox.number(label)
    with operational.reading(console().engine) as session:
        detail = inbox.signal(session, number) if number else None
        if detail is None:
            abort(
                404, description=f"There is no signal {label[:60]}. It may have been part of another home or database."
            )
        found = chosen_finding(detail)
        rule = console().rules.get(detail.signal.rule)
        return show(
            "signal.html",
            detail=detail,
            signal=detail.signal,
            rule=rule,
            version=versions.of_hash(session, detail.signal.rule, detail.signal.rule_hash),
            finding=found,
            place=detail.findings.index(found) if found else 0,
            seen=evidence(detail, found, rule.page if rule else PLAIN) if found else None,
            worked=_worked(session, detail, found),
            waits=found is not None and can_be_worked(detail.signal.code, found),
            entities=_entities(session, detail),
            chosen={name: request.args.get(name, "") for name in ("type", "role", "find")},
            deeds=timeline(detail.signal, detail.timeline),
            playbook=playbook(rule),
            repair=repair.panel(session, detail.signal.id),
            most=repair.most(),
            questions=exchanges.of_signal(session, detail.signal.id, "question"),
            model=console().advisor,
            verdicts=_verdicts(found),
            verdict=usage_labels.verdict_of(session, detail.signal.id),
            address=_address,
            money=money_of(detail),
            notes=customer_notes.count(session, detail.signal.customer_id),
            case=merged.case_of(session, detail.signal),
        )


@pages.get("/signals/<label>/peek")
def peeked(label: str) -> tuple[str, int]:
    """What of a signal fits beside the list: why, how much, the first records."""
    number = inbox.number(label)
    with operational.reading(console().engine) as session:
        detail = inbox.signal(session, number, findings=1) if number else None
        if detail is None:
            abort(404)
        found = chosen_finding(detail)
        rule = console().rules.get(detail.signal.rule)
        return render_template(
            "peek.html",
            signal=detail.signal,
            seen=evidence(detail, found, rule.page if rule else PLAIN) if found else None,
            records=detail.entities.items[:PEEKED],
            money=money_of(detail),
        ), 200


@pages.get("/signals/<label>/working")
def worked_out(label: str) -> tuple[str, int]:
    """The working and the chart of one finding, for the page to put in its place."""
    number = inbox.number(label)
    with operational.reading(console().engine) as session:
        detail = inbox.signal(session, number) if number else None
        found = chosen_finding(detail) if detail else None
        if detail is None or found is None:
            abort(404)
        return render_template("parts/worked.html", worked=worked(session, detail, found), detail=detail), 200


def _verdicts(found: StoredFinding | None) -> tuple[tuple[str, str, str], ...]:
    """What can be said of unusual usage: verdict, words, and what it does; nothing of other findings."""
    if found is None or not usage_labels.can_be_labelled(found):
        return ()
    return HOURS_VERDICTS if usage_labels.is_of_hours(found) else VERDICTS


def chosen_finding(detail: SignalDetail) -> StoredFinding | None:
    """The finding that the address names, else the largest."""
    wanted = request.args.get("finding", "")
    named = [found for found in detail.findings if str(found.id) == wanted]
    return next(iter([*named, *detail.findings]), None)


def _worked(session: Session, detail: SignalDetail, found: StoredFinding | None) -> Worked | None:
    """What the books say: when it is known already or the address asks for it; else the page fetches it by itself."""
    if found is None or not can_be_worked(detail.signal.code, found):
        return None
    return worked(session, detail, found) if request.args.get("show") == "working" else held(found)


def _entities(session: Session, detail: SignalDetail) -> EntityPage:
    type, role, text, after = (request.args.get(name, "")[:200] for name in ("type", "role", "find", "after"))
    if not (type or role or text or after):
        return detail.entities
    return inbox.entities(session, detail.signal.id, type=type, role=role, q=text, after=after)


def timeline(signal: Signal, events: Sequence[SignalEvent]) -> list[Deed]:
    """The timeline in words; of each kind of change the newest one can be undone while it still stands."""
    seen: set[str] = set()
    deeds = []
    for event in events:
        newest = event.kind not in seen
        seen.add(event.kind)
        undoable = newest and event.kind in UNDOABLE and event.undone_by is None
        deeds.append(Deed(event, _what(event), not event.actor.startswith("rule:"), undoable))
    return deeds


def _what(event: SignalEvent) -> str:
    before, after = event.before or {}, event.after or {}
    match event.kind:
        case "found":
            return FOUND.get(event.reason, words(event.reason))
        case "status":
            moved = f"{words(before.get('status'))} \u2192 {words(after.get('status'))}"
            return (
                moved if event.reason in ("moved", after.get("status")) else f"{moved}: {words(event.reason).lower()}"
            )
        case "assign":
            return f"Assigned to {event.detail}" if event.detail else "Given back"
        case "priority":
            return f"Priority {before.get('priority')} \u2192 {after.get('priority')}"
        case "snooze":
            return "Snoozed" if event.reason == "snoozed" else "Woken"
        case "merge":
            return "Merged into one case"
        case "split":
            return "Split off its case"
        case "comment":
            return event.detail or ""
    return words(event.reason)


FOUND: Mapping[str, str] = {
    "opened": "Found for the first time",
    "widened": "Found in more places",
    "narrowed": "Found in fewer places",
    "changed": "Found with other amounts",
    "reopened": "Found again after it was resolved",
    "returned": "Its dismissal is over, and it is still there",
    "covered": "Explained better by another signal, so it is closed",
    "covered_partly": "Some of it is explained better by another signal",
    "uncovered": "What explained it is gone, and it is still there",
    "explains": "Explains what another rule found",
    "clearing": "Not found any more; one more run to be sure",
    "self_healed": "Not found any more, so it is resolved",
}


def money_of(detail: SignalDetail) -> list[tuple[str, list[tuple[str, Decimal]]]]:
    """The signal's money by kind, each currency for itself, the one that weighs most first."""
    found = []
    for kind, title in KINDS:
        amounts = [(impact.currency, getattr(impact, kind)) for impact in detail.impacts if getattr(impact, kind)]
        if amounts:
            amounts.sort(key=lambda pair: console().weight(*pair), reverse=True)
            found.append((title.capitalize(), amounts))
    return found


def playbook(rule: Rule | None) -> list[tuple[str, Any]]:
    """The rule's steps in their order, each part under its heading; empty parts are left out."""
    if rule is None:
        return []
    parts = [(title, getattr(rule.playbook, name)) for name, title in PLAYBOOK]
    return [(title, steps) for title, steps in parts if steps]


def _address(**changes: str | int | None) -> str:
    """This page's address with some of its state changed; None takes a part away."""
    state: dict[str, Any] = {**request.args.to_dict(), **changes}
    kept = {name: value for name, value in state.items() if value not in (None, "")}
    return request.path + (f"?{urlencode(kept)}" if kept else "")
