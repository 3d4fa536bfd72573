"""Changes of signals: every form of the inbox and of a signal's page ends here, and goes back with an undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

from flask import Blueprint, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from detector import inbox, merged, merging, triage, usage_labels
from detector.learned import Verdict
from detector.triage import Change
from people.roles import Permission
from store import operational
from web import addresses
from web.access import require
from web.console import console, now
from web.pages import back, done, refused, show
from web.preferences import preferences
from web.words import sentence, words

pages = Blueprint("triage", __name__)

DISMISSALS = (
    ("expected", "Expected: this is how it should be"),
    ("false_positive", "False positive: the rule is wrong here"),
    ("immaterial", "Too small to matter (for 30 days)"),
    ("duplicate", "The same as another signal (for 30 days)"),
    ("handled_elsewhere", "Handled elsewhere (for 30 days)"),
)


MANY = 100
"""Signals that one change may touch without the permission for many."""


class Incomplete(ValueError):  # noqa: N818 (named for what happened)
    """A form without something that its deed needs; the message says what."""


@pages.post("/signals/act")
def act() -> Response | tuple[str, int]:
    """Do to the selected signals what the form says, and go back; refusals say why."""
    if request.form.get("deed", "") not in DEEDS:
        return refused("Choose what to do with the signals.")
    try:
        with operational.writing(console().engine) as session:
            change = perform(session, request.form["deed"], _selected(session), request.form)
            text = _told(change, request.form)
    except triage.ChangedMeanwhile as meanwhile:
        return show("conflict.html", 409, message=str(meanwhile), back=back())
    except (triage.IllegalTransition, triage.UnknownSignal, Incomplete) as refusal:
        return refused(sentence(str(refusal)))
    return done(text, change.id)


@pages.post("/changes/<change>/undo")
def undo(change: str) -> Response:
    """Take a change back, for every signal that still stands as it left it."""
    try:
        with operational.writing(console().engine) as session:
            count = len(take_back(session, change).events)
    except (triage.IllegalTransition, LookupError) as refusal:
        return refused(sentence(str(refusal)))
    return done("Undone." if count == 1 else f"Undone for {count} signals.")


def perform(session: Session, deed: str, ids: Sequence[int], form: Mapping[str, str]) -> Change:
    """Do one of DEEDS to the signals, and to what is merged into them, as far as the caller may.

    Raises Incomplete, Denied, and what `detector.triage` raises.
    """
    wanted = merged.with_merged(session, ids) if deed in TOGETHER else list(ids)
    _check_bulk(len(wanted))
    return DEEDS[deed](session, wanted, form)


def take_back(session: Session, change: str) -> Change:
    """Undo a change, as far as the caller may. Raises Denied, LookupError, IllegalTransition."""
    _check_bulk(triage.size(session, change))
    return triage.undo(session, change, actor=preferences().actor, now=now())


def matching(session: Session, args: MultiDict[str, str]) -> list[int]:
    """The signals that the list shows at an address with these parameters. Raises BadFilter."""
    return inbox.matching(session, addresses.read(args, preferences().who), now())


def _check_bulk(count: int) -> None:
    """Many signals at once are for those who answer for all of them."""
    if count > MANY:
        require(Permission.BULK, f"These are {count:,} signals.")


def _selected(session: Session) -> list[int]:
    """The ticked signals, or all that match the list's address when the person said so."""
    if request.form.get("all"):
        return matching(session, MultiDict(parse_qsl(urlsplit(back()).query, keep_blank_values=True)))
    ids = [int(value) for value in request.form.getlist("id") if value.isascii() and value.isdigit()]
    if not ids:
        raise Incomplete("Select at least one signal first.")
    return ids


