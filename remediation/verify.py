"""Whether an action brought what it promised: pull the record again, run the rule on it, compare.

A verified repair resolves its signal when the rule finds nothing of it any more; otherwise the timeline says what was
promised and what is still found. Work of people is verified by their word, which is written down with their name.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from detector import cycle, triage
from detector.detail import amount
from remediation import life
from remediation.case import current
from remediation.execute import key_of
from remediation.life import Refused
from remediation.plans import deeds_of, differing
from remediation.remedy import Remedy
from store import operational
from store.action_tables import Action
from store.operational_tables import OPEN_STATUSES, Signal, StoredFinding

TABLES = {"invoice": ("invoices", "invoice_id"), "subscription": ("subscriptions", "subscription_id")}


@dataclass(frozen=True)
class Verdict:
    """What was promised and what is found: `verified`, in one sentence each, and whether the signal is resolved."""

    verified: bool
    promised: str
    found: str
    resolved: bool = False

    def as_json(self) -> dict[str, Any]:
        """The verdict as the action keeps it."""
        return {"verified": self.verified, "promised": self.promised, "found": self.found, "resolved": self.resolved}


def verify(remedy: Remedy, action_id: int, *, actor: str, reason: str = "") -> tuple[Action, Verdict]:
    """Pull what the action touched, run its rule, compare, and keep the verdict.

    Raises Refused when it was not applied, when a person's word is needed, and when the rule cannot run;
    UnknownAction; SourceError when the record cannot be pulled.
    """
    with operational.reading(remedy.setting.engine) as session:
        action = session.get(Action, action_id)
        if action is None:
            raise life.UnknownAction(action_id)
        if action.status not in ("succeeded", "verified"):
            raise Refused(f"{action.label} is {action.status}; only what was done can be verified")
        signal = session.get_one(Signal, action.signal_id)
        before = [each for each in current(session, signal.id) if _is_about(each, action)]
        session.expunge_all()
    if life.by_word(action):
        return _by_word(remedy, action, actor, reason)
    touched = sorted({(deed["type"], deed["id"]) for deed in action.plan["deeds"] if deed["type"] in TABLES})
    if touched:
        remedy.pull(action.integration or "", touched)
    differences = _differences(remedy, action) + _unseen(remedy, action)
    if action.plan["quiet"]:
        _run_rule(remedy, signal)
    return _keep(remedy, action, actor, differences, before)


def _is_about(finding: StoredFinding, action: Action) -> bool:
    return f"{action.object_type}:{action.object_id}" in (finding.records or ())


def _by_word(remedy: Remedy, action: Action, actor: str, reason: str) -> tuple[Action, Verdict]:
    """People's work is done when they say so."""
    if not " ".join(reason.split()):
        raise Refused(f"{action.label} is work of people: say with --reason what was done, and with --as who says so")
    verdict = Verdict(True, action.outcome, reason)
    with operational.writing(remedy.setting.engine) as session:
        row = life.get(session, action.id)
        _write(session, row, actor, verdict, remedy.setting.clock())
        return row, verdict


def _differences(remedy: Remedy, action: Action) -> list[str]:
    """Where the record is not as promised: in the books, and what those do not hold, in the system itself."""
    after: Mapping[str, str | None] = action.plan["after"]
    if not after:
        return []
    deed = action.plan["deeds"][0]
    if deed["type"] not in TABLES:
        row = remedy.writes[action.integration or ""].state(deed["type"], deed["id"])
        return [f"{deed['type']} {deed['id']} is not there any more"] if row is None else differing(after, row)
    table, key = TABLES[deed["type"]]
    with closing(remedy.setting.warehouse.connect(read_only=True)) as con:
        result = con.execute(
            f"SELECT * FROM books.{table} WHERE integration = ? AND {key} = ?", [action.integration, deed["id"]]
        )
        names = [each[0] for each in result.description or ()]
        found = result.fetchone()
    if found is None:
        return [f"{deed['type']} {deed['id']} is not in the books"]
    row = {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
        for name, value in zip(names, found, strict=True)
    }
    if after.keys() - row.keys():
        row = {**(remedy.writes[action.integration or ""].state(deed["type"], deed["id"]) or {}), **row}
    return differing(after, row)


def _unseen(remedy: Remedy, action: Action) -> list[str]:
    """The deeds that the other side does not show (any more), where it goes on showing them. Raises SourceError."""
    if not action.plan.get("shown"):
        return []
    writes = remedy.writes[action.integration or ""]
    keyed = [(deed, key_of(action, place)) for place, deed in enumerate(deeds_of(action.plan))]
    return [f"{deed.verb} {deed.id} is not seen there" for deed, key in keyed if writes.seen(deed, key) is None]


def _run_rule(remedy: Remedy, signal: Signal) -> None:
    rule = remedy.by_name.get(signal.rule)
    if rule is None:
        raise Refused(f"the rule {signal.rule} does not run any more; resolve {signal.label} by hand")
    (result,) = cycle.run(remedy.setting, [rule], remedy.setting.clock(), trigger="verify")
    if result.status == "failed":
        raise Refused(f"{signal.rule} failed, so nothing is verified: {result.error}")
    if result.reason in ("already_running", "taken_over"):
        raise Refused(f"{signal.rule} is running just now; verify again afterwards")


def _keep(
    remedy: Remedy, action: Action, actor: str, differences: list[str], before: list[StoredFinding]
) -> tuple[Action, Verdict]:
    now = remedy.setting.clock()
    with operational.writing(remedy.setting.engine) as session:
        row = life.get(session, action.id)
        signal = session.get_one(Signal, row.signal_id)
        gone = signal.status not in OPEN_STATUSES or signal.clear_runs > 0
        left = [] if gone else [each for each in current(session, signal.id) if _is_about(each, row)]
        still = bool(row.plan["quiet"]) and bool(left)
        found = "; ".join(differences) or (f"still found: {_money(left)}" if still else "as promised")
        if before and row.plan["quiet"]:
            found += f"; before: {_money(before)}"
        verified = not differences and not still
        resolved = verified and bool(row.plan["quiet"]) and gone and _resolve(session, signal, row, actor, now)
        verdict = Verdict(verified, row.outcome, found, resolved)
        _write(session, row, actor, verdict, now)
        if not verified:
            told = f"{row.label} is not verified. Promised: {row.outcome} Found: {found}."
            triage.comment(session, [signal.id], told, actor=actor, now=now)
        return row, verdict


def _resolve(session: Session, signal: Signal, action: Action, actor: str, now: datetime) -> bool:
    """Close the signal that a verified repair has silenced; one that healed by itself meanwhile is closed already."""
    if signal.status not in OPEN_STATUSES:
        return True
    change = triage.resolve(session, [signal.id], f"{action.label}: {action.change}", actor=actor, now=now)
    return bool(change.events)


def _write(session: Session, row: Action, actor: str, verdict: Verdict, now: datetime) -> None:
    row.verdict = verdict.as_json()
    if verdict.verified:
        row.status, row.verified_at = "verified", now
    life.note(session, row, "verified" if verdict.verified else "not_verified", actor, now, detail=verdict.found)


def _money(findings: list[StoredFinding]) -> str:
    """The money of the findings, each kind and currency for itself."""
    sums: dict[tuple[str, str], Any] = {}
    for each in findings:
        for kind in ("under", "over", "exposure"):
            if getattr(each, kind):
                key = (kind, each.currency or "")
                sums[key] = sums.get(key, 0) + getattr(each, kind)
    return ", ".join(f"{kind} {amount(value, unit)} {unit}" for (kind, unit), value in sums.items()) or "no money"
