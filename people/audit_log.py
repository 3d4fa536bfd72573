"""Reading the audit: which rows, page by page, and as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from detector import sheets
from store.audit import Verified
from store.audit_tables import AuditEntry

COLUMNS = ("id", "at", "actor_kind", "actor", "via", "action", "object_type", "object_id", "before", "after", "reason",
           "request_id", "previous", "hash")  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which rows; what is empty does not narrow. `action` is an action or how it begins: `signal` is all of signals."""

    actor: str = ""
    kind: str = ""
    action: str = ""
    about: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Rows, the newest first, and the id before which the next page begins; None on the last one."""

    rows: Sequence[AuditEntry]
    next: int | None


def page(session: Session, wanted: Wanted, *, before: int | None = None, limit: int = 50) -> Page:
    """One page of the rows that match."""
    query = _matching(wanted).order_by(AuditEntry.id.desc())
    if before is not None:
        query = query.where(AuditEntry.id < before)
    rows = session.scalars(query.limit(limit + 1)).all()
    return Page(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


def as_csv(session: Session, wanted: Wanted) -> Iterator[str]:
    """All rows that match, the oldest first, as CSV; a text that a spreadsheet would calculate is marked as text."""
    yield from sheets.lines([COLUMNS])
    for entry in session.scalars(_matching(wanted).order_by(AuditEntry.id).execution_options(yield_per=1_000)):
        yield from sheets.lines([[getattr(entry, name) for name in COLUMNS]])
        session.expunge(entry)


def told(found: Verified) -> str:
    """What a broken chain means, in a sentence."""
    where = f"row {found.broken}: " if found.broken is not None else ""
    return f"the chain is broken after {found.rows:,} rows: {where}{found.why}"


def _matching(wanted: Wanted) -> Select[AuditEntry]:
    query = select(AuditEntry)
    if wanted.actor:
        query = query.where(AuditEntry.actor == wanted.actor)
    if wanted.kind:
        query = query.where(AuditEntry.actor_kind == wanted.kind)
    if wanted.action:
        query = query.where(
            (AuditEntry.action == wanted.action) | AuditEntry.action.startswith(f"{wanted.action}.", autoescape=True)
        )
    if wanted.about:
        query = query.where(AuditEntry.object_id == wanted.about)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    return query
