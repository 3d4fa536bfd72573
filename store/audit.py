"""The audit: one function that every change calls, and the chain that shows whether a row was altered or is missing.

A row is written in the transaction of the change that it tells of, as its last step: so neither is there without the
other, and the one lock that orders the chain is taken last and held for a moment. A row's hash is the sha256 of the
hash before it and the row's canonical JSON. Whoever can write the file can also make a new chain; the hash of the last
row, noted elsewhere, is what shows that (`known` of `verify`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import event, insert, select
from sqlalchemy.orm import Session

from store import operational
from store.audit_tables import AuditEntry

START = "0" * 64
"""What the first row is chained to."""

_WAITING = "audit"
_PARTS = ("actor_kind", "actor", "via", "action", "object_type", "object_id", "before", "after", "reason", "request_id")


@dataclass(frozen=True)
class Origin:
    """Where changes come from: a person's browser, a token, the command line, or Trueup itself."""

    kind: str
    request_id: str | None = None
    via: str | None = None


ITSELF = Origin("system")
ORIGIN: ContextVar[Origin] = ContextVar("origin", default=ITSELF)
"""The origin of what is done now; the console sets it for each request, the command line when it starts."""


@dataclass(frozen=True)
class Verified:
    """What a walk along the chain found: how many rows, the last hash, and the first row that is broken, with why."""

    rows: int
    head: str
    broken: int | None = None
    why: str | None = None

    @property
    def whole(self) -> bool:
        """Whether every row is as it was written, in its place."""
        return self.why is None


def record(
    session: Session,
    action: str,
    about: tuple[str, str],
    *,
    actor: str,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
    origin: Origin | None = None,
) -> None:
    """Tell of a change (or an attempt) on `about`, an object's type and id; kept when the transaction commits.

    `before` and `after` hold what was replaced and by what: JSON values, decimals and instants; never a secret.
    """
    source = origin or ORIGIN.get()
    row = {
        "at": now.astimezone(UTC),
        "actor_kind": _kind(actor, source),
        "actor": actor,
        "via": source.via,
        "action": action,
        "object_type": about[0],
        "object_id": about[1],
        "before": None if before is None else _canonical(before),
        "after": None if after is None else _canonical(after),
        "reason": reason,
        "request_id": source.request_id,
    }
    session.info.setdefault(_WAITING, []).append(row)


def verify(session: Session, known: str | None = None) -> Verified:
    """Walk the whole chain, and name the first row that does not fit.

    `known` is a last hash that was noted earlier: a chain without it was made anew or cut.
    """
    rows, last, seen = 0, START, known in (None, START)
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=5_000)):
        if entry.previous != last:
            return Verified(rows, last, entry.id, "the row before it is missing, or was put in or altered later")
        if entry.hash != _digest(entry.previous, {"at": entry.at, **{name: getattr(entry, name) for name in _PARTS}}):
            return Verified(rows, last, entry.id, "it is not as it was written")
        rows, last = rows + 1, entry.hash
        seen = seen or last == known
        session.expunge(entry)
    if not seen:
        return Verified(rows, last, None, "no row has the noted hash: the end was cut off, or all was made anew")
    return Verified(rows, last)


def head(session: Session) -> str:
    """The hash of the last row."""
    return session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or START


@event.listens_for(Session, "before_commit")
def _seal(session: Session) -> None:
    """Chain and write what waits, one writer at a time."""
    waiting = session.info.pop(_WAITING, None)
    if waiting:
        session.flush()
        operational.alone(session, "audit")
        session.execute(insert(AuditEntry), list(_chained(waiting, head(session))))


def _chained(rows: list[dict[str, Any]], last: str) -> Iterator[dict[str, Any]]:
    for row in rows:
        digest = _digest(last, row)
        yield {**row, "previous": last, "hash": digest}
        last = digest


def _digest(previous: str, row: Mapping[str, Any]) -> str:
    told = {"at": f"{row['at']:%Y-%m-%dT%H:%M:%S.%f}Z", **{name: row[name] for name in _PARTS}}
    return hashlib.sha256(previous.encode() + _canonical(told).encode()).hexdigest()


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"an audit row cannot keep {type(value).__name__}")


def _kind(actor: str, source: Origin) -> str:
    """What a rule or Trueup itself did is theirs, whoever started them."""
    if actor.startswith("rule:"):
        return "rule"
    return "system" if actor == "trueup" else source.kind
