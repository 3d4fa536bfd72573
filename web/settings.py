"""The settings: what people set here, shown as it would change before it is kept; and what is set elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import groupby

from flask import Blueprint, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector import deliveries, operator_settings
from detector.operator_settings import BadSettings, ChangedMeanwhile
from people import invitations, sessions, tokens
from remediation.advisor import exchanges
from store import operational
from store.advisor_tables import Exchange
from store.people_tables import Person
from store.team_tables import OperatorSetting
from web.console import console, now
from web.pages import done, refused, show
from web.preferences import preferences
from web.words import sentence

pages = Blueprint("settings", __name__)

HERE = "/settings"

KEPT: tuple[tuple[str, timedelta | None, str], ...] = (
    ("Signals, their timelines, runs and the audit", None, "nothing of them is ever deleted"),
    ("Every snapshot of the books", None, "so each signal can be worked out again on the data that raised it"),
    ("Webhooks that were applied", deliveries.REMEMBERED, "so that one that is sent twice is known"),
    ("A session that nobody uses", sessions.IDLE, f"and any session after {sessions.LONGEST.days} days"),
    ("An invitation", invitations.LASTS, "then it has to be made again"),
    ("An API token", tokens.LONGEST, "at most; whoever makes one says how long"),
)
"""What is kept, for how long (None: always), and why."""

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip


@pages.get(HERE)
def shown() -> tuple[str, int]:
    """Everything that can be set here, as it holds now."""
    with operational.reading(console().engine) as session:
        values = operator_settings.read(session)
        return _form(session, {name: {key: str(each) for key, each in own.items()} for name, own in values.items()})


@pages.post("/settings/review")
def review() -> tuple[str, int] | Response:
    """What the form would change, before and after; nothing is kept yet."""
    with operational.reading(console().engine) as session:
        try:
            wanted = operator_settings.typed(request.form)
        except BadSettings as bad:
            return _form(session, _typed(), 400, bad.problems)
        found = operator_settings.changes(operator_settings.read(session), wanted)
        if not found:
            return refused("Nothing is different from how it is set now.", to=HERE)
        return show("settings_review.html", changes=found, wanted=wanted, seen=request.form.get("seen", ""))


@pages.post(HERE)
def save() -> tuple[str, int] | Response:
    """Keep what was reviewed, unless somebody else changed a setting meanwhile."""
    reason = " ".join(request.form.get("reason", "").split())[:500] or None
    try:
        wanted = operator_settings.typed(request.form)
        with operational.writing(console().engine) as session:
            operational.alone(session, "settings")
            found = operator_settings.keep(
                session, wanted, seen=request.form.get("seen", ""), actor=preferences().actor, now=now(), reason=reason
            )
    except BadSettings as bad:
        return refused(sentence(bad), to=HERE)
    except ChangedMeanwhile as meanwhile:
        return show("conflict.html", 409, message=str(meanwhile), back=HERE)
    return done("1 setting is kept." if len(found) == 1 else f"{len(found)} settings are kept.", to=HERE)


def _form(
    session: Session,
    texts: Mapping[str, Mapping[str, str]],
    status: int = 200,
    problems: Mapping[tuple[str, str], str] | None = None,
) -> tuple[str, int]:
    ours = OperatorSetting.name.in_(operator_settings.BY_NAME)
    last = select(OperatorSetting).where(ours).order_by(OperatorSetting.changed_at.desc()).limit(1)
    stated = sorted(console().stated, key=lambda each: each.section)
    return show(
        "settings.html",
        status,
        texts=texts,
        problems=problems or {},
        seen=operator_settings.stamp(operator_settings.read(session)),
        zones=sorted(operator_settings.zones()),
        months=MONTHS,
        changed=session.scalars(last).first(),
        sections=[(name, list(own)) for name, own in groupby(stated, key=lambda each: each.section)],
        says={each.key: each for each in stated},
        limits=console().approvals.limit,
        people=session.scalars(select(Person).where(Person.disabled_at.is_(None)).order_by(Person.name_key)).all(),
        model=_model(session),
        kept=KEPT,
    )


def _model(session: Session) -> dict[str, object] | None:
    """How the language model is doing; None where none is named."""
    if not console().advisor:
        return None
    currency = next((each.value for each in console().stated if each.key == "advisor.currency"), "USD")
    last = select(Exchange).where(Exchange.cached_from.is_(None), Exchange.status.in_(("answered", "failed")))
    return {
        "name": console().advisor,
        "currency": currency,
        "spent": Decimal(exchanges.spent(session, now(), currency)),
        "last": session.scalars(last.order_by(Exchange.id.desc()).limit(1)).first(),
    }


def _typed() -> dict[str, dict[str, str]]:
    return {
        group.name: {key: request.form.get(f"{group.name}.{key}", "")[:200] for key in group.usual}
        for group in operator_settings.GROUPS
    }
