"""The gate: what every draft is worth before it becomes final, what holds it back, why, and until when.

States (states.md B1): `passed` - no rule that may block says anything about it; `warned` - one does, or the data is too
old to tell; `blocked` - one says hold, and it is not held yet; `held`; `released` and `corrected` - after a hold.
A hold is an action like any other: approved by a person, or by the standing approval that the configuration names.
On stale data nothing is held: the draft is warned about instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from detector import shares
from detector.detail import amount, instant
from detector.freshness import stale
from detector.shares import Sums
from integrations.http import SourceError
from remediation import execute, life
from remediation.advice import planned
from remediation.case import read
from remediation.remedy import Remedy
from store import operational
from store.action_tables import DONE, Action
from store.among import among
from store.operational_tables import OPEN_STATUSES, Signal, SignalEntity

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


class Stand(NamedTuple):
    """How one draft stands, without why; `finalizes_at`: when it becomes final by itself."""

    integration: str
    invoice: str
    state: str
    finalizes_at: datetime | None


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
    session: Session, rows: Sequence[Mapping[str, Any]], behind: Mapping[str, str], now: datetime
) -> list[Draft]:
    """How drafts stand and why, without alerts; what is blocked first, then by when it becomes final.

    `rows` are rows of `invoices`, their instants aware; `behind`: why an integration's data is stale.
    """
    keys = {_key(row) for row in rows}
    named, done = _signals(session, keys), _actions(session, keys)
    told = shares.on_each(session, sorted({invoice for _, invoice in named})) if named else {}
    found = []
    for row in rows:
        key = _key(row)
        reasons = [_reason(signal, told.get((signal.id, key[1]), ())) for signal in named.get(key, [])]
        found.append(_draft(row, reasons, done.get(key, []), behind, now))
    return sorted(found, key=_first)


def stands(
    session: Session, rows: Iterable[Mapping[str, Any]], behind: Mapping[str, str], now: datetime
) -> tuple[list[Stand], Counter[int]]:
    """How drafts stand, in the order of `standing`, and how many of them each signal keeps back."""
    by_key = {_key(row): row for row in rows}
    does, keeps, done = dict[Key, str](), Counter[int](), _actions(session, set(by_key))
    for invoice, integration, number, gate in set(session.execute(_naming(by_key)).tuples()):
        key = (integration, invoice)
        if key in by_key:
            does[key] = min(gate, does.get(key, gate))  # hold before warn
            keeps[number] += gate == "hold" and integration not in behind
    found = []
    for key, row in by_key.items():
        said = {"warn"} if key[0] in behind else {does[key]} if key in does else set[str]()
        state, _, finalizes_at = _stands(row, said, done.get(key, ()), now)
        found.append(Stand(*key, state, finalizes_at))
    return sorted(found, key=_first), +keeps


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
    state, hold, finalizes_at = _stands(row, {each.does for each in reasons}, actions, now)
    return Draft(
        invoice=row["invoice_id"],
        integration=row["integration"],
        customer=row["customer_id"],
        currency=row["currency"],
        total=row["total"],
        finalizes_at=finalizes_at,
        state=state,
        reasons=tuple(sorted(reasons, key=lambda each: (each.does != "hold", each.signal or ""))),
        hold=hold,
        alert=None,
    )


def _stands(
    row: Mapping[str, Any], does: Collection[str], actions: Sequence[Action], now: datetime
) -> tuple[str, Action | None, datetime | None]:
    """The state of a draft about which signals say hold, warn or nothing; its hold; when it becomes final by itself."""
    done = [each for each in actions if each.status in DONE]
    decided = [each for each in done if each.kind in ("hold_draft", "release_draft")]
    last = max(decided, key=lambda each: each.applied_at or now) if decided else None
    corrected = any(each.kind in CORRECTIONS for each in done)
    hold = last if last is not None and last.kind == "hold_draft" else None
    is_on = hold is not None and not _is_lost(row, hold)
    is_final = row["auto_advance"] is not False and not is_on
    state = _state(row, does, is_on, last is not None, corrected)
    return state, hold, row["finalizes_at"] if is_final else None


def _first(draft: Draft | Stand) -> tuple[int, datetime, str]:
    """What is blocked first, then by when it becomes final."""
    return STATES.index(draft.state), draft.finalizes_at or _LATER, draft.invoice


def _is_lost(row: Mapping[str, Any], hold: Action) -> bool:
    """Whether the billing system shows, since the hold, that the draft becomes final all the same."""
    return row["auto_advance"] is True and hold.applied_at is not None and bool(row["version_at"] > hold.applied_at)


def _state(row: Mapping[str, Any], does: Collection[str], is_on: bool, was_held: bool, corrected: bool) -> str:
    """A draft that somebody else keeps from going out is held too, as far as a blocking signal is concerned."""
    if is_on:
        return "held"
    if "hold" in does:
        return "held" if row["auto_advance"] is False else "blocked"
    if does:
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


def _reason(signal: _Says, sums: Sequence[Sums]) -> Reason:
    """The signal with its money on this draft, each kind and currency for itself."""
    kinds = [(kind, getattr(each, kind), each.currency) for each in sums for kind in ("under", "over", "exposure")]
    money = [f"{kind} {amount(value, unit)} {unit}" for kind, value, unit in kinds if value]
    return Reason(signal.label, signal.gate, signal.title, ", ".join(money))


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


def _signals(session: Session, drafts: Collection[Key]) -> dict[Key, list[_Says]]:
    """The open signals of rules that hold or warn, by the drafts that they name as wrong now."""
    found: dict[Key, dict[int, _Says]] = {}
    query = _naming(drafts).add_columns(Signal.title).order_by(Signal.id)
    for id, integration, number, does, title in session.execute(query):
        if (integration, id) in drafts:
            found.setdefault((integration, id), {})[number] = _Says(number, does, title)
    return {key: list(signals.values()) for key, signals in found.items()}


def _naming(drafts: Collection[Key]) -> Select[str, str, int, str]:
    """Which open signals of rules that hold or warn name the drafts as wrong now; also those of other integrations."""
    return (
        select(SignalEntity.entity_id, Signal.integration, Signal.id, Signal.gate)
        .join(Signal, Signal.id == SignalEntity.signal_id)
        .where(SignalEntity.type == "invoice", SignalEntity.role != "evidence", SignalEntity.gone_since.is_(None))
        .where(Signal.gate.in_(("hold", "warn")), Signal.status.in_(OPEN_STATUSES), Signal.clear_runs == 0)
        .where(among(SignalEntity.entity_id, sorted({invoice for _, invoice in drafts})))
    )


def _actions(session: Session, drafts: set[Key]) -> dict[Key, list[Action]]:
    """The actions on the drafts, by the invoice that they write to."""
    kinds = ("hold_draft", "release_draft", *CORRECTIONS)
    found: dict[Key, list[Action]] = {}
    for action in session.scalars(select(Action).where(Action.kind.in_(kinds)).order_by(Action.id)):
        key = (str(action.integration), action.plan["deeds"][0]["id"])
        if key in drafts:
            found.setdefault(key, []).append(action)
    return found
