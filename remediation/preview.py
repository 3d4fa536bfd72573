"""What the billing system itself says that an action would come to, kept in its journal. Nothing is changed."""

from __future__ import annotations

from detector.detail import amount
from integrations.writing import Preview
from remediation import life
from remediation.life import Refused
from remediation.plans import deeds_of
from remediation.remedy import Remedy
from store import operational
from store.action_tables import Action


def preview(remedy: Remedy, action_id: int, *, actor: str) -> list[Preview]:
    """Ask for the preview of each deed of an action that there is one for, and write down what it says.

    Raises Refused when the integration is not connected or has no preview, UnknownAction, SourceError.
    """
    with operational.reading(remedy.setting.engine) as session:
        action = session.get(Action, action_id)
        if action is None:
            raise life.UnknownAction(action_id)
        session.expunge_all()
    writes = remedy.writes.get(action.integration or "")
    if writes is None:
        raise Refused(f"{action.label} writes to no billing system that is connected")
    found = [one for deed in deeds_of(action.plan) if (one := writes.preview(deed)) is not None]
    if not found:
        raise Refused(f"{action.integration} has no preview of {action.kind}; what it changes stands in the action")
    with operational.writing(remedy.setting.engine) as session:
        row = life.get(session, action_id)
        for one in found:
            life.note(session, row, "previewed", actor, remedy.setting.clock(), detail=told(one))
    return found


def told(preview: Preview) -> str:
    """A preview in words."""
    before, after = (amount(value, preview.currency) for value in (preview.before, preview.after))
    return f"{preview.of}: {before} {preview.currency} as it is, {after} {preview.currency} afterwards"