def _assign(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    name = " ".join(form.get("assignee", "").split())[:60] or None
    return triage.assign(session, ids, name, actor=preferences().actor, now=now(), version=_version(form))


def _status(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    status = form.get("status", "")
    return triage.change_status(session, ids, status, actor=preferences().actor, now=now(), version=_version(form))


def _snooze(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    hours = form.get("hours", "")
    if hours in triage.WAKES:
        actor = preferences().actor
        return triage.snooze(session, ids, actor=actor, now=now(), wakes=hours, version=_version(form))
    if not (hours.isascii() and hours.isdigit() and int(hours) <= 24 * 366):
        raise Incomplete("Say for how long to snooze.")
    until = now() + timedelta(hours=int(hours)) if int(hours) else None
    return triage.snooze(session, ids, actor=preferences().actor, now=now(), until=until, version=_version(form))


def _priority(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    priority = form.get("priority", "")
    if priority not in triage.PRIORITIES:
        raise Incomplete("Choose a priority.")
    return triage.set_priority(session, ids, priority, actor=preferences().actor, now=now(), version=_version(form))


def _merge(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    also = inbox.number(form.get("with", "")) if form.get("with") else None
    reason = form.get("why", "").strip()[:500] or None
    wanted = [*ids, *([also] if also else [])]
    return merging.merge(session, wanted, actor=preferences().actor, now=now(), reason=reason)


def _split(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    return merging.split(session, ids, actor=preferences().actor, now=now())


def _dismiss(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    reason = form.get("reason", "")
    if reason not in triage.DISMISSALS:
        raise Incomplete("Choose a reason to dismiss.")
    detail = form.get("detail", "").strip()[:500] or None
    actor = preferences().actor
    return triage.dismiss(session, ids, reason, actor=actor, now=now(), detail=detail, version=_version(form))


def _resolve(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    cause = form.get("cause", "").strip()[:500]
    if not cause:
        raise Incomplete("Say what it was before resolving.")
    waiver = form.get("waiver", "").strip()[:500] or None
    actor = preferences().actor
    return triage.resolve(session, ids, cause, actor=actor, now=now(), waiver=waiver, version=_version(form))


def _comment(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    text = form.get("comment", "").strip()[:5000]
    if not text:
        raise Incomplete("Write something first.")
    return triage.comment(session, ids, text, actor=preferences().actor, now=now())


def _label(session: Session, ids: list[int], form: Mapping[str, str]) -> Change:
    verdict = form.get("verdict", "")
    if verdict not in tuple(Verdict):
        raise Incomplete("Say whether it was a fault, not a fault, or planned.")
    if len(ids) != 1:
        raise Incomplete("Label one signal at a time.")
    try:
        return usage_labels.label(session, ids[0], Verdict(verdict), actor=preferences().actor, now=now())
    except usage_labels.NothingToLabel as refusal:
        raise Incomplete(str(refusal)) from None


DEEDS: Mapping[str, Callable[[Session, list[int], Mapping[str, str]], Change]] = {
    "assign": _assign,
    "status": _status,
    "snooze": _snooze,
    "dismiss": _dismiss,
    "resolve": _resolve,
    "comment": _comment,
    "label": _label,
    "priority": _priority,
    "merge": _merge,
    "split": _split,
}

TOGETHER = ("assign", "status", "snooze", "dismiss", "resolve", "priority")
"""What is done to a signal is done to those that are merged into it."""


def _version(form: Mapping[str, str]) -> int | None:
    """The version of the single signal that the person saw; a list does not say one."""
    version = form.get("version", "")
    return int(version) if version.isascii() and version.isdigit() else None


def _told(change: Change, form: Mapping[str, str]) -> str:
    """What was done, in one line, and how many signals refused and why."""
    count = len(change.events)
    which = "1 signal" if count == 1 else f"{count:,} signals"
    last = change.events[0]
    deeds = {
        "assign": f"{which} assigned to {last.detail}" if last.detail else f"{which} given back",
        "snooze": f"{which} {last.reason}" + (f" {last.detail}" if last.detail else ""),
        "comment": "Comment added",
        "priority": f"{which} set to {last.reason}",
        "merge": f"{which} merged into one case",
        "split": f"{which} split off",
    }
    told = deeds.get(last.kind, f"{which}: {words((last.after or {}).get('status'))}")
    if change.refused:
        told += f"; {len(change.refused):,} left as they were ({change.refused[0].reason})"
    return sentence(told)
