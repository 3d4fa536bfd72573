"""The gate: what every draft is worth before it becomes final, what holds it back, why, and until when.

States (states.md B1): `passed` - no rule that may block says anything about it; `warned` - one does, or the data is too
old to tell; `blocked` - one says hold, and it is not held yet; `held`; `released` and `corrected` - after a hold.
A hold is an action like any other: approved by a person, or by the standing approval that the configuration names.
On stale data nothing is held: the draft is warned about instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector.detail import amount, instant
from detector.freshness import stale
from integrations.http import SourceError
from remediation import execute, life
from remediation.advice import planned
from remediation.case import read
from remediation.remedy import Remedy
from store import operational
from store.action_tables import DONE, Action
from store.operational_tables import OPEN_STATUSES, Signal, SignalEntity, StoredFinding

SOME = 500
"""Ids that one query asks for."""

CORRECTIONS = ("correct_draft", "edit_draft_line")
"""Actions that put a draft right."""

Key = tuple[str, str]
"""An integration and the id of one of its drafts: two systems may call two drafts alike."""

ASKED = ("integration", "invoice_id", "customer_id", "currency", "total", "finalizes_at", "auto_advance",
         "version_at")  # fmt: skip
"""What is asked of an invoice's row in the books."""

STATES = ("blocked", "held", "warned", "corrected", "released", "passed")


@dataclass(frozen=True)
class Reason:
    """Why a draft is not simply passed: the signal (or None), what the gate does about it, its money on the draft."""

    signal: str | None
    does: str  # hold | warn
    says: str
    money: str


@dataclass(frozen=True)
class Draft:
    """One draft at the gate. `finalizes_at`: when it becomes final by itself; `alert`: what a person must look at."""

    invoice: str
    integration: str
    customer: str
    currency: str
    total: Decimal
    finalizes_at: datetime | None
    state: str
    reasons: tuple[Reason, ...]
    hold: Action | None
    alert: str | None

    def as_json(self) -> dict[str, Any]:
        """What `trueup gate --json` prints."""
        return {
            "invoice": self.invoice,
            "integration": self.integration,
            "customer": self.customer,
            "currency": self.currency,
            "total": amount(self.total, self.currency),
            "finalizes_at": instant(self.finalizes_at),
            "state": self.state,
            "reasons": [vars(each) for each in self.reasons],
            "hold": None if self.hold is None else {
                "action": self.hold.label,
                "since": instant(self.hold.applied_at),
                "approved_by": self.hold.approved_by,
                "reason": self.hold.approval_reason,
            },
            "alert": self.alert,
        }  # fmt: skip


def drafts(remedy: Remedy, invoice: str | None = None) -> list[Draft]:
    """Every draft, or one, or those of a bill run, with what the gate says of each; what is blocked first, then by
    when it becomes final.

    Raises LakeError when the books cannot be read.
    """
    now = remedy.setting.clock()
    rows = {_key(row): row for row in _draft_rows(remedy, invoice)}
    with operational.reading(remedy.setting.engine) as session:
        found = standing(session, list(rows.values()), stale(session, remedy.setting.limits, now), now)
        session.expunge_all()
    return [replace(each, alert=_alert(remedy, rows[each.integration, each.invoice], each, now)) for each in found]


def standing(
    session: Session,
    rows: Sequence[Mapping[str, Any]],
    behind: Mapping[str, str],
    now: datetime,
    *,
    with_money: bool = True,
) -> list[Draft]:
    """How drafts stand, without alerts; what is blocked first, then by when it becomes final.

    `rows` are rows of `invoices`, their instants aware; `behind`: why an integration's data is stale. Reasons say their
    money unless nobody asks for it.
    """
    keys = {_key(row) for row in rows}
    named, done = _signals(session, keys), _actions(session, keys)
    told = _findings(session, {signal.id for signals in named.values() for signal in signals}) if with_money else {}
    found = []
    for row in rows:
        key = _key(row)
        reasons = [_reason(signal, key[1], told.get(signal.id, [])) for signal in named.get(key, [])]
        found.append(_draft(row, reasons, done.get(key, []), behind, now))
    return sorted(found, key=lambda each: (STATES.index(each.state), each.finalizes_at or _LATER, each.invoice))


def of_draft(
    session: Session, row: Mapping[str, Any], limits: Mapping[str, timedelta | None], now: datetime
) -> Draft | None:
    """How one invoice stands, its row as the books have it, by what is known and how old that is; None for no draft."""
    if row["status"] != "draft":
        return None
    zoned = {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
        for name, value in row.items()
    }
    return standing(session, [zoned], stale(session, limits, now), now)[0]


