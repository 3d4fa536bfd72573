"""Saved views, notifications, and the manager's report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, Literal

from flask import Response, request
from pydantic import Field

from detector import due, notices, view_query, views
from detector.detail import amount, instant
from detector.workload import workload_json
from people.roles import Permission
from store import operational
from store.view_tables import SavedView
from web import manager_report
from web.access import require
from web.api.answers import Amount, Answer, Instant, Label
from web.api.bodies import Body
from web.api.operations import JSON, Asked, Operation, body, operation, query
from web.api.queries import CSV
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer
from web.words import sentence

Seconds = Annotated[int | None, Field(description="A median in seconds; null where nothing was measured.")]
REFUSED = {409: "It cannot be done; the detail says why."}


class View(Answer):
    """A query of the list of signals under a name."""

    id: int
    name: str
    owner: str
    shared: bool
    default: bool
    query: str
    saved_at: Instant


class Views(Answer):
    """One's own views and the team's, by name."""

    views: list[View]


class WantedView(Body):
    """A query to keep; one's own of that name is replaced. `shared`: for the team, which needs `act`."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    query: Annotated[str, Field(max_length=4000, description="The query of GET /api/v1/signals.")]
    shared: bool = False
    default: bool = False


class Notice(Answer):
    """A deed that concerns the person."""

    id: int
    kind: Literal["assigned", "mentioned"]
    signal: Label
    title: str
    actor: str
    at: Instant
    detail: str | None
    read: bool


class NamedIn(Answer):
    """A note on a customer that names the person."""

    id: int
    customer: str
    author: str
    at: Instant
    text: str
    read: bool


class Notices(Answer):
    """What was given to the person or said to them, the newest first, notes on customers that name them, and what of
    theirs is overdue.
    """

    notices: list[Notice]
    notes: list[NamedIn]
    unread: int
    overdue: list[Label]


class ReadUpTo(Body):
    """Everything up to this notice, and up to this note, is read."""

    up_to: Annotated[int, Field(ge=0, lt=2**63)]
    up_to_note: Annotated[int, Field(ge=0, lt=2**63)] = 0


class Sum(Answer):
    """Money of one kind in one currency: what rules worked out, and what they estimate."""

    kind: Literal["prevented", "recovered", "written_off"]
    currency: str
    exact: Amount | None
    estimate: Amount | None
    signals: int


class Precision(Answer):
    """What people made of a rule's signals."""

    rule: str
    code: str
    right: int
    wrong: int


class InTime(Answer):
    """Of the closed signals of one severity, how many within its hours, and how many later."""

    severity: str
    hours: int
    kept: int
    late: int


class OpenNow(Answer):
    """The open signals as they are now, by age; what four weeks brought and took; `expected` after four more, null
    before the first four."""

    ages: dict[str, int]
    open: int
    found: int
    closed: int
    expected: int | None


class Report(Answer):
    """What became of the signals of a period, and what is open now."""

    period: str
    start: Instant
    end: Instant
    sums: list[Sum]
    found: int
    closed: int
    seconds_to_first_action: Seconds
    seconds_to_verified: Seconds
    precision: list[Precision]
    in_time: list[InTime]
    open_now: OpenNow


class ReportQuery(Asked):
    """Of which month or year; this month without one."""

    period: Annotated[str, Field(pattern="^([0-9]{4}(-[0-9]{2})?)?$", description="2026-10 or 2026.")] = ""


@operation("/views", Operation("List views", "One's own saved views and the team's.", Views))
def saved_views() -> Response:
    """The views that the caller sees."""
    with operational.reading(console().engine) as session:
        return answer(200, {"views": [_view(each) for each in views.seen_by(session, preferences().who)]})


@operation(
    "/views",
    Operation("Save a view", "Keep a query of the list of signals under a name.", View, 201, body=WantedView,
              refuses=REFUSED),
    method="POST",
)  # fmt: skip
def save_view() -> Response:
    """Keep a query."""
    wanted: WantedView = body(WantedView)
    if wanted.shared:
        require(Permission.ACT, "A view for the team is seen by everybody.")
    kept = view_query.kept(wanted.query)
    with _refusals(), operational.writing(console().engine) as session:
        view = views.save(
            session, wanted.name, kept, owner=preferences().who, shared=wanted.shared, is_default=wanted.default,
            now=now(),
        )  # fmt: skip
        return answer(201, _view(view))


