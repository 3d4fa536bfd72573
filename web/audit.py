"""The audit: what was changed, by whom and why; its chain verified, and exactly the rows of the address exported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from people import audit_log
from people.audit_log import Wanted
from store import audit as chain
from store import operational
from store.audit_tables import AuditEntry
from web.console import console, now
from web.pages import back, done, refused, show
from web.words import sentence

pages = Blueprint("audit", __name__)

KINDS = ("person", "local", "token", "cli", "rule", "model", "system")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
FIELDS = ("actor", "kind", "action", "about", "since", "until")


@pages.get("/audit")
def listed() -> tuple[str, int]:
    """The rows that the address wants, the newest first."""
    given = {name: request.args.get(name, "").strip()[:300] for name in FIELDS}
    before = request.args.get("before", "")
    with operational.reading(console().engine) as session:
        page = audit_log.page(session, _wanted(given), before=int(before) if before.isdigit() else None)
        areas = sorted({action.partition(".")[0] for action in session.scalars(select(AuditEntry.action).distinct())})
        kept = {name: value for name, value in given.items() if value}
        return show(
            "audit.html",
            page=page,
            given=given,
            filtered=bool(kept),
            query=urlencode(kept),
            kinds=KINDS,
            areas=areas,
            changes=changes,
            address_of_object=address_of_object,
        )


@pages.post("/audit/verify")
def verify() -> AnyResponse:
    """Walk along the whole chain and say whether it holds."""
    with operational.reading(console().engine) as session:
        found = chain.verify(session)
    if not found.whole:
        return refused(sentence(audit_log.told(found)), to=back("/audit"))
    return done(f"The chain is whole: {found.rows:,} rows, the last hash is {found.head[:16]}…", to=back("/audit"))


@pages.get("/audit/export")
def export() -> Response:
    """Every row that the address wants, as CSV."""
    return sheet(_wanted({name: request.args.get(name, "").strip() for name in FIELDS}))


def sheet(wanted: Wanted) -> Response:
    """The rows as CSV, read while they are sent."""
    engine = console().engine

    def lines() -> Iterator[str]:
        """The rows as they are read, so that no whole audit is held."""
        with operational.reading(engine) as session:
            yield from audit_log.as_csv(session, wanted)

    answer = Response(lines(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="trueup-audit-{now():%Y%m%dT%H%M%SZ}.csv"'
    return answer


def changes(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """What a row says was replaced: name, before, after; empty where there was or is nothing."""
    before: dict[str, Any] = json.loads(entry.before or "{}")
    after: dict[str, Any] = json.loads(entry.after or "{}")
    names = [*after, *(name for name in before if name not in after)]
    pairs = [(name, _text(before.get(name)), _text(after.get(name))) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def address_of_object(entry: AuditEntry) -> str | None:
    """The page of what a row is about, where there is one."""
    return {"signal": f"/signals/{entry.object_id}", "rule": f"/rules/{entry.object_id}"}.get(entry.object_type)


def _wanted(given: dict[str, str]) -> Wanted:
    until = _day(given["until"])
    return Wanted(
        actor=given["actor"],
        kind=given["kind"],
        action=given["action"],
        about=given["about"],
        since=_day(given["since"]),
        until=until + timedelta(days=1) if until else None,
    )


def _day(text: str) -> datetime | None:
    """The beginning of a day in UTC; what is no day narrows nothing."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _text(value: Any) -> str:
    """A value of a row as people read it: lists and limits without brackets, instants without their tail."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items()) or "none"
    return _instant(value) if isinstance(value, str) else json.dumps(value)


def _instant(text: str) -> str:
    """An instant to the second; any other text as it is."""
    return f"{text[:10]} {text[11:19]}" if _INSTANT.fullmatch(text) else text