def enforce(remedy: Remedy) -> list[Action]:
    """Hold what is blocked, by the standing approval; every action that was tried, with how it stands.

    Without a standing approval, without write access and on stale data nothing is done.
    """
    if not remedy.gate.automatic:
        return []
    tried = []
    for draft in drafts(remedy):
        if draft.state != "blocked" or draft.integration not in remedy.allowed:
            continue
        action = _approved_hold(remedy, draft)
        if action is not None:
            try:
                tried.append(execute.apply(remedy, action, actor=remedy.gate.approved_by))
            except (life.Refused, SourceError):
                continue  # it stays blocked, which the gate tells
    return tried


def _approved_hold(remedy: Remedy, draft: Draft) -> int | None:
    """The id of the hold of a draft, approved by whoever gave the standing approval; None when none is planned."""
    number = int((draft.reasons[0].signal or "SIG-0").removeprefix("SIG-"))
    now = remedy.setting.clock()
    with operational.writing(remedy.setting.engine) as session:
        signal = session.get_one(Signal, number)
        case = read(session, remedy.setting.warehouse, signal, remedy.by_name.get(signal.rule), remedy.can)
        life.propose(session, case, planned(case), actor=life.MACHINE, now=now)
        for action in life.of_signal(session, number):
            if (action.kind, action.object_id) != ("hold_draft", draft.invoice):
                continue
            if action.status == "proposed":
                reason = "standing approval gate.hold: automatic"
                life.approve(session, action.id, actor=remedy.gate.approved_by, reason=reason, now=now,
                             approvals=remedy.approvals)  # fmt: skip
            if action.status in ("approved", "failed", "parked"):
                return action.id
    return None


_LATER = datetime.max.replace(tzinfo=UTC)


def _draft(
    row: Mapping[str, Any],
    reasons: Sequence[Reason],
    actions: Sequence[Action],
    behind: Mapping[str, str],
    now: datetime,
) -> Draft:
    reasons = list(reasons)
    old = behind.get(row["integration"])
    if old is not None:
        reasons = [Reason(each.signal, "warn", each.says, each.money) for each in reasons]
        reasons.append(Reason(None, "warn", f"the data is stale, so nothing is held: {old}", ""))
    last = max((each for each in actions if each.kind in ("hold_draft", "release_draft") and each.status in DONE),
               key=lambda each: each.applied_at or now, default=None)  # fmt: skip
    corrected = any(each.kind in CORRECTIONS and each.status in DONE for each in actions)
    hold = last if last is not None and last.kind == "hold_draft" else None
    is_on = hold is not None and not _is_lost(row, hold)
    return Draft(
        invoice=row["invoice_id"],
        integration=row["integration"],
        customer=row["customer_id"],
        currency=row["currency"],
        total=row["total"],
        finalizes_at=row["finalizes_at"] if row["auto_advance"] is not False and not is_on else None,
        state=_state(row, reasons, is_on, last is not None, corrected),
        reasons=tuple(sorted(reasons, key=lambda each: (each.does != "hold", each.signal or ""))),
        hold=hold,
        alert=None,
    )


def _is_lost(row: Mapping[str, Any], hold: Action) -> bool:
    """Whether the billing system shows, since the hold, that the draft becomes final all the same."""
    return row["auto_advance"] is True and hold.applied_at is not None and bool(row["version_at"] > hold.applied_at)


def _state(row: Mapping[str, Any], reasons: Sequence[Reason], is_on: bool, was_held: bool, corrected: bool) -> str:
    """A draft that somebody else keeps from going out is held too, as far as a blocking signal is concerned."""
    if is_on:
        return "held"
    if any(each.does == "hold" for each in reasons):
        return "held" if row["auto_advance"] is False else "blocked"
    if reasons:
        return "warned"
    if corrected:
        return "corrected"
    return "released" if was_held and not is_on else "passed"