@operation("/views/<int:number>", Operation("Remove a view", "An own one, or one of the team's.", None, 204,
                                            refuses=REFUSED), method="DELETE")  # fmt: skip
def remove_view(number: int) -> Response:
    """Remove a view."""
    with _refusals(), operational.writing(console().engine) as session:
        found = session.get(SavedView, number)
        if found is None or (found.owner != preferences().who and not found.shared):
            raise Refused(404, "No such view", f"There is no view {number}; GET /api/v1/views lists them.")
        if found.shared:
            require(Permission.ACT, "A view for the team is everybody's.")
        views.remove(session, number, who=preferences().who, now=now())
    return Response(status=204)


@operation("/notifications", Operation("List notifications", "What the token's owner should know.", Notices))
def notifications() -> Response:
    """What concerns the caller."""
    who = preferences().who
    with operational.reading(console().engine) as session:
        found, named = notices.notices(session, who), notices.in_notes(session, who)
        late = notices.late(session, who, due.hours(session), now())
        told = {
            "notices": [_notice(each) for each in found],
            "notes": [_named_in(each) for each in named],
            "unread": sum(not read for read in [*(each.is_read for each in found), *(each.is_read for each in named)]),
            "overdue": [signal.label for signal in late],
        }
    return answer(200, told)


@operation(
    "/notifications/read",
    Operation("Mark notifications read", "Everything up to one of them.", Notices, body=ReadUpTo, refuses=REFUSED),
    method="POST",
)
def read_notifications() -> Response:
    """Keep how far the caller has read."""
    wanted: ReadUpTo = body(ReadUpTo)
    if not preferences().who:
        raise Refused(409, "Nobody's", "Notifications are somebody's; ask with the token of an account.")
    with operational.writing(console().engine) as session:
        notices.mark_read(session, preferences().who, wanted.up_to, wanted.up_to_note)
    return notifications()


@operation(
    "/reports/manager",
    Operation(
        "Read the manager's report",
        f"What was prevented, recovered and written off, how fast and how precise; with `Accept: {CSV}` as a sheet.",
        Report,
        query=ReportQuery,
        also=(CSV,),
    ),
)
def report() -> Response:
    """The report of a period."""
    query(ReportQuery, request.args)
    if request.accept_mimetypes.best_match((JSON, CSV)) == CSV:
        return manager_report.sheet()
    name, found = manager_report.of_address()
    told = {
        "period": name,
        "start": instant(found.start),
        "end": instant(found.end),
        "sums": [
            {
                **{field: getattr(each, field) for field in ("kind", "currency", "signals")},
                **{field: amount(getattr(each, field), each.currency) for field in ("exact", "estimate")},
            }
            for each in found.sums
        ],
        "found": found.found,
        "closed": found.closed,
        "seconds_to_first_action": _seconds(found.to_first_action),
        "seconds_to_verified": _seconds(found.to_verified),
        "precision": [vars(each) for each in found.precision],
        "in_time": [vars(each) for each in found.in_time],
        "open_now": workload_json(manager_report.work()),
    }
    return answer(200, told)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except views.BadView as reason:
        raise Refused(409, "It cannot be done", sentence(reason)) from None


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else round(span.total_seconds())


def _view(each: SavedView) -> dict[str, Any]:
    names = ("id", "name", "owner", "shared", "query")
    more = {"default": each.is_default, "saved_at": instant(each.saved_at)}
    return {**{name: getattr(each, name) for name in names}, **more}


def _named_in(each: notices.NoteNotice) -> dict[str, Any]:
    note = each.note
    return {"id": note.id, "customer": note.customer_id, "author": note.author, "at": instant(note.at),
            "text": note.text, "read": each.is_read}  # fmt: skip


def _notice(each: notices.Notice) -> dict[str, Any]:
    event = each.event
    return {
        "id": event.id,
        "kind": each.kind,
        "signal": each.signal.label,
        "title": each.signal.title,
        "actor": event.actor,
        "at": instant(event.at),
        "detail": event.detail,
        "read": each.is_read,
    }
