"""What the audit says of the changes that people make here: rows of timelines, and what is set for a rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from store import audit
from store.operational_tables import RuleOverride, SignalEvent


def signal_event(session: Session, event: SignalEvent) -> None:
    """Audit one row of a signal's timeline."""
    audit.record(
        session,
        f"signal.{event.kind}",
        ("signal", f"SIG-{event.signal_id}"),
        actor=event.actor,
        now=event.at,
        before=event.before,
        after=event.after,
        reason=event.reason if event.detail is None else f"{event.reason}: {event.detail}",
    )


def override(
    session: Session, rule: str, before: dict[str, Any], after: dict[str, Any], actor: str, now: datetime
) -> None:
    """Audit what is set for a rule, where that is something else than before."""
    if before != after:
        audit.record(session, "rule.set", ("rule", rule), actor=actor, now=now, before=before, after=after)


def set_of(override: RuleOverride | None) -> dict[str, Any]:
    """What an override sets; nothing where the rule runs as its text says."""
    names = ("state", "paused_until", "severity", "schedule", "params")
    found = {name: getattr(override, name) for name in names} if override is not None else {}
    return {name: value for name, value in found.items() if value is not None}