def _alert(remedy: Remedy, row: Mapping[str, Any], draft: Draft, now: datetime) -> str | None:
    """What must not go by unseen: a hold that the other side lost, one that lasts too long, one that cannot be made."""
    hold = draft.hold
    if hold is not None and _is_lost(row, hold):
        return f"{hold.label} held it, and the billing system shows that it would become final: the hold was lost"
    if hold is not None and hold.applied_at is not None and now - hold.applied_at > remedy.gate.longest:
        return f"held since {hold.applied_at:%Y-%m-%d %H:%M} UTC, longer than {remedy.gate.longest}: decide about it"
    if draft.state == "blocked" and "hold" not in remedy.can.get(row["integration"], frozenset()):
        return "it cannot be held from here: its billing system holds no single draft, or is not connected for writing"
    if draft.state == "blocked" and row["integration"] not in remedy.allowed:
        return f"it is not held: write access is off (integrations.{row['integration']}.writes)"
    return None


@dataclass(frozen=True)
class _Says:
    """What the gate reads of a signal; a bill run may have thousands."""

    id: int
    gate: str
    title: str

    @property
    def label(self) -> str:
        """The signal's id as people write it."""
        return f"SIG-{self.id}"


def _reason(signal: _Says, invoice: str, findings: Sequence[Any]) -> Reason:
    """The signal with its money on this draft, each kind and currency for itself."""
    sums: dict[tuple[str, str], Decimal] = {}
    for each in findings:
        if f"invoice:{invoice}" in (each.records or ()) and each.currency:
            for kind in ("under", "over", "exposure"):
                sums[kind, each.currency] = sums.get((kind, each.currency), Decimal(0)) + getattr(each, kind)
    money = [f"{kind} {amount(value, unit)} {unit}" for (kind, unit), value in sums.items() if value]
    return Reason(signal.label, signal.gate, signal.title, ", ".join(money))


def _findings(session: Session, signals: Iterable[int]) -> dict[int, list[Any]]:
    """What the signals say now, by signal: records and money."""
    of = StoredFinding
    columns = (of.signal_id, of.records, of.currency, of.under, of.over, of.exposure)
    query = select(*columns).where(of.gone_since.is_(None)).order_by(of.id)
    found: dict[int, list[Any]] = {}
    numbers = sorted(signals)
    for start in range(0, len(numbers), SOME):
        for finding in session.execute(query.where(StoredFinding.signal_id.in_(numbers[start : start + SOME]))):
            found.setdefault(finding.signal_id, []).append(finding)
    return found


def _draft_rows(remedy: Remedy, invoice: str | None) -> list[dict[str, Any]]:
    where, values = ("AND (invoice_id = ? OR bill_run_id = ?)", [invoice, invoice]) if invoice else ("", [])
    with closing(remedy.setting.warehouse.connect(read_only=True)) as con:
        query = f"SELECT {', '.join(ASKED)} FROM books.invoices WHERE status = 'draft' {where}"
        rows = con.execute(query, values).fetchall()
    return [
        {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
         for name, value in zip(ASKED, row, strict=True)}
        for row in rows
    ]  # fmt: skip


def _key(row: Mapping[str, Any]) -> Key:
    return str(row["integration"]), str(row["invoice_id"])


def _signals(session: Session, drafts: set[Key]) -> dict[Key, list[_Says]]:
    """The open signals of rules that hold or warn, by the drafts that they name as wrong now."""
    query = (
        select(SignalEntity.entity_id, Signal.integration, Signal.id, Signal.gate, Signal.title)
        .join(Signal, Signal.id == SignalEntity.signal_id)
        .where(SignalEntity.type == "invoice", SignalEntity.role != "evidence", SignalEntity.gone_since.is_(None))
        .where(Signal.gate.in_(("hold", "warn")), Signal.status.in_(OPEN_STATUSES), Signal.clear_runs == 0)
        .order_by(Signal.id)
    )
    invoices = sorted({invoice for _, invoice in drafts})
    found: dict[Key, list[_Says]] = {}
    for start in range(0, len(invoices), SOME):
        some = query.where(SignalEntity.entity_id.in_(invoices[start : start + SOME]))
        for id, integration, number, does, title in session.execute(some):
            if (integration, id) in drafts:
                found.setdefault((integration, id), []).append(_Says(number, does, title))
    return found


def _actions(session: Session, drafts: set[Key]) -> dict[Key, list[Action]]:
    """The actions on the drafts, by the invoice that they write to."""
    kinds = ("hold_draft", "release_draft", *CORRECTIONS)
    found: dict[Key, list[Action]] = {}
    for action in session.scalars(select(Action).where(Action.kind.in_(kinds)).order_by(Action.id)):
        key = (str(action.integration), action.plan["deeds"][0]["id"])
        if key in drafts:
            found.setdefault(key, []).append(action)
    return found
