"""What the team has agreed on in the settings, read once per page: the words of severities, deadlines, the calendar."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

from flask import g

from detector import operator_settings
from detector.due import due_at
from detector.operator_settings import Values
from store import operational
from store.operational_tables import Signal
from web.console import console


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
