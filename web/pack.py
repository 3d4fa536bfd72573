"""The evidence pack of a signal: everything that shows what went wrong and what was done about it, on paper.

It needs no scripts: the page is whole as it comes, and the print stylesheet leaves the controls away.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, abort
from sqlalchemy.orm import Session

from detector import inbox, versions
from detector.detail import SignalDetail
from remediation import life
from store import audit, operational
from store.operational_tables import SignalEntity
from web.console import console, now
from web.evidence import can_be_worked, evidence, worked
from web.match import PLAIN
from web.pages import show
from web.signal import chosen_finding, money_of, playbook, timeline

pages = Blueprint("pack", __name__)

RECORDS = 1000
"""Records that a pack lists; it says how many more there are."""


@pages.get("/signals/<label>/pack")
def shown(label: str) -> tuple[str, int]:
    """The pack of `SIG-n`; `finding` says which finding is worked out, else the largest."""
    number = inbox.number(label)
    with operational.reading(console().engine) as session:
        detail = inbox.signal(session, number) if number else None
        if detail is None:
            abort(404, description=f"There is no signal {label[:60]}, so there is no evidence of it.")
        signal, found = detail.signal, chosen_finding(detail)
        rule = console().rules.get(signal.rule)
        return show(
            "pack.html",
            made=now(),
            detail=detail,
            signal=signal,
            rule=rule,
            version=versions.of_hash(session, signal.rule, signal.rule_hash),
            finding=found,
            seen=evidence(detail, found, rule.page if rule else PLAIN) if found else None,
            worked=worked(session, detail, found) if found and can_be_worked(signal.code, found) else None,
            records=_records(session, detail),
            deeds=timeline(signal, detail.timeline),
            playbook=playbook(rule),
            actions=[(each, life.journal(session, each.id)) for each in life.of_signal(session, signal.id)],
            money=money_of(detail),
            head=audit.head(session),
            start=audit.START,
        )


def _records(session: Session, detail: SignalDetail) -> Sequence[SignalEntity]:
    """Every record of the signal, or the first so many."""
    if detail.entities.total <= len(detail.entities.items):
        return detail.entities.items
    return inbox.entities(session, detail.signal.id, limit=RECORDS).items
