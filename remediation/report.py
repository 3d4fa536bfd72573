"""Advice, actions and the gate as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table

from detector.detail import amount, instant
from detector.report import printable
from detector.terminal import columns
from remediation.advice import Advice, Step
from remediation.gate import Draft
from remediation.plans import PHASES
from store.action_tables import Action, ActionEntry

HEADS = {
    "contain": "first, stop it from getting worse",
    "root_cause": "change what made it happen",
    "downstream": "put right what it has done",
    "verify": "see that it worked",
}


def advice_text(advice: Advice) -> Iterator[str]:
    """The advice as lines: the cause with its evidence, then the steps under their phases."""
    cause = advice.cause
    yield f"{advice.signal.label}  {printable(advice.signal.title)}"
    yield f"cause: {cause.category.replace('_', ' ')}, {cause.entity} ({cause.confidence})"
    yield from (f"  because {printable(each)}" for each in cause.why)
    if cause.signals:
        yield f"  {cause.customers} customers share it; the same repair settles {', '.join(cause.signals)}"
    yield from ("", "evidence")
    yield from (f"  [{each.id}] {printable(each.shows)}" for each in cause.evidence)
    if cause.changes:
        yield from ("", "changed just before")
        yield from (f"  {instant(each.at)}  {each.record}: {printable(each.what)}" for each in cause.changes)
    for phase in PHASES:
        own = [(order, step) for order, step in enumerate(advice.steps, 1) if step.phase == phase]
        if own:
            yield from ("", HEADS[phase])
            for order, step in own:
                yield from _step(order, step)


def _step(order: int, step: Step) -> Iterator[str]:
    money = f" ({step.money})" if step.money else ""
    yield f"  {order}. [{step.system}] {printable(step.change)}{money}"
    yield f"     -> {printable(step.outcome)}"
    if step.action is None:
        yield f"     by {step.by}{f': {step.because}' if step.because else ''}"
        return
    parts = [f"{step.action.label} {step.action.kind}, {step.action.status}", f"by {step.by}"]
    parts += [step.because] if step.because else []
    parts += ["can be undone" if step.reversible else "cannot be undone"] if step.action.integration else []
    yield f"     {'; '.join(parts)}"
    if step.risk:
        yield f"     risk: {printable(step.risk)}"
    if step.locked:
        yield f"     locked: {step.locked}"


def action_table(actions: Iterable[Action]) -> Table:
    """Actions as a table."""
    table = columns("id", "signal", "phase", "action", "object", "amount", "status", "by", right=("amount",))
    for each in actions:
        money = f"{amount(each.amount, each.currency)} {each.currency}" if each.amount is not None else ""
        table.add_row(each.label, f"SIG-{each.signal_id}", each.phase, each.kind,
                      printable(f"{each.object_type}:{each.object_id}"), money, each.status,
                      each.approved_by or each.closed_by or each.proposed_by)  # fmt: skip
    return table


def action_text(action: Action, journal: Sequence[ActionEntry] = ()) -> Iterator[str]:
    """How one action stands, and what happened to it."""
    yield f"{action.label} {action.kind} {action.object_type}:{action.object_id}: {action.status}"
    if action.error:
        yield f"  {printable(action.error)}"
    if action.verdict:
        yield f"  promised: {printable(action.verdict['promised'])}"
        yield f"  found: {printable(action.verdict['found'])}"
        if action.verdict["resolved"]:
            yield f"  SIG-{action.signal_id} is resolved"
    for entry in journal:
        key = f" {entry.key}" if entry.key else ""
        yield f"  {instant(entry.at)}  {entry.kind}{key} by {entry.actor}{f': {entry.detail}' if entry.detail else ''}"


def gate_text(drafts: Sequence[Draft]) -> Iterator[str]:
    """The drafts at the gate, a line each, with their reasons below."""
    for each in drafts:
        final = f"final at {instant(each.finalizes_at)}" if each.finalizes_at else "not final by itself"
        total = f"{amount(each.total, each.currency)} {each.currency}"
        yield f"{each.state:<9} {each.invoice}  {total}  {each.customer}  {final}"
        for reason in each.reasons:
            by = f"{reason.signal}: " if reason.signal else ""
            money = f"  ({reason.money})" if reason.money else ""
            yield f"          {reason.does}  {by}{printable(reason.says)}{money}"
        if each.hold is not None:
            why = f"approved by {each.hold.approved_by}: {each.hold.approval_reason}"
            yield f"          held by {each.hold.label}, {why}"
        if each.alert:
            yield f"          ALERT {each.alert}"
    counts = {state: sum(1 for each in drafts if each.state == state) for state in {each.state for each in drafts}}
    told = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    yield f"{len(drafts)} drafts{f': {told}' if told else ''}"
