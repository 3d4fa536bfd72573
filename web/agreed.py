"""What the team has agreed on in the settings, read once per page: the words of severities, deadlines, the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from flask import g

from detector import operator_settings
from detector.due import due_at
from detector.operator_settings import Values
from store import operational
from store.operational_tables import Signal
from web import moments
from web.console import console, now

SOON = timedelta(hours=24)
"""Within which a draft that becomes final is urgent."""


def agreed() -> Values:
    """Every group of settings as it holds now."""
    if "agreed" not in g:
        with operational.reading(console().engine) as session:
            g.agreed = operator_settings.read(session)
    return cast(Values, g.agreed)


def severity_word(severity: str) -> str:
    """The team's word for a severity."""
    return str(agreed()["severity_words"].get(severity, severity.capitalize()))


def severity_meaning(severity: str) -> str:
    """What the team means by a severity, in a sentence."""
    return str(agreed()["severity_meanings"].get(severity, ""))


def zone() -> ZoneInfo:
    """The time zone in which reports begin their days and months."""
    return ZoneInfo(str(agreed()["calendar"]["timezone"]))


def year_begins() -> int:
    """The month, from 1, in which a year of the reports begins."""
    return int(agreed()["calendar"]["year_begins"])


def due(signal: Signal) -> datetime:
    """Until when a signal is to be dealt with."""
    return due_at(signal.severity, signal.first_seen, agreed()["sla_hours"])


@dataclass(frozen=True)
class Due:
    """A signal's deadline as the list shows it, and below it when its draft becomes final.

    Red is for what is late and nobody's; late and taken is only bold: money and severity come first.
    """

    text: str = moments.DASH
    look: str = ""
    exactly: str = ""
    draft: str = ""
    urgent: bool = False


def due_cell(signal: Signal) -> Due:
    """The deadline of a signal: of one that is open and awake; and its draft's."""
    draft, urgent = _draft(signal)
    if not signal.is_open or (signal.snoozed_until is not None and signal.snoozed_until > now()):
        return Due(draft=draft, urgent=urgent)
    at = due(signal)
    exactly = f"{moments.instant(at)} UTC"
    if at > now():
        return Due(moments.roughly(at, now()), "", exactly, draft, urgent)
    late = moments.roughly(at, now()).removesuffix(" ago")
    return Due(f"{late} late", " strong" if signal.assignee else " strong bad", exactly, draft, urgent)


def _draft(signal: Signal) -> tuple[str, bool]:
    """When the draft becomes final, in words; and whether that is within a day."""
    if signal.finalizes_at is None:
        return "", False
    left = signal.finalizes_at - now()
    if left <= timedelta(0):
        return "draft is final", False
    return f"draft {moments.roughly(signal.finalizes_at, now())}", left <= SOON
