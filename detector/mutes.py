"""What a person does not want to hear of for a while: the signals of a rule, or of one cause. Each mute ends by itself.

A mute keeps notices away, and what is overdue; never a remark that names the person, and nothing from anybody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from store import audit
from store.operational_tables import Signal
from store.team_tables import OperatorSetting

KINDS = ("rule", "cause")
LONGEST = timedelta(days=90)
MOST = 100
"""Mutes of one person."""

Mutes = Mapping[tuple[str, str], datetime]
"""Until when, by kind and name: (`rule`, `usage_spike`) or (`cause`, `price:price_7`)."""


class BadMute(ValueError):  # noqa: N818 (what is bad is what a person asked for)
    """A mute that cannot be; the message says why."""


def mutes(session: Session, who: str, now: datetime) -> Mutes:
    """What the person has muted now, what ends first first."""
    row = session.get(OperatorSetting, _name(who)) if who else None
    kept = {_key(name): datetime.fromisoformat(until) for name, until in (row.value if row else {}).items()}
    return dict(sorted(((key, until) for key, until in kept.items() if until > now), key=lambda pair: pair[1]))


def silenced(kept: Mutes, signal: Signal) -> bool:
    """Whether a signal is of a muted rule or cause."""
    return ("rule", signal.rule) in kept or ("cause", signal.cause) in kept


def mute(session: Session, who: str, kind: str, name: str, until: datetime, *, now: datetime) -> None:
    """Keep notices of a rule or cause from the person until then. Raises BadMute."""
    if not who or kind not in KINDS or not name:
        raise BadMute("say who you are, and which rule or cause is to be muted")
    if not now < until <= now + LONGEST:
        raise BadMute(f"a mute lasts at most {LONGEST.days} days")
    kept = dict(mutes(session, who, now))
    if len(kept) >= MOST:
        raise BadMute(f"{MOST} mutes are the most; take one back first")
    _keep(session, who, {**kept, (kind, name): until}, now)
    about = ("mute", f"{kind} {name}"[:300])
    audit.record(session, "notices.muted", about, actor=who, now=now, after={"until": until})


def unmute(session: Session, who: str, kind: str, name: str, *, now: datetime) -> None:
    """Let the person hear of it again."""
    kept = dict(mutes(session, who, now))
    if kept.pop((kind, name), None) is not None:
        _keep(session, who, kept, now)
        audit.record(session, "notices.unmuted", ("mute", f"{kind} {name}"[:300]), actor=who, now=now)


def _keep(session: Session, who: str, kept: Mutes, now: datetime) -> None:
    row = session.get(OperatorSetting, _name(who)) or OperatorSetting(name=_name(who))
    row.value = {f"{kind} {name}": until.isoformat() for (kind, name), until in kept.items()}
    row.changed_by, row.changed_at = who, now
    session.add(row)


def _name(who: str) -> str:
    return f"mutes:{who}"


def _key(text: str) -> tuple[str, str]:
    kind, _, name = text.partition(" ")
    return kind, name
